"""Hyperliquid: agents and the account's own key, told apart by address; `/info` by type, `/exchange` never."""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import replace
from typing import Any

import pytest

from policykit.exchanges.base import CallFailed, arun, run
from policykit.exchanges.client import make_client, plain_client
from policykit.exchanges.credentials import key_id
from policykit.exchanges.forms import hashed
from policykit.exchanges.hyperliquid import ADAPTER
from policykit.redact import Secret
from policykit.sim import SimClock, SimKey, SimServer
from policykit.sim.dialects.hyperliquid import ACCOUNT, address_of, keccak256
from policykit.snapshot import SCOPES, KeyReport
from policykit.traits.hyperliquid import EXCHANGE, encode_id
from tests.canary import assert_clean
from tests.exchanges.live_calls import live_calls
from tests.exchanges.reading import client_of, report_of

AGENT = "0x" + "ab" * 20
OTHER = "0x" + "cd" * 20
TRANSFER = (
    "payments need the account's own key; whether an agent may move money to a vault or a sub-account is not documented"
)
OTHERWISE = "hyperliquid does not document what else an agent may sign (vaults, staking, outcome markets)"
AN_AGENTS = {
    "read": "granted",
    "trade.spot": "granted",
    "trade.margin": "granted",
    "trade.derivatives": "granted",
    "trade.options": "denied",
    "trade.other": "unknown",
    "transfer": "unknown",
    "withdraw": "denied",
    "key_admin": "denied",
}


def _of(answer: Any, *more: Any, agent: str = AGENT, wallet: str = ACCOUNT) -> KeyReport:
    return report_of(ADAPTER, *({"agent": agent, "wallet": wallet, "answer": one} for one in (answer, *more)))


def test_a_named_agent() -> None:
    """It trades until its approval ends; it cannot withdraw; the other agent is another key of the account."""
    rows = [
        {"address": AGENT.upper().replace("X", "x"), "name": "bot", "validUntil": 1795255200000},
        {"address": OTHER, "name": "desk", "validUntil": None},
    ]
    report = _of(rows)
    assert report.permissions == AN_AGENTS
    assert (report.expires_at, report.label) == ("2026-11-21T10:00:00.000Z", "bot")
    assert (report.restricted, report.addresses) == ("no", [])
    assert (report.id, report.account_id) == (hashed(AGENT), hashed(ACCOUNT))
    assert report.others == [{"id": hashed(OTHER), "label": "desk"}]
    assert report.unrecognised == []
    assert report.unknown == {
        "permissions.transfer": TRANSFER,
        "permissions.trade.other": OTHERWISE,
        "created_at": "hyperliquid does not report it",
        "last_used_at": "hyperliquid does not report it",
    }


@pytest.mark.parametrize(
    ("value", "why"), [(None, None), ("soon", "was not a plausible time"), (..., "was not in the answer")]
)
def test_when_an_agents_approval_ends(value: object, why: str | None) -> None:
    """`null` is none; what cannot be read, or is not there, is unknown."""
    row = {"address": AGENT, "name": "bot", "validUntil": value}
    report = _of([{name: one for name, one in row.items() if one is not ...}])
    assert report.expires_at is None
    assert report.unknown.get("expires_at") == (None if why is None else f"validUntil {why}")


def test_the_accounts_own_key_may_everything() -> None:
    """A private key whose address is the wallet's withdraws, pays and approves agents, whoever is on the list."""
    report = _of([{"address": OTHER, "name": "bot", "validUntil": None}], {"role": "user"}, wallet=AGENT)
    assert report.permissions == dict.fromkeys(SCOPES, "granted")
    assert report.unknown["label"] == (
        "this is the account's own key and no agent: it can withdraw, pay and approve agents"
    )
    assert "expires_at" not in report.unknown
    assert report.others == [{"id": hashed(OTHER), "label": "bot"}]


@pytest.mark.parametrize(
    "role", [None, {}, {"role": "vault"}, {"role": "agent"}, {"role": "agent", "data": {"user": 7}}]
)
def test_an_unclear_role_of_the_accounts_own_key_takes_nothing_away(role: object) -> None:
    """Only an agent with a master is no account; else what could do everything is said to."""
    assert set(_of([], role, wallet=AGENT).permissions.values()) == {"granted"}


def test_an_agents_address_in_place_of_the_accounts() -> None:
    """The wallet that was given is the agent's own: its role tells whose it is."""
    report = _of([], {"role": "agent", "data": {"user": ACCOUNT}}, wallet=AGENT)
    assert report.permissions == AN_AGENTS
    assert report.account_id == hashed(ACCOUNT)


def test_an_agent_without_a_name() -> None:
    """Only named agents are listed; the role tells of the other one, not when it ends."""
    report = _of([], {"role": "agent", "data": {"user": ACCOUNT}})
    assert report.permissions == AN_AGENTS
    assert report.unknown["expires_at"] == "validUntil was not in the answer"


def test_sub_accounts() -> None:
    """A sub-account's wallet: its master's agent is an agent of it, its master's own key may everything."""
    sub = {"role": "subAccount", "data": {"master": OTHER}}
    assert _of([], {"role": "agent", "data": {"user": OTHER}}, sub).permissions == AN_AGENTS
    assert set(_of([], {"role": "user"}, {**sub, "data": {"master": AGENT}}).permissions.values()) == {"granted"}


@pytest.mark.parametrize(
    ("role", "account"),
    [
        ({"role": "missing"}, {"role": "user"}),
        ({"role": "user"}, {"role": "user"}),
        ({"role": "agent", "data": {"user": OTHER}}, {"role": "user"}),
        ({"role": "agent", "data": {"user": OTHER}}, {"role": "subAccount", "data": {"master": ACCOUNT}}),
        ({"role": "agent", "data": {"user": ""}}, {"role": "subAccount", "data": {"master": ""}}),
        (None, None),
    ],
)
def test_a_key_that_is_nobodys_agent(role: object, account: object) -> None:
    """A pruned agent, or one of somebody else's, is a rejected key."""
    with pytest.raises(CallFailed) as caught:
        _of([], role, account)
    assert caught.value.code == "KEY_REJECTED"
    assert caught.value.failure.message == (
        "hyperliquid: the private key is no agent of this account (any longer), nor its own; approve a new agent"
    )


@pytest.fixture
def sim() -> Any:
    """The simulated exchange that speaks Hyperliquid."""
    with SimServer(clock=SimClock(), dialect="hyperliquid") as server:
        yield server


def test_over_http_an_agent_and_an_own_key(sim: SimServer) -> None:
    """Stock ccxt; addresses derived here and there independently; no private key gets out."""
    agent = sim.grant_key(expires_in_days=20)
    report = run(ADAPTER, client_of(sim, agent), ADAPTER.key_report(), sim.clock)
    assert report.permissions == AN_AGENTS
    assert report.expires_at == "2026-12-11T10:00:00.000Z"
    assert report.account_id == hashed(ACCOUNT)
    assert report.id == hashed(agent.key)
    own = sim.grant_key(grants={"read", "withdraw"})
    whole = run(ADAPTER, client_of(sim, own), ADAPTER.key_report(), sim.clock)
    assert set(whole.permissions.values()) == {"granted"}
    assert_clean(f"{report!r} {whole!r}", [agent.private_key[2:], own.private_key[2:], agent.key[2:], own.key[2:]])


def test_over_http_a_revoked_and_an_unnamed_agent(sim: SimServer) -> None:
    """One that is pruned is rejected; one without a name is found by its role."""
    with pytest.raises(CallFailed, match=r"^hyperliquid: the private key is no agent of this account"):
        run(ADAPTER, client_of(sim, sim.grant_key(refused="revoked")), ADAPTER.key_report(), sim.clock)
    report = run(ADAPTER, client_of(sim, sim.grant_key(label="")), ADAPTER.key_report(), sim.clock)
    assert report.permissions == AN_AGENTS
    assert report.label is None


def test_over_http_the_async_client_reads_the_same(sim: SimServer) -> None:
    """On asyncio too."""
    key = sim.grant_key()
    secrets = {name: Secret(value) for name, value in key.credentials().items()}

    async def read() -> KeyReport:
        client = make_client("hyperliquid", secrets, endpoint=sim.url, clock=sim.clock, asynchronous=True)
        try:
            assert await client.handle_builder_fee_approval() is True
            return await arun(ADAPTER, client, ADAPTER.key_report(), sim.clock)
        finally:
            await client.close()

    assert asyncio.run(read()) == run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), sim.clock)


@pytest.mark.parametrize("private", ["0x12", "not a key", "0x" + "0" * 64, "f" * 64])
def test_a_private_key_that_is_none_is_said_without_it(sim: SimServer, private: str) -> None:
    """Nothing is sent, and what stood there is not repeated."""
    good = sim.grant_key()
    bad: SimKey = replace(good, private_key=private)
    before = sum(sim.truth.by_route.values())
    with pytest.raises(CallFailed) as caught:
        run(ADAPTER, client_of(sim, bad), ADAPTER.key_report(), sim.clock)
    assert caught.value.failure.message == (
        "hyperliquid: the private key is no key; 64 hex digits are needed; nothing was sent"
    )
    assert private not in f"{caught.value!r} {caught.value.__context__!r}"
    assert sum(sim.truth.by_route.values()) == before


def test_over_http_no_builder_is_approved_and_no_referrer_set(sim: SimServer) -> None:
    """Stock ccxt signs both before it lists currencies, with builderFee off as well; here nothing goes to /exchange."""
    key = sim.grant_key()
    secrets = {name: Secret(value) for name, value in key.credentials().items()}
    client = plain_client("hyperliquid", secrets, endpoint=sim.url)
    signed: list[Any] = []
    client.privatePostExchange = signed.append
    assert client.initialize_client() is True
    assert signed == []
    assert client.options["builderFee"] is False
    assert not client.options.get("approvedBuilderFee")


def test_two_agents_of_one_account_are_two_keys(sim: SimServer) -> None:
    """One that is refused does not stand for the other; a report's id is of the agent's address, not of its key."""
    first, second = ({name: Secret(value) for name, value in sim.grant_key().credentials().items()} for _ in "12")
    for one in (first, second):
        del one["api_key"]
    assert first["wallet"].reveal() == second["wallet"].reveal()
    assert key_id(first) != key_id(second)
    client = make_client("hyperliquid", first, endpoint=sim.url, clock=sim.clock)
    report = run(ADAPTER, client, ADAPTER.key_report(), sim.clock)
    assert report.id == hashed(address_of(first["private_key"].reveal()))


def test_over_http_the_time_and_balances(sim: SimServer) -> None:
    """The exchange's status tells the time; spot balances are read through stock ccxt."""
    client = client_of(sim, sim.grant_key())
    assert run(ADAPTER, client, ADAPTER.server_time(), sim.clock) == sim.clock.now_ms()
    assert client.fetch_balance({"type": "spot"})["USDT"]["total"] == 100_000


def test_over_http_the_account_is_read_in_the_calls_that_were_told(sim: SimServer) -> None:
    """Nothing but /info is asked, 13 times where no builder lists markets of its own."""
    client = client_of(sim, sim.grant_key())
    asked = live_calls(ADAPTER, sim, client)
    assert asked == {"POST /info": 13}
    assert asked["POST /info"] <= len(ADAPTER.asks["account"])
    assert client.fetch_balance({"type": "swap"})["total"] == {"USDC": 0.0}


@pytest.mark.parametrize(
    ("body", "kind", "weight"),
    [
        ('{"type": "extraAgents", "user": "0x1"}', "public", 20),
        ('{"type": "userRole", "user": "0x1"}', "public", 60),
        ('{"type": "exchangeStatus"}', "public", 2),
        ('{"type": "somethingNew"}', "refused", 20),
        ('{"type": ["extraAgents"]}', "refused", 20),
        ("[]", "refused", 20),
        ("{", "refused", 20),
    ],
)
def test_info_is_read_by_type(body: str, kind: str, weight: int) -> None:
    """Known types pass at their weight; `/exchange` never does, whatever it says."""
    call = ADAPTER.call("POST", "https://api.hyperliquid.xyz/info", body)
    assert call.kind == kind
    if kind == "public":
        assert call.weight == weight
    assert ADAPTER.call("POST", "https://api.hyperliquid.xyz/exchange", body).kind == "refused"
    assert ADAPTER.call("GET", "https://api.hyperliquid.xyz/info", body).kind == "refused"


def test_errors_of_exchange() -> None:
    """A pruned agent's answer and the account's own limit are told by their text."""
    client = plain_client("hyperliquid", endpoint="http://127.0.0.1:9")

    class ExchangeError(Exception):
        pass

    gone = ADAPTER.failure(
        ExchangeError('hyperliquid {"status":"err","response":"User or API Wallet 0x1 gone"}'), client
    )
    assert (gone.code, gone.executed) == ("KEY_REJECTED", "no")
    many = ADAPTER.failure(
        ExchangeError('hyperliquid {"response":"Too many cumulative requests sent (2 > 1)"}'), client
    )
    assert (many.code, many.retry_after_ms) == ("RATE_LIMIT", 60_000)


def test_ids_are_cloids_one_for_one() -> None:
    """128 bits in, 128 bits out: 500 ids, the largest and the least, are all different and of the documented form."""
    rng = random.Random(1)
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    ids = {"7" + "".join(rng.choices(alphabet, k=25)) for _ in range(500)} | {"0" * 26, "7" + "Z" * 25}
    family = EXCHANGE.products["swap"].families["order"].client_order_id
    assert family is not None
    rendered = {encode_id(one) for one in ids}
    assert len(rendered) == len(ids)
    assert all(re.fullmatch(family.pattern, one) for one in rendered)
    assert encode_id("7" + "Z" * 25) == "0x" + "f" * 32


def test_the_simulated_curve_is_ethereums() -> None:
    """Well-known values: the hash of nothing, and the address of the private key 1."""
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert address_of("0x" + "0" * 63 + "1") == "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"

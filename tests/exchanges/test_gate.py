"""Gate's key report: the documented list read whole, whose row is the asking key's, and what account/detail tells."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from policykit import traits
from policykit.exchanges.base import CallFailed, Failure, run
from policykit.exchanges.client import make_client
from policykit.exchanges.gate import ADAPTER, _marked
from policykit.redact import Secret
from policykit.sim import SimClock, SimServer
from policykit.snapshot import SCOPES
from tests.exchanges.live_calls import live_calls
from tests.exchanges.reading import answered, client_of, report_of
from tests.exchanges.test_every_answer import _mutants as mutants

#: gate.com/docs/developers/apiv4 "Query all main account API key information" (stored index file 2407054484, read
#: 2026-11-21).
DOCUMENTED: list[dict[str, Any]] = [
    {
        "state": 1,
        "mode": 1,
        "name": "test1",
        "user_id": 1,
        "perms": [{"name": "account", "read_only": False}, {"name": "spot", "read_only": False}],
        "ip_whitelist": [],
        "currency_pairs": ["BTC_USD", "ETH_USD"],
        "key": "c5dcfbf1f3a7*****",
        "created_at": 1753030929,
        "update_at": 1756300567,
        "last_access": 1753030929,
    },
    {
        "state": 1,
        "mode": 1,
        "name": "test2",
        "user_id": 1,
        "perms": [{"name": "spot", "read_only": False}, {"name": "account", "read_only": False}],
        "ip_whitelist": [],
        "currency_pairs": [],
        "key": "52fd0035f665*****",
        "created_at": 1753897991,
        "update_at": 1756300567,
        "last_access": 1753897991,
    },
]
OWN = "c5dcfbf1f3a7d7a9b5d0d0c6a9f0e1b2"
#: gate/gateapi-python@151ac72c docs/AccountDetail.md (read 2026-11-21).
DETAIL: dict[str, Any] = {
    "user_id": 1667201533,
    "ip_whitelist": ["127.0.0.1"],
    "currency_pairs": ["USDT_BTC"],
    "key": {"mode": 1},
    "tier": 2,
    "copy_trading_role": 0,
}
NO_WITHDRAWAL = "gate documents a withdrawal permission of its own, and no name for it in this answer"


def _read(data: Any, *more: Any) -> Any:
    return report_of(ADAPTER, _marked(data, OWN), *more)


def _with(*perms: tuple[str, Any], **fields: Any) -> list[dict[str, Any]]:
    listed = [{"name": name, "read_only": read_only} for name, read_only in perms]
    return [{**DOCUMENTED[0], "perms": listed, **fields}, DOCUMENTED[1]]


def _granted(report: Any) -> set[str]:
    return {scope for scope, said in report.permissions.items() if said == "granted"}


def test_the_documented_example() -> None:
    """A key for spot, bound to two markets and to no address; times are seconds."""
    report = _read(DOCUMENTED)
    assert report.permissions == {
        "read": "granted",
        "trade.spot": "granted",
        "trade.margin": "granted",
        "trade.derivatives": "denied",
        "trade.options": "denied",
        "trade.other": "denied",
        "transfer": "denied",
        "withdraw": "unknown",
        "key_admin": "unknown",
    }
    assert (report.restricted, report.addresses) == ("no", [])
    assert (report.created_at, report.last_used_at) == ("2025-07-20T17:02:09.000Z", "2025-07-20T17:02:09.000Z")
    assert (report.label, report.expires_at, report.unrecognised) == ("test1", None, [])
    assert report.endpoint == "GET /api/v4/account/main_keys"
    assert report.raw == {"perms": ["account:w", "spot:w"], "currency_pairs": 2, "state": 1}
    assert report.unknown == {
        "permissions.withdraw": NO_WITHDRAWAL,
        "permissions.key_admin": "gate does not report it",
        "expires_at": "gate does not report it",
        "others": "gate masks the ids of the account's other keys",
    }
    assert report.others == []


def test_the_row_is_the_asking_keys() -> None:
    """The other key of the same list has no markets of its own."""
    report = report_of(ADAPTER, _marked(DOCUMENTED, "52fd0035f665ffff"))
    assert (report.label, report.raw["currency_pairs"]) == ("test2", 0)


@pytest.mark.parametrize("shown", ["*****", "c5dcfbf*****", "c5dcfbf1f3a7*****zz", "c5dcfbf1f3a7", 5, None, ""])
def test_an_id_that_proves_nothing_is_not_ours(shown: Any) -> None:
    """Fewer than eight letters, letters after the mask, or no mask at all: account/detail is asked instead."""
    report = _read([{**DOCUMENTED[0], "key": shown}], DETAIL)
    assert report.endpoint == "GET /api/v4/account/detail"


def test_two_rows_that_may_both_be_ours_are_neither() -> None:
    """Which of them is the asking key's is not known, so no permission is."""
    assert _read([DOCUMENTED[0], DOCUMENTED[0]], DETAIL).permissions["trade.spot"] == "unknown"


def test_no_id_leaves_the_client() -> None:
    """Masked ids stay behind; what nobody named goes on as a word only."""
    rows = _marked([{**DOCUMENTED[0], "token": "s3cr3t-s3cr3t"}, DOCUMENTED[1]], OWN)
    assert "c5dcfbf1f3a7" not in repr(rows)
    assert "52fd0035f665" not in repr(rows)
    assert rows[0]["token"] == "withheld"


def test_an_object_alone_is_the_asking_keys() -> None:
    """The official SDK's model: one object, whose `key` is a mapping."""
    alone = {**DOCUMENTED[0], "key": {"mode": 1}}
    assert _read(alone).label == "test1"
    assert _read({**alone, "key": "52fd0035f665*****"}, DETAIL).endpoint == "GET /api/v4/account/detail"


@pytest.mark.parametrize(
    ("name", "grants"),
    [
        ("wallet", {"read", "transfer", "withdraw"}),
        ("withdrawal", {"read", "withdraw"}),
        ("withdraw", {"read", "withdraw"}),
        ("spot", {"read", "trade.spot", "trade.margin"}),
        ("margin", {"read", "trade.margin"}),
        ("unified", {"read", "trade.margin", "trade.other"}),
        ("futures", {"read", "trade.derivatives"}),
        ("delivery", {"read", "trade.derivatives"}),
        ("options", {"read", "trade.options"}),
        ("account", {"read"}),
        *((name, {"read", "trade.other"}) for name in ("earn", "custody", "loan", "copy", "pilot", "otc", "alpha")),
        ("crossx", {"read", "trade.other"}),
    ],
)
def test_each_name(name: str, grants: set[str]) -> None:
    """To write it grants its own scopes and no others; read-only it reads; wallet moves money and takes it out."""
    writes = _read(_with((name, False)))
    assert _granted(writes) == grants
    assert (writes.unrecognised, _granted(_read(_with((name, True))))) == ([], {"read"})


def test_margin_alone_leaves_spot_unknown() -> None:
    """One documented permission is "spot/margin", another is "margin": what the latter keeps out is not said."""
    report = _read(_with(("margin", False)))
    assert report.unknown["permissions.trade.spot"] == (
        "gate documents one permission for spot and margin, and a name for margin besides"
    )


@pytest.mark.parametrize("read_only", [None, "maybe", 1, 0])
def test_a_permission_that_may_be_to_read_only(read_only: Any) -> None:
    """What it would grant is unknown, with the reason; what another one grants stays granted."""
    report = _read(_with(("wallet", read_only), ("spot", False)))
    assert _granted(report) == {"read", "trade.spot", "trade.margin"}
    for scope in ("transfer", "withdraw"):
        assert report.unknown[f"permissions.{scope}"] == "read_only of wallet was not true or false"


@pytest.mark.parametrize("perms", [[], None, "spot", {"name": "spot"}])
def test_no_list_of_permissions_tells_nothing(perms: Any) -> None:
    """A key without any is not documented."""
    report = _read([{**DOCUMENTED[0], "perms": perms}])
    assert set(report.permissions.values()) == {"unknown"}
    assert report.unknown["permissions.withdraw"] == "perms was not a list of permissions"


def test_a_name_that_is_not_known_may_be_anything() -> None:
    """It is reported, and what is not granted is unknown."""
    report = _read(_with(("spot", False), ("teleport", False)))
    assert report.unrecognised == ["teleport"]
    assert report.permissions["transfer"] == "unknown"
    assert report.unknown["permissions.withdraw"] == "teleport is not understood and may grant it"


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (
            CallFailed(Failure("no", "PERMISSION_MISSING", "gate: the key lacks a permission")),
            "gate lists permissions of the main account's keys only, and refused the list to this key",
        ),
        ([], "gate lists permissions of the main account's keys only, and this key is not in the list"),
    ],
)
def test_the_detail_tells_no_permissions(first: Any, why: str) -> None:
    """Addresses and markets are read from it; everything that a key may do is unknown, never denied."""
    report = report_of(ADAPTER, first, DETAIL)
    assert report.permissions == {scope: "granted" if scope == "read" else "unknown" for scope in SCOPES}
    assert {report.unknown[f"permissions.{scope}"] for scope in SCOPES[1:]} == {why}
    assert (report.restricted, report.addresses) == ("yes", ["127.0.0.1"])
    assert (report.raw, report.unrecognised) == ({"currency_pairs": 1}, [])
    assert report.endpoint == "GET /api/v4/account/detail"


def test_what_is_no_list_is_a_bad_answer() -> None:
    """A page of a proxy, and a key refused for another reason, are failures and no reports."""
    for data in ("<html>", {"x": 1}, None):
        with pytest.raises(CallFailed, match="gate: the answer is not a list of keys; check the endpoint"):
            _read(data)
    with pytest.raises(CallFailed, match="no such key"):
        report_of(ADAPTER, CallFailed(Failure("no", "KEY_REJECTED", "gate: no such key; check the key")))
    with pytest.raises(CallFailed, match="gate: the answer is not the time; check the endpoint"):
        answered(ADAPTER.server_time(), {"server_time": "soon"})


@pytest.mark.parametrize("account", ["main", "sub", "refused"])
def test_over_http(account: str) -> None:
    """A main account's key is found in its list; one that is in none, or may not ask, is read from the detail."""
    clock = SimClock()
    with SimServer(clock=clock, dialect="gate") as sim:
        key = sim.grant_key(3, grants={"read", "transfer"}, addresses=["203.0.113.7"], used_days_ago=1)
        key.account = account
        report = run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), clock)
        assert (report.restricted, report.addresses) == ("yes", ["203.0.113.7"])
        asked = {"GET /api/v4/account/main_keys"} | ({"GET /api/v4/account/detail"} if account != "main" else set())
        assert sim.truth.by_route == Counter(dict.fromkeys(asked, 1))
        if account == "main":
            assert _granted(report) == {"read", "transfer", "withdraw"}
            assert (report.created_at is None, report.last_used_at is None) == (False, False)
        else:
            assert (_granted(report), report.permissions["withdraw"]) == ({"read"}, "unknown")


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        ("revoked", "gate: no such key; check the key (INVALID_KEY)"),
        ("address", "gate: this address is not on the key's allowlist (FORBIDDEN)"),
        ("permission", "gate: the key lacks a permission; check its scopes (FORBIDDEN)"),
        ("clock", "gate: the request's time is not the server's; set this host's clock (REQUEST_EXPIRED)"),
        ("rate", "gate: too many requests; wait (TOO_MANY_REQUESTS)"),
        ("ban", "gate: too many requests; wait (TOO_MANY_REQUESTS)"),
        ("maintenance", "gate: the server has an internal error or is too busy; wait (TOO_BUSY)"),
    ],
)
def test_each_refusal_in_its_words(refused: str, message: str) -> None:
    """FORBIDDEN is told apart by its text; of a ban no word is documented."""
    clock = SimClock()
    with SimServer(clock=clock, dialect="gate") as sim, pytest.raises(CallFailed) as caught:
        run(ADAPTER, client_of(sim, sim.grant_key(refused=refused)), ADAPTER.key_report(), clock)
    assert caught.value.failure.message == message


async def _asynchronous(sim: SimServer) -> tuple[Any, Any]:
    secrets = {name: Secret(value) for name, value in sim.grant_key().credentials().items()}
    client = make_client("gate", secrets, endpoint=sim.url, clock=sim.clock, asynchronous=True)
    try:
        return await client.policykit_keys({}), client.options["fetchMarkets"]
    finally:
        await client.close()


def test_the_list_is_cleaned_in_the_asynchronous_client_too() -> None:
    """The same rows, without ids."""
    import asyncio

    with SimServer(clock=SimClock(), dialect="gate") as sim:
        rows, markets = asyncio.run(_asynchronous(sim))
    assert [(row["name"], row["key"], row["policykit_own"]) for row in rows] == [
        ("other", None, False), ("sim", None, True),
    ]  # fmt: skip
    assert markets == {"types": ["spot", "swap", "future"]}


def test_the_snapshots_calls_are_those_that_were_planned() -> None:
    """Every family of orders, each place where contracts settle; an account's balance is counted once."""
    with SimServer(clock=SimClock(), dialect="gate") as sim:
        client = client_of(sim, sim.grant_key())
        assert live_calls(ADAPTER, sim, client) == Counter(ADAPTER.asks["account"])
        assert client.fetch_balance({"type": "spot"})["USDT"]["total"] == 100_000


def test_facts_that_special_rules_rest_on() -> None:
    """A key without an address lives 90 days; a key may be bound to 30 markets; the countdown is in seconds."""
    facts = traits.load("gate")
    assert facts is not None
    (expiry,) = facts.key_expiries
    assert (expiry.after_ms, expiry.counts_from, expiry.only_without_address) == (90 * 86_400_000, "creation", True)
    assert facts.symbol_allowlist is not None
    assert (facts.symbol_allowlist.most, facts.symbol_allowlist.sub_accounts_only) == (30, False)
    switch = facts.products["spot"].dead_man_switch
    assert switch is not None
    assert (switch.unit, switch.least_ms, switch.most_ms, switch.off) == ("s", 5_000, None, 0)
    encode = facts.products["spot"].families["order"].client_order_id
    assert encode is not None
    assert encode.encode("0123456789ABCDEFGHJKMNPQRS") == "t-pk0123456789ABCDEFGHJKMNPQRS"


def test_I18_a_damaged_list_denies_nothing() -> None:
    """Every single change of the list as it came, before it is cleaned: no crash, and nothing granted is denied."""
    own = _with(("wallet", False), ("spot", False), ip_whitelist=["203.0.113.7"])
    whole = _granted(_read(own))
    seen, codes = 0, set()
    for name, (damaged,) in mutants([own]):
        try:
            report = _read(damaged, *([DETAIL] if not _ours(damaged) else []))
        except CallFailed as failed:
            codes.add(failed.code)
            continue
        seen += 1
        assert [scope for scope in whole if report.permissions[scope] == "denied"] == [], name
        assert report.restricted != "no", name
    assert codes == {"BAD_ANSWER"}
    assert seen > 100


def _ours(rows: Any) -> bool:
    return any(row["policykit_own"] for row in _marked(rows, OWN) or [])

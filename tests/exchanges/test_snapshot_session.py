"""One run over several keys, policies and exchanges: what they share, and what one's failure leaves of the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from policykit.errors import ExchangeUnavailable, SecretUnavailable
from policykit.exchanges import load
from policykit.exchanges.base import CallFailed, Failure
from policykit.exchanges.client import make_client
from policykit.exchanges.endpoints import Endpoints, endpoints
from policykit.exchanges.session import Session, by_date
from policykit.exchanges.snapshot import take, take_all
from policykit.redact import Secret
from policykit.sim import SimClock, SimServer
from policykit.sim.keys import SimKey
from policykit.snapshot import Snapshot
from tests.exchanges.bybit_account import Answers, serving
from tests.exchanges.fakes import JumpClock
from tests.exchanges.policies import policy

Source = Callable[[str], Mapping[str, Secret]]
TEXT = """\
policykit: 1
name: by
owner: desk
exchange: bybit
account: {name: main, currency: USDT}
environment: live
keys:
  by-exec:
    purpose: execution
    secret: env://BY
    scopes: [read, trade.spot]
"""
_KEY = "GET /v5/user/query-api"


def _source(**keys: SimKey) -> Source:
    def read(reference: str) -> Mapping[str, Secret]:
        name = reference.removeprefix("env://")
        if name not in keys:
            raise SecretUnavailable(f"{reference}: not set")
        return {field: Secret(text) for field, text in keys[name].credentials().items()}

    return read


@pytest.fixture
def sim() -> Iterator[SimServer]:
    """A simulated Bybit."""
    with SimServer(clock=JumpClock(), dialect="bybit") as server:
        yield server


def _read(*taken: Snapshot | ExchangeUnavailable) -> list[Snapshot]:
    assert all(isinstance(one, Snapshot) for one in taken)
    return [one for one in taken if isinstance(one, Snapshot)]


# -- keys -------------------------------------------------------------------------------------------------------


def test_a_refused_key_is_never_tried_again(sim: SimServer) -> None:
    """Three names of one revoked key, in two policies: it is sent once; another key of the account is still read."""
    revoked, good = sim.grant_key(refused="revoked"), sim.grant_key()
    more = "  again:\n    purpose: tracking\n    secret: env://BY\n    scopes: [read]\n"
    last = "  good:\n    purpose: tracking\n    secret: env://OK\n    scopes: [read]\n"
    session = Session(_source(BY=revoked, OK=good), sim.clock, endpoints(sim.url))
    one, other = _read(*take_all(session, [policy(TEXT + more + last), policy(TEXT.replace("name: by", "name: two"))]))
    assert [key.name for key in one.keys] == ["good"]
    assert {(error["key"], error["code"]) for error in one.errors} == {
        ("by-exec", "KEY_REJECTED"),
        ("again", "KEY_REJECTED"),
    }
    assert [error["code"] for error in other.errors] == ["KEY_REJECTED"]
    assert sim.truth.by_route[_KEY] == 2


def test_each_way_of_being_refused_has_its_code(sim: SimServer) -> None:
    """Address, permission, clock, maintenance: told apart, each in the errors with the key's name."""
    found = {}
    for refused in ("revoked", "address", "permission", "clock", "maintenance"):
        taken = take(
            policy(TEXT),
            endpoint=sim.url,
            keys_only=True,
            clock=sim.clock,
            secret_source=_source(BY=sim.grant_key(refused=refused)),
        )
        found[refused] = [(error["key"], error["code"]) for error in taken.errors]
    assert found == {
        "revoked": [("by-exec", "KEY_REJECTED")],
        "address": [("by-exec", "ADDRESS_NOT_ALLOWED")],
        "permission": [("by-exec", "PERMISSION_MISSING")],
        "clock": [("by-exec", "CLOCK")],
        "maintenance": [("by-exec", "MAINTENANCE")],
    }


def test_a_snapshot_says_whose_it_is(sim: SimServer) -> None:
    """Policy and account stand in the file, so that two accounts of one exchange stay apart."""
    taken = take(
        policy(TEXT),
        endpoint=sim.url,
        keys_only=True,
        clock=sim.clock,
        secret_source=_source(BY=sim.main_key),
    )
    assert (taken.policy, taken.account_name, taken.endpoint) == ("by", "main", sim.url)
    assert taken.cost == {"weight": 2, "calls": 2}


# -- accounts ---------------------------------------------------------------------------------------------------


def test_one_account_is_read_once_for_all_its_policies() -> None:
    """Two policies of one account: one reading, with the products and symbols of both."""
    swap = TEXT.replace("name: by\n", "name: swap\n").replace("trade.spot]", "trade.derivatives]")
    with serving() as (url, answers), SimServer(clock=SimClock(), dialect="bybit") as sim:
        key = sim.main_key
        answers.instead["/v5/user/query-api"] = _report(answers)
        session = Session(_source(BY=key), JumpClock(), endpoints(url))
        taken = _read(*take_all(session, [policy(TEXT), policy(swap)]))
    assert [one.account["balances"] for one in taken] == [{"BTC": "0.1", "DUST": "7", "USDT": "1000.1"}] * 2
    assert [row["symbol"] for row in taken[0].account["positions"]] == ["BTC/USDT:USDT"]
    assert [path for path, _ in answers.asked].count("/v5/account/wallet-balance") == 1
    assert [path for path, _ in answers.asked].count("/v5/user/query-api") == 2
    listed = {params["category"] for path, params in answers.asked if path == "/v5/order/realtime"}
    assert {"spot", "linear"} <= listed


def _report(answers: Answers) -> dict[str, Any]:
    return {
        "retCode": 0,
        "result": {
            "readOnly": 0,
            "permissions": {"Spot": ["SpotTrade"], "ContractTrade": ["Order", "Position"]},
            "ips": ["203.0.113.7"],
            "createdAt": "2026-11-01T00:00:00Z",
            "userID": 7,
        },
    }


def test_one_exchange_that_fails_leaves_the_rest(sim: SimServer) -> None:
    """An exchange without adapter, one that is not there, and one that is: in the order of the policies."""
    none = policy(TEXT.replace("exchange: bybit", "exchange: bitstamp"))
    gone = policy(TEXT.replace("exchange: bybit", "exchange: okx"))
    session = Session(_source(BY=sim.main_key), sim.clock, endpoints([f"bybit={sim.url}", "okx=http://127.0.0.1:9"]))
    seen: list[int] = []
    first, second, third = take_all(session, [none, gone, policy(TEXT)], lambda: seen.append(1))
    assert isinstance(first, ExchangeUnavailable)
    assert first.code == "NOT_SUPPORTED"
    ended = _read(second, third)
    assert [[error["code"] for error in one.errors] for one in ended] == [["NETWORK"], []]
    assert [key.name for key in ended[1].keys] == ["by-exec"]
    assert len(seen) == 3


# -- the sandbox ------------------------------------------------------------------------------------------------


SANDBOX = TEXT.replace("environment: live", "environment: sandbox")


def test_a_live_key_in_a_sandbox_policy_is_found(sim: SimServer) -> None:
    """The sandbox refuses it, the live host opens: its report says so, and nothing else is asked of the live host."""
    with SimServer(clock=sim.clock, dialect="bybit") as live:
        key = live.grant_key()
        where = [f"bybit={sim.url}", f"bybit@live={live.url}"]
        taken = take(policy(SANDBOX), endpoint=where, clock=sim.clock, secret_source=_source(BY=key))
        assert (taken.errors, [(one.name, one.environment) for one in taken.keys]) == ([], [("by-exec", "live")])
        assert dict(live.truth.by_route) == {_KEY: 1}
        assert taken.account["unknown"]["balances"] == "no key could be read"


def test_a_key_that_neither_host_knows_is_refused(sim: SimServer) -> None:
    """Each host is asked once; the refusal that counts is the sandbox's."""
    with SimServer(clock=sim.clock, dialect="bybit") as live, SimServer(clock=sim.clock, dialect="bybit") as other:
        where = [f"bybit={sim.url}", f"bybit@live={live.url}"]
        source = _source(BY=other.grant_key())
        taken = take(policy(SANDBOX), endpoint=where, keys_only=True, clock=sim.clock, secret_source=source)
        assert [error["code"] for error in taken.errors] == ["KEY_REJECTED"]
        assert (sim.truth.by_route[_KEY], live.truth.by_route[_KEY]) == (1, 1)


def test_a_sandbox_key_is_not_shown_to_anybody_else(sim: SimServer) -> None:
    """A key that the sandbox opens goes nowhere else; with one endpoint only there is no live host to ask."""
    with SimServer(clock=sim.clock, dialect="bybit") as live:
        where = [f"bybit={sim.url}", f"bybit@live={live.url}"]
        good = take(
            policy(SANDBOX), endpoint=where, keys_only=True, clock=sim.clock, secret_source=_source(BY=sim.main_key)
        )
        bad = take(
            policy(SANDBOX),
            endpoint=sim.url,
            keys_only=True,
            clock=sim.clock,
            secret_source=_source(BY=sim.grant_key(refused="revoked")),
        )
        assert (good.errors, live.truth.by_route[_KEY]) == ([], 0)
        assert [error["code"] for error in bad.errors] == ["KEY_REJECTED"]


@pytest.mark.parametrize("raised", [TypeError("x"), KeyError("sapi"), "NotSupported"])
def test_what_ccxts_sandbox_lacks_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, raised: Any) -> None:
    """Whatever ccxt raises at its sandbox, before anything is sent, is one clear sentence and no traceback."""
    import ccxt

    error = ccxt.NotSupported("bybit testnet") if raised == "NotSupported" else raised

    def sign(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(ccxt.bybit, "sign", sign)
    with SimServer(clock=SimClock(), dialect="bybit") as sim:
        taken = take(policy(SANDBOX), keys_only=True, clock=sim.clock, secret_source=_source(BY=sim.main_key))
    assert taken.errors == [
        {
            "key": "by-exec",
            "code": "NOT_SUPPORTED",
            "message": "bybit: ccxt's sandbox has no such call; nothing was sent",
        }
    ]


def test_an_exchange_without_sandbox_says_so() -> None:
    """Ccxt knows no test host: the client is not made, and the sentence says what may be done."""
    with pytest.raises(ExchangeUnavailable) as caught:
        make_client("kraken", sandbox=True)
    assert str(caught.value) == (
        "kraken: ccxt knows no sandbox of it; give one with --endpoint, or say environment: live"
    )


# -- the clock --------------------------------------------------------------------------------------------------


def _no_time_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Bybit be an exchange without a call for its time."""
    adapter = load("bybit")
    assert adapter is not None

    def none() -> Any:
        raise adapter.not_supported("a time call")
        yield

    monkeypatch.setattr(adapter, "server_time", none)


@pytest.mark.parametrize(("ahead_ms", "sent"), [(0, 1), (3_600_000, 2)])
def test_without_a_time_call_the_date_header_tells(monkeypatch: pytest.MonkeyPatch, ahead_ms: int, sent: int) -> None:
    """The skew is from the Date header, to the second; a key refused for its time alone is signed once more."""
    _no_time_call(monkeypatch)
    with SimServer(clock=JumpClock(), dialect="bybit") as sim:
        ours = JumpClock(sim.clock.now_ms() + ahead_ms)
        source = _source(BY=sim.main_key)
        taken = take(policy(TEXT), endpoint=sim.url, keys_only=True, clock=ours, secret_source=source)
        assert sim.truth.by_route[_KEY] == sent
    assert (taken.errors, [key.name for key in taken.keys]) == ([], ["by-exec"])
    assert taken.clock == {
        "server_time": "2026-11-21T10:00:00.500Z",
        "skew_ms": ahead_ms - 500,
        "round_trip_ms": 0,
        "source": "Date header",
        "resolution_ms": 1000,
    }


def test_a_date_that_is_none_tells_nothing() -> None:
    """No request, no header, and a header that is no date."""
    client = make_client("bybit", endpoint="http://127.0.0.1:9")
    assert by_date(client) is None
    from policykit.exchanges.client import Seen

    for date in (None, "yesterday", ""):
        client.policykit_seen.append(Seen("GET /x", "public", 0, 0, date))
        assert by_date(client) is None


# -- endpoints --------------------------------------------------------------------------------------------------


def test_endpoints_are_read_by_exchange() -> None:
    """A URL for every exchange, URLs for some, and the live host beside a sandbox."""
    assert endpoints(None) == Endpoints()
    assert endpoints("http://127.0.0.1:1/").of("bybit") == "http://127.0.0.1:1"
    read = endpoints(["https://all.example", "bybit=http://127.0.0.1:2", "okx@live=http://127.0.0.1:3"])
    assert (read.of("bybit"), read.of("okx"), read.of("binance")) == (
        "http://127.0.0.1:2",
        "https://all.example",
        "https://all.example",
    )
    assert read.live == {"okx": "http://127.0.0.1:3"}
    assert endpoints(["bybit=http://127.0.0.1:2"]).of("okx") is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            ["http://127.0.0.1:1", "http://127.0.0.1:2"],
            "two endpoints are for every exchange; name their exchanges (bi",
        ),
        (["bybit=http://127.0.0.1:1", "bybit=http://127.0.0.1:2"], "bybit has two endpoints; leave one out"),
        (["bitstamp=http://127.0.0.1:1"], "the endpoint is for bitstamp; one of "),
        (["bybit=http://example.com"], "the endpoint is plain http off this machine"),
        (["bybit="], "the endpoint is no origin"),
    ],
)
def test_endpoints_that_cannot_be_are_refused(given: list[str], message: str) -> None:
    """What is wrong is said; the URL, which may hold a password, is not."""
    with pytest.raises(ValueError) as caught:
        endpoints(given)
    assert str(caught.value).startswith(message)
    assert "127.0.0.1" not in str(caught.value)


def test_what_was_refused_is_kept_by_place(sim: SimServer) -> None:
    """A key refused at one host may be good at another."""
    session = Session(_source(), sim.clock, endpoints(["bybit=http://127.0.0.1:1", "bybit@live=http://127.0.0.1:2"]))
    sandbox = policy(SANDBOX)
    here, there = session.place(sandbox), session.place(sandbox, live=True)
    assert here is not None
    assert there is not None
    failure = Failure("no", "KEY_REJECTED", "words")
    session.refuse(here, "sha256:1", failure)
    assert (session.refused(here, "sha256:1"), session.refused(there, "sha256:1")) == (failure, None)
    assert isinstance(CallFailed(failure), ExchangeUnavailable)

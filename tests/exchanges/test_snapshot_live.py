"""Snapshots taken over HTTP from the simulated exchange with stock ccxt: what is read, sent, and never shown."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from policykit.errors import ExchangeUnavailable, SecretUnavailable
from policykit.exchanges import binance_calls, load
from policykit.exchanges.base import Read
from policykit.exchanges.snapshot import plan, take
from policykit.redact import Secret, forget
from policykit.sim import SimClock, SimServer
from policykit.sim.keys import SimKey
from policykit.snapshot import RateLimit, Snapshot, to_dict
from tests.canary import assert_clean, canaries, leaks
from tests.exchanges.fakes import JumpClock
from tests.exchanges.policies import TEXT, policy

Source = Callable[[str], Mapping[str, Secret]]


def _source(**keys: SimKey) -> Source:
    """Return a secret source over keys of the sim: env://MM is MM."""

    def read(reference: str) -> Mapping[str, Secret]:
        key = keys.get(reference.removeprefix("env://"))
        if key is None:
            raise SecretUnavailable(f"{reference}: not set")
        return {"api_key": Secret(key.key), "api_secret": Secret(key.secret)}

    return read


@pytest.fixture
def clock() -> SimClock:
    """The simulated clock that sim and snapshot share."""
    return SimClock()


@pytest.fixture
def sim(clock: SimClock) -> Iterator[SimServer]:
    """A simulated Binance with half a bitcoin, on the simulated clock."""
    with SimServer(clock=clock, seed=5, balances={"USDT": 100_000, "BTC": "0.5"}, amplitude=0.0) as server:
        yield server


def _take(sim: SimServer, source: Source, **more: Any) -> Snapshot:
    return take(policy(), endpoint=sim.url, clock=sim.clock, secret_source=source, **more)


def test_a_snapshot_tells_what_each_key_may_do(sim: SimServer) -> None:
    """Two keys of one policy: permissions, restriction, age and id of each, and the account once."""
    bad = sim.add_key(140, enableWithdrawals=True, ipRestrict=False)
    good = sim.add_key(30, enableSpotAndMarginTrading=False)
    taken = _take(sim, _source(MM=bad, TR=good))
    assert taken.errors == []
    assert [(k.name, k.permissions["withdraw"], k.permissions["trade.spot"], k.restricted) for k in taken.keys] == [
        ("mm-exec", "granted", "granted", "no"),
        ("tracker", "denied", "denied", "yes"),
    ]
    assert [k.created_at for k in taken.keys] == ["2026-07-04T10:00:00.000Z", "2026-10-22T10:00:00.000Z"]
    assert taken.keys[0].id.startswith("sha256:")
    assert len(taken.keys[0].id) == len("sha256:") + 12
    assert taken.account["balances"] == {"BTC": "0.5", "USDT": "100000"}
    assert taken.account["equity"].endswith(" USDT")
    assert (taken.account["open_orders"], taken.account["unknown"]) == ([], {})
    assert taken.withdrawal_addresses == []
    assert {limit.name: limit.limit for limit in taken.limits}["request-weight"] == 6000
    assert (taken.taken_at, taken.exchange) == ("2026-11-21T10:00:00.000Z", "binance")
    assert taken.clock == {"server_time": "2026-11-21T10:00:00.000Z", "skew_ms": 0, "round_trip_ms": 0}


def test_the_cost_is_known_before_and_true_after(sim: SimServer) -> None:
    """`plan` says at least what is spent; keys_only spends one call a key and one for the clock."""
    source = _source(MM=sim.main_key, TR=sim.main_key)
    assert plan(policy()) == {"weight": 128, "calls": 8}
    taken = _take(sim, source)
    assert (taken.cost["calls"], taken.cost["weight"] <= 128) == (8, True)
    assert plan(policy(), keys=["tracker"], keys_only=True) == {"weight": 2, "calls": 2}
    small = _take(sim, source, keys=["tracker"], keys_only=True)
    assert small.cost == {"weight": 2, "calls": 2}
    assert ([k.name for k in small.keys], small.account, small.limits) == (["tracker"], {}, [])


def test_I19_a_snapshot_sends_allowlisted_reads_only(sim: SimServer) -> None:
    """Every request that reached the exchange is in the read allowlist; nothing was placed, cancelled or moved."""
    _take(sim, _source(MM=sim.main_key, TR=sim.main_key))
    assert sum(sim.truth.by_route.values()) == 8
    assert set(sim.truth.by_route) <= binance_calls.PUBLIC | binance_calls.READS
    assert sim.truth.executed == []


def test_a_wrong_clock_is_a_finding_and_not_a_failure(sim: SimServer, clock: SimClock) -> None:
    """A host that is an hour off still reads its keys; the skew stands in the snapshot."""
    ahead = SimClock(start_ms=clock.now_ms() + 3_600_000)
    taken = take(policy(), endpoint=sim.url, clock=ahead, secret_source=_source(MM=sim.main_key, TR=sim.main_key))
    assert taken.errors == []
    assert taken.clock["skew_ms"] == 3_600_000


def test_open_orders_and_unpriced_assets_are_listed(clock: SimClock) -> None:
    """Orders of every origin show; an asset without a market counts 0 and is named."""
    with SimServer(clock=clock, balances={"USDT": 100_000, "ABC": 7}, amplitude=0.0) as sim:
        from policykit.exchanges.client import plain_client

        pair = {"api_key": Secret(sim.key), "api_secret": Secret(sim.secret)}
        bot = plain_client("binance", pair, endpoint=sim.url)
        bot.milliseconds = clock.now_ms
        bot.privatePostOrder(
            {
                "symbol": "BTCUSDT",
                "side": "BUY",
                "type": "LIMIT",
                "timeInForce": "GTC",
                "quantity": "0.01",
                "price": "50000",
                "newClientOrderId": "by-hand",
            }
        )
        taken = _take(sim, _source(MM=sim.main_key, TR=sim.main_key))
    (order,) = taken.account["open_orders"]
    assert {name: order[name] for name in ("symbol", "side", "quantity", "filled", "client_order_id")} == {
        "symbol": "BTC/USDT",
        "side": "buy",
        "quantity": "0.01",
        "filled": "0",
        "client_order_id": "by-hand",
    }
    assert taken.account["equity"] == "100000 USDT"
    assert taken.account["unknown"] == {"equity.unpriced": "ABC"}


# -- what goes wrong --------------------------------------------------------------------------------------------


def test_one_bad_key_does_not_hide_the_other(sim: SimServer) -> None:
    """A wrong secret and a missing one are errors of their keys; the rest of the snapshot stands."""
    wrong = SimKey(sim.key, "wrong-secret-value", 0)
    taken = _take(sim, _source(MM=sim.main_key, TR=wrong))
    assert [k.name for k in taken.keys] == ["mm-exec"]
    assert taken.errors == [
        {
            "key": "tracker",
            "code": "KEY_REJECTED",
            "message": "binance: the signature is wrong; check the secret that belongs to this key (-1022)",
        }
    ]
    taken = _take(sim, _source(TR=sim.main_key))
    assert taken.errors == [{"key": "mm-exec", "code": "SECRET_UNAVAILABLE", "message": "env://MM: not set"}]
    assert taken.account["balances"] is not None


def test_without_any_key_the_account_is_unknown(sim: SimServer) -> None:
    """No key that reads: the account says why it is not known, and is not empty."""
    taken = _take(sim, _source())
    assert taken.account["balances"] is None
    assert taken.account["unknown"]["balances"] == "no key could be read"
    assert taken.withdrawal_addresses is None
    assert [error["code"] for error in taken.errors] == ["SECRET_UNAVAILABLE"] * 2


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"at": "account", "do": "rejected_key"}, "KEY_REJECTED"),
        ({"at": "account", "do": "throttle"}, "RATE_LIMIT"),
        ({"at": "account", "do": "ban"}, "BANNED"),
        ({"at": "account", "do": "clock"}, "CLOCK"),
        ({"at": "account", "do": "drop"}, "NETWORK"),
        ({"at": "account", "do": "lost_reply"}, "NETWORK"),
        ({"at": "account", "do": "unknown"}, "UNKNOWN"),
        ({"at": "account", "do": "timeout"}, "UNKNOWN"),
        ({"at": "account", "do": "garbage"}, "NETWORK"),
        ({"at": "account", "do": "garbage", "status": 200}, "BAD_ANSWER"),
    ],
)
def test_every_fault_ends_in_a_clear_code(fault: dict[str, Any], code: str) -> None:
    """Throttled, banned, cut, garbled: errors with a code and a sentence, and an account that is unknown, not flat."""
    with SimServer(clock=JumpClock(), faults=[{**fault, "ratio": 1}]) as sim:
        taken = _take(sim, _source(MM=sim.main_key, TR=sim.main_key))
    assert {error["code"] for error in taken.errors} == {code}
    assert all("binance: " in error["message"] for error in taken.errors)
    assert (taken.keys, taken.account["balances"]) == ([], None)


@pytest.mark.parametrize("kind", ["drop", "ban", "throttle"])
def test_an_exchange_that_is_not_there_is_asked_once(clock: SimClock, kind: str) -> None:
    """When even the time cannot be read nothing else is tried, and every key says why."""
    with SimServer(clock=clock, faults=[{"at": "any", "do": kind, "ratio": 1}]) as sim:
        taken = _take(sim, _source(MM=sim.main_key, TR=sim.main_key))
    assert [error["key"] for error in taken.errors] == ["mm-exec", "tracker"]
    assert taken.cost["calls"] == 1
    assert taken.clock["server_time"] is None


def test_a_list_longer_than_a_snapshot_is_unknown(sim: SimServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address book, or limits, of more rows than a file holds: unknown, and the keys are reported all the same."""
    adapter: Any = load("binance")
    row = {"coin": "BTC", "network": "BTC", "address": "x", "allowlisted": True}
    limit = RateLimit("request-weight", 6000, 60_000, "GET /x", "")

    def many(one: Any) -> Callable[[Any], Any]:
        def read(self: Any) -> Any:
            yield Read("publicGetTime")
            return (one,) * 1001

        return read

    monkeypatch.setattr(type(adapter), "withdrawal_addresses", many(row))
    monkeypatch.setattr(type(adapter), "rate_limits", many(limit))
    taken = _take(sim, _source(MM=sim.add_key(1), TR=sim.add_key(1)))
    assert (len(taken.keys), taken.withdrawal_addresses, taken.limits) == (2, None, [])
    unknown = taken.account["unknown"]
    assert unknown["withdrawal_addresses"] == "1001 are listed, more than the 1000 that a snapshot holds"
    assert unknown["limits"] == "more are listed than the 1000 that a snapshot holds"


def test_a_closed_port_is_a_network_error(clock: SimClock) -> None:
    """Nobody listens: NETWORK for each key, no exception."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    taken = take(policy(), endpoint=f"http://127.0.0.1:{port}", clock=clock, secret_source=_source())
    assert [error["code"] for error in taken.errors] == ["NETWORK", "NETWORK"]


def test_a_key_that_is_not_in_the_policy_is_a_wrong_call(sim: SimServer) -> None:
    """The message names the keys there are."""
    with pytest.raises(ValueError) as caught:
        _take(sim, _source(), keys=["nope"])
    assert str(caught.value) == "mm.yaml: no key is named nope; the policy has mm-exec, tracker"


def test_a_key_without_a_reference_says_so(sim: SimServer) -> None:
    """A key with no secret cannot be read live; the place of the key is in the message."""
    loaded = policy(TEXT.replace("    secret: env://TR\n", ""))
    taken = take(loaded, endpoint=sim.url, clock=sim.clock, keys=["tracker"], keys_only=True, secret_source=_source())
    assert [error["code"] for error in taken.errors] == ["SECRET_UNAVAILABLE"]
    assert taken.errors[0]["message"].startswith("mm.yaml:1")
    assert "keys.tracker has no secret; a reference (env://PREFIX) is needed" in taken.errors[0]["message"]


def test_another_exchange_is_not_read() -> None:
    """Without an adapter the snapshot is refused with the policy's place."""
    loaded = policy(TEXT.replace("exchange: binance", "exchange: bitstamp"))
    with pytest.raises(ExchangeUnavailable) as caught:
        take(loaded, secret_source=_source())
    assert str(caught.value) == "mm.yaml:4:11: exchange is bitstamp, which this version cannot ask"
    assert caught.value.code == "NOT_SUPPORTED"
    assert plan(loaded) == {"weight": 0, "calls": 0}


def test_the_budget_of_the_policy_is_kept(sim: SimServer) -> None:
    """A budget of 24 a minute (30 x 80 %) has no room for open orders of the account: unknown with the reason."""
    loaded = policy(TEXT.replace("limit: 6000", "limit: 30"))
    source = _source(MM=sim.main_key, TR=sim.main_key)
    taken = take(loaded, endpoint=sim.url, clock=sim.clock, secret_source=source)
    assert taken.account["unknown"]["open_orders"] == (
        "a call of weight 80 is over the policy's budget of 24; raise the budget's limit"
    )
    assert max(sim.truth.weights.values()) <= 24


def test_without_a_budget_half_the_allowance_is_used(sim: SimServer) -> None:
    """A policy that names no budget leaves the other half to its bots."""
    loaded = policy(TEXT[: TEXT.index("rate_budgets")])
    taken = take(loaded, endpoint=sim.url, clock=sim.clock, keys_only=True, secret_source=_source(MM=sim.main_key))
    assert [k.name for k in taken.keys] == ["mm-exec"]


# -- canaries ---------------------------------------------------------------------------------------------------


class _Echo(BaseHTTPRequestHandler):
    """The worst exchange: it sends back everything it was sent, in the n-th of several broken ways."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        server.asked[self.path.split("?")[0]] += 1
        if self.path.startswith("/api/v3/time") and server.mode % 5:
            self._send(200, {"serverTime": 1_795_255_200_000})
            return
        told = {"path": self.path, "headers": str(self.headers), "key": self.headers.get("X-MBX-APIKEY")}
        text = json.dumps(told)
        kinds: list[tuple[int, Any]] = [
            (200, told),
            (400, {"code": -2010, "msg": text}),
            (401, {"code": -2015, "msg": text}),
            (418, {"code": -1003, "msg": f"IP banned until 1795255210000 {text}"}),
            (429, {"code": -1003, "msg": text}),
            (500, text),
            (403, f"<html>{text}</html>"),
            (200, f"<html>{text}</html>"),
            (200, {**told, "enableReading": True, "enableWithdrawals": text, f"enable{told['key']}": True}),
            (200, [told]),
        ]
        self._send(*kinds[server.mode % len(kinds)])

    def _send(self, status: int, body: Any) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def echo() -> Iterator[Any]:
    """A server that echoes secrets back."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    server.mode, server.asked = 0, Counter()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_I23_no_canary_gets_into_a_snapshot(
    echo: Any, tier: Callable[[int, int], int], capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Keys and secrets that a hostile exchange echoes in bodies, names and errors are in no snapshot."""
    url = f"http://127.0.0.1:{echo.server_address[1]}"
    loaded = policy(TEXT.replace("  tracker:\n    purpose: tracking\n    secret: env://TR\n    scopes: [read]\n", ""))
    clock = SimClock()
    for case in range(tier(60, 10_000)):
        echo.mode = case
        birds = canaries(case + 50_000, 2)
        pair = {"api_key": Secret(birds[0]), "api_secret": Secret(birds[1])}
        taken = take(
            loaded, endpoint=url, clock=clock, keys_only=bool(case % 3), secret_source=lambda _, pair=pair: pair
        )
        assert_clean(json.dumps(to_dict(taken)) + repr(taken), birds)
        forget(birds)
    shown = capsys.readouterr()
    assert_clean(shown.out + shown.err + caplog.text, birds)
    assert leaks(str(echo.asked) + birds[0], birds)  # control: the checker sees what is there
    assert echo.asked["/sapi/v1/account/apiRestrictions"] > 30

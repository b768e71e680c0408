"""Binance's futures as read: the account's key report, each order family by a call of its own, what a sandbox lacks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from policykit.exchanges import load
from policykit.exchanges.adapter import Adapter
from policykit.exchanges.base import CallFailed, arun, run
from policykit.exchanges.client import make_client
from policykit.redact import Secret
from policykit.sim import Drift, SimClock, SimServer
from policykit.sim.keys import REFUSALS
from policykit.snapshot import RateLimit
from tests.exchanges.reading import client_of

IDS = ("binance", "binanceusdm", "binancecoinm")
HEDGED = {"type": "swap", "subType": "linear"}


def _adapter(exchange_id: str) -> Adapter:
    adapter = load(exchange_id)
    assert adapter is not None
    return adapter


@pytest.fixture
def clock() -> SimClock:
    """The exchange's clock."""
    return SimClock()


@pytest.fixture(params=IDS)
def sim(request: pytest.FixtureRequest, clock: SimClock) -> Iterator[SimServer]:
    """Each id's simulated exchange, in a flat market."""
    with SimServer(clock=clock, dialect=str(request.param), amplitude=0.0) as server:
        yield server


def test_the_key_report_is_the_account_s(sim: SimServer, clock: SimClock) -> None:
    """Every id asks the wallet's host; a restriction is told, not its addresses; the end is the trade authority's."""
    adapter = _adapter(sim.dialect)
    key = sim.grant_key(30, grants={"read", "trade.derivatives"}, addresses=["203.0.113.7"], expires_in_days=20)
    report = run(adapter, client_of(sim, key), adapter.key_report(), clock)
    assert [scope for scope, said in report.permissions.items() if said == "granted"] == ["read", "trade.derivatives"]
    assert (report.permissions["withdraw"], report.permissions["key_admin"]) == ("denied", "unknown")
    assert (report.restricted, report.addresses) == ("yes", None)
    assert (report.created_at, report.expires_at) == ("2026-10-22T10:00:00.000Z", "2026-12-11T10:00:00.000Z")
    assert report.unknown == {
        "permissions.key_admin": f"{sim.dialect} does not report it",
        "label": f"{sim.dialect} does not report it",
        "last_used_at": f"{sim.dialect} does not report it",
        "ip_allowlist.addresses": f"{sim.dialect} reports only whether a restriction is set",
    }


def test_a_flag_that_nobody_knows_is_reported(clock: SimClock) -> None:
    """A new permission is named (G08), whatever the case of the names; nothing that was told becomes unknown."""
    drift = Drift(names="snake_case", strange=("enableTeleport",))
    with SimServer(clock=clock, dialect="binanceusdm", drift=drift) as sim:
        adapter = _adapter("binanceusdm")
        report = run(adapter, client_of(sim, sim.grant_key()), adapter.key_report(), clock)
    assert report.unrecognised == ["enable_teleport"]
    assert (report.permissions["trade.spot"], report.permissions["withdraw"]) == ("granted", "denied")


@pytest.mark.parametrize("refusal", REFUSALS)
def test_each_refusal(sim: SimServer, clock: SimClock, refusal: str) -> None:
    """Key, address and permission are one error at Binance, and its words name all three; the rest are told apart."""
    adapter = _adapter(sim.dialect)
    with pytest.raises(CallFailed) as caught:
        run(adapter, client_of(sim, sim.grant_key(refused=refusal)), adapter.key_report(), clock)
    failure = caught.value.failure
    key = "the key, its address or its permissions are refused; check key, address allowlist and scopes (-2015)"
    expected = {
        "revoked": ("KEY_REJECTED", key, None),
        "address": ("KEY_REJECTED", key, None),
        "permission": ("KEY_REJECTED", key, None),
        "clock": ("CLOCK", "the request was signed outside its validity; set this host's clock (-1021)", None),
        "rate": ("RATE_LIMIT", "too much request weight or too many requests; wait (-1003)", 30_000),
        "ban": ("BANNED", "this address is banned; wait (-1003)", 120_000),
        "maintenance": ("MAINTENANCE", "the server is overloaded; wait (-1008)", None),
    }
    code, words, wait_ms = expected[refusal]
    assert (failure.code, failure.message) == (code, f"{sim.dialect}: {words}")
    assert (failure.executed, failure.retry_after_ms) == ("no", wait_ms)


def test_limits_by_the_names_of_the_windows(clock: SimClock) -> None:
    """What exchangeInfo publishes is named as budgets name it."""
    for exchange_id, api in (("binanceusdm", "fapi"), ("binancecoinm", "dapi")):
        with SimServer(clock=clock, dialect=exchange_id) as sim:
            adapter = _adapter(exchange_id)
            limits = run(adapter, client_of(sim, sim.main_key), adapter.rate_limits(), clock)
        where, at = f"GET /{api}/v1/exchangeInfo", "2026-11-21T10:00:00.000Z"
        assert limits == (
            RateLimit("request-weight", 2_400, 60_000, where, at),
            RateLimit("orders-minute", 1_200, 60_000, where, at),
            RateLimit("orders", 300, 10_000, where, at),
        )


def test_the_address_book(sim: SimServer, clock: SimClock) -> None:
    """Each withdrawal address with whether it is on the allowlist."""
    sim.allow_address("USDT", "TXYZ0001", network="TRX")
    sim.allow_address("BTC", "bc1q0002", allowlisted=False)
    adapter = _adapter(sim.dialect)
    assert run(adapter, client_of(sim, sim.main_key), adapter.withdrawal_addresses(), clock) == [
        {"coin": "USDT", "network": "TRX", "address": "TXYZ0001", "allowlisted": True},
        {"coin": "BTC", "network": "SIM", "address": "bc1q0002", "allowlisted": False},
    ]


def _fill(sim: SimServer) -> None:
    sim.fund("BTC/USDT:USDT", 1_000)
    sim.hold("BTC/USDT:USDT", "-0.5", entry=50_000)
    sim.rest("BTC/USDT:USDT", "buy", "0.1", 40_000)
    sim.rest("BTC/USDT:USDT", "buy", "0.5", trigger=70_000, reduce_only=True)
    sim.fund("BTC/USD:BTC", "0.3")
    sim.hold("BTC/USD:BTC", 10, entry=50_000, leverage=5, isolated=True)
    sim.rest("BTC/USD:BTC", "sell", 3, 70_000)
    sim.rest("BTC/USD:BTC", "sell", 4, trigger=40_000)


LINEAR: dict[str, Any] = {
    "positions": [("BTC/USDT:USDT", "short", "0.5", "30000.0", "cross")],
    "orders": [("order", "BTC/USDT:USDT", "buy", 0.1, False), ("algo", "BTC/USDT:USDT", "buy", 0.5, True)],
    "balances": {"USDT": -4_000.0},
}
INVERSE: dict[str, Any] = {
    "positions": [("BTC/USD:BTC", "long", "10.0", "0.01666667", "isolated")],
    "orders": [("order", "BTC/USD:BTC", "sell", 3.0, False), ("algo", "BTC/USD:BTC", "sell", 4.0, False)],
    "balances": {"BTC": 0.30333333},
}


def _live(adapter: Adapter, client: Any) -> dict[str, Any]:
    """Make the unified calls that the adapter lists, and return what they tell."""
    reads = adapter.live["swap"]
    balances: dict[str, float] = {}
    for params in reads.balances:
        balances |= {asset: total for asset, total in client.fetch_balance(dict(params))["total"].items() if total}
    positions = [one for params in reads.positions for one in client.fetch_positions(None, dict(params))]
    orders = [
        (family, one["symbol"], one["side"], one["amount"], one["reduceOnly"])
        for family, params in reads.orders
        for one in client.fetch_open_orders(None, None, None, dict(params))
    ]
    return {
        "positions": [
            (one["symbol"], one["side"], str(one["contracts"]), str(one["notional"]), one["marginMode"])
            for one in positions
        ],
        "orders": orders,
        "balances": balances,
    }


def test_every_family_of_futures_is_read(sim: SimServer) -> None:
    """Positions, orders, those of the algo service, wallet: both kinds under `binance`, each under its own id."""
    _fill(sim)
    client = client_of(sim, sim.grant_key(grants={"read"}))
    read = _live(_adapter(sim.dialect), client)
    both = {
        "positions": LINEAR["positions"] + INVERSE["positions"],
        "orders": [LINEAR["orders"][0], INVERSE["orders"][0], LINEAR["orders"][1], INVERSE["orders"][1]],
        "balances": LINEAR["balances"] | INVERSE["balances"],
    }
    assert read == {"binance": both, "binanceusdm": LINEAR, "binancecoinm": INVERSE}[sim.dialect]


def test_a_conditional_order_is_in_no_list_of_open_orders(clock: SimClock) -> None:
    """PITFALLS 24, the control: who asks for open orders alone would take a waiting stop for none."""
    with SimServer(clock=clock, dialect="binanceusdm") as sim:
        sim.rest("BTC/USDT:USDT", "sell", "0.5", trigger=50_000)
        client = client_of(sim, sim.main_key)
        assert client.fetch_open_orders(None, None, None, dict(HEDGED)) == []
        assert len(client.fetch_open_orders(None, None, None, {**HEDGED, "trigger": True})) == 1


@pytest.mark.parametrize("exchange_id", ["binanceusdm", "binancecoinm"])
def test_the_calls_are_those_that_were_told(clock: SimClock, exchange_id: str) -> None:
    """What the account is read with is what `asks` says, so that its cost is known before; the weight is counted."""
    with SimServer(clock=clock, dialect=exchange_id) as sim:
        adapter, client = _adapter(exchange_id), client_of(sim, sim.main_key)
        _live(adapter, client)
        assert client.fetch_position_mode()["hedged"] is False
        sent = set(sim.truth.by_route) - {"GET /sapi/v1/margin/allPairs"}  # ccxt's currencies ask it beside
        assert sent == set(adapter.asks["account"])
        # exchangeInfo 1, account 5, brackets 1, positions, orders 40 each, mode 30: the futures' own window.
        used = {"binanceusdm": 1 + 5 + 1 + 5 + 80 + 30, "binancecoinm": 1 + 5 + 1 + 1 + 80 + 30}
        assert adapter.usage(client.last_response_headers) == {"request-weight|60000": used[exchange_id]}


def test_a_hedged_account(clock: SimClock) -> None:
    """Two sides of one contract are two positions, and the mode is told."""
    with SimServer(clock=clock, dialect="binanceusdm", amplitude=0.0) as sim:
        sim.hold("ETH/USDT:USDT", 2, entry=2_900, side="LONG")
        sim.hold("ETH/USDT:USDT", -1, entry=3_100, side="SHORT")
        client = client_of(sim, sim.main_key)
        assert client.fetch_position_mode()["hedged"] is True
        held = client.fetch_positions(None, {"subType": "linear"})
        assert [(one["side"], one["contracts"], one["hedged"], one["unrealizedPnl"]) for one in held] == [
            ("long", 2.0, True, 200.0),
            ("short", 1.0, True, 100.0),
        ]


def _sandbox(exchange_id: str, *, asynchronous: bool = False) -> Any:
    pair = {"api_key": Secret("k" * 64), "api_secret": Secret("s" * 64)}
    return make_client(exchange_id, pair, sandbox=True, asynchronous=asynchronous)


@pytest.mark.parametrize("exchange_id", IDS)
def test_the_sandbox_has_no_key_report(clock: SimClock, exchange_id: str) -> None:
    """Ccxt drops /sapi from the sandbox and raises NotSupported: told as what it is, sync and async, unsent."""
    adapter = _adapter(exchange_id)
    words = "the sandbox has no key report (/sapi); say under `declared:` what the key may do, or read it live"
    with pytest.raises(CallFailed) as caught:
        run(adapter, _sandbox(exchange_id), adapter.key_report(), clock)
    assert caught.value.failure == ("no", "NOT_SUPPORTED", f"{exchange_id}: {words}", None)

    async def ask() -> None:
        client = _sandbox(exchange_id, asynchronous=True)
        try:
            await arun(adapter, client, adapter.key_report(), clock)
        finally:
            await client.close()

    with pytest.raises(CallFailed) as caught:
        asyncio.run(ask())
    assert caught.value.failure.message == f"{exchange_id}: {words}"


def test_the_sandbox_has_no_futures(clock: SimClock) -> None:
    """Ccxt gave up the futures' sandbox: the words say where they can be tried."""
    adapter = _adapter("binanceusdm")
    with pytest.raises(CallFailed) as caught:
        run(adapter, _sandbox("binanceusdm"), _ask("fapiPrivateGetOpenOrders"), clock)
    words = "binanceusdm: the sandbox has no futures any more; try them on `policykit sim`, or read them live"
    assert str(caught.value) == words
    with pytest.raises(CallFailed) as caught:
        run(adapter, _sandbox("binanceusdm"), _ask("papiGetBalance"), clock)
    assert caught.value.failure.message == "binanceusdm: the client has no such call here; nothing was sent"


def _ask(method: str) -> Any:
    from policykit.exchanges.base import Read

    yield Read(method)


def test_order_counts_are_read_from_headers() -> None:
    """An answer to an order tells what the account used of both windows; the wallet's header is of no window here."""
    headers = {
        "x-mbx-order-count-10s": "3",
        "X-MBX-ORDER-COUNT-1M": "7",
        "X-MBX-USED-WEIGHT-1M": "41",
        "X-SAPI-USED-IP-WEIGHT-1M": "900",
    }
    used = {"request-weight|60000": 41, "orders|10000": 3, "orders-minute|60000": 7}
    assert _adapter("binanceusdm").usage(headers) == used

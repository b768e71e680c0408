"""Accounts over ccxt's unified calls: exact numbers, every family, and a reason for whatever is not known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from policykit.exchanges import load
from policykit.exchanges.account_state import read_account
from policykit.exchanges.endpoints import endpoints
from policykit.exchanges.live_account import wanted
from policykit.exchanges.session import Line, Session
from policykit.redact import Secret
from policykit.sim import SimClock
from policykit.snapshot import SCOPES, KeyReport
from tests.exchanges.bybit_account import Answers, serving
from tests.exchanges.policies import policy

TEXT = """\
policykit: 1
name: by
owner: desk
exchange: bybit
account: {name: main, currency: USDT, position_mode: one_way}
environment: live
keys:
  by-exec:
    purpose: execution
    secret: env://BY
    scopes: [read, trade.spot, trade.derivatives]
risk:
  symbols: ["BTC/USDT", "BTC/USDT:USDT", "GONE/USDT"]
"""
AT = "2026-11-21T10:00:00.000Z"


@pytest.fixture
def bybit() -> Iterator[tuple[str, Answers]]:
    """A Bybit with a wallet, a position and orders."""
    with serving() as served:
        yield served


def _account(url: str, text: str = TEXT, **permissions: Any) -> dict[str, Any]:
    adapter = load("bybit")
    assert adapter is not None
    effective = policy(text)
    session = Session(lambda _: {}, SimClock(), endpoints(url))
    session.policies = (effective,)
    line = Line(session, effective, adapter)
    client = line.client({"api_key": Secret("key-of-tests"), "api_secret": Secret("secret-of-tests")}, "by-exec")
    report = KeyReport("by-exec", "", {**dict.fromkeys(SCOPES, "granted"), **permissions})
    return read_account(line, [(report, client)])


def test_an_account_is_read_whole(bybit: tuple[str, Answers]) -> None:
    """Balances, positions of swap and spot, orders, markets, equity: exact, each list with its endpoint and time."""
    account = _account(bybit[0])
    assert account["balances"] == {"BTC": "0.1", "DUST": "7", "USDT": "1000.1"}
    assert account["equity"] == "7000.1 USDT"
    assert account["positions"] == [
        {
            "symbol": "BTC/USDT:USDT",
            "product": "swap",
            "side": "short",
            "quantity": "0.3",
            "notional": "18000.06",
            "currency": "USDT",
            "leverage": "4",
            "margin_mode": None,
            "mark": "60000.2",
        },
        {
            "symbol": "BTC/USDT",
            "product": "spot",
            "side": "long",
            "quantity": "0.1",
            "notional": "6000",
            "currency": "USDT",
            "leverage": None,
            "margin_mode": None,
            "mark": "60000",
        },
    ]
    assert account["open_orders"] == [
        {
            "symbol": "BTC/USDT:USDT",
            "side": "buy",
            "quantity": "0.25",
            "filled": "0.05",
            "price": "58000.5",
            "notional": "11600.1",
            "currency": "USDT",
            "family": "order",
            "reduce_only": False,
            "client_order_id": "pk01JD3V7K2M",
            "order_id": "1523347543495541248",
        },
        {
            "symbol": "BTC/USDT:USDT",
            "side": "sell",
            "quantity": "0.25",
            "filled": "0.05",
            "price": "58000.5",
            "notional": "11600.1",
            "currency": "USDT",
            "family": "trigger",
            "reduce_only": False,
            "client_order_id": "pk01JD3V7K2M",
            "order_id": "2",
        },
    ]
    assert account["markets"] == [
        {"symbol": "BTC/USDT", "active": True, "min_notional": "5", "currency": "USDT"},
        {"symbol": "BTC/USDT:USDT", "active": True, "min_notional": "5", "currency": "USDT"},
        {"symbol": "GONE/USDT", "active": False, "min_notional": None, "currency": None},
    ]
    assert account["position_mode"] == "one_way"
    assert account["source"] == {"endpoint": "GET /v5/account/wallet-balance", "at": AT}
    assert account["sources"] == {
        "markets": {"endpoint": "GET /v5/market/instruments-info", "at": AT},
        "balances": {"endpoint": "GET /v5/account/wallet-balance", "at": AT},
        "positions": {"endpoint": "GET /v5/position/list", "at": AT},
        "open_orders": {"endpoint": "GET /v5/order/realtime", "at": AT},
        "equity": {"endpoint": "GET /v5/market/tickers", "at": AT},
    }
    assert account["unknown"] == {
        "equity.unpriced": "DUST",
        "equity.unrealised": "whether it holds the positions' unrealised profit is not documented",
    }


def test_only_what_the_policy_needs_is_asked(bybit: tuple[str, Answers]) -> None:
    """A policy of spot loads no contracts and asks for no position; markets are loaded once."""
    text = TEXT.replace(", trade.derivatives", "").replace('"BTC/USDT:USDT", ', "")
    account = _account(bybit[0], text)
    categories = [params.get("category") for path, params in bybit[1].asked if path == "/v5/market/instruments-info"]
    assert categories == ["spot"]
    assert not [path for path, _ in bybit[1].asked if path == "/v5/position/list"]
    assert (account["position_mode"], account["unknown"]) == (None, {"equity.unpriced": "DUST"})


@pytest.mark.parametrize("plain", [False, True])
def test_a_number_is_never_a_float(bybit: tuple[str, Answers], plain: bool) -> None:
    """Numbers that a JSON float cannot hold arrive digit by digit, even unquoted."""
    bybit[1].plain = plain
    bybit[1].positions[0].update(size="0.10000000000000000001", markPrice="30000.000000000000001")
    bybit[1].coins = [{"coin": "USDT", "walletBalance": "123456789012345678.12345678", "locked": "0"}]
    account = _account(bybit[0])
    assert account["positions"][0]["quantity"] == "0.10000000000000000001"
    assert account["positions"][0]["mark"] == "30000.000000000000001"
    assert account["equity"] == "123456789012345678.12345678 USDT"


@pytest.mark.parametrize(
    ("path", "unknown"),
    [
        ("/v5/account/wallet-balance", {"balances", "equity"}),
        ("/v5/position/list", {"positions"}),
        ("/v5/order/realtime trigger", {"open_orders.trigger"}),
        ("/v5/order/realtime", {"open_orders.order"}),
        ("/v5/market/tickers", {"equity"}),
        ("/v5/market/instruments-info", {"equity", "balances", "positions", "open_orders", "markets", "position_mode"}),
    ],
)
def test_what_is_refused_is_unknown_and_never_empty(bybit: tuple[str, Answers], path: str, unknown: set[str]) -> None:
    """Each call refused for want of a permission: its list is None, or lacks a family and says so."""
    bybit[1].instead[path] = {"retCode": 10005, "retMsg": "Permission denied", "result": {}}
    account = _account(bybit[0])
    why = "bybit: the key lacks a permission; check its scopes (10005)"
    told = {name for name, reason in account["unknown"].items() if reason == why}
    assert told - {"position_mode"} == unknown - {"position_mode"}
    for name in unknown:
        if "." not in name:
            assert account[name] is None


def test_a_reader_that_may_not_read_is_not_asked(bybit: tuple[str, Answers]) -> None:
    """No key that reads: everything says so, and nothing is sent."""
    account = _account(bybit[0], read="denied")
    assert account["unknown"]["positions"] == "no key could be read"
    assert (account["positions"], bybit[1].asked) == (None, [])


def test_a_product_that_is_not_read_is_not_flat(bybit: tuple[str, Answers]) -> None:
    """A policy with options: what else is there is listed, and the options are said to be missing."""
    account = _account(bybit[0], TEXT.replace("trade.derivatives]", "trade.derivatives, trade.options]"))
    why = "this version does not read bybit's options"
    assert account["positions"] is None
    assert {name for name, reason in account["unknown"].items() if reason == why} == {
        "positions",
        "balances.options",
        "open_orders.options",
        "equity.options",
    }


def test_what_is_wanted_follows_scopes_and_symbols() -> None:
    """Scopes name the products; without a trade scope the symbols do; with neither all are read."""
    adapter = load("bybit")
    assert adapter is not None

    def products(text: str) -> tuple[set[str], tuple[str, ...]]:
        need = wanted(adapter, [policy(text)])
        return set(need.products), need.missing

    reader = TEXT.replace("[read, trade.spot, trade.derivatives]", "[read]")
    assert products(TEXT) == ({"spot", "swap"}, ())
    assert products(reader.replace('"BTC/USDT", "BTC/USDT:USDT", "GONE/USDT"', '"*/USDT:USDT"')) == ({"swap"}, ())
    assert products(reader[: reader.index("risk:")]) == ({"spot", "swap"}, ())
    assert products(reader.replace('"GONE/USDT"', '"BTC/USDT:USDT-261225-60000-C"')) == ({"spot", "swap"}, ("options",))

"""Paper on Bybit: book, trades and fees of the exchange's own calls, and nothing like an order leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.exchanges.bybit import ADAPTER
from tests.guard.paper_world import paper, paper_text
from tests.guard.test_bybit import HELD, SPOT
from tests.guard.test_paper_leaves import arguments, unified
from tests.guard.world import SYMBOL, World


def text(**changes: object) -> str:
    """Return the usual policy on paper, for Bybit."""
    window = "requests: {limit: 600, per: 5s, window: rolling"
    said = paper_text(**changes).replace("exchange: binance", "exchange: bybit")
    return said.replace("request-weight: {limit: 6000, per: 1m, window: fixed", window)


@contextmanager
def bybit(tmp_path: Path, said: str | None = None) -> Iterator[tuple[World, Any]]:
    """Give a Bybit and stock ccxt's client behind a guard on paper."""
    with paper(tmp_path, said or text(), dialect="bybit", balances=HELD) as w:
        yield w, w.protected(**SPOT)


def written(w: World) -> list[str]:
    """Return the requests that reached the exchange and are no public call or listed read."""
    seen = [*w.sim.truth.by_route, *w.sim.truth.unrouted]
    kinds = {route: ADAPTER.call(*route.split(" ", 1), None).kind for route in seen if " " in route}
    return sorted(route for route, kind in kinds.items() if kind not in ("public", "read"))


def test_a_market_order_pays_bybit_s_spread_and_the_key_s_fee(tmp_path: Path) -> None:
    """At the ask, with what `account/fee-rate` says, from what `paper_balances` says; and a larger one walks on."""
    with bybit(tmp_path, text(begins="200000 USDT", order="200000 USDT")) as (w, client):
        order = client.create_order(SYMBOL, "market", "buy", 0.1)
        assert (order["status"], order["average"], order["info"]["paper"]) == ("closed", 60006.0, True)
        assert order["fee"] == {"currency": "BTC", "cost": 0.0001}
        assert order["clientOrderId"].startswith("pk")
        assert client.fetch_balance()["total"] == {"USDT": 193_999.4, "BTC": 0.0999}
        assert "GET /v5/account/fee-rate" in w.sim.truth.by_route
        fills = client.create_order(SYMBOL, "market", "buy", 1.45)["info"]["fills"]
        assert [(fill["price"], fill["quantity"]) for fill in fills] == [("60006", "1.4"), ("60006.01", "0.05")]
        assert (w.sent, written(w)) == ([], [])


@pytest.mark.parametrize(("mid", "filled"), [("59000", 0.0), ("58999.9", 0.5)])
def test_a_resting_order_is_filled_by_a_trade_through_its_price(tmp_path: Path, mid: str, filled: float) -> None:
    """The sim's ask is above the trade: it is the trade that fills, so `market/recent-trade` was read."""
    with bybit(tmp_path) as (w, client):
        order = client.create_order(SYMBOL, "limit", "buy", 0.5, 59_000)
        assert [one["id"] for one in client.fetch_open_orders(SYMBOL)] == [order["id"]]
        w.sim.pin(SYMBOL, Decimal(mid))
        w.clock.sleep(2)
        assert client.fetch_order(order["id"], SYMBOL)["filled"] == filled
        assert [one["price"] for one in client.fetch_my_trades(SYMBOL)] == [59_000.0] * bool(filled)
        assert (w.sent, written(w)) == ([], [])


def test_a_cancelled_order_gives_back_what_it_held(tmp_path: Path) -> None:
    """It is closed, its money is free, the market fills it no more; and the guard's own figures agree."""
    with bybit(tmp_path) as (w, client):
        guard = client.policykit_gate.guard
        order = client.create_order(SYMBOL, "limit", "buy", 0.5, 59_000)
        assert client.fetch_balance()["USDT"]["used"] == 29_500.0
        client.cancel_order(order["id"], SYMBOL)
        w.sim.pin(SYMBOL, Decimal(58_000))
        w.clock.sleep(2)
        guard.maintain()
        assert client.fetch_order(order["id"], SYMBOL)["status"] == "canceled"
        assert client.fetch_balance()["USDT"] == {"free": 100_000.0, "used": 0.0, "total": 100_000.0}
        assert guard.facts().equity.value == Decimal(100_000)
        assert (w.sent, written(w)) == ([], [])


def test_I15_no_order_method_of_bybit_reaches_the_exchange(tmp_path: Path) -> None:
    """Every unified method that changes something; some did work, on paper."""
    with bybit(tmp_path) as (w, client):
        done = []
        for name in unified(type(client)):
            method = getattr(client, name)
            with suppress(Exception):  # whatever it is, nothing may leave
                done.append(method(**arguments(method)))
        assert sum(isinstance(one, dict) and (one.get("info") or {}).get("paper") is True for one in done) > 5
        assert (w.sent, written(w)) == ([], [])


def test_I15_bybit_s_traffic_is_seen_when_something_leaves(tmp_path: Path) -> None:
    """The control: at a stage that trades, the same look finds the order."""
    live = text(stage="full-live")
    live = live.replace("tracking", "execution").replace("[read]", "[read, trade.spot]")
    with bybit(tmp_path, live) as (w, client):
        client.create_order(SYMBOL, "limit", "buy", 0.001, 59_000)
        assert written(w) == ["POST /v5/order/create"]

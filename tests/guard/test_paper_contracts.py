"""Contracts on paper: one position a contract, margin by leverage, what closing realises, what is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import ccxt
import pytest

from policykit.exchanges.base import CallFailed, run
from policykit.order import Order
from tests.guard.paper_world import paper, paper_text

SWAP = "BTC/USDT:USDT"
TEXT = (
    paper_text(order="900000 USDT", position="900% of equity")
    .replace('["BTC/USDT", "ETH/USDT"]', f'["{SWAP}"]')
    .replace("exchange: binance\n", "exchange: binanceusdm\n")
    .replace("max_age: 10s", "max_age: 10s, position_mode: one_way")
)


def test_a_position_is_opened_reduced_and_turned(tmp_path: Path) -> None:
    """Fees and profit move the wallet; the guard counts the position; a reduce-only order does no more than close."""
    with paper(tmp_path, TEXT, dialect="binanceusdm") as w:
        guard = w.guard()
        client = w.protected(guard)
        client.set_leverage(5, SWAP)
        assert client.fetch_leverage(SWAP)["longLeverage"] == 5.0
        client.create_order(SWAP, "market", "buy", 1)
        assert client.fetch_balance()["USDT"]["total"] == pytest.approx(100_000 - 60_006 * 0.0005)
        [position] = client.fetch_positions()
        assert (position["side"], position["contracts"], position["entryPrice"]) == ("long", 1.0, 60_006.0)
        closed = client.create_order(SWAP, "market", "sell", 3, None, {"reduceOnly": True})
        assert (closed["filled"], client.fetch_positions()) == (1.0, [])
        profit = sum(Decimal(fill["profit"]) for fill in closed["info"]["fills"])
        assert profit == (Decimal(59_994) - Decimal(60_006))
        w.clock.sleep(6)
        guard.maintain()
        client.create_order(SWAP, "market", "sell", 1)
        assert client.fetch_position(SWAP)["side"] == "short"
        w.clock.sleep(6)
        guard.maintain()
        assert guard.facts().positions[SWAP].low == Decimal(-1)
        assert guard.facts().drift == ()
        assert [route for route in w.sim.truth.by_route if not route.startswith("GET ")] == []


def test_margin_bounds_what_is_opened(tmp_path: Path) -> None:
    """At leverage 1 a contract costs what it is worth; what the wallet cannot carry is refused."""
    with paper(tmp_path, TEXT, dialect="binanceusdm") as w:
        client = w.protected()
        with pytest.raises(ccxt.InsufficientFunds, match="paper: insufficient balance"):
            client.create_order(SWAP, "market", "buy", 2)
        with pytest.raises(ccxt.InvalidOrder, match="no position that it would reduce"):
            client.create_order(SWAP, "limit", "sell", 1, 70_000, {"reduceOnly": True})
        assert client.set_position_mode(False) == {"paper": True}
        client.set_margin_mode("cross", SWAP)
        assert client.fetch_position(SWAP)["contracts"] == 0.0


def test_open_orders_keep_their_margin(tmp_path: Path) -> None:
    """Of what rests, too: a second order that the wallet cannot carry beside it is refused; one that reduces is not."""
    with paper(tmp_path, TEXT, dialect="binanceusdm") as w:
        client = w.protected()
        client.create_order(SWAP, "limit", "buy", 1, 59_000)
        with pytest.raises(ccxt.InsufficientFunds):
            client.create_order(SWAP, "limit", "buy", 1, 58_000)
        assert client.fetch_balance()["USDT"]["free"] == 41_000.0


def test_what_is_public_is_the_exchanges_own(tmp_path: Path) -> None:
    """The adapter on paper hands on what is not the account's; what it does not know as an order is none."""
    with paper(tmp_path, TEXT, dialect="binanceusdm") as w:
        guard = w.guard()
        adapter, client = guard.adapter, w.protected(guard)
        adapter.prepare(client)
        adapter.pointed(client, w.sim.url)
        adapter.set_offset(client, 0)
        assert adapter.takes(SWAP)
        assert adapter.usage({}) == {}
        assert adapter.signed("https://x/", {}, None) is None
        assert adapter.differs(Order(SWAP), "https://x/", None) is None
        assert adapter.amend_params(Order(SWAP), "c1") == {}
        assert set(run(adapter, client, adapter.quotes((SWAP,)), guard.clock)) == {SWAP}
        assert set(run(adapter, client, adapter.funding_rates((SWAP,)), guard.clock)) == {SWAP}
        assert run(adapter, client, adapter.countdown(SWAP, 1), guard.clock) is None
        with pytest.raises(CallFailed, match="is not an order"):
            adapter.order_state({"orderId": 1})

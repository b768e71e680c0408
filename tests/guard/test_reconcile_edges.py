"""Where the evidence ends: what cannot be looked up, what is too much, what nobody priced."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from policykit.guard import evidence
from tests.guard.contracts import SWAP
from tests.guard.test_reconcile import codes, compared, text
from tests.guard.test_reconcile_contracts import begin
from tests.guard.world import SYMBOL, World

ORDER = "GET /api/v3/order"


def test_whoever_may_move_a_market_in_any_way(start: Callable[..., World]) -> None:
    """Named without ids: what they hold of it is theirs, with fills or without; the money is not."""
    w = start(text=text(more=", others: [{name: treasury, symbols: ['ETH/USDT']}]"))
    guard, own = w.guard(), w.sim.client()
    compared(w, guard, own, 1)
    w.sim.venue.balances["ETH"].free += 2
    assert compared(w, guard, own) == [("balance", "ETH", "others: treasury")]
    assert compared(w, guard, own, 1) == []
    w.sim.client().create_order("ETH/USDT", "market", "buy", 0.1)
    assert {why for _, _, why in compared(w, guard, own)} == {"others: treasury", "fee"}
    w.sim.venue.balances["USDT"].free += 100
    assert compared(w, guard, own) == [("balance", "USDT", "unknown")]


def test_an_order_that_cannot_be_named(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its id is told without its name, and why; with too many of them only so many are asked for."""
    w = start(text=text())
    guard, own, hand = w.guard(), w.sim.client(), w.sim.client()
    compared(w, guard, own, 1)
    hand.create_order(SYMBOL, "market", "buy", 0.01)
    w.sim.strike({"at": "lookup", "do": "unknown", "ratio": 1.0, "call": ORDER})
    compared(w, guard, own)
    (note, _) = (one.note for one in guard.facts().drift)
    assert note.startswith("order 1 bought 0.01 BTC/USDT; order 1 of BTC/USDT could not be looked up: ")
    w.sim.strike()
    monkeypatch.setattr(evidence, "MAX_NAMES", 0)
    monkeypatch.setattr(evidence, "MAX_LOOKUPS", 1)
    hand.create_order(SYMBOL, "market", "buy", 0.02)
    hand.create_order(SYMBOL, "market", "buy", 0.03)
    compared(w, guard, own)
    note = guard.facts().drift[0].note
    assert note.split("; ")[-1] == "order 3 bought 0.03 BTC/USDT"


def test_too_many_markets_to_read(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """Fills that were not read explain nothing."""
    w = start(text=text(order="9000 USDT", position="20000 USDT"))
    guard, own = w.guard(), w.sim.client()
    compared(w, guard, own, 1)
    monkeypatch.setattr(evidence, "MAX_SYMBOLS", 0)
    w.protected(guard).create_order(SYMBOL, "market", "buy", 0.1)
    compared(w, guard, own)
    assert guard.facts().drift[0].note == "fills of 1 more markets were not read"


def test_open_orders_that_cannot_be_listed(start: Callable[..., World], caplog: pytest.LogCaptureFixture) -> None:
    """The first increase waits; it is said once, and goes on when they can be."""
    w = start(text=text())
    guard, own = w.guard(ready=False), w.sim.client()
    w.sim.strike({"at": "lookup", "do": "unknown", "ratio": 1.0, "call": "GET /api/v3/openOrders"})
    for _ in range(2):
        w.clock.advance(5)
        guard.maintain(own)
    assert codes(w.protected(guard)) == ["RECOVERY_PENDING"]
    assert sum("could not be compared" in record.getMessage() for record in caplog.records) == 1
    w.sim.strike()
    compared(w, guard, own, 1)
    assert guard.facts().recovered


def test_orders_by_hand_on_contracts(start: Callable[..., World]) -> None:
    """Both families are listed; one that only reduces claims nothing, the others claim their side."""
    w, guard, own = begin(start)
    w.sim.hold(SWAP, "0.1", entry=60_000)
    w.sim.rest(SWAP, "sell", "0.2", 65_000)
    w.sim.rest(SWAP, "buy", "0.3", 55_000)
    w.sim.rest(SWAP, "sell", "0.1", trigger=55_000, reduce_only=True)
    found = compared(w, guard, own)
    assert [kind for kind, _, _ in found] == ["order", "order", "order", "position"]
    position = guard.facts().positions[SWAP]
    assert (position.open_buys, position.open_sells) == (Decimal("0.3"), Decimal("0.2"))
    assert guard.facts().foreign_orders == 3


def test_a_stop_that_cannot_be_looked_up(start: Callable[..., World]) -> None:
    """Its fill is nobody's as long as nobody can tell whose it is."""
    w, guard, own = begin(start)
    client = w.protected(guard)
    client.create_order(SWAP, "market", "buy", 0.1)
    client.create_order(SWAP, "stop_market", "sell", 0.1, None, {"stopPrice": 59_000, "reduceOnly": True})
    compared(w, guard, own)
    w.clock.advance(31)
    guard.maintain(own)
    w.sim.pin("BTC/USDT", 58_900)
    w.clock.advance(1)
    w.sim.held(SWAP)
    w.sim.strike({"at": "lookup", "do": "unknown", "ratio": 1.0, "call": "GET /fapi/v1/algoOrder"})
    reconciler = guard._maintenance.reconciler
    w.clock.advance(10)
    lines = reconciler.at_once(guard.protect(own))
    assert ("position", SWAP, "unknown") in [(line.kind, line.key, line.why) for line in lines]
    assert any("could not be looked up" in line.note for line in lines)
    w.sim.strike()
    assert [line.why for line in reconciler.at_once(guard.protect(own))] == ["fee"]


def test_what_has_no_price_and_what_has_no_market(start: Callable[..., World]) -> None:
    """A listed asset without a price is over every tolerance; one that no market prices is worth nothing."""
    w = start(text=text())
    guard, own = w.guard(), w.sim.client()
    own.load_markets()
    reconciler = guard._maintenance.reconciler
    assert reconciler.worth(own, "ABC", Decimal(1)) == 0
    assert reconciler.worth(own, "USDT margin", Decimal(-3)) == 3
    own.markets["XYZ/USDT"] = own.markets["BTC/USDT"]
    assert reconciler.worth(own, "XYZ", Decimal(1)) is None
    assert reconciler.worth(own, "SOL/USDT:USDT", Decimal(1)) is None


def test_a_first_list_waits_where_a_fill_may_be_missing(start: Callable[..., World]) -> None:
    """An order of just now: what is held is taken for what should be only once its fill must show."""
    w = start(text=text().replace("on_start: required", "on_start: optional"))
    guard, own = w.guard(ready=False), w.sim.client()
    guard.observe(equity="100000 USDT", positions={}, marks={SYMBOL: "60000"}, net_transfers="0 USDT", skew_ms=0)
    w.protected(guard).create_order(SYMBOL, "market", "buy", 0.01)
    guard.maintain(own)
    assert "bounds" not in guard.store.reconciled(guard.account)
    w.clock.advance(10)
    guard.maintain(own)
    assert guard.store.reconciled(guard.account)["bounds"]["BTC"] == ["-0.00001", "0.01"]  # in doubt
    assert compared(w, guard, own) == []

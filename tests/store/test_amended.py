"""An order that was amended: on every back-end its position hold claims what can still fill of it, no more, no less."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from policykit.orders.intent import Intent, Outcome
from policykit.store.backed import LedgerStore
from tests.store.made import ACCOUNT, BTC, NOW, dump, hold_position, hold_sum, reserve

Again = Callable[[LedgerStore], LedgerStore]


def amended(store: LedgerStore, intent: Intent, quantity: str | None, price: str | None, **said: object) -> Intent:
    """Tell a store that an order is for another quantity or price now."""
    now = {name: None if text is None else Decimal(text) for name, text in (("quantity", quantity), ("price", price))}
    return store.outcome(intent.id, Outcome("acknowledged", NOW, **now, **said))  # type: ignore[arg-type]


def out(store: LedgerStore, side: str) -> Decimal:
    """Return what orders of a side claim."""
    position = store.facts(ACCOUNT, "bot").positions["BTC"]
    return position.open_buys if side == "buy" else position.open_sells


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_hold_becomes_what_can_still_fill(store: LedgerStore, reopened: Again, side: str) -> None:
    """More, though the cap is full, less, and with what filled taken off; the end gives all of it back, once."""
    signed = BTC if side == "buy" else -BTC
    intent, _ = reserve(store, hold_position(signed, BTC), hold_sum(1, 5), side=side)
    for quantity, filled, claims in (("3", None, "3"), ("2", "0.5", "1.5"), ("0.75", None, "0.25"), ("4", "1", "3")):
        after = amended(store, intent, quantity, None, filled=None if filled is None else Decimal(filled))
        assert (after.order.quantity, after.order.price) == (Decimal(quantity), Decimal(60_000))
        assert out(store, side) == Decimal(claims)
        store = reopened(store)
        assert store.intent(intent.id) == after
    assert reserve(store, hold_position(signed, 10 * BTC), side=side)[1].used == (4 * BTC,)  # what filled, and the rest
    store.outcome(intent.id, Outcome("settled", NOW, filled=Decimal(1), closed=True))
    assert out(store, side) == 1
    assert dump(reopened(store)) == dump(store)


def test_another_price_moves_no_hold(store: LedgerStore, reopened: Again) -> None:
    """It is known from then on, and nothing else changed."""
    intent, _ = reserve(store, hold_position(BTC, BTC))
    after = amended(store, intent, None, "59000")
    assert (after.order.quantity, after.order.price) == (Decimal(1), Decimal(59_000))
    assert after.order.amends is None
    assert out(store, "buy") == 1
    assert dump(reopened(store)) == dump(store)


def test_an_order_that_holds_no_position_claims_none(store: LedgerStore) -> None:
    """One that was let through in shadow mode, say."""
    intent, _ = reserve(store, hold_sum(1, 5))
    assert amended(store, intent, "3", None).order.quantity == 3
    assert store.facts(ACCOUNT, "bot").positions.get("BTC") is None


def test_an_order_that_is_over_is_amended_by_nobody(store: LedgerStore) -> None:
    """Its hold is gone: what comes late is written, and claims nothing."""
    intent, _ = reserve(store, hold_position(BTC, BTC))
    store.outcome(intent.id, Outcome("settled", NOW, closed=True))
    amended(store, intent, "3", None)
    assert out(store, "buy") == 0


def test_more_than_counters_hold_claims_all_that_they_hold(store: LedgerStore) -> None:
    """No order is that large; a claim that wrapped would let one through."""
    intent, _ = reserve(store, hold_position(BTC, BTC))
    amended(store, intent, "1e12", None)
    assert out(store, "buy") > 90_000_000


def test_what_an_intent_amends_is_kept(store: LedgerStore, reopened: Again) -> None:
    """An amend in place names the order that it changes, over a restart too."""
    intent, _ = reserve(store, hold_position(BTC, BTC))
    amend, _ = reserve(store, hold_position(BTC, 2 * BTC), amends=intent.id)
    found = reopened(store).intent(amend.id)
    assert found is not None
    assert found.amends == intent.id

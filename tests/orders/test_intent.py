"""The states of an intent: what each outcome makes of it, over every pair of states."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal
from typing import get_args

import pytest

from policykit.order import Order
from policykit.orders.intent import FINAL, OPEN, Intent, Outcome, State, advance
from tests.orders.test_life import INTENT

STATES: tuple[State, ...] = get_args(State)
#: From each open state, where an outcome can lead.
LEADS = {
    "intended": {
        "intended", "sent", "acknowledged", "rejected", "unknown", "expired", "not_sent", "found", "absent", "settled",
    },
    "sent": {"sent", "acknowledged", "rejected", "unknown", "found", "absent", "settled"},
    "acknowledged": {"acknowledged", "unknown", "found", "settled"},
    "unknown": {"unknown", "acknowledged", "found", "absent", "settled", "rejected"},
    "found": {"found", "settled"},
}  # fmt: skip


def test_what_an_intent_is_made_with() -> None:
    """Nothing is known of a new one: not sent, not signed, never changed, nothing filled."""
    told = (INTENT.account, INTENT.order, "pk1", "order", (), False, "bot", "host", 1, 1_000, 1_250, 5_000)
    new = Intent("one", *told)
    assert (new.state, new.signed_ms, new.changed_ms, new.order_id, new.filled) == ("intended", None, 0, None, 0)


def test_every_state_is_open_or_final() -> None:
    """No state is both, none is neither."""
    assert set(STATES) == OPEN | FINAL
    assert set() == OPEN & FINAL


@pytest.mark.parametrize("state", STATES)
def test_states_lead_where_the_table_says_and_final_ones_nowhere(state: State) -> None:
    """An outcome that is no step from a state leaves it as it is; a final state is never left."""
    for told in STATES:
        after = advance(replace(INTENT, state=state), Outcome(told, 9))
        assert after.state == (told if told in LEADS.get(state, ()) else state)
        assert after.closed == (after.state in FINAL)
        assert after.changed_ms == 9


def test_quantities_only_grow_and_nothing_known_is_forgotten() -> None:
    """A fill heard late or twice counts once; id, signing, validity and error of earlier outcomes stay."""
    first = advance(INTENT, Outcome("acknowledged", 1, "x1", Decimal(4), False, 1_100, 4_000, "SLOW"))
    assert (first.filled, first.remaining) == (Decimal(4), Decimal(6))
    again = advance(first, Outcome("acknowledged", 2, None, Decimal(3)))
    assert again == replace(first, changed_ms=2)
    more = advance(again, Outcome("found", 3, "x1", Decimal(10)))
    assert (more.state, more.filled, more.remaining) == ("found", Decimal(10), Decimal(0))


def test_what_fills_cost_is_known_from_who_said_how_much_filled() -> None:
    """A cost belongs to its quantity: one told with less changes nothing, a larger quantity without one has none."""
    first = advance(INTENT, Outcome("acknowledged", 1, filled=Decimal(4), cost=Decimal(400)))
    assert first.cost == Decimal(400)
    for told in (Outcome("acknowledged", 2), Outcome("acknowledged", 2, filled=Decimal(3), cost=Decimal(300))):
        assert advance(first, told).cost == Decimal(400)
    assert advance(first, Outcome("acknowledged", 2, filled=Decimal(4))).cost == Decimal(400)
    assert advance(first, Outcome("found", 3, filled=Decimal(10))).cost is None
    assert advance(first, Outcome("found", 3, filled=Decimal(10), cost=Decimal(1_000))).cost == Decimal(1_000)


@pytest.mark.parametrize("state", ["acknowledged", "found"])
def test_an_order_that_executed_and_is_closed_is_settled(state: State) -> None:
    """Closed with part filled, nothing remains, and nothing stays open."""
    after = advance(INTENT, Outcome(state, 1, "x1", Decimal(4), True))
    assert (after.state, after.open, after.remaining) == ("settled", False, Decimal(0))


def test_what_remains_of_a_quote_quantity_is_not_known() -> None:
    """An order in quote quantity has no quantity of its own to subtract from."""
    order = Order("BTC/USDT", "buy", "market", None, quote_quantity=Decimal(100))
    assert replace(INTENT, order=order).remaining == Decimal(0)


def test_an_outcome_changes_only_what_it_says() -> None:
    """Every other field of an intent is what it was: each has a value of its own here, so none can change places."""
    values = {field.name: field.name for field in fields(Intent)}
    before = Intent(**{**values, "state": "sent", "filled": Decimal(1), "closed": False})  # type: ignore[arg-type]
    assert advance(before, Outcome("sent", 7)) == replace(before, changed_ms=7)
    said = Outcome("acknowledged", 8, "x9", Decimal(2), False, 11, 12, "LATE", Decimal(13))
    changed = {"order_id": "x9", "filled": Decimal(2), "signed_ms": 11, "validity_ms": 12, "error": "LATE"}
    assert advance(before, said) == replace(
        before,
        state="acknowledged",
        changed_ms=8,
        cost=Decimal(13),
        **changed,  # type: ignore[arg-type]
    )

"""Recovery: what is taken up, what is concluded, that twice is once, and how a list of open orders is read."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from policykit.orders.intent import Intent, Outcome, advance
from policykit.orders.life import Answer, LookUp, Proof
from policykit.orders.recovery import Compared, abandoned, after_open_orders, recover
from tests.orders.test_life import FENCE, INTENT, PLAN, UNKNOWN, end_of, seen

OPEN = replace(UNKNOWN, state="acknowledged", order_id="x1", changed_ms=2_000)
NOW = replace(PLAN, wait_ms=0)


def test_recovery_takes_up_all_but_what_a_living_process_may_be_sending() -> None:
    """An intent in flight is left to its process while it lives and is not silent; everything else is taken up."""
    flying = replace(INTENT, state="intended")
    silent = 1_250 + 30_000
    assert abandoned([flying], silent, [("host", 1)]) == []
    assert abandoned([flying], silent + 1, [("host", 1)]) == [flying]
    assert abandoned([flying], silent, [("host", 2)]) == [flying]
    assert abandoned([flying], silent) == [flying]
    reported = [UNKNOWN, OPEN, replace(UNKNOWN, state="found")]
    assert abandoned(reported, 0, [("host", 1)]) == reported
    without = replace(flying, permit_until_ms=None)
    assert abandoned([without], 10**15, [("host", 1)]) == []
    assert abandoned([replace(UNKNOWN, state="settled")], 10**15) == []


def test_recovery_of_what_is_over_does_nothing() -> None:
    """A final intent is asked about by nobody."""
    with pytest.raises(StopIteration) as stop:
        next(recover(replace(UNKNOWN, state="absent"), Proof(FENCE), PLAN, 0))
    assert stop.value.value is None


def test_an_intent_that_its_own_journal_shows_unsent_is_given_back() -> None:
    """Only an own journal at hand proves that nothing left; a signed or reported intent is never taken as unsent."""
    with pytest.raises(StopIteration) as stop:
        next(recover(INTENT, Proof(FENCE), PLAN, 5_000, {"one"}))
    assert stop.value.value == Outcome("not_sent", 5_000, closed=True)
    for sent in (replace(INTENT, signed_ms=1_000), UNKNOWN):
        assert next(recover(sent, Proof(FENCE), PLAN, 5_000, {"one"})) == LookUp(sent)
    assert next(recover(INTENT, Proof(FENCE), PLAN, 5_000, {"two"})) == LookUp(INTENT)


def test_I5_a_crashed_send_ends_absent_behind_the_fence_or_found() -> None:
    """An intent that nobody reported on is settled by look-ups, as an unknown one is."""
    steps = recover(INTENT, Proof(FENCE), PLAN, FENCE + 1)
    next(steps)
    assert end_of(steps, Answer(FENCE + 1, FENCE + 1)) == Outcome("absent", FENCE + 1, closed=True)
    steps = recover(INTENT, Proof(FENCE), PLAN, 5_000)
    next(steps)
    assert end_of(steps, Answer(5_000, 5_000, seen(2))) == Outcome("found", 5_000, "x1", Decimal(2))


def _recovered(intent: Intent, answer: Answer) -> Any:
    steps = recover(intent, Proof(None), NOW, 5_000)
    next(steps)
    return end_of(steps, answer)


def test_I5_recovering_twice_changes_nothing() -> None:
    """The second time an unknown, a found and an open order have nothing new to say."""
    first = _recovered(INTENT, Answer(5_000, 5_000))
    assert first == Outcome("unknown", 5_000, error="NO_FENCE")
    assert _recovered(advance(INTENT, first), Answer(5_000, 5_000)) is None
    found = _recovered(INTENT, Answer(5_000, 5_000, seen(2)))
    assert _recovered(advance(INTENT, found), Answer(5_000, 5_000, seen(2))) is None
    assert _recovered(OPEN, Answer(5_000, 5_000, seen(0))) is None


def test_why_an_order_stays_unknown_is_written_when_it_is_another_reason() -> None:
    """It was unknown for a lost answer, and now nothing will ever prove it absent: a person must read that."""
    lost = replace(UNKNOWN, error="NETWORK")
    assert _recovered(lost, Answer(5_000, 5_000)) == Outcome("unknown", 5_000, error="NO_FENCE")
    assert _recovered(replace(lost, error="NO_FENCE"), Answer(5_000, 5_000)) is None


def test_an_open_order_is_settled_by_what_shows() -> None:
    """An acknowledged order that closed meanwhile is settled; one that cannot be asked for stays as it is."""
    assert _recovered(OPEN, Answer(5_000, 5_000, seen(10, closed=True))) == Outcome(
        "settled", 5_000, "x1", Decimal(10), True
    )
    assert _recovered(OPEN, Answer(5_000, 5_000, asked=False)) is None


def test_a_list_of_open_orders_says_what_to_look_up() -> None:
    """Listed orders give their fills, missing ones are looked up, foreign ones are named."""
    filled = replace(OPEN, id="two", client_order_id="pktwo")
    gone = replace(OPEN, id="three", client_order_id="pkthree")
    listed = [
        seen(0),
        seen(4, client_order_id="pktwo", order_id="x2"),
        seen(0, client_order_id="web_1", order_id="x9"),
    ]
    compared = after_open_orders([OPEN, filled, gone], listed, 5_000, lag_ms=1_000)
    assert compared == Compared(
        ((filled, Outcome("acknowledged", 5_000, "x2", Decimal(4))),), (gone,), (listed[2],)
    )  # fmt: skip


def test_a_list_settles_what_was_unknown_and_concludes_nothing_from_absence() -> None:
    """An unknown order that is listed is found; one that is not listed is neither absent nor looked up as closed."""
    assert after_open_orders([UNKNOWN], [seen(1)], 5_000).outcomes == (
        (UNKNOWN, Outcome("found", 5_000, "x1", Decimal(1))),
    )
    assert after_open_orders([UNKNOWN], [], 10**9) == Compared((), (), ())


def test_an_order_too_young_for_the_list_is_left() -> None:
    """An order acknowledged within the lag before the list was asked for may be missing from it."""
    assert after_open_orders([OPEN], [], 2_999, lag_ms=1_000).look_up == ()
    assert after_open_orders([OPEN], [], 3_000, lag_ms=1_000).look_up == (OPEN,)
    assert after_open_orders([OPEN], [], 61_999).look_up == ()
    assert after_open_orders([OPEN], [], 62_000).look_up == (OPEN,)


def test_an_order_that_is_over_is_no_foreign_order() -> None:
    """A list that is older than the last outcome may still show an order that is over: it is ours, and stays over."""
    assert after_open_orders([replace(OPEN, state="settled")], [seen(1)], 5_000) == Compared((), (), ())


def test_a_list_may_still_show_an_order_as_it_was_before_its_amend() -> None:
    """Within the lag it says what filled, and not what the order is for; afterwards it says both."""
    order = copy(OPEN.order)
    order.quantity = Decimal(20)
    amended = replace(OPEN, order=order, changed_ms=4_500)
    assert after_open_orders([amended], [seen()], 5_000, lag_ms=1_000) == Compared((), (), ())
    filled = after_open_orders([amended], [seen(2)], 5_000, lag_ms=1_000).outcomes
    assert filled == ((amended, Outcome("acknowledged", 5_000, "x1", Decimal(2))),)
    later = after_open_orders([amended], [seen()], 5_500, lag_ms=1_000).outcomes
    assert later == ((amended, Outcome("acknowledged", 5_500, "x1", Decimal(0), quantity=Decimal(10))),)

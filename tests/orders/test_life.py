"""The pure steps after a send: what a reply, a failure and a look-up prove, when to look, when to send again."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from policykit.exchanges.base import OrderState
from policykit.order import Order
from policykit.orders.intent import Intent, Outcome, advance
from policykit.orders.life import (
    MAX_LOOKUPS,
    MAX_SUSPECTS,
    Answer,
    Decide,
    LookUp,
    Proof,
    Record,
    Resend,
    RetryPlan,
    Send,
    Stop,
    Suspect,
    Tries,
    Wait,
    after_failure,
    after_lookup,
    after_reply,
    may_resend,
    not_before_ms,
    place,
    proof_of,
    same_order,
    settle,
    suspects,
)
from policykit.traits.base import ClientOrderId, Family

IDS = ClientOrderId("newClientOrderId", "^.{1,36}$", "open", lambda text: text)
SPOT = Family(IDS, 5_000, 60_000, 1_000, 10_000, 1_000)
ORDER = Order("BTC/USDT", "buy", "limit", Decimal(10), Decimal(50))
INTENT = Intent("one", "binance/main", ORDER, "pkone", "order", (), False, "bot", "host", 1, 1_000, 1_250, 5_000)
UNKNOWN = replace(INTENT, state="unknown", signed_ms=1_000)
PLAN = RetryPlan(2_000, "new_client_order_id", 2, 30_000, None)
#: 1,000 + 5,000 + 10,000 + 500 + 1,000
FENCE = 17_500


def seen(filled: int = 0, *, closed: bool = False, **changes: Any) -> OrderState:
    """Return what an exchange shows of the order."""
    state = OrderState("x1", "pkone", "BTC/USDT", "buy", Decimal(10), Decimal(filled), closed, "open", {})
    return state._replace(**changes)


def end_of(steps: Generator[Any, Any, Any], answer: Any) -> Any:
    """Send the last answer and return what the steps return."""
    with pytest.raises(StopIteration) as stop:
        steps.send(answer)
    return stop.value.value


# ---- replies and failures


@pytest.mark.parametrize(
    ("executed", "code", "state"),
    [
        ("no", "ORDER_REJECTED", "rejected"),
        ("no", "RATE_LIMIT", "rejected"),
        ("unknown", "NETWORK", "unknown"),
        ("no", "DUPLICATE_ID", "unknown"),
        ("unknown", "DUPLICATE_ID", "unknown"),
    ],
)
def test_a_failure_is_a_rejection_only_when_proved(executed: Any, code: str, state: str) -> None:
    """Only a proven not-executed rejects; a duplicate id may be this very order, so it is looked up."""
    assert after_failure(executed, code, 9) == Outcome(state, 9, error=code)  # type: ignore[arg-type]


def test_a_reply_acknowledges_or_settles() -> None:
    """An order that is closed in its first answer is settled, one that is open is acknowledged."""
    assert after_reply(seen(4), 9) == Outcome("acknowledged", 9, "x1", Decimal(4))
    assert after_reply(seen(10, closed=True), 9) == Outcome("settled", 9, "x1", Decimal(10), True)


def test_a_refusal_names_the_unknown_orders_of_its_account() -> None:
    """Insufficient balance after a time-out points at the order that timed out, not at others."""
    refused = replace(INTENT, id="two", state="rejected")
    others = [UNKNOWN, replace(UNKNOWN, id="three", account="binance/other"), replace(INTENT, id="four"), refused]
    assert suspects(refused, others) == (UNKNOWN,)
    assert suspects(UNKNOWN, [UNKNOWN]) == ()


def test_I7_a_retry_after_holds_by_every_clock() -> None:
    """The moment to remember has the clock bound twice: once for who heard it, once for who obeys it."""
    assert not_before_ms(10_000, 3_000, 500) == 14_000


# ---- what a look-up proves


def test_found_settles_at_once_before_any_fence() -> None:
    """A found order needs no fence: open it is found, closed it is settled with its cumulative quantity."""
    assert after_lookup(UNKNOWN, 1_100, seen(3), Proof(None)) == Outcome("found", 1_100, "x1", Decimal(3))
    assert after_lookup(UNKNOWN, 1_100, seen(3, closed=True), Proof(None)) == Outcome(
        "settled", 1_100, "x1", Decimal(3), True
    )


def test_I1_only_a_look_up_sent_after_the_fence_proves_absence() -> None:
    """At the fence it proves nothing, one millisecond later it does, and once ids are forgotten it no longer does."""
    proof = Proof(FENCE, 90_000)
    assert after_lookup(UNKNOWN, FENCE, None, proof) is None
    assert after_lookup(UNKNOWN, FENCE + 1, None, proof) == Outcome("absent", FENCE + 1, closed=True)
    assert after_lookup(UNKNOWN, 89_999, None, proof) == Outcome("absent", 89_999, closed=True)
    assert after_lookup(UNKNOWN, 90_000, None, proof) is None


def test_I2_without_a_fence_missing_proves_nothing() -> None:
    """However late, a look-up that finds nothing concludes nothing without a fence."""
    assert after_lookup(UNKNOWN, 10**15, None, Proof(None)) is None


@pytest.mark.parametrize(
    "known",
    [
        replace(UNKNOWN, state="acknowledged"),
        replace(UNKNOWN, state="found"),
        replace(UNKNOWN, order_id="x1"),
        replace(UNKNOWN, filled=Decimal(1)),
    ],
    ids=["acknowledged", "found", "with an order id", "with a fill"],
)
def test_I5_an_order_once_seen_is_never_absent(known: Intent) -> None:
    """An order that the exchange acknowledged and no longer shows is unknown for a person, and stays so."""
    outcome = after_lookup(known, FENCE + 1, None, Proof(FENCE))
    assert outcome == Outcome("unknown", FENCE + 1, error="ORDER_VANISHED")
    after = advance(known, outcome)
    assert after_lookup(after, FENCE + 2, None, Proof(FENCE)) is None
    assert after_lookup(after, FENCE + 2, seen(10, closed=True), Proof(FENCE)) == Outcome(
        "settled", FENCE + 2, "x1", Decimal(10), True
    )


def test_I6_an_id_that_shows_another_body_is_not_this_order() -> None:
    """An order with another symbol, side or more quantity is reported once and never taken as found or absent."""
    for other in (seen(symbol="ETH/USDT"), seen(side="sell"), seen(quantity=Decimal(11))):
        assert not same_order(UNKNOWN, other)
        outcome = after_lookup(UNKNOWN, 1_100, other, Proof(FENCE))
        assert outcome == Outcome("unknown", 1_100, error="ORDER_DIFFERS")
        after = advance(UNKNOWN, outcome)
        assert after_lookup(after, 1_200, other, Proof(FENCE)) is None
        assert after_lookup(after, FENCE + 1, None, Proof(FENCE)) is None


def test_an_answer_that_cannot_be_is_not_this_order() -> None:
    """More filled than asked for, or below zero: a broken answer; only what closes a position has no quantity."""
    for other in (seen(11, quantity=Decimal(10)), seen(-1), seen(quantity=Decimal(-10))):
        assert not same_order(UNKNOWN, other)
    closing = replace(UNKNOWN, order=Order("BTC/USDT", "buy", "stop_market", None, close_position=True))
    assert same_order(closing, seen(4, quantity=Decimal(0)))
    assert not same_order(closing, seen(-1))


def test_another_order_s_answer_proves_nothing() -> None:
    """Neither found nor absent nor different; without our id, or with the exchange's own, it is this order's."""
    other = seen(10, closed=True, client_order_id="other")
    assert after_lookup(UNKNOWN, FENCE + 1, other, Proof(FENCE)) is None
    settled = Outcome("settled", 1_100, "x1", Decimal(10), True)
    assert after_lookup(UNKNOWN, 1_100, seen(10, closed=True, client_order_id=""), Proof(None)) == settled
    assert after_lookup(replace(UNKNOWN, order_id="x1"), 1_100, other, Proof(None)) == settled


def test_an_order_rounded_down_or_in_quote_quantity_is_the_same_order() -> None:
    """The exchange's step may round the quantity down, and a quote quantity says nothing about it."""
    assert same_order(UNKNOWN, seen(quantity=Decimal(9)))
    quoted = Order("BTC/USDT", "buy", "market", None, quote_quantity=Decimal(100))
    assert same_order(replace(UNKNOWN, order=quoted), seen(quantity=Decimal(99)))


def test_an_open_order_says_something_new_only_when_more_is_filled() -> None:
    """Of an acknowledged order a look-up is news when the cumulative quantity grew; its state stays."""
    known = replace(UNKNOWN, state="acknowledged", order_id="x1", filled=Decimal(3))
    assert after_lookup(known, 1_100, seen(3), Proof(None)) is None
    assert after_lookup(known, 1_100, seen(4), Proof(None)) == Outcome("acknowledged", 1_100, "x1", Decimal(4))
    found = replace(known, state="found")
    assert after_lookup(found, 1_100, seen(4), Proof(None)) == Outcome("found", 1_100, "x1", Decimal(4))


def test_a_late_acknowledgement_ends_an_unknown() -> None:
    """A reply that is read after its time-out was written is proof as good as a look-up."""
    assert advance(UNKNOWN, after_reply(seen(), 9)).state == "acknowledged"


# ---- settling


def test_settle_looks_at_once_then_every_so_often_and_last_behind_the_fence() -> None:
    """A missing order is looked up at once, each 2 s, exactly behind the fence, and is absent then."""
    steps = settle(UNKNOWN, Proof(FENCE), PLAN, 3_000)
    assert next(steps) == LookUp(UNKNOWN)
    now, looked = 3_000, [3_000]
    while True:
        step = steps.send(Answer(now, now))
        assert isinstance(step, Wait)
        now = step.until_ms
        looked.append(now)
        assert steps.send(Answer(now)) == LookUp(UNKNOWN)
        if now > FENCE:
            break
    assert looked == [3_000, 5_000, 7_000, 9_000, 11_000, 13_000, 15_000, 17_000, FENCE + 1]
    assert end_of(steps, Answer(now, now)) == Outcome("absent", FENCE + 1, closed=True)


def test_settle_ends_when_found() -> None:
    """Found costs one look-up and no wait."""
    steps = settle(UNKNOWN, Proof(FENCE), PLAN, 3_000)
    next(steps)
    assert end_of(steps, Answer(3_000, 3_000, seen(10, closed=True))) == Outcome(
        "settled", 3_000, "x1", Decimal(10), True
    )


def test_a_driver_that_wakes_early_waits_on() -> None:
    """A wait that ended too early is asked for again."""
    steps = settle(UNKNOWN, Proof(FENCE), PLAN, 3_000)
    next(steps)
    assert steps.send(Answer(3_000, 3_000)) == Wait(5_000)
    assert steps.send(Answer(4_999)) == Wait(5_000)
    assert steps.send(Answer(5_000)) == LookUp(UNKNOWN)


def test_a_clock_beyond_its_bound_proves_no_absence() -> None:
    """While the measured offset is over the bound, a look-up behind the fence concludes nothing."""
    steps = settle(UNKNOWN, Proof(FENCE), PLAN, FENCE + 1)
    next(steps)
    assert steps.send(Answer(FENCE + 1, FENCE + 1, clock_ok=False)) == Wait(FENCE + 2_001)
    steps.send(Answer(FENCE + 2_001))
    assert end_of(steps, Answer(FENCE + 2_001, FENCE + 2_001)) == Outcome("absent", FENCE + 2_001, closed=True)


def test_an_exchange_that_cannot_be_asked_is_tried_three_times_behind_the_fence() -> None:
    """Failed look-ups conclude nothing; after the third behind the fence the intent stays unknown."""
    steps = settle(UNKNOWN, Proof(FENCE), PLAN, FENCE + 1)
    next(steps)
    now = FENCE + 1
    for _ in range(2):
        step = steps.send(Answer(now, now, asked=False))
        assert isinstance(step, Wait)
        now = step.until_ms
        steps.send(Answer(now))
    assert end_of(steps, Answer(now, now, asked=False)) == Outcome("unknown", now, error="NOT_SETTLED_IN_TIME")


def test_I7_a_look_up_waits_for_retry_after() -> None:
    """A ban within the wait is waited for; one beyond it ends the settling at once, unknown."""
    steps = settle(UNKNOWN, Proof(FENCE), PLAN, 3_000)
    next(steps)
    assert steps.send(Answer(3_000, 3_000, asked=False, not_before_ms=10_000)) == Wait(10_000)
    steps = settle(UNKNOWN, Proof(FENCE), PLAN, 3_000)
    next(steps)
    assert end_of(steps, Answer(3_000, 3_000, asked=False, not_before_ms=10**9)) == Outcome(
        "unknown", 3_000, error="NOT_SETTLED_IN_TIME"
    )


def test_a_plan_of_which_nothing_is_said_is_a_careful_one() -> None:
    """Looked up every two seconds, held when absent, sent once, dropped after half a minute."""
    assert RetryPlan() == RetryPlan(2_000, "hold", 1, 30_000, None)


def test_the_callers_wait_is_kept() -> None:
    """A plan with a wait gives the caller back at its end, unknown; so does a missing fence at `expires_after`."""
    steps = settle(UNKNOWN, Proof(FENCE), replace(PLAN, wait_ms=0), 3_000)
    next(steps)
    assert end_of(steps, Answer(3_000, 3_000)) == Outcome("unknown", 3_000, error="NOT_SETTLED_IN_TIME")
    steps = settle(UNKNOWN, Proof(None), replace(PLAN, expires_after_ms=1_000), 3_000)
    next(steps)
    assert end_of(steps, Answer(3_000, 3_000)) == Outcome("unknown", 3_000, error="NO_FENCE")


def test_a_reason_to_ask_a_person_is_not_overwritten() -> None:
    """An intent whose id showed another body keeps that reason when its settling ends unknown."""
    differs = replace(UNKNOWN, error="ORDER_DIFFERS")
    steps = settle(differs, Proof(FENCE), replace(PLAN, wait_ms=0), FENCE + 1)
    next(steps)
    assert end_of(steps, Answer(FENCE + 1, FENCE + 1)) == Outcome("unknown", FENCE + 1, error="ORDER_DIFFERS")


def test_settling_is_bounded_whatever_the_clock_does() -> None:
    """A clock that steps backward for ever ends in MAX_LOOKUPS look-ups, and none comes sooner than 100 ms."""
    steps = settle(UNKNOWN, Proof(10**9), replace(PLAN, lookup_every_ms=1), 3_000)
    step, looked = next(steps), 0
    with pytest.raises(StopIteration) as stop:
        while True:
            looked += isinstance(step, LookUp)
            if isinstance(step, Wait):
                assert step.until_ms == 3_100
            step = steps.send(Answer(3_000 if isinstance(step, LookUp) else 3_100, 3_000))
    assert looked == MAX_LOOKUPS
    assert stop.value.value.state == "unknown"


# ---- sending again


@pytest.mark.parametrize(
    ("intent", "plan", "tries", "now", "verdict"),
    [
        (replace(UNKNOWN, state="absent"), PLAN, Tries(1_000, 1), 20_000, Resend("one")),
        (UNKNOWN, PLAN, Tries(1_000, 1), 20_000, Stop("NOT_ABSENT")),
        (replace(UNKNOWN, state="absent"), replace(PLAN, when_absent="hold"), Tries(1_000, 1), 20_000, Stop("HOLD")),
        (replace(UNKNOWN, state="absent"), PLAN, Tries(1_000, 1, True), 20_000, Stop("OWN_ID")),
        (replace(UNKNOWN, state="absent"), PLAN, Tries(1_000, 2), 20_000, Stop("ATTEMPTS_SPENT")),
        (replace(UNKNOWN, state="absent"), PLAN, Tries(1_000, 1), 31_000, Resend("one")),
        (replace(UNKNOWN, state="absent"), PLAN, Tries(1_000, 1), 31_001, Stop("EXPIRED")),
    ],
    ids=lambda value: value.why if isinstance(value, Stop) else "",
)
def test_I1_a_second_send_needs_proof_leave_and_youth(
    intent: Intent, plan: RetryPlan, tries: Tries, now: int, verdict: Resend | Stop
) -> None:
    """Only a proven absence, within attempts and age, under an id of ours, may be sent again."""
    assert may_resend(intent, plan, tries, now) == verdict


def _placed(own_id: bool = False) -> tuple[Any, Intent]:
    """Return steps that have come to their first look-up behind the fence."""
    steps = place(SPOT, 500, PLAN, 1_000, own_id=own_id)
    assert next(steps) == Decide(None)
    assert steps.send(Answer(1_000, intent=INTENT)) == Send(INTENT)
    assert steps.send(Answer(FENCE + 1, intent=UNKNOWN)) == LookUp(UNKNOWN)
    outcome = Outcome("absent", FENCE + 1, closed=True)
    assert steps.send(Answer(FENCE + 1, FENCE + 1)) == Record(UNKNOWN, outcome)
    return steps, advance(UNKNOWN, outcome)


def test_place_ends_with_an_acknowledgement() -> None:
    """The healthy path is decide, send, done: no look-up, no wait, no further row."""
    steps = place(SPOT, 500, PLAN, 1_000)
    next(steps)
    steps.send(Answer(1_000, intent=INTENT))
    done = replace(INTENT, state="acknowledged")
    assert end_of(steps, Answer(1_010, intent=done)) is done


def test_place_sends_again_under_a_fresh_decision() -> None:
    """Absent behind the fence is decided afresh, in place of the first, and sent under its new id."""
    steps, absent = _placed()
    assert steps.send(Answer(FENCE + 2, intent=absent)) == Decide("one")
    second = replace(INTENT, id="two", client_order_id="pktwo", replaces="one")
    assert steps.send(Answer(FENCE + 3, intent=second)) == Send(second)
    done = replace(second, state="settled")
    assert end_of(steps, Answer(FENCE + 4, intent=done)) is done


def test_place_keeps_a_callers_own_id() -> None:
    """An order with the caller's own id ends absent, and is not sent again."""
    steps, absent = _placed(own_id=True)
    assert end_of(steps, Answer(FENCE + 2, intent=absent)) is absent


@pytest.mark.parametrize("late", [seen(10, closed=True), None, seen(symbol="ETH/USDT")], ids=["late", "none", "other"])
def test_a_refused_re_send_looks_for_the_first_order_once_more(late: OrderState | None) -> None:
    """When the re-send is refused, the absent one is asked for again; an order that shows late is counted."""
    steps, absent = _placed()
    steps.send(Answer(FENCE + 2, intent=absent))
    second = replace(INTENT, id="two", replaces="one")
    steps.send(Answer(FENCE + 3, intent=second))
    refused = replace(second, state="rejected", error="ORDER_REJECTED")
    assert steps.send(Answer(FENCE + 4, intent=refused)) == LookUp(absent)
    answer = Answer(FENCE + 5, FENCE + 5, late)
    if late is not None and late.symbol == "BTC/USDT":
        outcome = Outcome("found", FENCE + 5, "x1", Decimal(10), True, error="ORDER_LATE")
        assert steps.send(answer) == Record(absent, outcome)
        assert (advance(absent, outcome).state, advance(absent, outcome).filled) == ("absent", Decimal(10))
        answer = Answer(FENCE + 6)
    assert end_of(steps, answer) is refused


def test_a_refused_order_looks_up_what_may_have_used_its_balance() -> None:
    """Each unknown order of the account once, at most so many: what is found is written, what is not stays unknown."""
    others = tuple(replace(UNKNOWN, id=f"other{n}") for n in range(MAX_SUSPECTS + 1))
    steps = place(SPOT, 500, PLAN, 1_000)
    next(steps)
    steps.send(Answer(1_000, intent=INTENT))
    refused = replace(INTENT, state="rejected", error="ORDER_REJECTED")
    assert steps.send(Answer(1_010, intent=refused, suspects=others)) == Suspect(others[0])
    filled = seen(10, closed=True)
    found = steps.send(Answer(1_020, 1_015, filled))
    assert found == Record(others[0], Outcome("settled", 1_015, "x1", Decimal(10), True))
    step = steps.send(Answer(1_020, intent=others[0]))
    for other in others[1:MAX_SUSPECTS]:
        assert step == Suspect(other)
        answer = Answer(FENCE + 9, FENCE + 9)  # not even behind its fence: that look-up is a cheap one
        if other is others[MAX_SUSPECTS - 1]:
            assert end_of(steps, answer) is refused
        else:
            step = steps.send(answer)


def test_a_driver_that_forgets_the_intent_is_told() -> None:
    """A wrong driver fails at once and by name, not with an order that nobody tracks."""
    steps = place(SPOT, 500, PLAN, 1_000)
    next(steps)
    with pytest.raises(ValueError) as error:
        steps.send(Answer(1_000))
    assert str(error.value) == "Decide was answered without an intent; the driver must give it"


def test_the_proof_of_an_intent_has_both_ends() -> None:
    """Fence and forgetting come from the traits of the intent's family."""
    assert proof_of(UNKNOWN, SPOT, 500) == Proof(FENCE, None)
    forgetting = replace(SPOT, client_order_id=replace(IDS, retention_ms=60_000))
    assert proof_of(UNKNOWN, forgetting, None) == Proof(None, 61_000)

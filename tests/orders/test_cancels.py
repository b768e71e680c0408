"""A cancel: which orders it leaves in doubt, and what ends the doubt."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from policykit.orders.cancels import DOUBTS, after_doubt, doubt_ends, doubted, meant
from policykit.orders.intent import Intent, Outcome
from policykit.orders.life import Answer, LookUp, Proof
from policykit.orders.recovery import recover
from tests.orders.test_life import PLAN, SPOT, UNKNOWN, end_of, seen

OPEN = replace(UNKNOWN, state="acknowledged", order_id="12", client_order_id="pk1", changed_ms=2_000, error=None)


def _other() -> Intent:
    order = type(OPEN.order)("ETH/USDT", "buy", "limit", Decimal(1), Decimal(2))
    return replace(OPEN, id="two", order_id="120", client_order_id="pk12", order=order)


def test_a_cancel_is_for_the_orders_that_it_names() -> None:
    """By either id, as a whole word, in a query or a list; one that nobody has seen yet is recovery's anyway."""
    intents = [OPEN, _other(), replace(OPEN, id="three", state="unknown"), replace(OPEN, id="four", order_id=None)]

    def named(request: str) -> list[str]:
        return [i.id for i in meant(intents, "order.cancel", "", request)]

    assert named("/api/v3/order?orderId=12&timestamp=1200") == [OPEN.id]
    assert named('{"orderIdList": [120, 7]}') == ["two"]
    assert named("origClientOrderId=pk1") == [OPEN.id, "four"]
    assert named("origClientOrderId=pk12") == ["two"]
    assert named("orderId=2") == []


def test_a_cancel_of_everything_is_for_all_of_its_symbol() -> None:
    """Without a symbol it is for every order of the account that was seen."""
    intents = [OPEN, _other(), replace(OPEN, id="three", state="sent")]
    assert meant(intents, "orders.cancel_all", "ETH/USDT", "") == [intents[1]]
    assert meant(intents, "orders.cancel_all", "", "") == intents[:2]


def test_doubt_changes_no_state() -> None:
    """The order stays what it is, with its reservation; only the reason to look it up is written."""
    assert doubted(OPEN, "CANCEL_UNKNOWN", 5_000) == Outcome("acknowledged", 5_000, error="CANCEL_UNKNOWN")


def test_an_open_order_behind_the_fence_of_its_cancel_was_not_cancelled() -> None:
    """Before it, the cancel may still arrive; the longest validity counts, since that of a cancel is not kept."""
    assert SPOT.validity_max_ms is not None
    asked = replace(OPEN, error="CANCEL_UNKNOWN")
    proof = doubt_ends(asked, SPOT, 500)
    longer = doubt_ends(asked, replace(SPOT, validity_max_ms=SPOT.validity_max_ms + 1), 500)
    assert proof.fence_ms is not None
    assert longer.fence_ms == proof.fence_ms + 1
    assert doubt_ends(replace(asked, changed_ms=2_001), SPOT, 500).fence_ms == proof.fence_ms + 1
    assert doubt_ends(asked, SPOT, None) == Proof(None)
    assert after_doubt(asked, proof.fence_ms, proof) is None
    lost = Outcome("acknowledged", proof.fence_ms + 1, error="CANCEL_LOST")
    assert after_doubt(asked, proof.fence_ms + 1, proof) == lost
    assert after_doubt(OPEN, proof.fence_ms + 1, proof) is None
    assert lost.error not in DOUBTS


def test_recovery_ends_the_doubt_by_what_shows() -> None:
    """Cancelled or filled: settled with the cumulative quantity. Open behind the fence: the cancel was lost."""
    asked = replace(OPEN, order_id="x1", client_order_id="pkone", error="CANCEL_UNKNOWN")

    def after(found_filled: int, *, closed: bool, at_ms: int) -> Outcome | None:
        steps = recover(asked, Proof(9_000), PLAN, at_ms)
        assert next(steps) == LookUp(asked)
        end = end_of(steps, Answer(at_ms, at_ms, seen(found_filled, closed=closed)))
        assert end is None or isinstance(end, Outcome)
        return end

    assert after(1, closed=True, at_ms=5_000) == Outcome("settled", 5_000, "x1", Decimal(1), closed=True)
    assert after(0, closed=False, at_ms=9_000) is None
    assert after(0, closed=False, at_ms=9_001) == Outcome("acknowledged", 9_001, error="CANCEL_LOST")

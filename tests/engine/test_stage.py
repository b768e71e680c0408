"""Stages at which no money moves: nothing like an order leaves."""

from __future__ import annotations

from typing import Any

import pytest

from policykit.engine import compile_policy
from policykit.order import Order
from tests.engine.worlds import FACTS, NOW, TRAITS, engine, order

PAPER = (
    "the stage is paper: no order leaves, exits neither, and this guard began to trade for real; "
    "restart it to trade on paper"
)
SANDBOX = (
    "the stage is sandbox and the environment is live: no order leaves, exits neither; "
    "set environment: sandbox, or the next stage"
)


def _stage(current: str, **more: Any) -> dict[str, Any]:
    return {"stage": {"current": current, "since": "2026-11-01"}, **more}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (_stage("paper"), [("STAGE_PAPER", PAPER)]),
        (_stage("paper", environment="sandbox"), [("STAGE_PAPER", PAPER)]),
        (_stage("sandbox"), [("STAGE_SANDBOX", SANDBOX)]),
        (_stage("sandbox", environment="sandbox"), []),
        (_stage("small-live"), []),
        (_stage("full-live"), []),
    ],
    ids=lambda value: None,
)
def test_stage_denies_orders_and_lets_cancels_pass(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Entries, exits and closes are denied where no money moves; cancels and reads pass at every stage."""
    made = engine({**changes, "risk.max_order_notional": "5000 USDT", "risk.daily_loss": None})
    small = order(quantity="0.001")
    for asked in (small, order(side="sell"), order(action="position.close")):
        assert [(r.code, r.message) for r in made.assess(FACTS, asked, NOW).reasons] == expected
    for asked in (Order("BTC/USDT", action="order.cancel"), Order("", action="data.read", type="GET /api/v3/account")):
        assert made.assess(FACTS, asked, NOW).reasons == ()


def test_reason_names_the_line_of_the_stage() -> None:
    """The place of the denial is where the policy says its stage."""
    made = engine(_stage("paper"))
    [reason] = made.assess(FACTS, order(), NOW).reasons
    assert (reason.check, reason.place) == ("stage.current", made.effective.place("stage.current"))


def test_on_paper_a_guard_that_simulates_is_denied_nothing_for_its_stage() -> None:
    """Its orders go to the paper exchange; and a key that only reads is the right one there."""
    effective = engine({**_stage("paper"), "keys.mm-exec.purpose": "tracking"}).setup.effective
    for paper, expected in ((True, set()), (False, {"stage.current", "key.purpose"})):
        made = compile_policy(effective, TRAITS, "mm-exec", paper=paper)
        told = {reason.check for reason in made.assess(FACTS, order(), NOW).reasons}
        assert told & {"stage.current", "key.purpose"} == expected

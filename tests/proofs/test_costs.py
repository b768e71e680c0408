"""What a call costs of a budget, in a difference: by the exchange's traits where a policy says nothing of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policykit.policy import load_text
from policykit.proofs.diff import diff
from tests.engine.worlds import changed

ORDER = "rate_budgets.request-weight.costs.POST /api/v3/order"


def _policy(costs: dict[str, int]) -> Any:
    return load_text(json.dumps(changed({"rate_budgets.request-weight.costs": costs})))


@pytest.mark.parametrize(
    ("was", "now", "verdict", "why"),
    [
        ({}, {"POST /api/v3/order": 0}, "looser", "nothing means 1, as binance counts it"),
        ({"POST /api/v3/order": 0}, {}, "tighter", "nothing means 1, as binance counts it"),
        ({}, {"POST /api/v3/order": 1}, "equal", "nothing means 1, as binance counts it"),
        ({"POST /api/v3/order": 4}, {}, "looser", "nothing means 1, as binance counts it"),
        ({"POST /api/v3/order": 4}, {"POST /api/v3/order": 5}, "tighter", ""),
    ],
)
def test_a_cost_is_compared_with_what_the_exchange_counts(
    was: dict[str, int], now: dict[str, int], verdict: str, why: str
) -> None:
    """A policy may list less than the exchange is known to count: that lets more through, though nothing was said."""
    found = diff(_policy(was), _policy(now))
    assert [(one.path, one.verdict, one.why) for one in found.fields] == [(ORDER, verdict, why)]


def test_a_switch_that_is_off_says_what_its_absence_says() -> None:
    """`reduce_only_exits: false` denies nothing, as if it were not there."""
    bare = changed({})
    off = load_text(json.dumps(changed({"risk.reduce_only_exits": False})))
    assert diff(load_text(json.dumps(bare)), off).verdict == "equal"

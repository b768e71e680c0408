"""What the exchange's published limits leave open: why they were not read, and rows without a number."""

from __future__ import annotations

import pytest

from policykit.rules import find
from policykit.testing.rules.examples import Example, inputs_of, written

BUDGET = "rate_budgets:\n  orders: {limit: 50, per: 10s, window: fixed, shared_by: account}\n"


def _found(snapshot: str) -> list[str]:
    entry = find("PK401")
    assert entry is not None
    return [written(f) for f in entry.check(inputs_of(Example("yaml", BUDGET, snapshot=snapshot)))]


@pytest.mark.parametrize(
    ("key", "reason"), [("", "exchangeInfo was refused"), ("mm-exec", "the snapshot has no limit of that name")]
)
def test_why_limits_were_not_read(key: str, reason: str) -> None:
    """The error of the reading itself is the reason; that of one key is not."""
    errors = f'[{{"key": "{key}", "code": "REFUSED", "message": "exchangeInfo was refused"}}]'
    assert _found(f'{{"limits": [], "errors": {errors}}}') == [
        f"unknown policy.yaml:2:19 what binance allows for `orders` could not be read: {reason}"
    ]


@pytest.mark.parametrize(("limit", "per_ms"), [(0, 10_000), (50, 0)])
def test_a_limit_of_no_number_is_unknown(limit: int, per_ms: int) -> None:
    """A row without a count, or without a span, says nothing."""
    assert _found(f'{{"limits": [{{"name": "orders", "limit": {limit}, "per_ms": {per_ms}}}]}}') == [
        "unknown policy.yaml:2:19 what binance allows for `orders` could not be read: no number is given"
    ]

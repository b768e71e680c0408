"""Waits between tries: they grow, they are random as the policy says, and they are bounded."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policykit.orders.backoff import MAX_DOUBLINGS, Backoff


def test_waits_double_up_to_the_longest() -> None:
    """Without jitter: nothing before the first failure, then 1, 2, 4 ... s, and never more than the longest."""
    plain = Backoff(jitter="none")
    assert [plain.wait_ms(n, 0.3) for n in range(9)] == [0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
    assert Backoff(90_000, jitter="none").wait_ms(1, 0.0) == 60_000


@pytest.mark.parametrize(
    ("jitter", "waits"), [("none", [4e3] * 3), ("equal", [2e3, 3e3, 4e3]), ("full", [0, 2e3, 4e3])]
)
def test_jitter_takes_off_its_share(jitter: str, waits: list[float]) -> None:
    """`equal` leaves half of a wait as it is, `full` nothing."""
    backoff = Backoff(jitter=jitter)  # type: ignore[arg-type]
    assert [backoff.wait_ms(3, chance) for chance in (0.0, 0.5, 1.0)] == waits


@given(
    st.integers(0, 10**9),
    st.integers(1, 10**9),
    st.decimals(0, 10**9, allow_nan=False),
    st.integers(-5, 10**12),
    st.sampled_from(["none", "equal", "full"]),
    st.floats(0, 1, exclude_max=True),
)
def test_no_numbers_make_a_wait_beyond_its_bound(
    initial: int, longest: int, factor: Decimal, failures: int, jitter: str, chance: float
) -> None:
    """Any number of failures, any factor: from 0 up to the longest wait, and quick to compute."""
    wait = Backoff(initial, factor, longest, jitter).wait_ms(failures, chance)  # type: ignore[arg-type]
    assert 0 <= wait <= longest


def test_a_factor_near_one_grows_no_longer_than_it_may() -> None:
    """The number of steps is bounded: a billion failures cost what 65 do."""
    slow = Backoff(1_000, Decimal("1.01"), 10**9, "none")
    assert slow.wait_ms(10**9, 0.0) == slow.wait_ms(MAX_DOUBLINGS + 1, 0.0) > slow.wait_ms(MAX_DOUBLINGS, 0.0)

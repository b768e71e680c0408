"""Windows against a plain list of sends, in every alignment; and clocks that step."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from random import Random

import pytest

from policykit.store.windows import SLICES, FixedWindow, RollingWindow, Window, make

LIMIT = 100
SPANS = (7, 1_000, 10_000, 60_000)
Uses = list[tuple[int, int]]


class Gcra:
    """A leaky bucket with burst = limit: what rate-limit libraries call a window."""

    def __init__(self, span_ms: int) -> None:
        self.span_ms, self._full_at = span_ms, 0.0

    def used(self, now_ms: int) -> int:
        return int(max(0.0, self._full_at - now_ms) / self.span_ms * LIMIT + 0.999)

    def add(self, amount: int, now_ms: int) -> None:
        self._full_at = max(self._full_at, now_ms) + amount * self.span_ms / LIMIT


def sends(window: Window | Gcra, random: Random, count: int) -> tuple[Uses, Uses]:
    """Send in bursts, drips and pauses, wherever they fall; return what was let through and what was refused."""
    now, granted, refused = random.randrange(10**12), [], []
    pace = 1.0
    for _ in range(count):
        if random.random() < 0.02:
            pace = random.choice((0.0, 0.2, 1.0, 2.0, 30.0))
        now += round(random.random() * pace * 2 * window.span_ms / LIMIT)
        amount = random.choice((1, 1, 1, 2, 5, 40))
        if window.used(now) + amount <= LIMIT:
            window.add(amount, now)
            granted.append((now, amount))
        else:
            refused.append((now, amount))
    return granted, refused


def most_in_any_span(granted: Uses, span_ms: int) -> int:
    """Return the largest sum inside (t - span, t], for every t that there is."""
    times, sums = [at for at, _ in granted], [0, *accumulate(amount for _, amount in granted)]
    return max(sums[end] - sums[bisect_right(times, at - span_ms)] for end, at in enumerate(times, 1))


@pytest.mark.parametrize("span_ms", SPANS)
def test_I10_a_rolling_window_holds_in_every_alignment(span_ms: int, tier: Callable[[int, int], int]) -> None:
    """No span anywhere holds more than the limit; what was refused would not have fitted, but for one slice."""
    granted, refused = sends(RollingWindow(span_ms), Random(span_ms), tier(5_000, 250_000))
    assert most_in_any_span(granted, span_ms) == LIMIT
    times, sums = [at for at, _ in granted], [0, *accumulate(amount for _, amount in granted)]
    slack = max(1, span_ms // SLICES) - 1
    for at, amount in refused:
        inside = sums[bisect_right(times, at)] - sums[bisect_right(times, at - span_ms - slack)]
        assert inside + amount > LIMIT
    assert len(refused) > 100


@pytest.mark.parametrize("span_ms", SPANS)
def test_I10_a_fixed_window_is_the_exchanges(span_ms: int, tier: Callable[[int, int], int]) -> None:
    """Every aligned window holds at most the limit, and refuses only what would not have fitted."""
    granted, refused = sends(FixedWindow(span_ms), Random(span_ms), tier(5_000, 250_000))
    inside: dict[int, Uses] = {}
    for use in granted:
        inside.setdefault(use[0] // span_ms, []).append(use)
    assert max(sum(amount for _, amount in uses) for uses in inside.values()) == LIMIT
    for at, amount in refused:
        assert sum(a for t, a in inside[at // span_ms] if t <= at) + amount > LIMIT
    assert len(refused) > 100


def test_I10_a_bucket_is_caught() -> None:
    """Control: a GCRA with burst = limit lets nearly twice the limit through a rolling span, in the same test."""
    granted, _ = sends(Gcra(1_000), Random(1_000), 5_000)
    assert most_in_any_span(granted, 1_000) > 1.6 * LIMIT


def test_I10_a_fixed_window_is_no_rolling_one() -> None:
    """Control: a fixed window lets twice the limit through around its edge, which is why a policy says which it is."""
    granted, _ = sends(FixedWindow(1_000), Random(1_000), 20_000)
    assert most_in_any_span(granted, 1_000) > 1.6 * LIMIT


def test_a_rolling_window_keeps_few_slices() -> None:
    """Whatever the rate, a window remembers at most one slice more than SLICES."""
    window = RollingWindow(60_000)
    for now in range(0, 200_000, 3):
        window.add(1, now)
    assert len(window._uses) <= SLICES + 1
    assert window.used(199_998) >= 20_000


@pytest.mark.parametrize("fixed", [False, True])
def test_a_window_is_what_it_was_after_reading_it_back(fixed: bool) -> None:
    """A checkpoint keeps every use and the latest time."""
    window = make(1_000, fixed=fixed)
    sends(window, Random(3), 500)
    again = make(1_000, fixed=fixed)
    again.load(window.dump())
    assert again.dump() == window.dump()
    latest = window.dump()[0]
    assert [again.used(latest + ms) for ms in range(-2_000, 2_000, 7)] == [
        window.used(latest + ms) for ms in range(-2_000, 2_000, 7)
    ]
    assert isinstance(again, FixedWindow) is fixed


class Trusting(RollingWindow):
    """Believes the clock: what a first version does."""

    def used(self, now_ms: int) -> int:
        return sum(amount for at, amount in self._uses if now_ms - self.span_ms < at <= now_ms)

    def add(self, amount: int, now_ms: int) -> None:
        self._uses.append([now_ms, amount])


def stepped(window: Window, random: Random) -> tuple[Uses, Uses]:
    """Send by a clock that is set back now and then, by up to hours; return sends in true and in the clock's time."""
    true, behind, by_true, by_clock = 10**9, 0, [], []
    latest = 0
    for _ in range(400):
        true += random.choice((0, 1, 3, 20, 400))
        if random.random() < 0.05:
            behind += random.choice((1, 500, 1_000, 60_000, 3_600_000))
        now = true - behind
        latest = max(latest, now)
        if window.used(now) + 1 <= 10:
            window.add(1, now)
            by_true.append((true, 1))
            by_clock.append((latest, 1))
    return by_true, by_clock


def test_I11_a_clock_set_back_talks_nobody_over_a_limit(tier: Callable[[int, int], int]) -> None:
    """However far it is set back, no true span holds more than the limit, and a fixed window is never reopened."""
    for seed in range(tier(300, 10_000)):
        by_true, _ = stepped(RollingWindow(1_000), Random(seed))
        assert most_in_any_span(by_true, 1_000) <= 10
        _, by_clock = stepped(FixedWindow(1_000), Random(seed))
        counts: dict[int, int] = {}
        for at, _ in by_clock:
            counts[at // 1_000] = counts.get(at // 1_000, 0) + 1
        assert max(counts.values()) <= 10


def test_I11_a_window_that_believes_the_clock_is_caught() -> None:
    """Control: one that forgets what lies ahead of the clock lets far more through."""
    assert max(most_in_any_span(stepped(Trusting(1_000), Random(seed))[0], 1_000) for seed in range(20)) >= 20

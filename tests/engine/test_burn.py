"""The pace of a loss, and when its limit is met."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policykit.engine.burn import SPAN_MS, Burn, burn
from tests.engine.worlds import DAY, DAY_MS, NOW

END = DAY + DAY_MS
MINUTE = 60_000


def _points(*losses: int, every_ms: int = MINUTE) -> list[tuple[int, Decimal]]:
    """Return losses read every minute, the last one now."""
    return [(NOW - (len(losses) - 1 - n) * every_ms, Decimal(loss)) for n, loss in enumerate(losses)]


def test_a_steady_loss_meets_its_limit_when_the_line_does() -> None:
    """10 a minute are 600 an hour; 900 are left, so an hour and a half."""
    assert burn(_points(70, 80, 90, 100), Decimal(1_000), NOW, END) == Burn(
        Decimal(100), Decimal(1_000), Decimal(600), NOW + 90 * MINUTE
    )


def test_what_is_won_back_stands_still_or_waits_for_tomorrow_meets_nothing() -> None:
    """A pace of no loss has no moment; one after the day's end is none, for the loss is counted anew."""
    for losses, pace in (((100, 90, 80), -600), ((5, 5, 5), 0)):
        assert burn(_points(*losses), Decimal(1_000), NOW, END) == Burn(
            Decimal(losses[-1]), Decimal(1_000), Decimal(pace), None
        )
    slow = burn(_points(99, 100), Decimal(1_000), NOW, NOW + 900 * MINUTE)
    assert slow == Burn(Decimal(100), Decimal(1_000), Decimal(60), None)
    assert burn(_points(99, 100), Decimal(1_000), NOW, NOW + 900 * MINUTE + 1) == slow._replace(
        met_ms=NOW + 900 * MINUTE
    )


def test_a_limit_that_is_met_is_met_now() -> None:
    """At it, and over it, whatever the pace."""
    for losses in ((1_100, 1_000), (900, 1_001)):
        found = burn(_points(*losses), Decimal(1_000), NOW, END)
        assert found is not None
        assert found.met_ms == NOW


def test_only_the_last_hour_counts_unless_it_has_one_point() -> None:
    """An old jump is no pace; where nothing newer is known, the way from the last point before is."""
    old = [(NOW - SPAN_MS, Decimal(-5_000))]
    assert burn(old + _points(10, 20), Decimal(1_000), NOW, END) == burn(_points(10, 20), Decimal(1_000), NOW, END)
    since_start = burn([(NOW - 2 * SPAN_MS, Decimal(0)), (NOW, Decimal(50))], Decimal(1_000), NOW, END)
    assert since_start == Burn(Decimal(50), Decimal(1_000), Decimal(25), None)


def test_without_two_moments_there_is_no_pace() -> None:
    """One point, or two of one moment, are none; without any nothing is said."""
    for points in ([(NOW, Decimal(5))], [(NOW, Decimal(1)), (NOW, Decimal(5))]):
        assert burn(points, Decimal(1_000), NOW, END) == Burn(Decimal(5), Decimal(1_000), None, None)
    assert burn([], Decimal(1_000), NOW, END) is None


@pytest.mark.parametrize("seed", range(5))
def test_it_is_prometheus_line(seed: int) -> None:
    """The sums of Prometheus' `linearRegression` (promql/functions.go) give the same slope of uneven points."""
    points = [(NOW - (40 - n) * 37_111, Decimal((n * 7919 + seed * 31) % 101)) for n in range(41)]
    x = [(at - points[0][0]) / 1000 for at, _ in points]
    y = [float(loss) for _, loss in points]
    n = len(points)
    cov = sum(a * b for a, b in zip(x, y, strict=True)) - sum(x) * sum(y) / n
    var = sum(a * a for a in x) - sum(x) ** 2 / n
    found = burn(points, Decimal(10_000), NOW, END)
    assert found is not None
    assert found.pace is not None
    assert float(found.pace) == pytest.approx(cov / var * 3600, rel=1e-9)

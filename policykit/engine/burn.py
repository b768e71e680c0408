"""At which pace a loss is made, and when at this pace its limit is met.

The line through the last hour's points by least squares, as Prometheus computes `deriv()` and `predict_linear()`: page,
alert and dashboard say the same of the same points. With two points, a day's start and now, it is the day's average.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from policykit.engine.money import DOWN

#: So far back points count, ms.
SPAN_MS: Final = 3_600_000


class Burn(NamedTuple):
    """`pace`: what is lost in an hour, below 0 while it is won back; None: not known, of fewer than two points.

    `met_ms` is when the limit is met at this pace (UTC ms): now, if it is; None: not at this pace, or not before the
    span that it is counted over ends.
    """

    used: Decimal
    limit: Decimal
    pace: Decimal | None
    met_ms: int | None


def burn(points: Iterable[tuple[int, Decimal]], limit: Decimal, now_ms: int, ends_ms: int) -> Burn | None:
    """Return how a loss moves: `points` are (UTC ms, loss), in order of time, the last of them what it is now.

    `ends_ms` is when its day or week ends and it is counted anew. None without a point.
    """
    known = list(points)
    if not known:
        return None
    used = known[-1][1]
    recent = [(at_ms, loss) for at_ms, loss in known if at_ms > now_ms - SPAN_MS]
    slope = _slope(recent if len(recent) > 1 else known[-2:])
    pace = None if slope is None else DOWN.divide(Decimal(slope.numerator * SPAN_MS), Decimal(slope.denominator))
    if used >= limit:
        return Burn(used, limit, pace, now_ms)
    if slope is None or slope <= 0:
        return Burn(used, limit, pace, None)
    met_ms = now_ms + int((Fraction(limit) - Fraction(used)) / slope)
    return Burn(used, limit, pace, met_ms if met_ms < ends_ms else None)


def _slope(points: list[tuple[int, Decimal]]) -> Fraction | None:
    """Return the slope of the line by least squares, exact, a millisecond; None where no time passed."""
    count, start_ms = len(points), points[0][0]
    line = [(at_ms - start_ms, Fraction(loss)) for at_ms, loss in points]
    times, losses = sum(at for at, _ in line), sum(loss for _, loss in line)
    spread = count * sum(at * at for at, _ in line) - times * times
    if not spread:
        return None
    return (count * sum(at * loss for at, loss in line) - times * losses) / Fraction(spread)

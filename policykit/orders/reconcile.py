"""What an account should have, held against what the exchange shows. Pure: answers come in, times come in.

What it should have is kept by key as bounds, and moves by what the exchange tells of: a fill of ours, a fee, a
transfer. Each movement counts once, by the exchange's time of it. A list of balances read at a moment may hold a
movement of about that moment or not, so those are doubtful: they widen what the list may show, and the next list tells.

    known bounds + movements up to `sure_ms` +/- doubtful ones   against   what is held      -> gaps
    no gap: the bounds become what both allow      a gap: the bounds stay, so that small gaps add up

A list is judged only with movements that were asked for later than it, by the exchange's visibility lag: else a fill
that shows in the balance and not yet among the trades would be taken for somebody else's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Context, Decimal
from typing import Final, NamedTuple

from policykit.units import MAX_DIGITS

#: Why something moved, where no order of this store did it and nothing explains it.
UNKNOWN: Final = "unknown"
#: Why something moved: an order of this bot. It was meant, so it is no difference.
FILL: Final = "fill"
#: Less than the market's step is left over by rounding.
DUST: Final = "dust"
#: Never the bot's own decimal context.
_EXACT: Final = Context(prec=2 * MAX_DIGITS)
_ZERO: Final = Decimal(0)

Bounds = tuple[Decimal, Decimal]


class Movement(NamedTuple):
    """One change of one key that the exchange tells of; `note` names it for a person."""

    key: str
    quantity: Decimal
    at_ms: int
    why: str
    note: str = ""


class Known(NamedTuple):
    """What should be held: movements up to `until_ms` are in it. A key that it lacks is none: nothing is held of it."""

    until_ms: int
    bounds: Mapping[str, Bounds]


class Window(NamedTuple):
    """Movements up to `sure_ms` are in a list of what is held; up to `until_ms` they may be, later ones are not."""

    sure_ms: int
    until_ms: int


class Judged(NamedTuple):
    """What should be held from now on; by how much what is held is off, by key; and what explains the rest."""

    known: Known
    gaps: Mapping[str, Decimal]
    explained: tuple[Movement, ...] = ()


def judge(known: Known | None, held: Mapping[str, Decimal], moved: Iterable[Movement], window: Window) -> Judged:
    """Hold what is held against what should be; without anything known, take it for what should be.

    Movements that nothing explains (UNKNOWN) move nothing here: they are the gap.
    """
    since = window.sure_ms if known is None else known.until_ms
    told = [one for one in moved if since < one.at_ms <= window.until_ms and one.why != UNKNOWN]
    sure: dict[str, Decimal] = {}
    less: dict[str, Decimal] = {}
    more: dict[str, Decimal] = {}
    for one in told:
        sign = sure if one.at_ms <= window.sure_ms else less if one.quantity < 0 else more
        sign[one.key] = _EXACT.add(sign.get(one.key, _ZERO), one.quantity)
    bounds: dict[str, Bounds] = {}
    gaps: dict[str, Decimal] = {}
    for key in {**held, **(known.bounds if known is not None else {}), **sure, **less, **more}:
        has, down, up = held.get(key, _ZERO), less.get(key, _ZERO), more.get(key, _ZERO)
        seen = (_EXACT.subtract(has, up), _EXACT.subtract(has, down))  # what it may have been at `sure_ms`
        if known is None:
            bounds[key] = seen
            continue
        low, high = known.bounds.get(key, (_ZERO, _ZERO))
        low, high = _EXACT.add(low, sure.get(key, _ZERO)), _EXACT.add(high, sure.get(key, _ZERO))
        if seen[0] > high or seen[1] < low:
            gaps[key] = _EXACT.subtract(seen[0], high) if seen[0] > high else _EXACT.subtract(seen[1], low)
            bounds[key] = (low, high)
        else:
            bounds[key] = (max(low, seen[0]), min(high, seen[1]))
    kept = {key: pair for key, pair in bounds.items() if pair != (_ZERO, _ZERO)}
    counted = tuple(one for one in told if one.at_ms <= window.sure_ms and one.why != FILL)
    return Judged(Known(max(window.sure_ms, since), kept), gaps, counted)


def accept(judged: Judged, keys: Iterable[str]) -> Known:
    """Return what should be held once the gaps of these keys are taken as they are."""
    bounds = dict(judged.known.bounds)
    for key in keys:
        low, high = bounds.get(key, (_ZERO, _ZERO))
        gap = judged.gaps.get(key, _ZERO)
        bounds[key] = (_EXACT.add(low, gap), _EXACT.add(high, gap))
    return judged.known._replace(bounds=bounds)


class Line(NamedTuple):
    """One difference, explained or not, as it is written: `kind` is `order`, `position` or `balance`."""

    kind: str
    key: str
    quantity: Decimal
    worth: Decimal | None
    why: str
    note: str = ""


def explained_lines(movements: Iterable[Movement], kind_of: Mapping[str, str]) -> list[Line]:
    """Sum up what explains differences, by key and reason, in the order in which they were told."""
    sums: dict[tuple[str, str], Decimal] = {}
    for one in movements:
        at = (one.key, one.why)
        sums[at] = _EXACT.add(sums.get(at, _ZERO), one.quantity)
    return [Line(kind_of.get(key, "balance"), key, total, None, why) for (key, why), total in sums.items() if total]

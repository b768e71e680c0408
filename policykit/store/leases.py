"""Slices of shared rate budgets, taken from the server at once and spent here: for high rates, never for risk caps.

A slice is counted on the server when it is taken, so all that guards hold and spend together never exceeds the limit;
what is not spent when its window ends is lost. So slices start with one use in each window and double: who asks seldom
takes nothing from others, and nobody loses more than he spent. Only fixed windows are leased: a use counts in a rolling
window from the moment it happens, and a slice spent later than it was counted would let two spans overlap.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Final

from policykit.decision import Hold
from policykit.store.base import Grant

#: A slice is at most this part of the limit, or what is asked for.
PART: Final = 50
#: Slices end this much before their window, ms: the clock of a processor may run slower than the server's.
EARLY_MS: Final = 2


#: Counts a use on the server; returns with it the moment that the windows counted it at, ms.
Count = Callable[[tuple[Hold, ...], int], tuple[Grant, int]]


class _Slice:
    """What is left of a slice of `size`, and until when on the monotonic clock, s."""

    __slots__ = ("left", "size", "until")

    def __init__(self, left: int, size: int, until: float) -> None:
        self.left, self.size, self.until = left, size, until


@cache
def _paid_for(holds: int) -> Grant:
    """Return the answer to holds that slices paid for."""
    return Grant(True, False, (0,) * holds, (), 0)


class Leases:
    """The slices of one store, under its lock. `first`: so many uses are in the first slice of a window."""

    def __init__(self, part: int = PART, monotonic_s: Callable[[], float] = time.monotonic, *, first: int = 1) -> None:
        self._part, self._clock, self._first = part, monotonic_s, first
        self._slices: dict[str, _Slice] = {}

    def use(self, count: Count, holds: tuple[Hold, ...], now_ms: int) -> Grant:
        """Count a use of budgets: every hold or none. `used` of what a slice paid is 0: it was counted before."""
        if not holds or not all(hold.kind == "window" and hold.fixed for hold in holds):
            return count(holds, now_ms)[0]
        before = self._clock()
        if self._paid(holds, before):
            return _paid_for(len(holds))
        wanted = tuple(self._slice_of(hold, before) for hold in holds)
        grant, at_ms = count(wanted, now_ms)
        if not grant.granted:
            return count(holds, now_ms)[0] if wanted != holds else grant
        for hold, slice_ in zip(holds, wanted, strict=True):
            self._take(slice_, slice_.amount - hold.amount, at_ms, before)
        return grant

    def forget(self) -> None:
        """Leave what was not spent: a process that forks would spend it twice."""
        self._slices.clear()

    def _paid(self, holds: tuple[Hold, ...], now: float) -> bool:
        """Spend from the slices at hand, if they pay for every hold."""
        slices = self._slices
        for done, hold in enumerate(holds):
            found = slices.get(hold.counter)
            if found is None or found.left < hold.amount or now >= found.until:
                for paid in holds[:done]:
                    slices[paid.counter].left += paid.amount
                return False
            found.left -= hold.amount
        return True

    def _slice_of(self, hold: Hold, now: float) -> Hold:
        """Ask for a slice instead of one use: twice the last one of this window."""
        last = self._slices.get(hold.counter)
        size = hold.amount * self._first if last is None or now >= last.until else 2 * last.size
        return hold._replace(amount=max(hold.amount, min(size, hold.limit // self._part)))

    def _take(self, taken: Hold, left: int, at_ms: int, before: float) -> None:
        """Keep what is left of a slice until its window ends by the server's clock, at the latest."""
        ends = at_ms - at_ms % taken.span_ms + taken.span_ms
        self._slices[taken.counter] = _Slice(left, taken.amount, before + (ends - at_ms - EARLY_MS) / 1000)

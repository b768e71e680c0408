"""Slices of shared rate budgets, taken from the server at once and spent here: for high rates, never for risk caps.

A slice is counted on the server when it is taken, so all that guards hold and spend together never exceeds the limit;
what is not spent when its window ends is lost. Only fixed windows are leased: a use counts in a rolling window from the
moment it happens, and a slice spent later than it was counted would let two spans overlap.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Final

from policykit.decision import Hold
from policykit.store.base import Grant
from policykit.store.valkey import ValkeyStore

#: A slice is this part of the limit, at least what is asked for.
PART: Final = 50
#: Slices end this much before their window, ms: the clock of a processor may run slower than the server's.
EARLY_MS: Final = 2


class _Slice:
    """What is left of a slice, and until when on the monotonic clock, s."""

    __slots__ = ("left", "until")

    def __init__(self, left: int, until: float) -> None:
        self.left, self.until = left, until


@cache
def _paid_for(holds: int) -> Grant:
    """Return the answer to holds that slices paid for."""
    return Grant(True, False, (0,) * holds, (), 0)


class Leases:
    """Use budgets through slices: `Leases(store).use(holds, now_ms)` in place of `store.use`. Thread-safe."""

    def __init__(self, store: ValkeyStore, part: int = PART, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._store, self._part, self._clock = store, part, monotonic_s
        self._lock = threading.Lock()
        self._slices: dict[str, _Slice] = {}

    def use(self, holds: tuple[Hold, ...], now_ms: int) -> Grant:
        """Count a use of budgets: every hold or none. `used` of what a slice paid is 0: it was counted before.

        Raise ValueError for a hold that is no window: a cap is never leased.
        """
        with self._lock:
            before = self._clock()
            if self._paid(holds, before):
                return _paid_for(len(holds))
            wanted = tuple(map(self._slice_of, holds))
            grant, at_ms = self._store.used_at(wanted, now_ms)
            if not grant.granted:
                return self._store.use(holds, now_ms) if wanted != holds else grant
            for hold, slice_ in zip(holds, wanted, strict=True):
                self._take(hold, slice_.amount - hold.amount, at_ms, before)
            return grant

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

    def _slice_of(self, hold: Hold) -> Hold:
        """Ask for a slice instead of one use."""
        if hold.kind != "window":
            raise ValueError(f"{hold.counter} is no window; only rate budgets are leased, never a cap")
        if not hold.fixed:
            return hold
        return hold._replace(amount=max(hold.amount, hold.limit // self._part))

    def _take(self, hold: Hold, left: int, at_ms: int, before: float) -> None:
        """Keep what is left of a slice until its window ends by the server's clock, at the latest."""
        ends = at_ms - at_ms % hold.span_ms + hold.span_ms
        if left > 0:
            self._slices[hold.counter] = _Slice(left, before + (ends - at_ms - EARLY_MS) / 1000)

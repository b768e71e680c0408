"""Windows of use, exact: what was used inside a span of time, fixed or rolling.

Asking changes nothing: the state is made of granted uses alone, so it is the same in every process and after a replay.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

#: A rolling window remembers at most this many slices; uses inside one slice count from its last moment, so that
#: coalescing can only deny more, never less.
SLICES: Final = 1_000


class FixedWindow:
    """A window aligned to the exchange's clock: everything is forgotten at its edge. A step back forgets nothing."""

    __slots__ = ("_start", "_used", "span_ms")
    fixed = True

    def __init__(self, span_ms: int) -> None:
        self.span_ms = span_ms
        self._start = 0
        self._used = 0

    def used(self, now_ms: int) -> int:
        """Return what is used in the window that holds `now_ms`."""
        return 0 if now_ms - now_ms % self.span_ms > self._start else self._used

    # INVARIANT I11: a clock that steps back finds the newest window still open, with all that was used in it.
    def add(self, amount: int, now_ms: int) -> None:
        """Count a use."""
        start = now_ms - now_ms % self.span_ms
        if start > self._start:
            self._start = start
            self._used = 0
        self._used += amount

    def dump(self) -> list[Any]:
        return [self._start, self._used]

    def load(self, state: list[Any]) -> None:
        self._start, self._used = state


class RollingWindow:
    """A window that ends now. A use leaves it `span_ms` after it was counted; time never runs backward in it."""

    __slots__ = ("_last", "_slice", "_used", "_uses", "span_ms")
    fixed = False

    def __init__(self, span_ms: int) -> None:
        self.span_ms = span_ms
        self._slice = max(1, span_ms // SLICES)
        self._uses: deque[list[int]] = deque()
        self._used = 0
        self._last = 0

    def used(self, now_ms: int) -> int:
        """Return what was used in (now - span, now]."""
        edge = (now_ms if now_ms > self._last else self._last) - self.span_ms
        used = self._used
        for at_ms, amount in self._uses:
            if at_ms > edge:
                break
            used -= amount
        return used

    # INVARIANT I10: a use is dated no earlier than it happened, so no rolling span ever holds more than was granted.
    def add(self, amount: int, now_ms: int) -> None:
        """Count a use."""
        # INVARIANT I11: after a step back, uses are dated by the latest time that was seen.
        if now_ms > self._last:
            self._last = now_ms
        now_ms, uses = self._last, self._uses
        while uses and uses[0][0] <= now_ms - self.span_ms:
            self._used -= uses.popleft()[1]
        self._used += amount
        newest = uses[-1] if uses else None
        if newest is not None and newest[0] // self._slice == now_ms // self._slice:
            newest[0] = now_ms
            newest[1] += amount
        else:
            uses.append([now_ms, amount])

    def dump(self) -> list[Any]:
        return [self._last, [list(use) for use in self._uses]]

    def load(self, state: list[Any]) -> None:
        self._last, uses = state
        self._uses = deque([list(use) for use in uses])
        self._used = sum(amount for _, amount in self._uses)


Window = FixedWindow | RollingWindow


def make(span_ms: int, *, fixed: bool) -> Window:
    """Make an empty window."""
    return FixedWindow(span_ms) if fixed else RollingWindow(span_ms)

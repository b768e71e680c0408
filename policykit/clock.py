"""Time as everybody here takes it: integer milliseconds, passed in, never read from the side.

Rooms from `engine` and `orders` down take times as arguments; drivers take a `Clock`.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Give the time and wait. `sim.SimClock` is the other implementation: its waits cost no wall time."""

    def now_ms(self) -> int:
        """Return UTC milliseconds since 1970; may step backward."""
        ...

    def monotonic_ms(self) -> float:
        """Return milliseconds that never step; meaningful inside one process only."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    async def asleep(self, seconds: float) -> None:
        """Wait without holding the event loop."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> float:
        return time.monotonic_ns() / 1_000_000

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        import asyncio  # costs 15 ms, which static lint and `--version` need not pay

        await asyncio.sleep(seconds)


def iso(at_ms: int) -> str:
    """Write UTC milliseconds as `2026-11-21T10:00:00.000Z`."""
    seconds, ms = divmod(at_ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{ms:03d}Z"

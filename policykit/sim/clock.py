"""The simulated clock: waits cost no wall time, and what is due on the way runs in order.

The thread that made the clock drives it: its `sleep` and `asleep` move time. Another thread's `sleep` waits until time
has been moved past its target, so that a maintenance loop in the background never runs away with the time of a test.
Threads that are all meant to take part (several bots) say so with `with clock.joined():`; time then moves only when
every one of them sleeps. A thread that `asyncio.to_thread` lends acts for its loop and drives like it. A task that
must not drive (a background loop on the same event loop) is made inside `with clock.background():`.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from policykit.clock import Clock

#: 2026-11-21T10:00:00Z, the hour in which every simulated run starts unless told otherwise.
START_MS = 1_795_255_200_000
#: A waiting thread gives up after so much wall time in which nobody moved the clock: a test that hangs says why.
PASSIVE_WAIT_S = 20.0
#: The most events that may be scheduled at once.
MAX_EVENTS = 1_000_000

_in_background: contextvars.ContextVar[bool] = contextvars.ContextVar("policykit_sim_background", default=False)


class SimClock:
    """A `clock.Clock` whose time moves only when it is told to.

    Times are milliseconds since 1970 UTC; `monotonic_ms` runs from 0 and is not touched by `step_wall`.
    Thread-safe. Events run in the thread that moves the time, outside the clock's lock, earliest first.
    """

    def __init__(self, start_ms: int = START_MS) -> None:
        self._wall_offset = float(start_ms)
        self._elapsed = 0.0
        self._changed = threading.Condition(threading.RLock())
        self._moving = threading.RLock()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sleepers: list[tuple[float, int]] = []
        self._futures: list[tuple[float, int, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._count = itertools.count()
        self._driver = threading.get_ident()
        self._joined = 0
        self._asleep = 0
        self._passive = 0
        self._tasks: list[tuple[float, int]] = []

    def now_ms(self) -> int:
        return int(self._wall_offset + self._elapsed)

    def monotonic_ms(self) -> float:
        return self._elapsed

    def step_wall(self, seconds: float) -> None:
        """Step the wall clock, backward too, as a bad NTP correction does; monotonic time does not move."""
        self._wall_offset += seconds * 1000

    # -- events -------------------------------------------------------------------------------------------------

    def at(self, at_ms: float, fn: Callable[[], None]) -> None:
        """Run `fn` when the wall time is `at_ms`; a past time runs with the next move."""
        with self._changed:
            if len(self._events) >= MAX_EVENTS:
                raise OverflowError(f"SimClock.at: {MAX_EVENTS} events are scheduled; that is the bound; run some")
            heapq.heappush(self._events, (at_ms - self._wall_offset, next(self._count), fn))

    def after(self, seconds: float, fn: Callable[[], None]) -> None:
        """Run `fn` once so many seconds have passed."""
        self.at(self._wall_offset + self._elapsed + seconds * 1000, fn)

    # -- moving time --------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Move time forward and run what is due on the way, from any thread."""
        if not seconds >= 0:
            raise ValueError(f"SimClock.advance: {seconds!r} seconds; time goes forward; use step_wall to step back")
        self._move_to(self._elapsed + seconds * 1000)

    def _move_to(self, target: float) -> None:
        with self._moving:
            while True:
                with self._changed:
                    due = self._events[0] if self._events and self._events[0][0] <= target else None
                    if due is not None:
                        heapq.heappop(self._events)
                    self._elapsed = max(self._elapsed, target if due is None else due[0])
                    self._wake()
                if due is None:
                    return
                due[2]()

    def _wake(self) -> None:
        while self._futures and self._futures[0][0] <= self._elapsed:
            _, _, loop, future = heapq.heappop(self._futures)
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, future)
        self._changed.notify_all()

    # -- sleeping -----------------------------------------------------------------------------------------------

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Make the calling thread one of those that must all sleep before time moves."""
        with self._changed:
            self._joined += 1
        try:
            yield
        finally:
            with self._changed:
                self._joined -= 1
                self._changed.notify_all()

    @contextmanager
    def background(self) -> Iterator[None]:
        """Make tasks created inside, and sleeps inside, wait for time instead of moving it."""
        token = _in_background.set(True)
        try:
            yield
        finally:
            _in_background.reset(token)

    def sleep(self, seconds: float) -> None:
        target = self._elapsed + max(0.0, seconds) * 1000
        if self._joined:
            self._sleep_together(target)
        elif self._drives():
            self._move_to(target)
        else:
            self._wait_for(target)

    def _drives(self) -> bool:
        """Tell whether the caller moves time: the thread that made the clock, or one of asyncio's default executor."""
        here = threading.get_ident() == self._driver or threading.current_thread().name.startswith("asyncio_")
        return here and not _in_background.get()

    @property
    def waiting(self) -> int:
        """How many threads sleep until somebody else has moved the time."""
        return self._passive

    def _wait_for(self, target: float) -> None:
        with self._changed:
            self._passive += 1
            try:
                while self._elapsed < target:
                    before = self._elapsed
                    if not self._changed.wait(PASSIVE_WAIT_S) and self._elapsed == before:
                        raise RuntimeError(
                            f"SimClock.sleep in thread {threading.current_thread().name!r}: nobody moved the clock for "
                            f"{PASSIVE_WAIT_S:g} s of wall time; advance it from the driving thread, or use joined()"
                        )
            finally:
                self._passive -= 1

    def _sleep_together(self, target: float) -> None:
        entry = (target, next(self._count))
        with self._changed:
            heapq.heappush(self._sleepers, entry)
            self._asleep += 1
            self._changed.notify_all()
        try:
            while self._elapsed < target:
                with self._changed:
                    first = self._asleep >= self._joined and self._sleepers[0] == entry
                    if not first and self._elapsed < target:
                        self._changed.wait(PASSIVE_WAIT_S)
                if first:
                    self._move_to(target)
        finally:
            with self._changed:
                self._sleepers.remove(entry)
                heapq.heapify(self._sleepers)
                self._asleep -= 1
                self._changed.notify_all()

    async def asleep(self, seconds: float) -> None:
        target = self._elapsed + max(0.0, seconds) * 1000
        if not self._drives():
            await self._await_for(target)
            return
        entry = (target, next(self._count))
        heapq.heappush(self._tasks, entry)
        try:
            while True:
                await asyncio.sleep(0)
                if self._elapsed >= target:
                    return
                if self._tasks[0] == entry:
                    self._move_to(target)
        finally:
            self._tasks.remove(entry)
            heapq.heapify(self._tasks)

    async def _await_for(self, target: float) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._changed:
            if self._elapsed >= target:
                future.set_result(None)
            else:
                heapq.heappush(self._futures, (target, next(self._count), loop, future))
        await future

    # -- ccxt ---------------------------------------------------------------------------------------------------

    def follow(self, client: Any) -> None:
        """Make a stock ccxt client sign with this clock: its `options["timeDifference"]` is wall minus simulated time.

        The value is computed at each reading, so wall time that passes between two moves does not reach a signature.
        The client's throttler is switched off: it waits in wall time.
        """
        client.options = _FollowingOptions(client.options, self, client)
        client.enableRateLimit = False


class HostClock:
    """A host's own clock beside the exchange's: the same time passes, its wall clock is off, and may step.

    sim = SimServer(clock=(exchange := SimClock())); guard = Guard.load(..., clock=HostClock(exchange, skew_ms=2000))
    """

    def __init__(self, clock: SimClock, skew_ms: int = 0) -> None:
        self._clock = clock
        self.skew_ms = skew_ms

    def now_ms(self) -> int:
        return self._clock.now_ms() + self.skew_ms

    def monotonic_ms(self) -> float:
        return self._clock.monotonic_ms()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        await self._clock.asleep(seconds)

    def follow(self, client: Any) -> None:
        """Make a stock ccxt client sign with this clock."""
        client.options = _FollowingOptions(client.options, self, client)
        client.enableRateLimit = False


class _FollowingOptions(dict[str, Any]):
    """The client's options, with one value that is read from the clock."""

    def __init__(self, options: dict[str, Any], clock: Clock, client: Any) -> None:
        super().__init__(options)
        self._clock = clock
        #: How far the clock is ahead of the exchange's, as whoever measured it said: it is taken off.
        self._ahead_ms = 0
        self._milliseconds: Callable[[], int] = client.milliseconds

    def __getitem__(self, key: str) -> Any:
        if key == "timeDifference":
            return self._milliseconds() - self._clock.now_ms() + self._ahead_ms
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: Any) -> None:
        if key == "timeDifference":
            self._ahead_ms = value - (self._milliseconds() - self._clock.now_ms())
        else:
            super().__setitem__(key, value)

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key == "timeDifference" else super().get(key, default)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

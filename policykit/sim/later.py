"""What the simulated exchange does later: on a simulated clock as an event of it, on the machine's by a timer."""

from __future__ import annotations

import threading
from collections.abc import Callable

from policykit.clock import Clock
from policykit.sim.clock import SimClock

#: Requests that may be on their way at once.
MAX_PENDING = 1_000


class Later:
    """Run functions after so many seconds of the exchange's clock. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timers: set[threading.Timer] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def __call__(self, seconds: float, fn: Callable[[int], None]) -> None:
        """Run `fn(now_ms)` once the time has passed, unless closed before; with 0 at once."""
        if seconds <= 0:
            fn(self._clock.now_ms())
        elif isinstance(self._clock, SimClock):
            self._clock.after(seconds, lambda: self._run(fn))
        else:
            self._start(seconds, fn)

    def wait(self, seconds: float) -> None:
        """Let time pass before a reply: simulated time is moved on, the machine's is waited for."""
        if isinstance(self._clock, SimClock):
            self._clock.advance(seconds)
        else:
            self._closed.wait(seconds)

    def close(self) -> None:
        """Forget everything that has not run."""
        self._closed.set()
        with self._lock:
            timers = list(self._timers)
            self._timers.clear()
        for timer in timers:
            timer.cancel()
            timer.join()

    def _run(self, fn: Callable[[int], None]) -> None:
        if not self._closed.is_set():
            fn(self._clock.now_ms())

    def _start(self, seconds: float, fn: Callable[[int], None]) -> None:
        def fire() -> None:
            self._run(fn)
            with self._lock:
                self._timers.discard(timer)

        timer = threading.Timer(seconds, fire)
        timer.daemon = True
        with self._lock:
            if self._closed.is_set() or len(self._timers) >= MAX_PENDING:
                return
            self._timers.add(timer)
        timer.start()

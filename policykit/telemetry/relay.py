"""Carry telemetry off the order path: a bounded queue, one daemon thread, small chunks that give the processor back.

A job that raises is counted and logged once; a full queue drops the newest job and counts it. Nothing here raises
into its caller and nothing blocks it: a dead, slow or broken exporter costs a decision one `deque.append`.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final

#: Jobs waiting at most; one more is dropped and counted.
QUEUE_LIMIT: Final = 16_384
#: Jobs between two pauses: about 0.2 ms of work, for so long a bot's thread may wait for the interpreter. A loop that
#: did not yield cost a bot 7 ms of jitter (SPEED).
CHUNK: Final = 4
#: The pause between two chunks, seconds: long enough for another thread to wake, which one of 0 is not.
PAUSE_S: Final = 0.0002
#: How often an idle thread looks, seconds, and how often before it parks until the next job.
POLL_S: Final = 0.02
POLLS: Final = 100
#: The longest that the end of the process waits for the queue, seconds.
EXIT_S: Final = 1.0

Job = tuple[Callable[..., None], tuple[Any, ...]]
_log = logging.getLogger("policykit.telemetry")


class Relay:
    """Run jobs in the order in which they came, elsewhere (`deferred`) or at once on the caller's thread."""

    def __init__(self, *, deferred: bool = True, limit: int = QUEUE_LIMIT) -> None:
        self.deferred = deferred
        self.limit = limit
        self.dropped = 0
        self.failures = 0
        self._reset()
        if deferred and hasattr(os, "register_at_fork"):
            me = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _reset(me))

    def _reset(self) -> None:
        self._jobs: deque[Job] = deque()
        self._draining = threading.Lock()
        self._starting = threading.Lock()
        self._wake = threading.Event()
        self._parked = False
        self._thread: threading.Thread | None = None
        self._warned = False

    def put(self, function: Callable[..., None], *arguments: Any) -> None:
        """Run `function(*arguments)` soon. Never raises, never waits."""
        if not self.deferred:
            self._run((function, arguments))
            return
        if len(self._jobs) >= self.limit:
            self.dropped += 1
            self._complain(
                "the queue of %d is full; spans and log events are dropped, the journal has them", self.limit
            )
            return
        self._jobs.append((function, arguments))
        if self._thread is None:
            self._start()
        elif self._parked:
            self._wake.set()

    def failed(self, error: BaseException) -> None:
        """Count an error of telemetry; the first is logged, by its class only: its text is not ours."""
        self.failures += 1
        self._complain("%s in telemetry; the journal has what is missing here", type(error).__name__)

    def flush(self, timeout_s: float = EXIT_S) -> bool:
        """Run what waits on the caller's thread; False when another thread held the queue for all of `timeout_s`."""
        if not self._draining.acquire(timeout=timeout_s):
            return False
        try:
            while self._jobs:
                self._run(self._jobs.popleft())
        finally:
            self._draining.release()
        return True

    def close(self, timeout_s: float = EXIT_S) -> bool:
        """Wait until the thread has run everything, at most `timeout_s`; True when it has."""
        self._wake.set()
        deadline = time.monotonic() + timeout_s
        while self._jobs or self._draining.locked():
            if self._thread is None or time.monotonic() >= deadline:
                return False
            time.sleep(PAUSE_S)
        return True

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._loop, name="policykit-telemetry", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # no threads left, or the interpreter is going down
                self.failed(error)
                return
            self._thread = thread
            me = weakref.ref(self)
            atexit.register(lambda: _close(me))

    def _loop(self) -> None:
        idle = 0
        while True:
            if self._chunk():
                idle = 0
                time.sleep(PAUSE_S)
            elif idle < POLLS:
                idle += 1
                time.sleep(POLL_S)
            else:
                self._park()
                idle = 0

    def _park(self) -> None:
        self._parked = True
        if not self._jobs:  # a job put before the flag was seen set no event
            self._wake.wait()
        self._parked = False
        self._wake.clear()

    def _chunk(self) -> bool:
        with self._draining:
            for _ in range(CHUNK):
                if not self._jobs:
                    break
                self._run(self._jobs.popleft())
        return bool(self._jobs)

    def _run(self, job: Job) -> None:
        try:
            job[0](*job[1])
        except Exception as error:  # noqa: BLE001 - whatever an exporter raises must not reach the order path
            self.failed(error)

    def _complain(self, message: str, *arguments: object) -> None:
        if not self._warned:
            self._warned = True
            _log.warning("telemetry: " + message, *arguments)


def _reset(relay: weakref.ref[Relay]) -> None:
    found = relay()
    if found is not None:
        found._reset()


def _close(relay: weakref.ref[Relay]) -> None:
    found = relay()
    if found is not None:
        found.close()

"""What the exporter knows of store and journal: each read in a thread of its own, so that one that hangs stops no
answer and not the other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Generic, NamedTuple, TypeVar

from policykit.clock import Clock, SystemClock
from policykit.dashboard.index import Health, Index
from policykit.dashboard.queries import Delay, Newest, Total
from policykit.errors import StoreUnavailable
from policykit.guard.measures import Sample, measure
from policykit.guard.telling import HostWatch
from policykit.redact import scrub
from policykit.store import SERVERS, Store, default_uri, open_journal, open_store
from policykit.store.reader import JournalReader
from policykit.telemetry import names

#: How often a source is read, seconds.
EVERY_S: Final = 2.0
T = TypeVar("T")
_log = logging.getLogger("policykit.notify")


class Known(NamedTuple, Generic[T]):
    """What a source said last, how long ago (seconds; None: never), and why it says no more (None: it does)."""

    value: T | None
    age_s: float | None
    problem: str | None


class Source(Generic[T]):
    """Something that is read again and again; what it said last is always at hand."""

    def __init__(self, name: str, read: Callable[[], T], monotonic: Callable[[], float] = time.monotonic) -> None:
        self.name, self._read, self._monotonic = name, read, monotonic
        self._lock = threading.Lock()
        self._value: T | None = None
        self._at: float | None = None
        self._problem: str | None = "was not read yet"

    def refresh(self) -> T | None:
        """Read it once; return what it said, None when it could not be read."""
        try:
            value = self._read()
        except StoreUnavailable as error:
            problem = scrub(str(error))
        except Exception as error:  # noqa: BLE001 - a defect of ours must not end the thread; its text may hold anything
            problem = f"internal error {type(error).__name__}; please report it"
        else:
            with self._lock:
                self._value, self._at, self._problem = value, self._monotonic(), None
            return value
        with self._lock:
            self._problem = problem
        return None

    def known(self) -> Known[T]:
        """Return what is known now, at once."""
        with self._lock:
            age = None if self._at is None else self._monotonic() - self._at
            return Known(self._value, age, self._problem)


class JournalView(NamedTuple):
    """What the journal says, as far as it was read."""

    totals: list[Total]
    newest: list[Newest]
    delays: list[Delay]
    done: int
    end: int
    health: Health

    @property
    def behind(self) -> int:
        """Return how many rows are not counted yet."""
        return max(0, self.end - self.done)


class JournalSource:
    """The journal through its index; opened anew when it could not be read on."""

    def __init__(self, uri: str | None) -> None:
        self._uri = uri
        self._open: tuple[JournalReader, Index] | None = None

    def read(self) -> JournalView:
        """Take new rows in, a bounded number, and return what is counted."""
        if self._open is None:
            reader = open_journal(self._uri)
            self._open = (reader, Index(reader))
        _, index = self._open
        try:
            index.advance()
            done, end = index.progress()
            view = JournalView(index.totals(), index.newest(), index.delays(), done, end, index.health())
        except StoreUnavailable:
            self.close()
            raise
        if view.health.problem is not None:
            self.close()  # a file that was replaced is there under its name
        return view

    def close(self) -> None:
        """Let go of both files."""
        if self._open is not None:
            reader, index = self._open
            self._open = None
            index.close()
            reader.close()


class StoreSource:
    """The gauges of a store, and the messages that its accounts' people are to get; opened anew when it failed.

    A guard that died cannot say so itself: this is the process that lives on.
    """

    def __init__(self, uri: str | None, host: str, clock: Clock | None = None) -> None:
        self._uri, self._host, self._clock = uri, host, clock or SystemClock()
        self._open: tuple[Store, HostWatch] | None = None
        self._lost, self._complaint = 0, ""

    def read(self) -> list[Sample]:
        """Return every gauge of the store; tell people what is wrong."""
        if self._open is None:
            store = _existing(self._uri)
            self._open = (store, HostWatch(store, self._clock.now_ms))
        store, watch = self._open
        try:
            samples = measure(store, self._host, self._clock.now_ms())
        except StoreUnavailable:
            self.close()
            raise
        return [*samples, Sample(names.M_MESSAGES_LOST, self._tell(watch), {})]

    def _tell(self, watch: HostWatch) -> int:
        """Tell what is wrong, off this thread; return how many messages nobody got. Nothing is raised."""
        try:
            watch.round()
            self._complaint = ""
        except Exception as error:  # noqa: BLE001 - messages are beside the figures; the text is not ours
            if type(error).__name__ != self._complaint:
                self._complaint = type(error).__name__
                _log.error("what is wrong with the accounts of the store cannot be told: %s", self._complaint)
        return self._lost + watch.lost()

    def close(self) -> None:
        """Let go of the store; what waits to be told is sent first, for some seconds at most."""
        if self._open is not None:
            store, watch = self._open
            self._open = None
            watch.close()
            self._lost += watch.lost()
            store.close()


def readable(uri: str | None) -> None:
    """Raise StoreUnavailable for a store that no other process can ever read; one that is not there yet may come."""
    chosen = uri or default_uri()
    if not chosen.startswith("sqlite:///") and chosen.partition("://")[0] not in SERVERS:
        open_journal(chosen).close()


def _existing(uri: str | None) -> Store:
    """Open a store that is there: who only looks makes none."""
    chosen = uri or default_uri()
    if chosen.partition("://")[0] not in SERVERS:
        open_journal(chosen).close()
    return open_store(chosen)


def watch(
    source: Source[Any], stop: threading.Event, more: Callable[[Any], bool] = lambda _: False
) -> threading.Thread:
    """Read a source every EVERY_S until `stop`, at once again while `more` says that there is more; return the thread.

    A daemon: a source that hangs keeps no process from ending.
    """

    def run() -> None:
        while not stop.is_set():
            value = source.refresh()
            if value is None or not more(value):
                stop.wait(EVERY_S)

    thread = threading.Thread(target=run, name=f"policykit-{source.name}", daemon=True)
    thread.start()
    return thread

"""Threads that wait for a store share one sync, and each is told what became of its own row."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from policykit.decision import Hold
from policykit.errors import StoreUnavailable
from policykit.store import forks, groups
from policykit.store.base import Grant
from policykit.store.sqlite import SqliteStore
from policykit.store.verify import verify_file
from tests.telemetry.nouns import AT_MS, decision, intent

THREADS = 8
BUDGET = "binance/main|orders|60000"


class Gate:
    """Connections whose commits wait for `let`, if `closed`, and fail from the number `broken_from` on."""

    def __init__(self) -> None:
        self.let = threading.Semaphore(0)
        self.closed = False
        self.broken_from = 10**9
        self.why = "disk I/O error"
        self.syncs = self.reached = 0

    def connect(self, path: str, busy_ms: int) -> sqlite3.Connection:
        """Connect as a store does."""
        gate = self

        class Gated(sqlite3.Connection):
            def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
                if statement == "COMMIT":
                    gate.reached += 1
                    if gate.closed:
                        assert gate.let.acquire(timeout=60)
                    if gate.reached >= gate.broken_from:
                        raise sqlite3.OperationalError(gate.why)
                    gate.syncs += 1
                return super().execute(statement, *values)

        return sqlite3.connect(
            path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False, factory=Gated
        )

    def open(self, times: int = 100) -> None:
        """Let so many commits through."""
        self.let.release(times)


@pytest.fixture
def gate() -> Gate:
    """Return a gate that is open."""
    return Gate()


@pytest.fixture
def store(tmp_path: Path, gate: Gate) -> Iterator[SqliteStore]:
    """Return a store behind the gate; nothing was synced yet."""
    made = SqliteStore(tmp_path / "store.db", make=gate.connect)
    gate.syncs = gate.reached = 0
    yield made
    made.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Return the threads that write."""
    with ThreadPoolExecutor(THREADS + 2) as made:
        yield made


def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    while not true():
        time.sleep(0.001)


def name(number: int) -> str:
    """Return the id of a decision."""
    return f"01JD3V7K2M{number:016}"


def reserve(store: SqliteStore, number: int, most: int = 100) -> Grant:
    """Reserve one of a budget of `most`."""
    hold = Hold(BUDGET, 1, most, "window", "rate", 60_000)
    return store.reserve(decision(name(number)), intent(name(number)), (hold,), 0, AT_MS)


def used(store: SqliteStore) -> int:
    """Return what of the budget is used."""
    return store.used((Hold(BUDGET, 1, 100, "window", "rate", 60_000),), AT_MS)[0]


def together(
    store: SqliteStore, gate: Gate, pool: ThreadPoolExecutor, works: list[Callable[[], Any]]
) -> list[Future[Any]]:
    """Have the first sync while all others wait for the store; return their futures once the first is done."""
    gate.closed = True
    first = pool.submit(works[0])
    until(lambda: gate.reached == 1)
    others = []
    for work in works[1:]:
        others.append(pool.submit(work))
        until(lambda: store.waiting() == len(others))
    return [first, *others]


def test_threads_that_wait_share_one_sync(store: SqliteStore, gate: Gate, pool: ThreadPoolExecutor) -> None:
    """One syncs alone, the seven that waited meanwhile together; rows, numbers and counters are as ever."""
    done = together(store, gate, pool, [lambda k=k: reserve(store, k) for k in range(THREADS)])  # type: ignore[misc]
    gate.open()
    grants = [one.result(60) for one in done]
    assert gate.syncs == 2
    assert all(grant.granted for grant in grants)
    assert sorted(grant.seq for grant in grants) == list(range(1, THREADS + 1))
    assert used(store) == THREADS
    assert store.verify() == (THREADS, None)
    again = SqliteStore(store.path)
    assert {one.id for one in again.intents()} == {name(k) for k in range(THREADS)}
    again.close()


def test_I4_none_is_told_before_the_sync(store: SqliteStore, gate: Gate, pool: ThreadPoolExecutor) -> None:
    """While the last of them syncs nobody has an answer, and nobody else sees a row."""
    done = together(store, gate, pool, [lambda k=k: reserve(store, k) for k in range(4)])  # type: ignore[misc]
    gate.open(1)
    assert done[0].result(60).granted
    until(lambda: gate.reached == 2)
    assert [one.done() for one in done[1:]] == [False, False, False]
    assert verify_file(store.path) == (1, None)
    gate.open(1)
    assert all(one.result(60).granted for one in done)
    assert verify_file(store.path) == (4, None)


@pytest.mark.parametrize("why", ["disk I/O error", "database or disk is full"])
def test_I8_a_sync_that_fails_fails_for_all_of_it(
    store: SqliteStore, gate: Gate, pool: ThreadPoolExecutor, why: str
) -> None:
    """None of those who waited is granted, nothing of theirs is counted, and the store goes on."""
    gate.why, gate.broken_from = why, 2
    done = together(store, gate, pool, [lambda k=k: reserve(store, k) for k in range(4)])  # type: ignore[misc]
    gate.open()
    assert done[0].result(60).granted
    for one in done[1:]:
        with pytest.raises(StoreUnavailable):
            one.result(60)
    gate.broken_from = 10**9
    assert used(store) == 1
    assert [one.id for one in store.intents()] == [name(0)]
    assert reserve(store, 9).seq == 2
    assert store.verify() == (2, None)


def test_the_last_may_write_nothing(
    store: SqliteStore, gate: Gate, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is refused syncs for those before him; each has his own answer."""
    monkeypatch.setattr(groups, "AGAIN_S", 600)
    works: list[Callable[[], Any]] = [lambda k=k: reserve(store, k, 3) for k in range(3)]  # type: ignore[misc]
    done = together(store, gate, pool, [*works, lambda: reserve(store, 3, 3)])
    gate.open()
    assert sorted(one.result(60).granted for one in done) == [False, True, True, True]
    assert store.verify() == (3, None)


def test_a_row_that_cannot_be_written_takes_none_with_it_in_silence(
    store: SqliteStore, gate: Gate, pool: ThreadPoolExecutor
) -> None:
    """Where one of those who share fails half way, each is told that nothing was written, or has his row."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    works: list[Callable[[], Any]] = [lambda k=k: reserve(store, k) for k in range(3)]  # type: ignore[misc]
    done = together(store, gate, pool, [*works, lambda: store.event("note", {"a": Broken()}, AT_MS)])
    gate.open()
    with pytest.raises(Exception, match="no text"):
        done[3].result(60)
    granted = 0
    for one in done[:3]:
        with suppress(StoreUnavailable):
            granted += one.result(60).granted
    assert granted >= 1  # the first was synced before
    assert used(store) == granted
    assert store.verify() == (granted, None)


def test_one_who_does_not_come_keeps_nobody_waiting(store: SqliteStore) -> None:
    """A thread that was interrupted while it waited syncs nothing: who wrote sees to it himself."""
    store._waiters.append(None)
    assert reserve(store, 0).granted
    store._waiters.pop()
    assert SqliteStore(store.path).intents()[0].id == name(0)


@pytest.mark.parametrize("what", ["lease", "backup", "checkpoint", "fork", "close", "rows"])
def test_whatever_else_uses_the_file_syncs_first(
    store: SqliteStore, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    """A lease, a copy, a checkpoint, a fork, the end: none finds a transaction of somebody else's open."""
    monkeypatch.setattr(groups, "AGAIN_S", 600)
    store._waiters.append(None)  # somebody who never comes
    waits = pool.submit(reserve, store, 0)
    until(lambda: store._group is not None)
    if what == "lease":
        assert store.lease("poller", "me", 1_000, AT_MS)
    elif what == "backup":
        store.backup(tmp_path / "copy.db")
    elif what == "checkpoint":
        store.checkpoint()
    elif what == "rows":
        assert len(list(store.rows())) == 1
    else:
        store._waiters.pop()
        if what == "close":
            store.close()
        else:
            with store._lock:
                store._disconnect()
    assert waits.result(60).granted
    other = SqliteStore(store.path)
    assert [one.id for one in other.intents()] == [name(0)]
    other.close()


def test_a_connection_that_is_lost_is_told(
    store: SqliteStore, gate: Gate, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the sync fails while another use of the file asks for it, who waits is told; nothing is counted."""
    monkeypatch.setattr(groups, "AGAIN_S", 600)
    store._waiters.append(None)
    waits = pool.submit(reserve, store, 0)
    until(lambda: store._group is not None)
    gate.broken_from = 1
    store.guards()
    with pytest.raises(StoreUnavailable, match="nor those that waited for it"):
        waits.result(60)
    gate.broken_from = 10**9
    store._waiters.pop()
    assert (used(store), store.verify()) == (0, (0, None))
    assert reserve(store, 1).seq == 1


def test_a_checkpoint_that_cannot_be_synced_is_told(store: SqliteStore, gate: Gate) -> None:
    """It is a failure of the store as any other, and the next one works."""
    assert reserve(store, 0).granted
    gate.broken_from = gate.reached + 1
    with pytest.raises(StoreUnavailable):
        store.checkpoint()
    gate.broken_from = 10**9
    store.checkpoint()
    assert (used(store), store.verify()) == (1, (1, None))


def test_a_group_has_an_end(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait, after so many rows there is a sync."""
    monkeypatch.setattr("policykit.store.sqlite.MAX_ROWS", 1)
    store._waiters.append(None)
    assert reserve(store, 0).granted
    assert store._group is None
    store._waiters.pop()


def test_I8_threads_overrun_no_cap(tmp_path: Path) -> None:
    """Eight threads ask for 400 of a budget of 100: 100 are granted, in memory and on disk."""
    store = SqliteStore(tmp_path / "store.db")
    with ThreadPoolExecutor(THREADS) as pool:
        grants = list(pool.map(lambda k: reserve(store, k), range(400)))
    assert sum(grant.granted for grant in grants) == 100
    assert (used(store), store.verify()) == (100, (100, None))
    again = SqliteStore(store.path)
    assert used(again) == 100
    again.close()
    store.close()


def _writes(path: Path, pipe: int) -> None:
    store = SqliteStore(path)

    def one(thread: int) -> None:
        for number in range(10_000):
            ident = f"{thread:02}{os.getpid():08}{number:016}"
            store.record(decision(ident), AT_MS)
            os.write(pipe, ident.encode())

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, range(THREADS)))


def test_I4_no_thread_is_told_of_a_row_that_a_kill_takes(tmp_path: Path, tier: Callable[[int, int], int]) -> None:
    """A process whose eight threads write is killed: each row that one of them was told of is in the file."""
    path = tmp_path / "store.db"
    for _ in range(tier(4, 100)):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                _writes(path, writing)
            finally:
                os._exit(1)
        os.close(writing)
        told = b"".join(os.read(reading, 26) for _ in range(40))
        os.kill(child, signal.SIGKILL)
        while more := os.read(reading, 4096):
            told += more
        os.close(reading)
        os.waitpid(child, 0)
        store = SqliteStore(path)
        rows = list(store.rows(limit=10**7))
        assert store.verify() == (len(rows), None)
        there = {row.body["decision"]["id"] for row in rows}
        heard = {told[at : at + 26].decode() for at in range(0, len(told) // 26 * 26, 26)}
        assert heard <= there
        store.close()


def test_a_forked_child_waits_for_no_thread_of_its_parents(store: SqliteStore) -> None:
    """Threads that waited at the fork are not in the child: it syncs its own rows at once."""
    store._waiters.append(None)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = store.waiting()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.waiting() == 1
    forks._before()  # what a child does, where coverage sees it
    forks._in_child()
    assert store.waiting() == 0
    assert reserve(store, 0).granted


def test_a_transaction_that_sqlite_ended_itself_takes_no_later_row(
    store: SqliteStore, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the disk while somebody reads ends it: who waits is told, and the chain goes on without a gap."""
    monkeypatch.setattr(groups, "AGAIN_S", 600)
    store._waiters.append(None)
    waits = pool.submit(reserve, store, 0)
    until(lambda: store._group is not None)
    with store._lock:
        assert store._db is not None
        store._db.execute("ROLLBACK")
    store._waiters.pop()
    assert reserve(store, 1).seq == 1
    with pytest.raises(StoreUnavailable, match="nor those that waited for it"):
        waits.result(60)
    assert (used(store), store.verify()) == (1, (1, None))

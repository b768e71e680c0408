"""Stores that something happens to, and how their refusals are read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from policykit.errors import StoreUnavailable
from policykit.orders.intent import Outcome
from policykit.store import GuardInfo, Observation
from policykit.store.chain import link, text_of
from policykit.store.sqlite import SqliteStore, connect
from tests.store.made import ACCOUNT, NOW, hold_sum, reserve, wanted

DAMAGED = "the file is damaged; keep a copy, then run `policykit journal verify`"
RESTART = "the file was removed, emptied or replaced while in use; restart"
READ_ONLY = "cannot be written; check owner and mode of the file and its folder, and how its disk is mounted"


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    """Return code and message of a refusal that shows nothing of SQLite's own error."""
    with pytest.raises(StoreUnavailable) as caught:
        call()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value.code, str(caught.value)


def filled(path: Path, rows: int = 10, **settings: Any) -> SqliteStore:
    """Return a store with some orders in it."""
    store = SqliteStore(path, **settings)
    for _ in range(rows):
        assert reserve(store, hold_sum(1, 10**6))[1].granted
    return store


def long(path: Path, rows: int) -> None:
    """Make a journal of many rows, copies of one order's, each chained to the one before: far faster than a store."""
    store = filled(path, 1)
    row = next(iter(store.rows()))
    text, before = text_of(row.body), row.hash
    made = []
    for seq in range(2, rows + 1):
        before = link(before, seq, row.at_ms, row.kind, text)
        made.append((seq, row.at_ms, row.kind, text, before))
    store.close()
    with sqlite3.connect(path) as db:
        db.executemany("INSERT INTO journal VALUES (?,?,?,?,?)", made)
    db.close()


def written(path: Path, kind: str, text: str) -> None:
    """Write a row whose hash holds, whatever it says."""
    with closing(sqlite3.connect(path)) as db, db:
        seq, before = db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
        row = (seq + 1, NOW, kind, text, link(before, seq + 1, NOW, kind, text))
        db.execute("INSERT INTO journal VALUES (?,?,?,?,?)", row)


def by_hand(path: Path, *statements: str) -> None:
    """Change the file as somebody with a SQLite shell does."""
    db = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        db.execute(statement)
    db.close()


def every_call(store: SqliteStore) -> dict[str, Callable[[], Any]]:
    """Return a call of every method that touches the file."""
    decision = wanted()[0]
    return {
        "facts": lambda: store.facts(ACCOUNT, "bot"),
        "reserve": lambda: reserve(store),
        "record": lambda: store.record(decision, NOW),
        "use": lambda: store.use((), NOW),
        "at_least": lambda: store.at_least(hold_sum(10**9, 0), NOW),
        "renew": lambda: store.renew("x", 0, 1, NOW),
        "outcome": lambda: store.outcome("x", Outcome("settled", NOW)),
        "intent": lambda: store.intent("x"),
        "intents": store.intents,
        "observe": lambda: store.observe(ACCOUNT, Observation(NOW, NOW), NOW),
        "halt": lambda: store.halt("all", "HALTED", "desk", "test", NOW),
        "resume": lambda: store.resume("all", "desk", "test", NOW),
        "halts": store.halts,
        "ban": lambda: store.ban(ACCOUNT, "ip", NOW, NOW),
        "event": lambda: store.event("note", {}, NOW),
        "beat": lambda: store.beat(GuardInfo("b", "h", 1, ACCOUNT, "mm", "v", "f", "enforce", NOW)),
        "guards": store.guards,
        "lease": lambda: store.lease("poller", "me", 1, NOW),
        "rows": lambda: list(store.rows()),
        "checkpoint": store.checkpoint,
    }


class Failing:
    """A connection on which one statement goes wrong, before or after it was done."""

    def __init__(self, path: str, busy_ms: int) -> None:
        self.db = connect(path, busy_ms)
        self.plan: dict[str, tuple[str, BaseException]] = {}

    @property
    def in_transaction(self) -> bool:
        return self.db.in_transaction

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
        planned = next((start for start in self.plan if statement.startswith(start)), "")
        when, error = self.plan.pop(planned, ("", None))
        if when == "instead":
            raise error  # type: ignore[misc]
        answer = self.db.execute(statement, values)
        if when == "after":
            raise error  # type: ignore[misc]
        return answer

    def close(self) -> None:
        self.db.close()


def broken(code: int, text: str = "a password=hunter2 of SQLite's") -> sqlite3.Error:
    """Return an error as SQLite raises it."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


IO = sqlite3.SQLITE_IOERR_FSYNC
DISK = "the disk reports an error; check it, and make room if a quota is spent"


class Limited:
    """Connect with so many pages at most: a disk that fills up."""

    def __init__(self) -> None:
        self.db: sqlite3.Connection | None = None

    def __call__(self, path: str, busy_ms: int) -> sqlite3.Connection:
        self.db = connect(path, busy_ms)
        self.limit(20)
        return self.db

    def limit(self, pages: int) -> None:
        assert self.db is not None
        self.db.execute(f"PRAGMA max_page_count={pages}")


def in_child(act: Callable[[], None]) -> int:
    """Run something in a forked process of its own; return its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

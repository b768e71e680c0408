"""What a store tells of its writes: how long they took, and who waits for another."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from policykit.store import journal
from policykit.store.sqlite import SqliteStore
from tests.store.made import NOW, reserve


def test_each_row_that_was_written_took_some_time(store: Any) -> None:
    """A reservation and an event on a disk: two times, told once; memory writes nothing."""
    reserve(store)
    store.event("drill", {"by": "ops"}, NOW)
    took = store.written()
    assert len(took) == (0 if store.backend == "memory" else 2)
    assert all(0 < each < 60 for each in took)
    assert store.written() == []


def test_the_newest_of_many_are_kept(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may ask for days."""
    monkeypatch.setattr(journal, "MAX_TOOK", 3)
    store = SqliteStore(tmp_path / "store.db")
    for _ in range(5):
        store.event("drill", {}, NOW)
    assert len(store.written()) == 3
    store.close()


def test_who_waits_for_the_lock_is_counted(store: Any) -> None:
    """A thread that would write while another does is one that waits, until it is its turn."""
    store._lock.acquire()
    thread = threading.Thread(target=lambda: store.event("drill", {}, NOW))
    thread.start()
    waited = threading.Event()
    while store.backend != "valkey" and not store.waiting():
        waited.wait(0.001)
    assert store.waiting() == (0 if store.backend == "valkey" else 1)
    store._lock.release()
    thread.join()
    assert store.waiting() == 0

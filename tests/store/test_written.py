"""What a store tells of its writes: how long they took, and who waits for another."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest

from policykit.store import Observation, journal
from policykit.store.sqlite import SqliteStore
from tests.store.made import NOW, reserve
from tests.telemetry.nouns import decision, intent


def test_each_row_that_was_written_took_some_time(store: Any) -> None:
    """A reservation and an event on a disk: two times, told once; memory writes nothing."""
    reserve(store)
    store.event("note", {"by": "ops"}, NOW)
    took = store.written()
    assert len(took) == (0 if store.backend == "memory" else 2)
    assert all(0 < each < 60 for each in took)
    assert store.written() == []


def test_the_newest_of_many_are_kept(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may ask for days."""
    monkeypatch.setattr(journal, "MAX_TOOK", 3)
    store = SqliteStore(tmp_path / "store.db")
    for _ in range(5):
        store.event("note", {}, NOW)
    assert len(store.written()) == 3
    store.close()


def test_who_waits_for_the_lock_is_counted(store: Any) -> None:
    """A thread that would write while another does is one that waits, until it is its turn."""
    store._lock.acquire()
    thread = threading.Thread(target=lambda: store.event("note", {}, NOW))
    thread.start()
    waited = threading.Event()
    while store.backend != "valkey" and not store.waiting():
        waited.wait(0.001)
    assert store.waiting() == (0 if store.backend == "valkey" else 1)
    store._lock.release()
    thread.join()
    assert store.waiting() == 0


def test_a_row_says_when_newer_facts_stood_than_it_was_decided_on(store: Any) -> None:
    """Of a reservation and of a denial: the row of their facts, if there are newer; valkey keeps none."""
    for number in range(2):
        store.observe("binance/main", Observation(NOW + number, NOW + number, equity=Decimal(number)), NOW)
    seqs = [row.seq for row in store.rows() if row.kind == "observe"]
    for number, facts_seq in enumerate((*seqs, -1)):
        made = decision(f"01JD3V7K2M{number:016}")
        made.facts_seq = facts_seq
        store.reserve(made, intent(made.id), (), 0, NOW)
        denied = decision(f"01JD3V7K2N{number:016}")
        denied.facts_seq = facts_seq
        store.record(denied, NOW)
    said = [row.body.get("facts_seq") for row in store.rows() if row.kind == "decision"]
    assert said == [*[None if store.backend == "valkey" else seqs[0]] * 2, None, None, None, None]

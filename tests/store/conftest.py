"""The stores that every test of the interface runs over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from policykit.store.backed import LedgerStore
from policykit.store.memory import MemoryStore
from policykit.store.sqlite import SqliteStore

BACKENDS = ("memory", "sqlite")


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LedgerStore]:
    """Return an empty store."""
    opened: LedgerStore = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "store.db")
    yield opened
    opened.close()


@pytest.fixture
def reopened(tmp_path: Path) -> Callable[[LedgerStore], LedgerStore]:
    """Return what opens a store's file a second time; memory has none, and stays what it is."""

    def again(store: LedgerStore) -> LedgerStore:
        return store if store.backend == "memory" else SqliteStore(tmp_path / "store.db")

    return again

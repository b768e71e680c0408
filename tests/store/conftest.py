"""The stores that every test of the interface runs over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from policykit.store.memory import MemoryStore
from policykit.store.sqlite import SqliteStore
from policykit.store.valkey import ValkeyStore
from tests.store.servers import ValkeyServer

BACKENDS = ("memory", "sqlite", "valkey")
_names = count()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """Run one Valkey server for all tests of a process; each takes a name of its own in it."""
    running = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    yield running
    running.kill()


@pytest.fixture
def uri(server: ValkeyServer) -> str:
    """Return the address of an empty store."""
    return server.uri(f"test-{next(_names)}")


@pytest.fixture
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Any]:
    """Return what opens the test's store of a back-end, always the same one but for memory."""

    def opened(backend: str) -> Any:
        if backend == "memory":
            return MemoryStore()
        if backend == "sqlite":
            return SqliteStore(tmp_path / "store.db")
        address = request.getfixturevalue("uri")
        return ValkeyStore(address, tmp_path / "journal.db", server_time=False)

    return opened


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, opening: Callable[[str], Any]) -> Iterator[Any]:
    """Return an empty store."""
    opened = opening(request.param)
    yield opened
    opened.close()


@pytest.fixture
def reopened(opening: Callable[[str], Any]) -> Iterator[Callable[[Any], Any]]:
    """Return what opens a store a second time; memory has none, and stays what it is."""
    more = []

    def again(store: Any) -> Any:
        if store.backend == "memory":
            return store
        more.append(opening(store.backend))
        return more[-1]

    yield again
    for other in more:
        other.close()

"""What `policykit doctor` says of a store on a server: whether it lasts, and whether it is the one that it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from policykit.operate.doctor.host import lines
from policykit.secrets import Fact
from policykit.store.valkey import ValkeyStore
from tests.store.made import hold_sum, reserve
from tests.store.servers import ValkeyServer

AT_REST = "on storage that lasts"
ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[ValkeyServer, Any]]]:
    """Return what starts a server and opens a store on it; the test's folder passes for a disk that lasts."""
    monkeypatch.setattr("policykit.store.valkey_link.ephemeral", lambda path: None)
    started: list[tuple[ValkeyServer, ValkeyStore]] = []

    def start(*settings: str) -> tuple[ValkeyServer, ValkeyStore]:
        server = ValkeyServer(tmp_path / "server", *settings)
        started.append((server, ValkeyStore(server.uri(), tmp_path / "journal.db", facts_ms=0)))
        return started[-1]

    yield start
    for server, store in started:
        store.close()
        server.kill()


def said(store: Any) -> list[Fact]:
    """Return the lines of the store."""
    return [fact for fact in lines((), store) if fact.name == "store"]


def test_a_server_that_keeps_everything_is_a_yes(opened: Callable[..., Any]) -> None:
    """It appends to a file and syncs it each time."""
    _, store = opened(*ALWAYS)
    assert said(store) == [Fact("store", "yes", f"valkey, {store.address}, {AT_REST}")]


@pytest.mark.parametrize(
    ("settings", "state", "words"),
    [
        ((), "no", "persists nothing; set appendonly yes"),
        (("--appendonly", "yes"), "unknown", "syncs everysec, so a power cut takes moments back (STORE_RESET then); "),
        (("--save", "60 1"), "unknown", "persists by snapshots, so a crash takes minutes back (STORE_RESET then); "),
    ],
)
def test_a_server_that_forgets_is_no_yes(
    opened: Callable[..., Any], settings: tuple[str, ...], state: str, words: str
) -> None:
    """Nothing kept is a no; a little lost in a crash is for its owner to judge."""
    _, store = opened(*settings)
    (fact,) = said(store)
    assert (fact.state, fact.words.startswith(f"{store.address}: {words}")) == (state, True)


def test_a_server_that_lost_its_data_is_a_no(opened: Callable[..., Any]) -> None:
    """Found by the host's own journal, with what to do; a server that is gone is a no as well."""
    server, store = opened(*ALWAYS)
    assert reserve(store, hold_sum(1, 5))[1].granted
    server.client().flushall()
    (fact,) = said(store)
    assert fact.state == "no"
    assert fact.words.endswith("reconcile, then `policykit resume --scope all`")
    server.kill()
    what = f"{store.address}: cannot be reached; start it, or see POLICYKIT_STORE"
    assert said(store) == [Fact("store", "no", what, "increases are refused until it answers")]

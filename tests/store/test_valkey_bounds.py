"""What a server keeps does not grow with the orders and the hours: windows, intents that are over, guards."""

from __future__ import annotations

from pathlib import Path

import pytest

from policykit.decision import Hold
from policykit.orders.intent import Outcome
from policykit.store import valkey_state
from policykit.store.ledger import STEP_MS
from policykit.store.valkey import ValkeyStore
from tests.store.made import ACCOUNT, NOW, hold_sum, hold_window, reserve
from tests.store.servers import ValkeyServer

MINUTE = 60_000


def of_symbol(number: int, *, fixed: bool = False) -> Hold:
    """Use a window of its own."""
    return hold_window(1, 9, MINUTE, fixed=fixed)._replace(counter=f"{ACCOUNT}|orders|S{number}|{fixed}")


def size(server: ValkeyServer, store: ValkeyStore) -> tuple[int, int]:
    """Return how many fields the store's counters have, and how many keys there are of it."""
    client, tag = server.client(), store.address.tag
    with client:
        return client.hlen(f"{tag}:meta"), len(client.keys(f"{tag}:*"))


def test_windows_that_are_long_empty_are_forgotten(server: ValkeyServer, uri: str, tmp_path: Path) -> None:
    """A thousand symbols, each traded once: as windows are made, those of hours ago go, and no others."""
    store = ValkeyStore(uri, tmp_path / "journal.db", server_time=False)
    for hour in range(4):
        now = NOW + hour * (STEP_MS + MINUTE)
        for number in range(25):
            for fixed in (False, True):
                assert store.use((of_symbol(100 * hour + number, fixed=fixed),), now).used == (0,)
        if hour == 0:
            first = size(server, store)
    assert size(server, store) == first
    # A clock that steps back by as much as is waited for finds what was used then.
    assert store.use((of_symbol(300),), now - STEP_MS).used == (1,)
    store.close()


def test_a_window_in_use_is_never_forgotten(uri: str, tmp_path: Path) -> None:
    """The oldest window is still in use while others come and go: its use is counted to its last moment."""
    store = ValkeyStore(uri, tmp_path / "journal.db", server_time=False)
    old = hold_window(1, 9, 10 * STEP_MS)
    assert store.use((old,), NOW).granted
    for number in range(10):
        assert store.use((of_symbol(number),), NOW + STEP_MS + number * MINUTE).granted
    assert store.use((old,), NOW + 2 * STEP_MS).used == (1,)
    store.close()


def test_intents_that_are_over_are_kept_up_to_a_number(
    server: ValkeyServer, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest go with their client order ids; the newest can still be asked for."""
    monkeypatch.setattr(valkey_state, "KEPT", 10)
    store = ValkeyStore(uri, tmp_path / "journal.db", server_time=False)
    intents = []
    sizes = set()
    for turn in range(30):
        intents.append(reserve(store, hold_sum(1, 5))[0])
        store.outcome(intents[-1].id, Outcome("rejected", NOW, closed=True))
        if turn >= 10:
            sizes.add(size(server, store))
    assert len(sizes) == 1
    assert {i.id for i in store.intents(open_only=False)} == {i.id for i in intents[-10:]}
    assert store.intent(intents[0].id) is None
    store.close()

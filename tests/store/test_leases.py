"""Leases of shared rate budgets: all that several guards hold and spend stays within the limit, window by window."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any, NamedTuple

from policykit.decision import Hold
from policykit.store import Grant
from policykit.store.leases import EARLY_MS, Leases
from policykit.store.valkey import ValkeyStore
from tests.store.made import NOW, hold_sum, hold_window
from tests.store.servers import ValkeyServer

FORK = multiprocessing.get_context("fork")
SPAN = 60_000
START = NOW - NOW % SPAN


class Moved:
    """A monotonic clock that is moved by hand, s."""

    now = 5.0

    def __call__(self) -> float:
        return self.now


def spend(amount: int = 1, limit: int = 100, *, fixed: bool = True) -> Hold:
    """Spend some of a budget a minute."""
    return hold_window(amount, limit, SPAN, fixed=fixed)


class Leased(NamedTuple):
    """A store, and slices of it that a test sizes."""

    store: ValkeyStore
    leases: Leases

    def use(self, holds: tuple[Hold, ...], now_ms: int) -> Grant:
        return self.leases.use(self.store.used_at, holds, now_ms)


def leased(uri: str, folder: Path, clock: Moved, first: int = 100) -> tuple[ValkeyStore, Leased]:
    """Return a store and leases of a tenth of the limit."""
    store = ValkeyStore(uri, folder / "journal.db", server_time=False)
    return store, Leased(store, Leases(10, clock, first=first))


def test_a_slice_is_taken_once_and_spent_here(uri: str, tmp_path: Path) -> None:
    """Ten uses of one cost one round trip and one row; the eleventh takes the next slice."""
    store, leases = leased(uri, tmp_path, Moved())
    for turn in range(11):
        assert leases.use((spend(),), START).granted
        assert len(list(store.rows())) == 1 + turn // 10
    assert store.used_at((spend(0),), START)[0].used == (20,)
    store.close()


def test_a_slice_ends_with_its_window(uri: str, tmp_path: Path) -> None:
    """What was not spent is lost a little before the window ends, counted from before the slice was asked for."""
    clock = Moved()
    store, leases = leased(uri, tmp_path, clock)
    assert leases.use((spend(),), START + SPAN - 100).granted
    clock.now += (100 - EARLY_MS - 1) / 1000
    assert leases.use((spend(),), START + SPAN - 3).granted
    assert len(list(store.rows())) == 1
    clock.now += 0.001
    assert leases.use((spend(),), START + SPAN - 2).granted
    assert len(list(store.rows())) == 2
    store.close()


def test_the_last_of_a_budget_is_used_without_a_slice(uri: str, tmp_path: Path) -> None:
    """Where no slice is left, single uses are; then it is denied with what is used."""
    store, leases = leased(uri, tmp_path, Moved())
    assert store.use((spend(95),), START).granted
    assert [leases.use((spend(),), START).granted for _ in range(6)] == [True] * 5 + [False]
    assert leases.use((spend(),), START) == Grant(False, False, (100,), (0,), 6)
    store.close()


def test_several_budgets_are_paid_together_or_not_at_all(uri: str, tmp_path: Path) -> None:
    """One budget that denies keeps the slices of the others as they were."""
    store, leases = leased(uri, tmp_path, Moved())
    other = hold_window(1, 1, 1_000, fixed=True)
    assert leases.use((spend(), other), START).granted
    assert not leases.use((spend(), other), START).granted
    assert store.used_at((spend(0),), START)[0].used == (10,)
    assert leases.use((spend(9),), START).granted
    assert len(list(store.rows())) == 2
    store.close()


def test_one_slice_pays_two_holds_only_with_what_it_has(uri: str, tmp_path: Path) -> None:
    """Two holds on one budget are paid one after the other: nine left are no ten."""
    store, leases = leased(uri, tmp_path, Moved())
    assert leases.use((spend(1),), START).granted
    assert leases.use((spend(5), spend(5)), START).granted
    assert store.used_at((spend(0),), START)[0].used == (30,)
    store.close()


def test_a_rolling_window_is_never_leased(uri: str, tmp_path: Path) -> None:
    """Each use of it is counted at its own moment."""
    store, leases = leased(uri, tmp_path, Moved())
    for turn in range(3):
        assert leases.use((spend(fixed=False),), START).used == (turn,)
    store.close()


def test_a_cap_is_never_leased(uri: str, tmp_path: Path) -> None:
    """Only rate budgets are: what is asked for with a cap is counted at once, as it is."""
    store, leases = leased(uri, tmp_path, Moved())
    for turn in range(3):
        assert leases.use((spend(), hold_sum(1, 5)), START).used[0] == turn
    store.close()


def test_slices_start_with_one_use_in_each_window_and_double(uri: str, tmp_path: Path) -> None:
    """1, 2, 4, 8, then a tenth of the limit: 25 uses cost five round trips; a new window starts anew."""
    clock = Moved()
    store, leases = leased(uri, tmp_path, clock, first=1)
    for _ in range(25):
        assert leases.use((spend(),), START).granted
    taken = [row.body["holds"][0][1] for row in store.rows()]
    assert taken == [1, 2, 4, 8, 10]
    clock.now += SPAN / 1000
    assert leases.use((spend(),), START + SPAN).granted
    assert store.used_at((spend(0),), START + SPAN)[0].used == (1,)
    store.close()


def test_a_store_leases_by_itself(uri: str, tmp_path: Path) -> None:
    """What guards ask a store for goes through slices, of a fiftieth of the limit at most."""
    store = ValkeyStore(uri, tmp_path / "journal.db", server_time=False)
    for _ in range(100):
        assert store.use((spend(limit=1_000),), START).granted
    assert [row.body["holds"][0][1] for row in store.rows()] == [1, 2, 4, 8, 16, 20, 20, 20, 20]
    store.close()


def test_a_fork_leaves_its_slices(uri: str, tmp_path: Path) -> None:
    """A process and its child would spend the same slice twice: both take new ones."""
    store = ValkeyStore(uri, tmp_path / "journal.db", server_time=False)
    for _ in range(2):
        assert store.use((spend(limit=1_000),), START).granted
    child = FORK.Process(target=lambda: None)
    child.start()
    child.join()
    assert store.use((spend(limit=1_000),), START).granted
    assert [row.body["holds"][0][1] for row in store.rows()] == [1, 2, 1]
    store.close()


def worker(uri: str, path: Path, spent: Any, me: int) -> None:
    """Spend until denied."""
    leases = Leased(ValkeyStore(uri, path, server_time=False), Leases(50, first=100))
    while leases.use((spend(limit=3_000),), START).granted:
        spent[me] += 1
    os._exit(0)


def test_I8_several_processes_never_spend_more_than_the_limit(server: ValkeyServer, uri: str, tmp_path: Path) -> None:
    """Four processes lease from one budget until it is spent: together no more than the limit, and most of it."""
    spent = FORK.Array("q", 4, lock=False)
    workers = [FORK.Process(target=worker, args=(uri, tmp_path / f"{me}.db", spent, me)) for me in range(4)]
    for process in workers:
        process.start()
    for process in workers:
        process.join()
    assert [process.exitcode for process in workers] == [0] * 4
    assert 3_000 - 4 * 60 <= sum(spent) <= 3_000

"""Several processes and threads on one file: no cap is overrun, whoever dies; and a naive store that is caught."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policykit.orders.intent import Outcome
from policykit.store.ledger import Ledger
from policykit.store.sqlite import SqliteStore
from tests.store.made import ACCOUNT, NOW, dump, hold_sum, hold_window, replayed, reserve

FORK = multiprocessing.get_context("fork")
#: Each order holds so much of a cap that three of five tries reach.
AMOUNT = 10
#: A worker is killed after at most this many more tries, at whatever it is doing then.
KILL_AFTER = 60
KILLS = 8


class NaiveStore(SqliteStore):
    """Reads what is used, decides, and takes the write lock only to write: what one writes at first."""

    def _begin(self) -> Ledger:
        self._wrote = False
        return self._current()

    def _write(self, kind: str, at_ms: int, body: Any, *args: Any) -> int:
        db = self._ready()
        self._patient(db, "BEGIN IMMEDIATE")
        self._catch_up(db)
        return super()._write(kind, at_ms, body, *args)


def work(kind: type[SqliteStore], path: Path, tries: int, cap: int, acknowledged: Any, me: int) -> None:
    """Try to reserve; count what was granted only once the store said so."""
    store = kind(path)
    for _ in range(acknowledged[2 * me], tries):
        _, grant = reserve(store, hold_sum(AMOUNT, cap), hold_window(1, 10**9, 60_000))
        acknowledged[2 * me + 1] += grant.granted
        acknowledged[2 * me] += 1
    os._exit(0)


def contend(kind: type[SqliteStore], path: Path, workers: int, tries: int, *, kills: int = 0) -> tuple[int, int, int]:
    """Return (cap, what the journal shows as held, what workers were told they hold)."""
    cap = workers * tries * AMOUNT * 3 // 5
    told = FORK.Array("q", 2 * workers, lock=False)
    kind(path).close()

    def start(me: int) -> Any:
        process = FORK.Process(target=work, args=(kind, path, tries, cap, told, me))
        process.start()
        return process

    running = {me: start(me) for me in range(workers)}
    chance = random.Random(8)
    while running:
        killing = kills > 0
        if killing:  # a bounded number
            kills -= 1
            victim = chance.choice(sorted(running))
            until = told[2 * victim] + chance.randrange(1, KILL_AFTER)
            while told[2 * victim] < until and running[victim].is_alive():
                time.sleep(0.002)
            running[victim].kill()
        for me, process in list(running.items()):
            process.join(0 if killing else None)
            if process.exitcode == 0:
                del running[me]
            elif process.exitcode is not None:
                assert process.exitcode == -signal.SIGKILL, "a worker failed by itself"
                running[me] = start(me)
    store = kind(path)
    held = dump(store)["sums"][f"{ACCOUNT}|open_orders"]
    assert held == AMOUNT * sum(row.kind == "decision" for row in store.rows(limit=10**7))
    assert store.verify()[1] is None
    assert dump(store) == replayed(store.rows(limit=10**7)).dump()
    store.close()
    return cap, held, AMOUNT * sum(told[1::2])


def test_I8_no_cap_is_overrun_by_several_processes(tmp_path: Path, tier: Callable[[int, int], int]) -> None:
    """Four processes reserve from one cap at once: it is spent to the last order and not beyond."""
    tries = tier(500, 5_000)
    cap, held, told = contend(SqliteStore, tmp_path / "store.db", 4 if tries == 500 else 8, tries)
    assert held == told == cap


def test_I8_no_cap_is_overrun_when_processes_are_killed(tmp_path: Path, tier: Callable[[int, int], int]) -> None:
    """Killed at any moment, a process leaves a cap that holds, and nothing that was granted is missing."""
    tries = tier(1_000, 5_000)
    cap, held, told = contend(
        SqliteStore,
        tmp_path / "store.db",
        4 if tries == 1_000 else 8,
        tries,
        kills=KILLS if tries == 1_000 else 50 * KILLS,
    )
    assert told <= held <= cap


def test_I8_a_naive_store_is_caught(tmp_path: Path) -> None:
    """Control: read, decide, then write overruns the same cap in the same test."""
    for number in range(5):
        cap, held, _ = contend(NaiveStore, tmp_path / f"{number}.db", 4, 100)
        if held > cap:
            return
    raise AssertionError("five runs of a naive store kept the cap: this test cannot fail")


def test_I8_no_cap_is_overrun_by_threads(tmp_path: Path) -> None:
    """Sixteen threads on one store: the cap holds, and each thread's outcomes come back to it."""
    store, cap, granted, errors = SqliteStore(tmp_path / "store.db"), 100, [0] * 16, []

    def work(me: int) -> None:
        try:
            for turn in range(20):
                intent, grant = reserve(store, hold_sum(1, cap))
                granted[me] += grant.granted
                if grant.granted and turn % 4 == 0:
                    assert store.outcome(intent.id, Outcome("rejected", NOW, closed=True)).id == intent.id
                    granted[me] -= 1
                store.facts(ACCOUNT, "bot")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(me,)) for me in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert dump(store)["sums"][f"{ACCOUNT}|open_orders"] == sum(granted) == cap
    assert dump(store) == replayed(store.rows(limit=10**4)).dump()
    store.close()


def test_a_fork_in_the_middle(tmp_path: Path) -> None:
    """Parent and child go on with one store after a fork, while another thread of the parent is at work in it."""
    store = SqliteStore(tmp_path / "store.db")
    stop, errors = threading.Event(), []

    def busy() -> None:
        try:
            while not stop.is_set():
                reserve(store, hold_sum(0, 10**9))
        except BaseException as error:
            errors.append(error)

    reserve(store, hold_sum(1, 10**9))
    thread = threading.Thread(target=busy)
    thread.start()
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for _ in range(10):
                    assert reserve(store, hold_sum(1, 10**9))[1].granted
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    stop.set()
    thread.join()
    assert (codes, errors) == ([0, 0, 0, 0], [])
    assert reserve(store, hold_sum(1, 10**9))[1].used == (41,)
    assert store.verify()[1] is None
    store.close()


@pytest.mark.parametrize("go", range(20))  # one in twenty failed where SQLite does not wait by itself
def test_many_processes_open_a_new_file_at_once(tmp_path: Path, go: int) -> None:
    """Whoever comes first makes the tables; all end up on the same store."""
    path = tmp_path / "new" / "store.db"
    epochs = FORK.SimpleQueue()
    gate = FORK.Event()

    def open_it() -> None:
        gate.wait(10)
        epochs.put(SqliteStore(path).epoch)
        os._exit(0)

    processes = [FORK.Process(target=open_it) for _ in range(8)]
    for process in processes:
        process.start()
    gate.set()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    assert len({epochs.get() for _ in processes}) == 1

"""Power cuts and kill -9: what was acknowledged is in the journal, and an intent is on the disk before its grant."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from policykit.orders.intent import Outcome
from policykit.store import Observation
from policykit.store.sqlite import SqliteStore
from tests.store.disk import Disk, PowerCut
from tests.store.made import ACCOUNT, BTC, NOW, dump, hold_position, hold_sum, replayed, reserve


def acts(store: SqliteStore, random: Random) -> Iterator[None]:
    """Do what guards do, for ever; each step was acknowledged when it is yielded."""
    intents = []
    while True:
        intent, grant = reserve(
            store, hold_sum(1, 10**9), hold_position(BTC, 10**15), own=random.choice((None, None, str(random.random())))
        )
        assert grant.granted
        intents.append(intent)
        yield
        store.outcome(random.choice(intents).id, Outcome("acknowledged", NOW, filled=Decimal(random.randrange(9)) / 8))
        yield
        if random.random() < 0.2:
            store.observe(ACCOUNT, Observation(NOW, NOW, positions={"BTC": Decimal(random.randrange(9))}), NOW)
            yield
        if random.random() < 0.05:
            store.checkpoint()


@dataclass
class Cut:
    """One power cut: how many rows were acknowledged, how many were found, whether the file could be read."""

    acknowledged: int = 0
    found: int = 0
    #: Intents that were granted and are not in the file.
    forgotten: int = 0
    whole: bool = False

    @property
    def lost(self) -> bool:
        return not self.whole or self.found < self.acknowledged


def cut(folder: Path, seed: int, synchronous: str) -> Cut:
    """Work on a disk until its power is cut, and look at what is there afterwards."""
    random, disk, result, hashes = Random(seed), Disk(synchronous), Cut(), []
    before, after = folder / f"{seed}", folder / f"{seed}-after"
    before.mkdir()
    after.mkdir()
    store, granted = SqliteStore(before / "store.db", make=disk.connect), 0
    store._ready().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for file in disk.files.values():
        file.sync()
    disk.writes_left = random.randrange(2, 150)
    try:
        for _ in acts(store, random):
            hashes.append(store._hash)
            result.acknowledged = store._ledger.seq
            granted = len(store._ledger.open) + len(store._ledger.closed)
    except PowerCut:
        pass
    disk.restore(random, after)
    disk.writes_left = 10**9
    store._disconnect()
    try:
        found = SqliteStore(after / "store.db")
        rows = list(found.rows(limit=10**6))
        result.found = found.verify()[0]
        known = [row.hash for row in rows][: result.acknowledged] == hashes[: result.acknowledged]
        result.whole = known and dump(found) == replayed(iter(rows)).dump()
        result.forgotten = max(0, granted - len(found.intents(open_only=False)))
        found.close()
    except Exception:
        result.whole = False
    return result


def test_I4_no_acknowledged_row_is_lost_in_a_power_cut(folder: Path, tier: Callable[[int, int], int]) -> None:
    """At FULL every acknowledged row is there after every cut, unchanged, and the ledger is what the rows tell."""
    cuts = [cut(folder, seed, "FULL") for seed in range(tier(100, 5_000))]
    assert [c for c in cuts if c.lost] == []
    assert sum(c.acknowledged for c in cuts) > 15 * len(cuts)


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_I4_a_lesser_setting_is_caught(folder: Path, synchronous: str) -> None:
    """Control: the same cuts lose acknowledged rows at NORMAL, and at OFF."""
    assert sum(cut(folder, seed, synchronous).lost for seed in range(30)) > 10


def test_I3_what_a_power_cut_leaves_holds_every_grant(folder: Path, tier: Callable[[int, int], int]) -> None:
    """An order may have been sent the moment its grant came back: each such intent is found after the cut."""
    cuts = [cut(folder, seed, "FULL") for seed in range(-tier(100, 5_000), 0)]
    assert [c for c in cuts if c.forgotten or c.lost] == []
    assert sum(cut(folder, seed, "NORMAL").forgotten for seed in range(30, 60)) > 10


def synced(folder: Path, synchronous: str) -> list[tuple[int, int]]:
    """Return, for each grant, how often the disk was synced for it and how many writes a cut could still lose."""
    disk, seen = Disk(synchronous), []
    store = SqliteStore(folder / f"{synchronous}.db", make=disk.connect)
    for _ in range(50):
        before = disk.syncs
        assert reserve(store, hold_sum(1, 10**9))[1].granted
        seen.append((disk.syncs - before, disk.unsynced))
    store.close()
    return seen


def test_I3_an_intent_is_synced_before_its_grant(folder: Path) -> None:
    """Each grant comes after a sync of its own, and leaves nothing that a cut could take back."""
    seen = synced(folder, "FULL")
    assert min(syncs for syncs, _ in seen) >= 1
    assert {lost for _, lost in seen} == {0}


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_I3_a_lesser_setting_is_caught(folder: Path, synchronous: str) -> None:
    """Control: at NORMAL and OFF grants come without a sync, and the count shows it."""
    seen = synced(folder, synchronous)
    assert min(syncs for syncs, _ in seen) == 0
    assert max(lost for _, lost in seen) > 0


def test_I3_the_setting_is_full_on_every_connection(tmp_path: Path) -> None:
    """Also on the one that is made anew after a fork."""
    store = SqliteStore(tmp_path / "store.db")
    for _ in range(2):
        db = store._ready()
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        store._disconnect()
    store.close()


def worker(path: Path, pipe: int, seed: int) -> None:
    """Write, and tell the number of each acknowledged row; never returns."""
    store = SqliteStore(path)
    for _ in acts(store, Random(seed)):
        os.write(pipe, store._ledger.seq.to_bytes(8, "big"))


def kill_one(path: Path, seed: int) -> int:
    """Kill a writer after some rows of its own; return the last row that it was sure of."""
    random = Random(seed)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            worker(path, writing, seed)
        finally:
            os._exit(1)
    os.close(writing)
    told: Any = b""
    for _ in range(random.randrange(1, 25)):
        told += os.read(reading, 8)
    os.kill(child, signal.SIGKILL)
    while more := os.read(reading, 4096):
        told += more
    os.close(reading)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    return int.from_bytes(told[len(told) // 8 * 8 - 8 : len(told) // 8 * 8], "big")


def test_I4_no_acknowledged_row_is_lost_to_kill_9(tmp_path: Path, tier: Callable[[int, int], int]) -> None:
    """Writers are killed one after the other on one file: each finds all that the ones before were told."""
    path, told = tmp_path / "store.db", 0
    for seed in range(tier(20, 500)):
        told = kill_one(path, seed)
        store = SqliteStore(path)
        rows = list(store.rows(limit=10**7))
        assert store.verify() == (len(rows), None)
        assert len(rows) >= told > 0
        assert dump(store) == replayed(iter(rows)).dump()
        store.close()

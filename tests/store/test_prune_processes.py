"""Pruning among processes: bots write on, and a process that is killed has pruned nothing or everything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policykit.store import prune as module
from policykit.store.reader import JournalReader
from policykit.store.sqlite import SqliteStore
from policykit.store.verify import verify_file
from tests.store.harm import filled
from tests.store.made import ACCOUNT, dump
from tests.store.test_prune import LATER, lived, pruned

WRITER = """
import sys
from policykit.store.sqlite import SqliteStore
from tests.store.made import hold_sum, reserve
store = SqliteStore(sys.argv[1])
print("up", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    assert reserve(store, hold_sum(1, 10**6))[1].granted
print(store._ledger.sums["binance/main|open_orders"], flush=True)
"""
PRUNER = """
import sys
from pathlib import Path
from policykit.store import prune
prune.SWEEP = 3
prune.prune(sys.argv[1], 2**60, by="ops", now_ms=2**60 - 1, folder=Path(sys.argv[2]))
print("up", flush=True)
while True:
    prune.prune(sys.argv[1], 2**60, by="ops", now_ms=2**60 - 1, folder=Path(sys.argv[2]))
"""


def started(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a process and wait until it works."""
    words = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def test_I8_bots_go_on_while_it_is_pruned(tmp_path: Path, tier: Callable[[int, int], int]) -> None:
    """Two processes reserve, a third prunes all the time: every grant counts, once, and the files join."""
    path, old, orders = tmp_path / "store.db", tmp_path / "old", tier(60, 2_000)
    filled(path, 1).close()
    writers = [started(WRITER, path, orders) for _ in range(2)]
    pruner = started(PRUNER, path, old)
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    said = [writer.communicate()[0] for writer in writers]
    pruner.kill()
    pruner.communicate()
    assert [writer.returncode for writer in writers] == [0, 0]
    store = SqliteStore(path)
    total = 2 * orders + 1
    assert max(map(int, said)) == total == store._ledger.sums[f"{ACCOUNT}|open_orders"] == len(store.intents(ACCOUNT))
    assert store.verify()[1] is None
    found = sorted((JournalReader(file) for file in old.glob("*.db")), key=lambda reader: reader.base().seq)
    assert len(found) > 2
    end = (0, "0" * 64)
    for reader in found:
        assert (reader.base().seq, reader.base().hash) == end
        assert verify_file(reader.path)[1] is None
        newest = reader.newest()
        assert newest is not None
        end = (newest.seq, newest.hash)
    # The last archive may have been written and not pruned when its process was ended.
    base = JournalReader(path).base()
    assert (base.seq, base.hash) in (end, (found[-1].base().seq, found[-1].base().hash))


def killed(path: Path, old: Path, at: int) -> bool:
    """Prune in a child that is killed before its call number `at` into SQLite or the file system; True if it was."""
    child = os.fork()
    if not child:
        left = at

        def step(frame: Any, event: str, called: Any) -> None:
            nonlocal left
            if event == "c_call" and called.__name__ in ("execute", "executemany", "fsync", "replace", "unlink"):
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(step)
        try:
            pruned(path, folder=old)
        finally:
            os._exit(0)
    return bool(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def test_I4_a_process_that_is_killed_prunes_all_or_nothing(
    tmp_path: Path, tier: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each step: the state is what it was, the chain holds, no half archive has a name; the next one goes on."""
    monkeypatch.setattr(module, "SWEEP", 4)
    lived(tmp_path / "store.db")[0].close()
    whole = (tmp_path / "store.db").read_bytes()
    before = dump(SqliteStore(tmp_path / "store.db"))
    at, kills, none, all_ = 1, 0, 0, 0
    while True:
        path, old = tmp_path / f"{at}.db", tmp_path / f"old{at}"
        path.write_bytes(whole)
        if not killed(path, old, at):
            break
        kills += 1
        begins = JournalReader(path).base().seq
        none, all_ = none + (begins == 0), all_ + (begins == 14)
        again = SqliteStore(path)
        assert {**dump(again), "seq": 0} == {**before, "seq": 0}, at
        assert again.verify() == (14 + (begins > 0), None), at
        assert [verify_file(str(file)) for file in old.glob("*.db")] in ([(14, None)], [] if begins == 0 else None), at
        again.close()
        pruned(path, LATER + 1, folder=old)
        assert verify_file(str(path))[1] is None, at
        at += tier(5, 1)
    assert (none + all_, none > 5, all_ > 0) == (kills, True, True)

"""A journal that was pruned, or is damaged, under a guard: what it says of decisions, and what still passes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from policykit.guard.replay import replay
from policykit.store.prune import prune
from policykit.store.reader import JournalReader
from policykit.store.sqlite import FORM
from tests.guard.broken import broken
from tests.guard.test_broken_hour import Loop


@pytest.mark.parametrize("exchange", ["binance", "bybit"])
def test_I14_decisions_after_a_pruning_are_decided_again_equally(
    folder: Path, exchange: str, tier: Callable[[int, int], int]
) -> None:
    """On the state that was kept, by the policies that were carried on; the guard goes on over it."""
    with broken(folder, exchange, "sync", cap="7500 USDT") as world:
        loop = Loop(world, f"{exchange} pruned")
        for _ in range(tier(10, 200)):
            loop.signal()
        path, now = str(world.guard.store.path), world.guard.now()
        done = prune(path, now, by="ops", now_ms=now, folder=folder / "old")
        assert done is not None
        for _ in range(tier(10, 200)):
            loop.signal()
        assert world.guard.store.verify()[1] is None
    with closing(JournalReader(path)) as reader:
        policies = [row for row in reader.carried() if row.kind == "policy"]
        rest = [row for row in reader.rows(0, 100_000) if row.seq > done.last]
        ledger = reader.base().ledger(FORM)
    again = replay(rest, ledger, policies)
    assert (again.different, again.differences, again.others["policy"]) == (0, [], 0)
    assert again.equal > 5


def test_I12_a_store_that_is_damaged_denies_increases_and_lets_exits_pass(folder: Path) -> None:
    """While its rows up to the damage are read: a cancel and a reduction are sent, an entry is not."""
    with broken(folder, "binance", "sync", cap="7500 USDT") as world:
        assert world.trade("buy", 0.001).error is None
        resting = world.client.create_order(world.symbol, "limit", "buy", 0.001, 40_000)
        world.guard.maintain()
        path = str(world.guard.store.path)
        with closing(sqlite3.connect(path)) as db, db:
            seq = db.execute("SELECT max(seq) FROM journal").fetchone()[0]
            db.execute("INSERT INTO journal SELECT seq + 1, at_ms, kind, body, hash FROM journal WHERE seq=?", (seq,))
        error = world.trade("buy", 0.001, 50_000).error
        assert "STORE_DAMAGED" in str(getattr(getattr(error, "decision", None), "reasons", error))
        assert world.trade("sell", 0.001).error is None
        world.client.cancel_order(resting["id"], world.symbol)
        assert world.client.fetch_open_orders(world.symbol) == []
        with closing(JournalReader(path)) as reader:
            assert len(list(reader.raw(0, seq))) == seq
        assert world.guard.store.verify()[1] is not None

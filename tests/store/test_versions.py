"""One file, several versions of the library: a real file of layout 1 is brought to this one, and nothing is lost."""

from __future__ import annotations

import gzip
import json
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.orders.intent import Outcome
from policykit.store.account import AccountState
from policykit.store.chain import link
from policykit.store.checkpoint import FORM, form
from policykit.store.layout import APPLICATION, LAYOUT
from policykit.store.ledger import Ledger
from policykit.store.positions import PositionState
from policykit.store.sqlite import SqliteStore
from tests.store.harm import DISK, IO, Failing, broken, by_hand, filled, refusal
from tests.store.made import ACCOUNT, BTC, NOW, dump, hold_position, hold_sum, replayed, reserve

#: Written by the library as it was at commit 211e2d0 (layout 1, no application id): six orders in every state, an id of
#: the caller's own, facts, a ban, a halt, a live guard, a checkpoint before the last four rows.
LAYOUT_1 = Path(__file__).with_name("data") / "layout1.db.gz"
EPOCH = "00e28e04a63cbe81"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a copy of the file of layout 1."""
    path = tmp_path / "old.db"
    path.write_bytes(gzip.decompress(LAYOUT_1.read_bytes()))
    return path


def asked(path: Path, statement: str) -> list[Any]:
    """Ask the file as it is."""
    db = sqlite3.connect(path)
    found = db.execute(statement).fetchall()
    db.close()
    return found


def laid(path: Path) -> tuple[Any, ...]:
    """Return what a file says of itself: application id, user_version, meta."""
    numbers = [asked(path, f"PRAGMA {name}")[0][0] for name in ("application_id", "user_version")]
    return (*numbers, dict(asked(path, "SELECT name, value FROM meta")))


def test_a_file_of_layout_1_goes_on_where_it_was(old: Path) -> None:
    """Intents, holds, windows, facts, bans, halts, guards and the caller's own ids are all there, and it takes more."""
    assert laid(old) == (0, 1, {"epoch": EPOCH})
    store = SqliteStore(old)
    assert laid(old) == (APPLICATION, 1, {"epoch": EPOCH, "layout": str(LAYOUT)})
    assert (store.epoch, store.verify()) == (EPOCH, (17, None))
    assert [(int(i.id, 16), i.state, i.filled) for i in store.intents(open_only=False)] == [
        (1, "settled", Decimal("0.1")),
        (2, "rejected", Decimal(0)),
        (3, "acknowledged", Decimal("0.04")),
        (4, "acknowledged", Decimal(0)),
        (5, "unknown", Decimal(0)),
        (6, "intended", Decimal(0)),
    ]
    state = dump(store)
    assert state == dump(replayed(store.rows()))
    assert state["sums"] == {f"{ACCOUNT}|open_orders": 4}
    assert {name: window[2][0] for name, window in state["windows"].items()} == {
        f"{ACCOUNT}|orders|60000": NOW + 6_000,
        "binance@fra-1|request-weight|60000|fixed": NOW,
    }
    position = state["accounts"][ACCOUNT]["positions"]["BTC"]
    assert position[:2] + position[5:7] == [BTC // 2, BTC // 2, 26 * BTC // 100, BTC // 10]
    facts = store.facts(ACCOUNT, "mm-2")
    assert [(halt.scope, halt.by) for halt in facts.halts] == [("bot:mm-2", "desk-head")]
    assert (facts.equity, facts.store_problem) == ((Decimal(100_000), NOW), None)
    assert store.guards()[0][:3] == ("mm-1", "host-1", 4711)
    again = reserve(store, hold_sum(1, 20), own="mine-1", generation=1)[1]
    assert (again.granted, again.duplicate) == (False, f"{3:032x}")
    assert reserve(store, hold_sum(1, 20), hold_position(1, 10**9), generation=1)[1].used == (4, 90_000_000)
    store.outcome(f"{5:032x}", Outcome("absent", NOW + 60_000, closed=True))
    assert dump(SqliteStore(old)) == dump(replayed(store.rows())) == dump(store)


@pytest.mark.parametrize("statement", ["CREATE TABLE IF NOT EXISTS seen", "PRAGMA application_id=", "COMMIT"])
def test_a_migration_that_fails_is_undone(old: Path, statement: str) -> None:
    """Whatever step breaks, the file is as it was and the next to open it goes through all of them."""
    before = laid(old)

    class Breaking(Failing):
        def __init__(self, path: str, busy_ms: int) -> None:
            super().__init__(path, busy_ms)
            self.plan[statement] = ("instead", broken(IO))

    assert refusal(lambda: SqliteStore(old, make=Breaking)) == ("STORE_DOWN", f"{old}: {DISK}")  # type: ignore[arg-type]
    assert laid(old) == before
    assert asked(old, "SELECT name FROM sqlite_master WHERE name='seen'") == []
    assert SqliteStore(old).verify() == (17, None)
    assert laid(old)[0] == APPLICATION


def test_two_processes_migrate_once(old: Path) -> None:
    """The second finds the first at work, waits, and has nothing left to do."""
    first = []

    class Second(Failing):
        def execute(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
            if statement == "BEGIN IMMEDIATE" and not first:
                first.append(SqliteStore(old))
            return super().execute(statement, values)

    second = SqliteStore(old, make=Second)  # type: ignore[arg-type]
    assert (len(first), second.epoch) == (1, EPOCH)
    assert dump(second) == dump(first[0])


def test_a_later_layout_that_only_adds_is_worked_on_and_not_taken_back(tmp_path: Path) -> None:
    """N-1 on a file of N: it reads, grants, leaves tables, rows and numbers that it does not know as they are."""
    path = tmp_path / "store.db"
    filled(path, 3).close()
    by_hand(
        path,
        "CREATE TABLE later (what TEXT)",
        "INSERT INTO later VALUES ('kept')",
        f"UPDATE meta SET value='{LAYOUT + 1}' WHERE name='layout'",
    )
    store = SqliteStore(path)
    store.event("later.kind", {"more": 1}, NOW)
    assert reserve(store, hold_sum(1, 9))[1].used == (3,)
    assert asked(path, "SELECT what FROM later") == [("kept",)]
    assert laid(path)[2]["layout"] == str(LAYOUT + 1)
    assert dump(SqliteStore(path)) == dump(store)


def test_a_checkpoint_of_a_version_that_counts_less_is_passed_over(tmp_path: Path) -> None:
    """N-1 keeps a checkpoint without what it never heard of: N counts from the journal, not from there."""
    path = tmp_path / "store.db"
    store = filled(path, 3)
    store.announce(ACCOUNT, "USDT", {"name": "mm", "groups": ["desk"], "trades": True}, NOW)
    whole = dump(store)
    for left in ("form", "groups"):
        state = {"form": FORM, **dump(store)}
        state["accounts"] = {ACCOUNT: {**state["accounts"][ACCOUNT], "groups": []}}
        if left == "form":
            del state["form"]
        else:
            state["form"] = FORM.replace(" groups", "")
        text = json.dumps(state, separators=(",", ":"))
        ((row_hash,),) = asked(path, "SELECT hash FROM journal WHERE seq=4")
        db = sqlite3.connect(path, isolation_level=None)
        sealed = (4, text, link(row_hash, 4, 0, "checkpoint", text))
        db.execute("INSERT OR REPLACE INTO checkpoint VALUES (1,?,?,?)", sealed)
        db.close()
        again = SqliteStore(path)
        assert (dump(again), again._checkpointed) == (whole, 0), left
    store.checkpoint()
    assert SqliteStore(path)._checkpointed == 4


@pytest.mark.parametrize("part", [Ledger, AccountState, PositionState])
def test_who_counts_more_has_another_form(part: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is added to the state, of the store, an account or a position: no earlier checkpoint is taken for it."""
    plain = part.dump

    def more(self: Any) -> Any:
        said = plain(self)
        return [*said, 0] if isinstance(said, list) else {**said, "later": 0}

    assert form() == FORM
    monkeypatch.setattr(part, "dump", more)
    assert form() != FORM

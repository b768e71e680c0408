"""The state that is kept beside the rows is held against what they make: a forged one is found and named."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from policykit.operate.evidence.reading import read
from policykit.store.chain import link
from policykit.store.checkpoint import Recount, sealed
from policykit.store.pruned import KEEP, Base
from policykit.store.reader import JournalReader
from policykit.store.sqlite import SqliteStore
from policykit.store.verify import verify_file
from tests.store.made import ACCOUNT, NOW, dump
from tests.store.test_prune import lived, pruned

STATE = "the state that is kept as of row {} is not what the rows up to it make: "


def forge(path: Path, change: Callable[[dict[str, Any]], object]) -> int:
    """Change the kept state and seal it, as whoever may write the file can; return the row that it is as of."""
    with closing(sqlite3.connect(path)) as db, db:
        seq, text, row_hash = db.execute(
            "SELECT c.seq, c.state, j.hash FROM checkpoint c JOIN journal j USING (seq)"
        ).fetchone()
        state = json.loads(text)
        change(state)
        text = json.dumps(state)
        db.execute("UPDATE checkpoint SET state = ?, hash = ?", (text, sealed(row_hash, seq, text)))
    return int(seq)


def kept(path: Path) -> None:
    """Make a store with one of everything, its state kept beside it, and rows behind that."""
    store, _ = lived(path)
    store.checkpoint()
    store.event("message", {"target": "desk", "ok": True}, NOW + 40)
    store.close()


FORGERIES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda s: s.update(halts=[]), f'halts is kept as [], the rows make [["account:{ACCOUNT}", "HALTED"'),
    (
        lambda s: s["sums"].update({f"{ACCOUNT}|open_orders": 0}),
        f"sums.{ACCOUNT}|open_orders is kept as 0, the rows make 2",
    ),
    (
        lambda s: s["accounts"][ACCOUNT].update(skew_ms=7),
        f"accounts.{ACCOUNT}.skew_ms is kept as 7, the rows make null",
    ),
    (lambda s: s["kept"].update({"exposed|x": {}}), "kept.exposed|x is kept as {}, the rows make null"),
    (lambda s: s.update(more=1), "more is kept as 1, the rows make null"),
    (lambda s: s.update(seq=s["seq"] - 1), "seq is kept as 13, the rows make 14"),
]


@pytest.mark.parametrize("pruning", [False, True])
@pytest.mark.parametrize(("change", "said"), FORGERIES)
def test_I8_what_is_kept_beside_the_rows_is_what_they_make(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str, pruning: bool
) -> None:
    """Whoever forges a halt away, a counter or an exposed key is found, also behind rows that were pruned."""
    path = tmp_path / "store.db"
    kept(path)
    if pruning:
        pruned(path)
        with closing(SqliteStore(path)) as store:
            store.checkpoint()
        said = said.replace("kept as 13, the rows make 14", "kept as 15, the rows make 16")
    good, problem = verify_file(str(path))
    assert problem is None
    seq = forge(path, change)
    found = str(verify_file(str(path))[1])
    assert found.startswith(STATE.format(seq))
    assert said in found
    with closing(JournalReader(path)) as journal:
        assert read([journal], 0, NOW * 2).spans[0].problem == found
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM checkpoint")
    assert verify_file(str(path)) == (good, None)


def test_three_differences_are_told_and_the_others_counted(tmp_path: Path) -> None:
    """The line stays one that can be read."""
    path = tmp_path / "store.db"
    kept(path)
    forge(path, lambda state: state.update(a=1, b=2, c=3, d=4, e="x" * 999))
    found = str(verify_file(str(path))[1])
    assert found.endswith("c is kept as 3, the rows make null; and 2 more")
    assert len(found) < 300


@pytest.mark.parametrize("change", [{"form": "another"}, {"seq": 1}])
def test_a_state_that_no_store_would_use_is_held_against_nothing(tmp_path: Path, change: dict[str, Any]) -> None:
    """One of another version, and one whose seal is broken: opening counts the rows."""
    path = tmp_path / "store.db"
    kept(path)
    forge(path, lambda state: state.update(change) if "form" in change else None)
    if "seq" in change:
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE checkpoint SET hash = 'x'")
    with closing(JournalReader(path)) as journal:
        assert journal.saved() is None
    assert verify_file(str(path)) == (15, None)


def test_a_row_that_cannot_be_counted_proves_nothing(tmp_path: Path) -> None:
    """It is said, for the store that takes the state would not see it."""
    path = tmp_path / "store.db"
    kept(path)
    with closing(sqlite3.connect(path)) as db, db:
        rows = db.execute("SELECT seq, at_ms, kind, body FROM journal ORDER BY seq").fetchall()
        before = "0" * 64
        for seq, at_ms, kind, body in rows:
            body = "{}" if seq == 3 else body
            before = link(before, seq, at_ms, kind, body)
            db.execute("UPDATE journal SET body = ?, hash = ? WHERE seq = ?", (body, before, seq))
    forge(path, lambda state: None)
    assert verify_file(str(path)) == (15, "row 3 cannot be counted, so what is kept as of row 14 is not proved")


def test_what_was_pruned_while_it_is_read_is_taken_from_what_was_kept(tmp_path: Path) -> None:
    """Another process prunes between two rows: the count goes on from the state that it kept, and still compares."""
    path = tmp_path / "store.db"
    kept(path)
    with closing(SqliteStore(path)) as store:
        store.event("message", {"target": "desk", "ok": True}, NOW + 2_000)
        store.event("message", {"target": "desk", "ok": True}, NOW + 2_001)
        store.checkpoint()
    for change, problem in ((None, None), (lambda state: state.update(halts=[]), STATE.format(17))):
        if change is not None:
            forge(path, change)
        with closing(JournalReader(path)) as journal:
            recount = Recount(journal)
            rows = list(journal.raw(0, 2))
            if change is None:
                pruned(path)
            for raw in (*rows, *journal.raw(2)):
                recount.take(raw)
            found = recount.flaw()
            assert found is None if problem is None else str(found).startswith(problem)


def test_a_state_that_another_version_kept_at_the_pruning(tmp_path: Path) -> None:
    """What the store made of the carried rows then is what the count makes of them."""
    path = tmp_path / "store.db"
    kept(path)
    pruned(path)
    with closing(JournalReader(path)) as journal:
        base: Base = journal.base()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(KEEP, base._replace(form="another"))
        db.execute("DELETE FROM checkpoint")
    with closing(SqliteStore(path)) as store:
        store.checkpoint()
        state = dump(store)
    assert state["halts"]
    assert verify_file(str(path))[1] is None
    forge(path, lambda state: state.update(halts=[]))
    assert "halts is kept as []" in str(verify_file(str(path))[1])


def test_reading_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every so many rows."""
    path = tmp_path / "store.db"
    kept(path)
    monkeypatch.setattr("policykit.store.verify._SAY", 4)
    said: list[int] = []
    verify_file(str(path), said.append)
    assert said == [4, 8, 12]

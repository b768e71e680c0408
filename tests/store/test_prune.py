"""Pruning: the chain goes on, the counters are what they were, nothing in force is forgotten, and bots go on."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from threading import Lock

import pytest

from policykit.orders.intent import Outcome
from policykit.store import Observation
from policykit.store import prune as module
from policykit.store.journal import Journal
from policykit.store.prune import Cutter, Pruned, archived, plan, prune
from policykit.store.reader import JournalReader
from policykit.store.sqlite import SqliteStore
from policykit.store.verify import verify_file
from tests.store.harm import by_hand, refusal, written
from tests.store.made import ACCOUNT, NOW, dump, hold_position, hold_sum, hold_window, reserve

LATER = NOW + 10 * 86_400_000


def lived(path: Path) -> tuple[SqliteStore, str]:
    """Return a store with one of everything in its first rows, and the intent that is still open."""
    store = SqliteStore(path)
    store.announce(ACCOUNT, "USDT", {"name": "mm", "version": "v1"}, NOW)
    store.announce(ACCOUNT, "USDT", {"name": "mm", "version": "v2"}, NOW + 1)
    seen = Observation(NOW, NOW + 5, equity=Decimal(1000), positions={"BTC": Decimal(1)})
    store.observe(ACCOUNT, seen, NOW + 5)
    over = reserve(store, hold_sum(1, 10), hold_position(5, 10**9))[0]
    store.outcome(over.id, Outcome("settled", NOW + 10, "1", Decimal("0.00000005"), closed=True))
    out = reserve(store, hold_sum(2, 10), hold_window(1, 5, 60_000), hold_position(7, 10**9))[0]
    store.outcome(out.id, Outcome("unknown", NOW + 20, error="timed out"))
    store.event("lookup", {"intent": out.id, "asked": True, "fence_ms": None}, NOW + 21)
    store.halt("symbol:X", "REDUCING", "ops", "once", NOW + 30)
    store.resume("symbol:X", "ops", "over", NOW + 31)
    store.halt(f"account:{ACCOUNT}", "HALTED", "ops", "lost", NOW + 32)
    store.ban(ACCOUNT, "ip", NOW + 99, NOW + 33)
    store.reconcile(ACCOUNT, {"drift": []}, NOW + 34)
    store.keep("", "drill", "kill", {"by": "ops"}, NOW + 35)
    return store, out.id


def pruned(path: Path, before_ms: int = NOW + 1_000, folder: Path | None = None) -> Pruned:
    """Prune, and give what was said."""
    found = prune(str(path), before_ms, by="ops", now_ms=LATER, folder=folder)
    assert found is not None
    return found


def test_I8_the_state_is_what_it_was(tmp_path: Path) -> None:
    """For the store that is open meanwhile, and for one that is opened after it: counters, intents, facts, halts."""
    path = tmp_path / "store.db"
    store, out = lived(path)
    before = dump(store)
    rows = list(store.rows())
    done = pruned(path, folder=tmp_path / "old")
    assert (done.first, done.last, done.hash) == (1, len(rows), rows[-1].hash)
    for now in (store, SqliteStore(path)):
        assert {**dump(now), "seq": 0} == {**before, "seq": 0}
        assert now._ledger.seq == len(rows) + 1
        assert now.verify() == (len(rows) + 1, None)
        assert now.facts(ACCOUNT, "bot").store_problem is None
    store.outcome(out, Outcome("settled", LATER, "2", Decimal("0.00000007"), closed=True))
    again = SqliteStore(path)
    assert dump(again) == dump(store)
    assert again.intent(out).state == "settled"  # type: ignore[union-attr]
    assert sqlite3.connect(path).execute("SELECT min(seq) FROM journal").fetchone() == (len(rows) + 1,)


def test_what_is_in_force_is_still_read_from_rows(tmp_path: Path) -> None:
    """The rows of an open order, the newest of each policy, halt, ban, comparison, drill; not those that are over."""
    path = tmp_path / "store.db"
    store, out = lived(path)
    was = {row.seq: row for row in store.rows()}
    pruned(path)
    reader = JournalReader(path)
    kept = [(row.seq, row.kind) for row in reader.rows()]
    assert kept == [
        (2, "policy"),
        (6, "decision"),
        (7, "outcome"),
        (8, "lookup"),
        (9, "halt"),
        (10, "resume"),
        (11, "halt"),
        (12, "ban"),
        (13, "reconcile"),
        (14, "drill"),
        (15, "prune"),
    ]
    assert [row for row in reader.rows() if row.seq < 15] == [was[seq] for seq, _ in kept[:-1]]
    assert list(reader.rows()) == list(store.rows())
    assert list(reader.rows(9, 2)) == [was[10], was[11]]
    assert list(reader.rows(13, 10)) == [was[14], reader.newest()]
    assert (reader.first(), reader.row(6), reader.row(5)) == (15, was[6], None)
    assert [row.seq for row in reader.naming(out)] == [6, 7, 8]
    assert [row.seq for row in reader.naming('"prune"')] == []
    assert [row.seq for row in reader.naming("ops")] == [9, 10, 11, 14, 15]


def test_the_row_says_who_pruned_what(tmp_path: Path) -> None:
    """Number, hash and archive; the next pruning keeps it, so that all archives are named."""
    path = tmp_path / "store.db"
    store, _ = lived(path)
    first = pruned(path, folder=tmp_path / "old")
    store.event("note", {"name": "kill"}, LATER)
    second = pruned(path, LATER + 1, folder=tmp_path / "old")
    said = [row for row in JournalReader(path).rows() if row.kind == "prune"]
    told = [[row.body[name] for name in ("by", "first", "through", "hash", "archive", "rows")] for row in said]
    assert told == [
        ["ops", 1, 14, first.hash, first.archive, 14],
        ["ops", 15, 16, second.hash, second.archive, 2],
    ]
    assert dump(SqliteStore(path)) == dump(store)


def test_archives_are_journals_that_join(tmp_path: Path) -> None:
    """Each is whole by itself, begins where the one before ends, and is no store that grants anything."""
    path = tmp_path / "store.db"
    store, _ = lived(path)
    rows = list(store.rows())
    one = pruned(path, folder=tmp_path / "old")
    for number in range(3):
        store.event("note", {"name": str(number)}, LATER + number)
    two = pruned(path, LATER + 2, folder=tmp_path / "old")
    assert one.archive is not None
    assert two.archive is not None
    assert os.listdir(tmp_path / "old").sort() == [Path(a).name for a in (one.archive, two.archive)].sort()
    assert [verify_file(file) for file in (one.archive, two.archive, str(path))] == [(14, None), (17, None), (19, None)]
    first, second = JournalReader(one.archive), JournalReader(two.archive)
    assert list(first.rows()) == rows
    assert [row.seq for row in second.rows()] == [15, 16, 17]
    assert (second.base().seq, second.base().hash) == (14, rows[-1].hash)
    assert oct(os.stat(one.archive).st_mode & 0o777) == "0o600"
    problem = SqliteStore(one.archive).facts(ACCOUNT, "bot").store_problem
    assert problem is not None
    assert problem[0] == "STORE_RESET"
    assert refusal(lambda: SqliteStore(two.archive))[0] == "STORE_DAMAGED"  # type: ignore[arg-type]


def test_nothing_that_is_old_enough_prunes_nothing(tmp_path: Path) -> None:
    """Not even a row is written; and no row is pruned behind the first that is not old, whatever its time says."""
    path = tmp_path / "store.db"
    store, _ = lived(path)
    before = path.read_bytes()
    assert prune(str(path), NOW, by="ops", now_ms=LATER, folder=None) is None
    assert (path.read_bytes(), verify_file(str(path))) == (before, (14, None))
    store.event("note", {}, NOW)  # a clock that was set back
    assert pruned(path, NOW + 20).last == 6
    SqliteStore(tmp_path / "new.db").close()
    assert prune(str(tmp_path / "new.db"), LATER, by="ops", now_ms=LATER, folder=None) is None


def test_a_checkpoint_and_a_pruning_do_not_meet(tmp_path: Path) -> None:
    """A checkpoint from before it is passed over, one from after it is used; the kept state is never overwritten."""
    path = tmp_path / "store.db"
    store, _ = lived(path)
    store.checkpoint()
    pruned(path)
    base = JournalReader(path).base()
    assert dump(SqliteStore(path)) == dump(store)
    store.event("note", {}, LATER)
    store.checkpoint()
    assert JournalReader(path).base() == base
    again = SqliteStore(path)
    assert (dump(again), again._checkpointed) == (dump(store), 16)


@pytest.mark.parametrize("kept", ["state", "state_hash", "hash", "seq"])
def test_a_kept_state_that_was_changed_is_refused(tmp_path: Path, kept: str) -> None:
    """By the store, and named by `verify`, whichever part of it is another."""
    path = tmp_path / "store.db"
    lived(path)[0].close()
    pruned(path)
    by_hand(path, f"UPDATE base SET {kept} = {kept} || '1'")
    assert refusal(lambda: SqliteStore(path))[0] == "STORE_DAMAGED"
    assert verify_file(str(path))[1] is not None


def test_a_state_that_was_sealed_anew_is_found(tmp_path: Path) -> None:
    """Who changes the state and its hash has not changed the row that tells of it; the same for what was carried on."""
    from policykit.store.pruned import sealed

    path = tmp_path / "store.db"
    lived(path)[0].close()
    pruned(path)
    base = JournalReader(path).base()
    state = base.state.replace('"HALTED"', '"ACTIVE"')
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE base SET state=?, state_hash=?", (state, sealed(base.seq, base.hash, state)))
    why = "what was kept of the rows up to 14 is not what row 15 says: it was changed"
    assert verify_file(str(path)) == (15, why)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE base SET state=?, state_hash=?", (base.state, base.state_hash))
        assert verify_file(str(path)) == (15, why)
    assert verify_file(str(path)) == (15, None)
    by_hand(path, "DELETE FROM carried WHERE kind='halt'")
    assert verify_file(str(path)) == (15, why)


def test_a_row_of_the_pruning_that_is_none_is_found(tmp_path: Path) -> None:
    """The base names a row that says nothing of it."""
    path = tmp_path / "store.db"
    lived(path)[0].close()
    pruned(path)
    by_hand(path, "UPDATE base SET row=99")
    assert str(verify_file(str(path))[1]).endswith("is not what row 99 says: it was changed")


@pytest.mark.parametrize("state", ["another", "null"])
def test_a_form_that_is_not_known_waits_for_a_person(tmp_path: Path, state: str) -> None:
    """Never counters from nothing: increases are refused until somebody re-arms by name, and then for good."""
    from policykit.store.pruned import sealed

    path = tmp_path / "store.db"
    before, out = lived(path)
    before.halt("all", "HALTED", "ops", "a key leaked", NOW + 36, freeze=True)
    pruned(path)
    base = JournalReader(path).base()
    if state == "another":
        by_hand(path, "UPDATE base SET form='of a later version'")
    else:
        with closing(sqlite3.connect(path)) as db, db:
            seal = sealed(base.seq, base.hash, state)
            db.execute("UPDATE base SET form='x', state=?, state_hash=?", (state, seal))
    said = f"{path}: what was counted up to row 15, where it was pruned, another version wrote"
    expected = ("STORE_RESET", f"{said}; reconcile, then `policykit resume --scope all`")
    store = SqliteStore(path)
    assert store.facts(ACCOUNT, "bot").store_problem == expected
    # Exits still pass on such a store: what blocks them, and what is out, must not be forgotten with the counters.
    assert store.halts() == before.halts()
    assert dump(store)["accounts"][ACCOUNT]["bans"] == dump(before)["accounts"][ACCOUNT]["bans"] != {}
    assert [(one.id, one.state) for one in store.intents()] == [(out, "unknown")]
    store.checkpoint()
    assert SqliteStore(path).facts(ACCOUNT, "bot").store_problem == expected
    assert refusal(lambda: pruned(path, LATER + 1))[0] == "STORE_RESET"
    assert store.resume("bot:x", "alice", "no", LATER) == 0
    assert store.facts(ACCOUNT, "bot").store_problem == expected
    assert store.resume("all", "alice", "reconciled", LATER) == 3
    for now in (store, SqliteStore(path)):
        assert now.facts(ACCOUNT, "bot").store_problem is None
        assert now.verify()[1] is None
        assert dump(now) == dump(store)
        assert [one.id for one in now.intents()] == [out]
    pruned(path, LATER + 1)


def test_a_backup_that_was_re_armed_stays_so(tmp_path: Path) -> None:
    """The row in which somebody re-armed it is carried on."""
    path, copy = tmp_path / "store.db", tmp_path / "copy.db"
    store, _ = lived(path)
    store.backup(copy)
    again = SqliteStore(copy)
    assert again.facts(ACCOUNT, "bot").store_problem is not None
    assert again.resume("all", "alice", "reconciled", NOW + 50) == 2
    pruned(copy)
    assert SqliteStore(copy).facts(ACCOUNT, "bot").store_problem is None


def test_a_state_that_holds_and_says_nothing_is_damage(tmp_path: Path) -> None:
    """In our own form, with its own hash: it is not taken for a store that counted nothing."""
    from policykit.store.pruned import sealed

    path = tmp_path / "store.db"
    lived(path)[0].close()
    pruned(path)
    base = JournalReader(path).base()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE base SET state='{}', state_hash=?", (sealed(base.seq, base.hash, "{}"),))
    assert refusal(lambda: SqliteStore(path))[0] == "STORE_DAMAGED"
    written(path, "event", "{")
    by_hand(path, "UPDATE base SET row=16")
    assert str(verify_file(str(path))[1]).endswith("is not what row 16 says: it was changed")


def test_a_row_that_no_state_follows_from_is_not_pruned(tmp_path: Path) -> None:
    """Its hash holds, and it halts nobody says what."""
    path = tmp_path / "store.db"
    lived(path)[0].close()
    written(path, "halt", "{}")
    assert refusal(lambda: pruned(path))[0] == "STORE_DAMAGED"


def test_a_damaged_journal_is_not_pruned(tmp_path: Path) -> None:
    """What cannot be proved is not thrown away: nothing is changed, and no archive is left."""
    path = tmp_path / "store.db"
    lived(path)[0].close()
    by_hand(path, "UPDATE journal SET at_ms=at_ms+1 WHERE seq=4")
    before = path.read_bytes()
    assert refusal(lambda: pruned(path, folder=tmp_path / "old"))[0] == "STORE_DAMAGED"
    assert (path.read_bytes(), os.listdir(tmp_path / "old")) == (before, [])


def test_an_archive_that_is_not_what_was_written_prunes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read back before any row goes."""
    path = tmp_path / "store.db"
    lived(path)[0].close()
    monkeypatch.setattr(module, "_into", lambda db, raw: None)
    assert "the archive is not what was written" in refusal(lambda: pruned(path, folder=tmp_path / "old"))[1]
    assert (verify_file(str(path)), os.listdir(tmp_path / "old")) == ((14, None), [])


def test_two_prunings_at_once_do_not_both_count(tmp_path: Path) -> None:
    """The second finds that the journal begins elsewhere than it planned with."""
    path = tmp_path / "store.db"
    lived(path)[0].close()
    with closing(JournalReader(path)) as reader:
        made = plan(reader, 5, counters=True, archive=lambda raw: None, say=lambda done, of: None)
    pruned(path)
    before = verify_file(str(path))
    with closing(Cutter(path, Lock())) as cutter:
        assert (
            "was pruned by another process meanwhile"
            in refusal(lambda: cutter.commit(made, by="x", now_ms=LATER, archive=None))[1]
        )
    assert verify_file(str(path)) == before


def test_a_disk_that_is_full_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    """Whatever SQLite says in the transaction, all of it is undone."""
    path = tmp_path / "store.db"
    store, _ = lived(path)
    store.event("note", {"note": "x" * 50_000}, NOW)
    before = dump(store)
    with closing(JournalReader(path)) as reader:
        made = plan(reader, 15, counters=True, archive=lambda raw: None, say=lambda done, of: None)
    with closing(Cutter(path, Lock())) as cutter:
        db = cutter._ready()
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count={pages}")
        assert refusal(lambda: cutter.commit(made, by="x", now_ms=LATER, archive=None))[0] == "STORE_FULL"
    assert (dump(SqliteStore(path)), verify_file(str(path)), JournalReader(path).base().row) == (before, (15, None), 0)


def test_what_a_process_left_is_swept_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ends between the transaction and the last deletion has pruned; nobody sees the rows that are left."""
    path = tmp_path / "store.db"
    store, _ = lived(path)
    monkeypatch.setattr(module, "SWEEP", 5)
    with closing(JournalReader(path)) as reader:
        made, archive = archived(reader, 14, tmp_path / "old", counters=True, say=lambda done, of: None)
    assert dump(SqliteStore(path)) == dump(store)
    with closing(Cutter(path, Lock())) as cutter:
        cutter.commit(made, by="ops", now_ms=LATER, archive=archive)
        left = [row.seq for row in store.rows()]
        assert next(cutter.sweep()) == 5
    assert sqlite3.connect(path).execute("SELECT min(seq) FROM journal").fetchone() == (6,)
    reader = JournalReader(path)
    assert [row.seq for row in reader.rows()] == [row.seq for row in store.rows()] == left
    assert (reader.first(), verify_file(str(path))) == (15, (15, None))
    assert dump(SqliteStore(path)) == dump(store)
    store.event("note", {}, LATER)
    pruned(path, LATER + 1)
    assert sqlite3.connect(path).execute("SELECT min(seq), count(*) FROM journal").fetchone() == (17, 1)


def test_an_idle_process_goes_on_from_what_was_kept(tmp_path: Path) -> None:
    """Its newest row was pruned meanwhile, and the one after it; a file that was set back is still found out."""
    path = tmp_path / "store.db"
    idle, _ = lived(path)
    other = SqliteStore(path)
    for _ in range(3):
        other.event("note", {"name": "kill"}, NOW + 40)
    pruned(path, NOW + 500_000)
    other.event("note", {}, LATER)
    assert dump(idle) == dump(other) == dump(SqliteStore(path))
    by_hand(path, "UPDATE base SET hash='0'")
    by_hand(path, "DELETE FROM journal")
    assert refusal(lambda: idle.facts(ACCOUNT, "bot"))[0] == "STORE_RESET"


def test_a_hosts_journal_has_no_state_to_keep(tmp_path: Path) -> None:
    """Beside a server its rows go the same way, whatever they say; as a store it is not trusted."""
    path = tmp_path / "journal.db"
    journal = Journal(path, Lock())
    journal.append("renew", NOW, {"intent": "of another host", "validity_ms": 1})
    journal.append("policy", NOW, {"account": ACCOUNT, "currency": "USDT", "name": "mm"})
    done = prune(str(path), LATER, by="ops", now_ms=LATER, folder=None, counters=False)
    assert done is not None
    assert [row.seq for row in JournalReader(path).rows()] == [2, 3]
    assert journal.append("note", LATER, {}) == 4
    assert (journal.verify(), JournalReader(path).base().state) == ((4, None), "null")
    problem = SqliteStore(path).facts(ACCOUNT, "bot").store_problem
    assert problem is not None
    assert problem[0] == "STORE_RESET"


def test_rows_of_a_kind_are_carried_within_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest of them, however many subjects there are."""
    monkeypatch.setattr(module, "MAX_CARRIED", 3)
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    for number in range(6):
        store.event("note", {"name": str(number)}, NOW)
    pruned(path)
    assert [row.seq for row in JournalReader(path).carried()] == [4, 5, 6]


def test_what_was_carried_on_and_cannot_be_read_is_said(tmp_path: Path) -> None:
    """As any other damage."""
    path = tmp_path / "store.db"
    lived(path)[0].close()
    pruned(path)
    by_hand(path, "UPDATE carried SET body='{' WHERE seq=2")
    assert refusal(lambda: list(JournalReader(path).rows()))[0] == "STORE_DAMAGED"
    reader = JournalReader(path)
    by_hand(path, "DROP TABLE journal")
    assert refusal(lambda: reader.first_at(1))[0] == "STORE_DAMAGED"

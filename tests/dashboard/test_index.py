"""The index of a journal: what it finds and counts is what the rows say."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from policykit.dashboard.index import CHUNK, Health, Index
from policykit.dashboard.intake import lowered
from policykit.dashboard.queries import Found, Latency, Outcome, Several
from policykit.orders.intent import Outcome as Known
from policykit.store.base import Row
from policykit.store.codec import decision_body, outcome_to_dict
from policykit.store.prune import prune
from policykit.store.reader import JournalReader
from tests.dashboard.made import DECISIONS, Said, ident, life, policy, rows_of, write
from tests.telemetry.nouns import AT_MS, NOTIONAL, POSITION, decision, intent

HOUR = 3_600_000
WELL = Health(None, 0, (), 0, None, None)


def _decided(journal: Path) -> list[tuple[int, int, dict[str, Any]]]:
    return [(row.seq, row.at_ms, row.body["decision"]) for row in rows_of(journal) if row.kind == "decision"]


def test_totals_are_the_decisions_by_label(index: Index, journal: Path) -> None:
    """Each decision counts once, under the labels of policykit.decisions."""
    wanted = Counter(
        (said["outcome"], *((r["code"], r["check"]) for r in said["reasons"][:1])) for _, _, said in _decided(journal)
    )
    found = {(t.outcome, *([(t.code, t.check)] if t.code else [])): t.decisions for t in index.totals()}
    assert found == dict(wanted)
    assert len(wanted) == 4
    assert {t[3:8] for t in index.totals()} == {("order.create", "enforce", "full-live", False, False)}


@pytest.mark.parametrize("bucket_ms", [1_000, 7_000, 60_000, 300_000, HOUR])
def test_outcomes_in_buckets_of_any_width_are_those_of_the_rows(index: Index, journal: Path, bucket_ms: int) -> None:
    """Counted from minutes, from hours or from rows, a bucket has the decisions that were made in it."""
    since, until = AT_MS + 61_000, AT_MS + 401_000
    low, high = since - since % bucket_ms, until + -until % bucket_ms
    wanted = Counter(
        (at_ms - at_ms % bucket_ms, said["outcome"]) for _, at_ms, said in _decided(journal) if low <= at_ms < high
    )
    found = index.outcomes(since, until, bucket_ms)
    assert found == [Outcome(*key, "enforce", count) for key, count in sorted(wanted.items())]
    assert sum(wanted.values()) > 300


def test_too_many_buckets_are_refused(index: Index) -> None:
    """No answer is longer than what a screen can hold."""
    with pytest.raises(ValueError, match=r"^buckets of 1 ms are too many; 5000 may be$"):
        index.outcomes(AT_MS, AT_MS + HOUR, 1)


def test_checks_count_denials_over_hours_and_the_minutes_beside_them(tmp_path: Path) -> None:
    """A time of several hours and some minutes is counted exactly."""
    path = tmp_path / "journal.db"
    write(path, life(3))
    long = [row._replace(at_ms=row.at_ms + n * 7 * 60_000) for n in range(60) for row in life(40, seed=n)]
    write(path, long)
    index = Index(JournalReader(path), tmp_path / "index.db")
    assert index.advance(50_000) == len(rows_of(path))
    since, until = AT_MS + 5 * 60_000, AT_MS + 5 * HOUR + 7 * 60_000
    wanted = Counter(
        (said["reasons"][0]["check"], said["reasons"][0]["code"])
        for _, at_ms, said in _decided(path)
        if since <= at_ms < until and said["outcome"] == "deny"
    )
    found = index.checks(since, until)
    assert {(c.check, c.code): c.denials for c in found} == dict(wanted)
    assert [c.denials for c in found] == sorted((c.denials for c in found), reverse=True)


def test_denials_come_newest_first_with_what_the_row_says(index: Index, journal: Path) -> None:
    """Filters and pages together give each denial that fits, once."""
    denied = [(seq, said) for seq, _, said in _decided(journal) if said["outcome"] == "deny"][::-1]
    assert [d.seq for d in index.denials(limit=5_000)] == [seq for seq, _ in denied]
    for name, key in (("check", "risk.max_order_notional"), ("symbol", "ETH/USDT"), ("bot", "mm-1")):
        fits = [
            seq for seq, said in denied if key in (said["reasons"][0]["check"], said["order"]["symbol"], said["bot"])
        ]
        paged: list[int] = []
        while page := index.denials(**{name: key}, before_seq=paged[-1] if paged else 1 << 60, limit=7):  # type: ignore[arg-type]
            paged += [d.seq for d in page]
        assert paged == fits
        assert fits
    first = index.denials(check="risk.max_order_notional", limit=1)[0]
    said = next(said for seq, said in denied if seq == first.seq)
    assert (first.ident, first.observed, first.limit, first.unit) == (said["id"], "30000", "1500", "USDT")
    assert (first.message, first.place) == (NOTIONAL.message, "policies/mm.yaml:31:23")
    assert (first.symbol, first.side, first.others) == (said["order"]["symbol"], "buy", 0)


def test_denials_of_a_time_are_found_though_a_clock_stepped(tmp_path: Path) -> None:
    """Rows stand in the order they were written in, times may go backward: none is missed, none is added."""
    path = tmp_path / "journal.db"
    steps = [0, 5 * HOUR, HOUR, 9 * HOUR, 2 * HOUR]
    write(path, [row._replace(at_ms=row.at_ms + step) for step in steps for row in life(30)])
    index = Index(JournalReader(path), tmp_path / "index.db")
    index.advance()
    since, until = AT_MS + HOUR, AT_MS + 3 * HOUR
    wanted = [seq for seq, at, said in _decided(path) if since <= at < until and said["outcome"] == "deny"][::-1]
    assert [d.seq for d in index.denials(since, until)] == wanted
    assert wanted


def test_orders_say_what_became_of_them(tmp_path: Path) -> None:
    """State, exchange id and times are those of the outcomes; an order that nobody answered has none."""
    path = tmp_path / "journal.db"
    lost = intent(ident(2), decided_ms=AT_MS)
    rows = [
        policy(),
        *life(1, seed=3),
        Said(AT_MS, "decision", decision_body(decision(ident(2)), lost, ())),
        Said(AT_MS + 3_000, "outcome", outcome_to_dict(ident(2), Known("unknown", AT_MS + 3_000, signed_ms=AT_MS + 2))),
    ]
    write(path, rows)
    index = Index(JournalReader(path), tmp_path / "index.db")
    index.advance()
    unknown, settled = index.orders()
    assert (unknown.ident, unknown.state, unknown.order_id) == (ident(2), "unknown", None)
    assert (unknown.signed_ms, unknown.answered_ms, unknown.account) == (AT_MS + 2, None, "binance/main")
    assert (settled.ident, settled.state, settled.order_id) == (ident(1), "settled", "700001")
    assert (settled.quantity, settled.price, settled.client_order_id) == ("0.01", "60000", "pk" + ident(1))
    assert index.orders(state="unknown") == [unknown]
    assert index.orders(symbol="nothing") == []
    assert index.orders(bot="mm-1", before_seq=unknown.seq) == [settled]


def test_latencies_are_those_of_the_rows_rounded_down_by_a_bucket_at_most(index: Index, journal: Path) -> None:
    """p50, p95 and p99 from decision to sending and from there to the answer."""
    rows = rows_of(journal)
    decided = {row.body["decision"]["id"]: row.at_ms for row in rows if row.kind == "decision"}
    sent = {row.body["intent"]: row for row in rows if row.kind == "outcome" and "signed_ms" in row.body}
    to_sent = sorted(row.body["signed_ms"] - decided[name] for name, row in sent.items())
    to_answer = sorted(lowered(row.at_ms - row.body["signed_ms"]) for row in sent.values())

    def at(values: list[int], percent: int) -> int:
        return values[-(-len(values) * percent // 100) - 1]

    assert index.latencies(AT_MS, AT_MS + HOUR) == [
        Latency("decided_to_sent", len(sent), at(to_sent, 50), at(to_sent, 95), at(to_sent, 99), to_sent[-1]),
        Latency("sent_to_answered", len(sent), at(to_answer, 50), at(to_answer, 95), at(to_answer, 99), to_answer[-1]),
    ]
    assert len(sent) > 250
    assert index.latencies(AT_MS + HOUR, AT_MS + 2 * HOUR)[0] == Latency("decided_to_sent", 0, None, None, None, None)


@pytest.mark.parametrize("took_ms", [0, 1, 63, 64, 65, 999, 12_345, 86_400_000])
def test_a_latency_is_kept_to_a_thirty_second(took_ms: int) -> None:
    """The bucket of a latency begins at most 1/32 below it, and never above."""
    assert 0 <= took_ms - lowered(took_ms) <= took_ms / 32


def test_a_story_is_every_row_of_an_order(tmp_path: Path) -> None:
    """By decision id, client order id, exchange id, beginning or end: re-sends, look-ups and outcomes are in it."""
    path = tmp_path / "journal.db"
    again = intent(ident(2), replaces=ident(1))
    rows = [
        Said(AT_MS, "decision", decision_body(decision(ident(1)), intent(ident(1)), ())),
        Said(AT_MS + 1, "outcome", outcome_to_dict(ident(1), Known("unknown", AT_MS + 1))),
        Said(AT_MS + 2, "decision", decision_body(decision(ident(9), (POSITION,)), None, ())),
        Said(AT_MS + 3, "lookup", {"intent": ident(1), "asked": True, "fence_ms": None}),
        Said(AT_MS + 4, "outcome", outcome_to_dict(ident(1), Known("absent", AT_MS + 4))),
        Said(AT_MS + 5, "decision", decision_body(decision(ident(2)), again, ())),
        Said(AT_MS + 6, "outcome", outcome_to_dict(ident(2), Known("acknowledged", AT_MS + 6, "881723"))),
    ]
    write(path, rows)
    index = Index(JournalReader(path), tmp_path / "index.db")
    index.advance()
    whole = Found((ident(1), ident(2)), (1, 2, 4, 5, 6, 7))
    for part in (ident(1), ident(2), "pk" + ident(2), "881723", ident(1)[-5:], "pk" + ident(1)[:-1] + "1"):
        assert index.story(part) == whole
    assert index.story(ident(9)) == Found((ident(9),), (3,))
    assert index.story(ident(1)[:8]) == Several((ident(1), ident(9)), 2)
    assert [index.story(part) for part in ("nonesuch", "8817", "001", "")] == [None] * 4


def test_states_are_halts_resumes_and_policies(tmp_path: Path) -> None:
    """What changes the state of trading is found, the newest first; a comparison or a fact is no such row."""
    path = tmp_path / "journal.db"
    kinds = ["policy", "observe", "halt", "resume", "reconcile", "ban"]
    write(path, [policy(AT_MS + n)._replace(kind=kind) for n, kind in enumerate(kinds)])
    index = Index(JournalReader(path), tmp_path / "index.db")
    index.advance()
    assert [row.kind for row in index.states()] == ["ban", "resume", "halt", "policy"]
    assert [row.seq for row in index.states(AT_MS + 1, AT_MS + 4, limit=1)] == [4]


def test_drills_and_sandboxes_are_marked(tmp_path: Path) -> None:
    """No alert takes a drill for the real thing."""
    path = tmp_path / "journal.db"
    denied = decision_body(decision(ident(1), (NOTIONAL,)), None, ())
    write(path, [policy(environment="sandbox"), Said(AT_MS, "decision", {**denied, "drill": True})])
    index = Index(JournalReader(path), tmp_path / "index.db")
    index.advance()
    (total,) = index.totals()
    assert (total.drill, total.sandbox, total.decisions) == (True, True, 1)
    assert index.denials()[0].drill


# ---- what it does where the journal or its own file is not what it was


def test_it_goes_on_where_it_was(journal: Path, tmp_path: Path) -> None:
    """A second process, or the next day, reads only what is new; a part at a time where that is asked."""
    first = Index(JournalReader(journal), tmp_path / "index.db")
    newest = rows_of(journal)[-1].seq
    assert first.advance(CHUNK + 1) == CHUNK + 1
    assert first.progress() == (CHUNK + 1, newest)
    second = Index(JournalReader(journal), tmp_path / "index.db")
    assert second.advance() == newest - CHUNK - 1
    assert second.advance() == 0
    assert first.totals() == second.totals()
    assert sum(t.decisions for t in first.totals()) == DECISIONS
    assert second.health() == WELL


def test_only_one_takes_rows_in_and_all_read(journal: Path, tmp_path: Path) -> None:
    """While another process holds the lock nothing is counted twice, and questions are answered."""
    first, second = (Index(JournalReader(journal), tmp_path / "index.db") for _ in range(2))
    first.advance(CHUNK)
    with first._file.only_writer() as mine:
        assert mine
        assert second.advance() == 0
        assert sum(t.decisions for t in second.totals()) == sum(t.decisions for t in first.totals()) > 0
    assert second.advance() > 0
    assert sum(t.decisions for t in first.totals()) == DECISIONS


@pytest.mark.parametrize("damage", ["text", "hole", "cut", "table", "gone", "form"])
def test_a_damaged_index_is_made_anew(journal: Path, tmp_path: Path, damage: str) -> None:
    """Whatever is wrong with its file: it is thrown away, read again, and says the same."""
    path = tmp_path / "index.db"
    index = Index(JournalReader(journal), path)
    while index.advance():
        pass
    before = index.totals()
    index.close()
    size = path.stat().st_size
    if damage == "text":
        path.write_bytes(b"no database at all" * 100)
    elif damage == "hole":
        path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (size - 4096))
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[: size // 2])
    elif damage == "gone":
        path.unlink()
    else:
        with closing(sqlite3.connect(path)) as db:
            db.execute("DROP TABLE tally" if damage == "table" else "PRAGMA user_version=99")
    index = Index(JournalReader(journal), path)
    assert index.totals() in ([], before)
    while index.advance():
        pass
    assert index.totals() == before
    assert index.progress()[0] == rows_of(journal)[-1].seq


def test_a_file_that_is_thrown_away_by_another_is_noticed(journal: Path, tmp_path: Path) -> None:
    """Who has the old file open goes over to the new one."""
    first = Index(JournalReader(journal), tmp_path / "index.db")
    while first.advance():
        pass
    before = first.totals()
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"index.db{end}").unlink()
    second = Index(JournalReader(journal), tmp_path / "index.db")
    while second.advance():
        pass
    assert first.totals() == second.totals() == before
    write(journal, life(5, start=DECISIONS + 1))
    second.advance()
    assert sum(t.decisions for t in first.totals()) == DECISIONS + 5


def test_a_file_that_goes_while_rows_are_taken_in_loses_none(journal: Path, tmp_path: Path) -> None:
    """Somebody deletes the index in the middle: what follows is not taken for all there is."""

    class Deleting(JournalReader):
        def rows(self, after: int = 0, limit: int = 1_000) -> Iterator[Row]:
            if after:
                (tmp_path / "index.db").unlink(missing_ok=True)
            return super().rows(after, limit)

    index = Index(Deleting(journal), tmp_path / "index.db")
    assert index.advance() == CHUNK
    index = Index(JournalReader(journal), tmp_path / "index.db")
    while index.advance():
        pass
    assert sum(t.decisions for t in index.totals()) == DECISIONS


@pytest.mark.parametrize("what", ["epoch", "restored", "rewritten"])
def test_another_journal_in_the_same_place_is_noticed(journal: Path, tmp_path: Path, what: str) -> None:
    """Replaced, or restored from a backup: what was counted of the other one is forgotten."""
    index = Index(JournalReader(journal), tmp_path / "index.db")
    while index.advance():
        pass
    last = rows_of(journal)[-1].seq
    if what == "rewritten":
        journal.unlink()
        write(journal, [policy(), *life(DECISIONS, seed=8)])
    else:
        with closing(sqlite3.connect(journal, isolation_level=None)) as db:
            if what == "epoch":
                db.execute("UPDATE meta SET value = 'fedcba9876543210' WHERE name = 'epoch'")
            else:
                db.execute("DELETE FROM journal WHERE seq > 100")
    index = Index(JournalReader(journal), tmp_path / "index.db")
    while index.advance():
        pass
    rows = rows_of(journal)
    assert index.progress() == (len(rows), len(rows))
    assert sum(t.decisions for t in index.totals()) == sum(row.kind == "decision" for row in rows)
    assert index.health().anew == (
        "another journal is where the one before was"
        if what == "epoch"
        else f"row {last} is not the one that was read: the journal was restored or replaced"
    )


def test_a_journal_that_is_taken_away_is_said(journal: Path, tmp_path: Path) -> None:
    """What was known stays known; why nothing new comes is told."""
    index = Index(JournalReader(journal), tmp_path / "index.db")
    index.advance(CHUNK)
    before = index.totals()
    journal.unlink()
    assert index.advance() == 0
    assert index.health().problem == f"{journal}: the file was removed or replaced while in use; restart"
    assert index.totals() == before


def pruned(journal: Path, seq: int) -> None:
    """Take the rows up to about a row out of a journal, for good."""
    at_ms = rows_of(journal)[seq - 1].at_ms
    assert prune(str(journal), at_ms, by="ops", now_ms=AT_MS, folder=None, counters=False) is not None


def test_a_pruned_journal_keeps_its_counts(journal: Path, tmp_path: Path) -> None:
    """Counters never go back because old rows were archived; lists show what is still there."""
    index = Index(JournalReader(journal), tmp_path / "index.db")
    index.advance(1_200)
    pruned(journal, 900)
    while index.advance():
        pass
    first = JournalReader(journal).first()
    assert 800 < first < 1_000
    assert sum(t.decisions for t in index.totals()) == DECISIONS
    assert min(d.seq for d in index.denials(limit=5_000)) >= first
    assert index.story(ident(1)) is None
    assert [row.seq for row in index.states()] == [1]  # the policy in force was carried on
    assert index.health() == WELL


def test_rows_that_were_pruned_unseen_are_said(journal: Path, tmp_path: Path) -> None:
    """An index that was behind, or begins after, tells how many rows it never saw; the policy's row came along."""
    index = Index(JournalReader(journal), tmp_path / "index.db")
    index.advance(100)
    pruned(journal, 900)
    reader = JournalReader(journal)
    first = reader.first()
    while index.advance():
        pass
    assert index.health() == WELL._replace(missed=first - 1 - 100)
    seen = [*range(1, 101), *range(first, rows_of(journal)[-1].seq)]
    rows = {row.seq: row for row in rows_of(journal)}
    left = sum(rows[seq].kind == "decision" for seq in seen if seq in rows)
    assert sum(t.decisions for t in index.totals()) > left
    late = Index(JournalReader(journal), tmp_path / "late.db")
    while late.advance():
        pass
    assert late.health() == WELL._replace(missed=first - 1 - len(reader.carried()))
    assert late.progress() == index.progress()
    assert {total.stage for total in late.totals()} == {"full-live"}
    assert sum(t.decisions for t in late.totals()) == left


def test_a_damaged_journal_is_read_up_to_the_damage(journal: Path, tmp_path: Path) -> None:
    """What is good is shown, and where it ends is said; mended, it is read on."""
    with closing(sqlite3.connect(journal, isolation_level=None)) as db:
        (text,) = db.execute("SELECT body FROM journal WHERE seq = 501").fetchone()
        db.execute("UPDATE journal SET body = ? WHERE seq = 501", (text.replace("mm", "nn"),))
        index = Index(JournalReader(journal), tmp_path / "index.db")
        assert index.advance() == 500
        assert str(index.health().problem).startswith(
            f"{journal}: row 501 does not carry the hash of its content and the row before: it was changed; keep a copy"
        )
        good = [row for row in rows_of(journal) if row.seq <= 500 and row.kind == "decision"]
        assert sum(t.decisions for t in index.totals()) == len(good)
        assert index.advance() == 0
        assert Index(JournalReader(journal), tmp_path / "index.db").health() == index.health()
        db.execute("UPDATE journal SET body = ? WHERE seq = 501", (text,))
    while index.advance():
        pass
    assert index.health() == WELL
    assert sum(t.decisions for t in index.totals()) == DECISIONS


STRANGE: list[Any] = [
    {},
    {"decision": None},
    {"decision": {"reasons": []}},
    {"decision": {"id": 7, "outcome": "deny", "reasons": [{}], "policy": {}}},
    {"decision": [], "intent": []},
]
NO_TRACES: list[Any] = [7, [], "ab" * 16, {}, {"trace_id": 7}, {"trace_id": "x" * 300}, {"trace_id": "AB" * 16}]


@pytest.mark.parametrize("kind", ["decision", "outcome", "lookup", "policy"])
def test_a_row_that_is_not_understood_is_counted_and_changes_nothing(tmp_path: Path, kind: str) -> None:
    """Rows of another version or another hand keep nobody from reading on."""
    path = tmp_path / "journal.db"
    bodies = [*STRANGE, {"intent": 5, "state": "sent"}, {"intent": ident(1), "state": []}, {"version": []}]
    write(path, [policy(), *life(2), *(Said(AT_MS, kind, body) for body in bodies), *life(2, start=3)])
    index = Index(JournalReader(path), tmp_path / "index.db")
    index.advance()
    health, rows = index.health(), rows_of(path)
    assert index.progress() == (len(rows), len(rows))
    assert health.strange > 0
    assert health.problem is None
    assert [rows[seq - 1].kind for seq in health.strange_rows] == [kind] * len(health.strange_rows)
    assert sum(t.decisions for t in index.totals()) == 4


@pytest.mark.parametrize("trace", NO_TRACES)
def test_a_trace_that_is_none_is_left_out(tmp_path: Path, trace: Any) -> None:
    """What another hand wrote there is no label of an exemplar; the decision counts."""
    path = tmp_path / "journal.db"
    write(path, [Said(AT_MS, "decision", {**decision_body(decision(ident(1)), None, ()), "trace": trace})])
    index = Index(JournalReader(path), tmp_path / "index.db")
    index.advance()
    assert [(one.ident, one.trace) for one in index.newest()] == [(ident(1), None)]
    assert index.health() == WELL


def test_hostile_texts_are_kept_as_texts(tmp_path: Path) -> None:
    """Half a surrogate pair, NUL, quotes and 10 kB in a name break no statement."""
    path = tmp_path / "journal.db"
    names = ["'; DROP TABLE decided; --", "a\x00b", "\ud800", "x" * 10_000, "%_\\", "\u202e"]
    rows = []
    for number, name in enumerate(names):
        body = decision_body(decision(ident(number), (NOTIONAL,), bot=name), None, ())
        body["decision"]["order"]["client_order_id"] = name
        rows.append(Said(AT_MS, "decision", body))
    write(path, rows)
    index = Index(JournalReader(path), tmp_path / "index.db")
    index.advance()
    assert index.health() == WELL
    assert [d.bot for d in index.denials()] == [row.body["decision"]["bot"] for row in rows_of(path)][::-1]
    for seq, name in enumerate(names, 1):
        if name != "\ud800":
            assert index.story(name) == Found((ident(seq - 1),), (seq,))
            assert [d.seq for d in index.denials(bot=name)] == [seq]

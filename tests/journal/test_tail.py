"""`journal tail`: the newest rows, one a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policykit.store import open_store
from policykit.store.reader import JournalReader
from policykit.telemetry import tail as module
from policykit.telemetry.tail import JsonTail, Tail, every, follow, recent
from tests.journal.conftest import Writable
from tests.telemetry.nouns import AT_MS, decision, intent

LINES = """\
10:00:00.000       2  ALLOW    mm-1       BTC/USDT   buy limit 0.01 @ 60,000
10:00:03.004       3  unknown  mm-1       BTC/USDT   timed out after 3.0 s
10:00:05.010       4  lookup   mm-1       BTC/USDT   not visible; fence at 10:00:16.500
10:00:17.013       5  absent   mm-1       BTC/USDT
10:00:17.100       6  ALLOW    mm-1       BTC/USDT   buy limit 0.01 @ 60,000
10:00:17.150       7  accepted mm-1       BTC/USDT   id 881723, filled 0.007 of 0.01
10:00:18.150       8  settled  mm-1       BTC/USDT   id 881723, filled 0.01 of 0.01
10:00:19.000       9  DENY     mm-2       BTC/USDT   buy limit 0.01 @ 60,000  \
RISK_ORDER_NOTIONAL 30,000 of 1,500 USDT and 1 more
10:00:20.000      10  HALTED   all, by ops: testing the switch
10:00:20.001      11  banned   binance/main (ip): nothing is sent before 2026-11-21 10:01:30
10:00:21.000      12  ACTIVE   all, by ops: fine again
10:00:22.000      13  policy   mm sha256:3f9a01c2d4e5 in force for binance/main""".splitlines()


def test_every_kind_of_row_has_its_line(journal: JournalReader) -> None:
    """Decisions, outcomes, halts, bans and events read as words; facts are left out."""
    lines, newest = recent(journal, Tail(), 100)
    assert newest == 13
    assert lines == LINES


def test_the_row_of_a_policy_is_a_line_and_not_the_policy(tmp_path: Path) -> None:
    """What is in force, how, and for which bot; of a row without words of its own each value is cut."""
    path = tmp_path / "journal.db"
    store = open_store(f"sqlite:///{path}")
    loaded = {"name": "mm", "version": "v1", "mode": "shadow", "stage": "paper", "bot": "a", "policy": {"x": "y" * 999}}
    store.announce("binance/main", "USDT", loaded, AT_MS)
    store.event("note", {"what": "z" * 999, "of": "a"}, AT_MS)
    store.close()
    lines, _ = recent(JournalReader(path), Tail(), 9)
    assert lines[0].split("  ")[-1].strip() == "mm v1 in force for binance/main, shadow, stage paper, bot a"
    assert lines[1].endswith(f"what={'z' * 79}… of=a")


def test_only_the_newest_are_shown(journal: JournalReader) -> None:
    """A count is a count of lines shown, not of rows read."""
    assert recent(journal, Tail(), 2)[0] == LINES[-2:]
    assert recent(journal, Tail(), 0) == ([], 13)


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({"bot": "mm-2"}, [9]),
        ({"outcome": "deny"}, [9]),
        ({"outcome": "allow"}, [2, 6]),
        ({"outcome": "unknown"}, [3]),
        ({"outcome": "settled", "bot": "mm-1", "symbol": "BTC/USDT"}, [8]),
        ({"symbol": "ETH/USDT"}, []),
        ({"quiet": False, "symbol": None}, list(range(1, 14))),
    ],
)
def test_filters(journal: JournalReader, filters: dict[str, object], numbers: list[int]) -> None:
    """Bot and symbol also hold for the outcomes of a bot's orders; an outcome is a decision's or a send's."""
    lines, _ = recent(journal, JsonTail(**filters), 100)  # type: ignore[arg-type]
    assert [json.loads(line)["seq"] for line in lines] == numbers


def test_a_line_is_cut_at_the_terminals_width_and_only_there(journal: JournalReader) -> None:
    """On a terminal of 100 columns no line is longer; into a pipe nothing is cut."""
    cut, _ = recent(journal, Tail(width=100), 100)
    assert max(map(len, cut)) == 100
    assert [line for line in cut if line.endswith("…")] == [LINES[7][:99] + "…"]


def test_json_is_the_row_itself(journal: JournalReader) -> None:
    """A line of JSON has the number, the time in UTC, the kind and the whole body."""
    lines, _ = recent(journal, JsonTail(), 1)
    assert json.loads(lines[0]) == {
        "seq": 13,
        "at": "2026-11-21T10:00:22.000Z",
        "kind": "policy",
        "body": {"account": "binance/main", "currency": "USDT", "name": "mm", "version": "sha256:3f9a01c2d4e5"},
    }


def test_follow_shows_what_another_process_writes(journal: JournalReader, uri: str) -> None:
    """New rows are shown once each, in order, until the wait says that it is over."""
    other = open_store(uri)
    rounds = iter((True, True, False))

    def wait() -> bool:
        other.record(decision("01JD3V7K2M0000000000000009", bot="mm-9"), AT_MS + 30_000)
        return next(rounds)

    lines = list(follow(journal, Tail(bot="mm-9"), 13, wait))
    other.close()
    assert [line.split()[:4] for line in lines] == [
        ["10:00:30.000", "14", "ALLOW", "mm-9"],
        ["10:00:30.000", "15", "ALLOW", "mm-9"],
    ]


def test_a_long_journal_is_read_from_its_end(empty: Writable, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last rows of a long journal cost a few pages."""
    store, journal = empty
    for number in range(300):
        store.event("note", {"n": number}, AT_MS)
    monkeypatch.setattr(module, "PAGE", 50)
    assert [row.seq for row in every(store)] == [row.seq for row in every(journal)] == list(range(1, 301))
    read = []
    rows = journal.rows

    def counted(after: int = 0, limit: int = 50) -> object:
        for row in rows(after, limit):
            read.append(row.seq)
            yield row

    monkeypatch.setattr(journal, "rows", counted)
    assert [line.rpartition("=")[2] for line in recent(journal, Tail(), 3)[0]] == ["297", "298", "299"]
    assert len(read) < 150


def test_an_empty_journal_has_no_lines(empty: Writable) -> None:
    """Of a store that nobody used yet."""
    assert recent(empty.journal, Tail(), 20) == ([], 0)


def test_orders_are_remembered_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Following for weeks does not grow: the oldest orders are forgotten."""
    monkeypatch.setattr(module, "MAX_REMEMBERED", 2)
    store = open_store("memory:")
    for name in ("A001", "A002", "A003"):
        store.reserve(decision(name), intent(name), (), 0, AT_MS)
    view = Tail()
    for row in every(store):
        view.take(row)
    assert list(view._orders._known) == ["A002", "A003"]


def test_a_comparison_is_a_line_when_it_found_something_else(empty: Writable) -> None:
    """What stands is said once, what is gone or accepted is said; a comparison that agrees is not."""
    store, journal = empty
    drift = ["balance", "BTC", "0.5", "30000", "order 7"]
    for found in ([], [drift], [drift], []):
        store.reconcile("binance/main", {"drift": found}, AT_MS)
    store.reconcile("binance/main", {"drift": [], "by": "alice", "why": "moved by hand"}, AT_MS)
    assert [line[13:] for line in recent(journal, Tail(), 100)[0]] == [
        "      2  compared binance/main: unexplained: balance BTC 0.5",
        "      4  compared binance/main: nothing unexplained",
        "      5  compared binance/main: nothing unexplained, accepted by alice: moved by hand",
    ]
    assert len(recent(journal, Tail(quiet=False), 100)[0]) == 5


def test_a_message_is_a_line_with_what_came_of_it(empty: Writable) -> None:
    """Who was told of what, or why not, and that it is over."""
    store, journal = empty
    told = {"cause": "halt", "subject": "all", "target": "ops"}
    store.event("message", {**told, "what": "told", "ok": False, "words": "error=403."}, AT_MS)
    store.event("message", {**told, "what": "over", "ok": True}, AT_MS)
    lines, _ = recent(journal, Tail(), 10)
    assert [line.split(None, 2)[2] for line in lines] == [
        "message  ops could not be told (error=403.): halt all",
        "message  ops was told: over: halt all",
    ]

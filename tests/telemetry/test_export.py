"""`journal export --otlp`: every span at least once, whatever dies in between, and no span twice under two ids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from policykit.errors import PolicykitError, StoreUnavailable
from policykit.store import open_store
from policykit.store.base import Row
from policykit.store.pruned import WHOLE, Base
from policykit.telemetry import export
from policykit.telemetry.export import Cursor, Done, Export, Unreachable
from policykit.telemetry.otlp import Sender
from policykit.telemetry.rebuild import spans_of
from tests.telemetry.nouns import AT_MS, NOTIONAL, decision, intent
from tests.telemetry.taps import Answer, tap

SPANS = 40


class Journal:
    """Rows of a store, and what a reader says beside them."""

    epoch = "e1"

    def __init__(self, count: int = SPANS) -> None:
        store = open_store("memory:")
        store.announce(
            "binance/main", "USDT", {"name": "mm", "version": decision().policy_version, "stage": "s"}, AT_MS
        )
        for number in range(count):
            store.record(decision(f"D{number:04}", reasons=(NOTIONAL,)), AT_MS + number)
        self.all = list(store.rows(0, 100_000))
        self.broken_after = 10**9
        self.pruned = 0

    def base(self) -> Base:
        """Return what was pruned: nothing, unless a test says so."""
        return WHOLE._replace(seq=self.pruned)

    def carried(self) -> list[Row]:
        """Return nothing."""
        return []

    def newest(self) -> Row | None:
        """Return the newest row."""
        return self.all[-1] if self.all else None

    def rows(self, after: int = 0, limit: int = 1000) -> Iterator[Row]:
        """Yield rows; raise behind `broken_after` as a reader of a damaged file does."""
        for row in self.all[after : after + limit]:
            if row.seq > self.broken_after:
                raise StoreUnavailable(f"row {row.seq} cannot be read", "STORE_DAMAGED")
            yield row


def going(journal: Any, url: str, path: Path, **more: Any) -> Export:
    """Return an export that waits for nothing."""
    stop = more.pop("stop", None) or Event()
    sender = Sender(url, say=lambda _: None, stop=stop)
    return Export(journal, sender, Cursor(path), stop=stop, say=more.pop("say", lambda _: None), **more)


def ids(spans: Any) -> list[str]:
    """Return the span ids of what came over the wire."""
    return [span.span_id.hex() for span in spans]


def wanted(journal: Journal) -> list[str]:
    """Return the span ids of every span of a journal."""
    return [span.span_id for span in spans_of(journal.all)]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make batches small, so that a run has several, and pauses none."""
    monkeypatch.setattr(export, "BATCH", 8)
    monkeypatch.setattr("policykit.telemetry.otlp.MAX_PAUSE_S", 0.0)


def test_all_of_a_journal_arrives_once_and_the_next_run_goes_on(tmp_path: Path) -> None:
    """Every span is sent in order; a second run sends nothing, and what was written since goes with the third."""
    journal, path = Journal(), tmp_path / "cursors" / "c.json"
    said: list[tuple[int, int]] = []
    with tap() as there:
        assert going(journal, there.url, path, progress=lambda *at: said.append(at)).run() == Done(
            SPANS + 1, SPANS, 0, 0
        )
        assert ids(there.taken) == wanted(journal)
        assert len(there.requests) == 5
        assert (said[0], said[-1]) == ((9, SPANS + 1), (SPANS + 1, SPANS + 1))
        assert going(journal, there.url, path).run() == Done(0, 0, 0, 0)
        journal.all = Journal(SPANS + 3).all
        assert going(journal, there.url, path).run() == Done(3, 3, 0, 0)
        assert ids(there.taken) == wanted(journal)
        stages = {
            pair.value.string_value for span in there.taken for pair in span.attributes if pair.key.endswith("stage")
        }
        assert stages == {"s"}


def test_I17_killed_anywhere_nothing_is_lost_and_a_double_has_equal_ids(tmp_path: Path) -> None:
    """Killed between each request and its cursor, at every batch in turn: after the restart every span is there."""
    journal, move = Journal(), Cursor.move
    for killed_at in range(1, 6):
        path, moves = tmp_path / f"{killed_at}.json", 0

        def dies(self: Cursor, *args: Any) -> None:
            nonlocal moves
            moves += 1
            if moves == killed_at:  # noqa: B023 - called inside this turn
                raise KeyboardInterrupt
            move(self, *args)

        with tap() as there:
            with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
                patch.setattr(Cursor, "move", dies)
                going(journal, there.url, path).run()
            going(journal, there.url, path).run()
            assert set(ids(there.taken)) == set(wanted(journal))
            assert len(there.taken) == SPANS + 8


def test_a_collector_that_goes_away_keeps_the_cursor_where_it_was(tmp_path: Path) -> None:
    """Down in the middle: the run ends, the cursor is behind what was taken, and the next run sends the rest."""
    journal, path = Journal(), tmp_path / "c.json"
    with tap(Answer(), Answer(), *[Answer(503)] * 7) as there:
        with pytest.raises(Unreachable, match="answered 503"):
            going(journal, there.url, path).run()
        assert Cursor(path).seq == 17
        going(journal, there.url, path).run()
        assert ids(there.taken) == wanted(journal)


def test_rejected_spans_are_counted_and_said_once(tmp_path: Path) -> None:
    """A batch that the collector will never take is passed over, loudly."""
    journal, said = Journal(), list[str]()
    with tap(Answer(400), Answer(400)) as there:
        done = going(journal, there.url, tmp_path / "c.json", say=said.append).run()
    assert done == Done(SPANS + 1, SPANS - 16, 16, 0)
    assert said == ["8 spans were rejected and are not sent again: answered 400"]


def test_what_is_good_before_the_damage_is_sent(tmp_path: Path) -> None:
    """A damaged journal: its good rows arrive, the cursor stands before the damage, the error is the reader's."""
    journal, path = Journal(), tmp_path / "c.json"
    journal.broken_after = 12
    with tap() as there:
        with pytest.raises(StoreUnavailable, match="row 13"):
            going(journal, there.url, path).run()
        assert (len(there.taken), Cursor(path).seq) == (11, 12)


def test_a_send_after_the_cursor_knows_its_decision_before_it(tmp_path: Path) -> None:
    """A restart between a decision and its answer: the send's span still has its parent and its order."""
    from policykit.orders.intent import Outcome

    store, journal, path = open_store("memory:"), Journal(0), tmp_path / "c.json"
    store.reserve(decision("A"), intent("A"), (), 0, AT_MS)
    journal.all = list(store.rows())
    with tap() as there:
        going(journal, there.url, path).run()
        store.outcome("A", Outcome("acknowledged", AT_MS + 5, order_id="1", took_ms=5.0))
        journal.all = list(store.rows())
        going(journal, there.url, path).run()
        decided, sent = there.taken
    assert (sent.parent_span_id, sent.trace_id) == (decided.span_id, decided.trace_id)


def test_pruned_while_it_follows_is_said(tmp_path: Path) -> None:
    """Somebody prunes rows that were not sent yet, between two looks: it says which, and goes on behind them."""
    journal, said = Journal(3), list[str]()

    class Stop(Event):
        looked = 0

        def wait(self, timeout: float | None = None) -> bool:
            self.looked += 1
            journal.all, journal.pruned = Journal(8).all, 6
            if self.looked == 2:
                self.set()
            return self.is_set()

    with tap() as there:
        done = going(journal, there.url, tmp_path / "c.json", stop=Stop(), say=said.append).run(follow=True)
        assert done == Done(7, 6, 0, 0)
    assert said == [
        "rows 5 to 6 were pruned before they were sent; their archive can be exported: --store sqlite:///ARCHIVE"
    ]


def test_from_a_row_leaves_the_cursor_aside(tmp_path: Path) -> None:
    """`--from` sends from that row on, with the policies that stand before it, wherever the cursor was."""
    journal, path = Journal(), tmp_path / "c.json"
    with tap() as there:
        going(journal, there.url, path).run()
        assert going(journal, there.url, path, start=40).run() == Done(2, 2, 0, 0)
        assert any(pair.value.string_value == "s" for pair in there.taken[-1].attributes)


def test_a_cursor_of_another_journal_is_refused(tmp_path: Path) -> None:
    """Another epoch, or fewer rows than were sent: nothing is skipped silently."""
    journal, path = Journal(), tmp_path / "c.json"
    with tap() as there:
        going(journal, there.url, path).run()
        for other in (Journal(SPANS - 1), Journal(0)):
            with pytest.raises(PolicykitError, match="is the cursor of another journal, or this one lost rows"):
                going(other, there.url, path)
        journal.epoch = "e2"
        with pytest.raises(PolicykitError, match="is the cursor of another journal"):
            going(journal, there.url, path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1, "seq": "x"}', "\x00"])
def test_what_is_no_cursor_is_said(tmp_path: Path, text: str) -> None:
    """A file of something else is never written over."""
    path = tmp_path / "c.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PolicykitError, match="is no cursor of this version"):
        Cursor(path)
    assert path.read_text(encoding="utf-8") == text


def test_a_cursor_that_cannot_be_kept_ends_it(tmp_path: Path) -> None:
    """Where the cursor cannot be written the export stops, rather than send the same for ever; nor is a folder one."""
    with tap() as there:
        begun = going(Journal(), there.url, tmp_path / "file" / "c.json")
        (tmp_path / "file").write_text("")
        with pytest.raises(PolicykitError, match="the cursor cannot be written"):
            begun.run()
    with pytest.raises(PolicykitError, match="the cursor cannot be read"):
        Cursor(tmp_path)


def test_following_sends_what_comes_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """New rows go out as they come; stopped while the collector is away, it ends well and the cursor stays."""
    journal, path = Journal(3), tmp_path / "c.json"

    class Stop(Event):
        looked = 0

        def wait(self, timeout: float | None = None) -> bool:
            self.looked += 1
            if self.looked == 1:
                journal.all = Journal(5).all
            if self.looked == 2:
                journal.all = Journal(6).all
                there.answers += [Answer(503)] * 10
            if self.looked == 4:
                self.set()
            return self.is_set()

    with tap() as there:
        done = going(journal, there.url, path, stop=Stop()).run(follow=True)
    assert done == Done(7, 5, 0, 0)
    assert Cursor(path).seq == 6

"""Names and words that somebody else chose: they take no incident's place, move no cursor and are no markup."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from policykit.operate.incident import report
from policykit.operate.incident.book import heads
from tests.operate.incidents import Desk, Skipping, begun, desk


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    """Start one exchange."""
    with desk(tmp_path, monkeypatch, capsys, ("binance",)) as running:
        yield running


class Standing(Skipping):
    """A clock that stands."""

    def now_ms(self) -> int:
        return 1_790_000_000_000


def test_two_incidents_of_one_second_are_two(one: Desk) -> None:
    """Two alarms at once, on two hosts: neither takes the other's row, and what is open of both is seen."""
    first, second = begun(one, Standing()), begun(one, Standing())
    assert set(heads(one.store())) == {first.id, second.id}
    assert first.id != second.id


def test_what_somebody_else_wrote_is_one_plain_line(one: Desk) -> None:
    """A login's city, a key's label, a reason out of a log: on a terminal and in the report for support."""
    bad = "\x1b[2K\x1b[1A\rfine |\n# Title <b>![x](http://evil.test/p.png) `x`"
    book = begun(one, Skipping(), why=bad)
    task = book.tasks[0]
    row = book.write(task, "alarm", bad, lines=[bad])
    assert row["words"].isprintable()
    assert row["lines"][0].isprintable()
    text = report.markdown(book, one.uri)
    assert all(line.isprintable() for line in text.splitlines())
    for markup in ("\n# Title", "<b>", "![x]", "`x`"):
        assert markup not in text

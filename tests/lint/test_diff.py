"""A fix as lines: what is drawn, what is cut, and what is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from policykit.finding import Edit, Fix
from policykit.lint.report.diff import MAX_LINES, diff_of
from policykit.place import Place
from tests.lint.reports import MM


@pytest.fixture
def mm(tmp_path: Path) -> str:
    """Return a policy's file."""
    file = tmp_path / "mm.yaml"
    file.write_text(MM, encoding="utf-8")
    return str(file)


def test_edits_of_every_kind_are_lines(mm: str) -> None:
    """A value replaced, a key removed, a section added: the lines that change, without their indentation."""
    cap = Place(mm, 8, 23, 8, 36, "risk.max_order_notional")
    assert diff_of(Fix.replace(cap, "2%", "x"), 80) == [
        ("-", "max_order_notional: 10% of equity  # 東京"),
        ("+", "max_order_notional: 2%  # 東京"),
    ]
    assert diff_of(Fix.remove(Place(mm, 9, 3, 9, 25, "risk.symbols"), "x"), 80) == [("-", 'symbols: ["BTC/USDT"]')]
    assert diff_of(Fix.add(Place(mm, path="clock.max_skew"), "500ms", "x"), 80) == [
        ("+", "clock:"),
        ("+", "  max_skew: 500ms"),
    ]


def test_edits_of_two_files_are_drawn_one_after_the_other(mm: str, tmp_path: Path) -> None:
    """A fix may touch several files; what is equal between two changes is left out."""
    other = tmp_path / "bot.py"
    other.write_text("a = 1\nb = 2\nc = 3\n")
    edits = (
        Edit(Place(mm, 2, 7, 2, 9, "name"), "m2"),
        Edit(Place(str(other), 1, 5, 1, 6), "10"),
        Edit(Place(str(other), 3, 5, 3, 6), "30"),
    )
    assert diff_of(Fix(edits, "x"), 80) == [
        *(("-", "name: mm"), ("+", "name: m2")),
        *(("-", "a = 1"), ("+", "a = 10")),
        *(("-", "c = 3"), ("+", "c = 30")),
    ]


def test_long_lines_are_cut_where_they_differ(tmp_path: Path) -> None:
    """Of two long lines the part with the difference is shown; of others the beginning."""
    file = tmp_path / "p.yaml"
    file.write_text(f"a: {'x' * 200} 10 end\n")
    old, new = diff_of(Fix.replace(Place(str(file), 1, 205, 1, 207), "2", "x"), 40)
    assert (old[1], new[1]) == (f"\u2026{'x' * 23} 10 end", f"\u2026{'x' * 23} 2 end")
    file.write_text(f"a: {'x' * 200}\n")
    lines = diff_of(Fix.replace(Place(str(file), 1, 4, 1, 204), "1\nb: 2", "x"), 20)
    assert lines == [("-", f"a: {'x' * 16}\u2026"), ("+", "a: 1"), ("+", "b: 2")]


def test_a_long_fix_is_counted(tmp_path: Path) -> None:
    """At most so many lines are drawn, of any number; the rest is counted."""
    file = tmp_path / "p.py"
    file.write_text("x\n")
    lines = diff_of(Fix.replace(Place(str(file), 1, 1, 1, 2), "\n".join(f"y{n}" for n in range(1_000)), "x"), 80)
    assert len(lines) == MAX_LINES + 1
    assert lines[-1][0] == " "
    assert lines[-1][1].startswith("... and ")


def test_what_cannot_be_edited_and_what_is_secret_is_not_drawn(tmp_path: Path) -> None:
    """A fix of a file that is gone or does not read draws nothing; a secret is stars, an escape code a dot."""
    place = Place(str(tmp_path / "gone.yaml"), 1, 1, 1, 1, "risk.symbols")
    assert diff_of(Fix.remove(place, "x"), 80) == []
    file = tmp_path / "bot.py"
    file.write_text('secret = "aB3dE5gH7jK9mN1pQ3sT"  # \x1b[2J\n')
    old, new = diff_of(Fix.replace(Place(str(file), 1, 10, 1, 32), "read()", "x"), 80)
    assert (old[1], new[1]) == ("secret = **********************  # ·[2J", "secret = read()  # ·[2J")

"""docs/speed.md: every row that `make bench` measures is on the page, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench._harness import Row
from bench._page import FEET, HEAD, page, row_names

TOP = Path(__file__).resolve().parent.parent.parent


def on_page(text: str) -> list[str]:
    """Return the first cell of each row of the table."""
    return re.findall(r"^\| (?!what \|)([^|]+) \|", text, re.MULTILINE)


def test_the_page_has_every_row_of_the_benches() -> None:
    """A row that is added, renamed or dropped makes the page stale; a page without one of them is noticed."""
    text = (TOP / "docs" / "speed.md").read_text("utf-8")
    measured = row_names(TOP / "bench")
    assert len(measured) > 10
    assert sorted(on_page(text)) == sorted(measured)
    assert sorted(on_page(text.replace(f"| {measured[0]} |", "| other |"))) != sorted(measured)


def test_a_missed_goal_stands_on_the_page_as_missed() -> None:
    """The page says goal, ratio, median and verdict of each row, with its note."""
    rows = [Row("a", 1.25, 1.5, "x floor", 0.002, "why"), Row("b", 12.0, 13.0, "x other", 3e-7, at_least=True)]
    assert page(rows, "Python 3") == (
        f"{HEAD}Measured with Python 3.\n\n"
        "| what | goal | ratio | to | median | |\n|---|---|---|---|---|---|\n"
        "| a | <= 1.25 | 1.50 | x floor | 2 ms | **not met** |\n"
        "| b | >= 12 | 13.00 | x other | 300 ns | met |\n\n"
        f"- a: why\n{FEET}"
    )


def test_a_bench_that_is_run_anew_replaces_its_rows_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--page cold` leaves the other rows as they were measured, in the order of the benches; none is left out."""
    first, second, *_ = row_names(TOP / "bench")
    for name, file in (("OUT", tmp_path / "out" / "bench.json"), ("PAGE", tmp_path / "speed.md")):
        monkeypatch.setattr(bench, name, file)
    monkeypatch.setattr(bench, "row_names", lambda folder: [first, second])

    def run(*rows: Row) -> list[tuple[str, str]]:
        monkeypatch.setattr(bench, "measured", lambda names: list(rows))
        assert bench.main(["--page", "cold"]) == int(any(not row.met for row in rows))
        text = bench.PAGE.read_text("utf-8") if bench.PAGE.exists() else ""
        return re.findall(r"^\| ([^|]+) \| <= 1 \| ([\d.]+) \|", text, re.MULTILINE)

    assert run(Row(second, 1, 2.0, "x", 1.0)) == []
    assert run(Row(first, 1, 0.5, "x", 1.0)) == [(first, "0.50"), (second, "2.00")]
    assert run(Row(second, 1, 1.0, "x", 1.0)) == [(first, "0.50"), (second, "1.00")]

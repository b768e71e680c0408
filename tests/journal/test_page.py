"""docs/journal.md: every kind, column and test that it names is there, and none is left out."""

from __future__ import annotations

import re
from pathlib import Path

from policykit.model.journal_contract import KINDS
from policykit.telemetry.formats import NAMES
from policykit.telemetry.formats.flat import COLUMNS
from tests.engine.test_semantics_page import NODE


def _faults(text: str, top: Path) -> list[str]:
    """Say what is wrong with the page."""
    faults = []
    for file, test in NODE.findall(text):
        path = top / file
        if not path.exists() or not re.search(rf"^def {test}\(", path.read_text("utf-8"), re.MULTILINE):
            faults.append(f"{file}::{test} is not there")
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| (.+) \|$", text, re.MULTILINE))
    wanted = {**COLUMNS, **{kind: what for kind, (what, _) in KINDS.items()}}
    faults += [f"{name}: is not said" for name, what in wanted.items() if f"| `{name}` | {what} |" not in text]
    return faults + [f"{name}: is said and is not" for name in rows if name not in {*wanted, *NAMES}]


def test_the_page_names_every_kind_and_column(top: Path) -> None:
    """As they stand in the code."""
    assert _faults((top / "docs" / "journal.md").read_text("utf-8"), top) == []


def test_a_page_that_lies_is_noticed(top: Path) -> None:
    """A kind left out, a column made up, a test renamed: each is named."""
    text = (top / "docs" / "journal.md").read_text("utf-8")
    assert _faults(text.replace("| `halt` |", "| `stop` |"), top) == ["halt: is not said", "stop: is said and is not"]
    assert _faults(text.replace("::test_no_cell_is_a_formula", "::test_x"), top) == [
        "tests/journal/test_export.py::test_x is not there"
    ]

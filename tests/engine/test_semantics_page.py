"""docs/semantics.md: no item is missing, each says what holds it or what is not done, and every test named is there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.oracles.table import markdown

NODE = re.compile(r"`(tests/\S+\.py)::(\w+)`")
SAID_NOT_DONE = re.compile(r"^Not yet: .+\(issue \d+\)\.$", re.MULTILINE | re.DOTALL)


def _items(text: str, heading: str) -> list[tuple[int, str]]:
    """Return number and text of each item under a heading."""
    section = text.split(f"\n## {heading}\n")[1].split("\n## ", maxsplit=1)[0]
    parts = re.split(r"^### (\d+)\. .+$", section, flags=re.MULTILINE)[1:]
    return [(int(number), said) for number, said in zip(parts[::2], parts[1::2], strict=True)]


def _faults(text: str, top: Path) -> list[str]:
    """Say what is wrong with the page."""
    faults = []
    for heading, count in (("Semantics", 30), ("Stories", 13)):
        items = _items(text, heading)
        if [number for number, _ in items] != list(range(1, count + 1)):
            faults.append(f"{heading} has the items {[number for number, _ in items]}")
        faults += [
            f"{heading} {number} names no test and does not say that it is not done"
            for number, said in items
            if not NODE.search(said) and not SAID_NOT_DONE.search(said)
        ]
        faults += [
            f"{heading} {number}: what is not done names no issue"
            for number, said in items
            if "Not yet:" in said and not SAID_NOT_DONE.search(said.strip())
        ]
    for file, test in NODE.findall(text):
        path = top / file
        if not path.exists() or not re.search(rf"^(async )?def {test}\(", path.read_text("utf-8"), re.MULTILINE):
            faults.append(f"{file}::{test} is not there")
    return faults


def test_every_item_is_held_or_said_not_to_be(top: Path) -> None:
    """Thirty items and thirteen stories, each with tests that exist, or with the issue that will do it."""
    assert _faults((top / "docs" / "semantics.md").read_text("utf-8"), top) == []


def test_the_page_shows_what_other_languages_can_say(top: Path) -> None:
    """The table of Cedar and CEL is that of the tests; write it with `python -m tests.oracles.table`."""
    assert markdown() in (top / "docs" / "semantics.md").read_text("utf-8")


def test_a_page_that_lies_is_noticed(top: Path) -> None:
    """An item taken out, a test renamed, a promise without an issue: each is named."""
    text = (top / "docs" / "semantics.md").read_text("utf-8")
    assert _faults(text.replace("### 7. Reading", "### 8. Reading"), top)[0].startswith("Semantics has the items")
    assert _faults(text.replace("::test_contracts`", "::test_contract`"), top) == [
        "tests/engine/test_exposure.py::test_contract is not there"
    ]
    assert "Stories 6: what is not done names no issue" in _faults(text.replace("is read (issue 5)", "is read"), top)
    bare = re.sub(r"(### 22\. .+?\n\n.+?)\n\nHeld by:.+?(?=\n### 23)", r"\1\n", text, flags=re.DOTALL)
    assert _faults(bare, top) == ["Semantics 22 names no test and does not say that it is not done"]

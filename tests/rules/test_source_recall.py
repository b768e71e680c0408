"""Known bugs of bots (bots.md): which rules find each, where, and how sure they are; and what is not found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policykit.rules import catalogue
from policykit.rules.base import Inputs
from policykit.rules.code import Project, read
from policykit.testing.rules.examples import NOW_MS

HERE = Path(__file__).parent
FOUND, MISSED = (HERE / "bots.md").read_text().split("\n# Not found\n")
_BUG = re.compile(r"^## ([^\n]+)\n\n(?:([^\n`]+)\n\n)?```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SAID = re.compile(r"  # (PK9.*)$")


def bugs(text: str) -> dict[str, tuple[str, str]]:
    """Return name to (reason, source)."""
    return {name: (reason, source) for name, reason, source in _BUG.findall(text)}


def expected(source: str) -> list[str]:
    """Return what the comments of a source say: `PK901 6 certain`."""
    lines = enumerate(source.splitlines(), 1)
    said = ((at, match[1].split(", ")) for at, line in lines if (match := _SAID.search(line)))
    return sorted(f"{code.split()[0]} {at} {code.split()[1]}" for at, codes in said for code in codes)


def findings(source: str, file: str = "bot.py", project: Project | None = None) -> list[str]:
    """Return what all rules on source find."""
    code = read(source, file, project)
    found = [f for entry in catalogue("source") for f in entry.check(Inputs(NOW_MS, source=code))]
    return sorted(f"{f.rule} {f.primary.line} {f.confidence}" for f in found)


@pytest.mark.parametrize("name", bugs(FOUND))
def test_known_bug_is_found(name: str) -> None:
    """Each known bug gives exactly the findings that its comments say: rule, line, confidence."""
    source = bugs(FOUND)[name][1]
    assert findings(source) == expected(source)
    assert expected(source), "a bug that nothing finds is a miss"


@pytest.mark.parametrize("name", bugs(MISSED))
def test_known_miss_is_still_one(name: str) -> None:
    """What is not found is listed with its reason; one that is found one day moves up."""
    reason, source = bugs(MISSED)[name]
    assert findings(source) == expected(source)
    assert reason


def test_counts_are_those_of_the_docs() -> None:
    """No bug was lost from the list, and the figure of docs/linter.md is the one of this list."""
    found, missed = bugs(FOUND), bugs(MISSED)
    assert len(found) + len(missed) == (FOUND + MISSED).count("```python\n")
    assert (
        f"{len(found)} of {len(found) + len(missed)} known bugs" in (HERE.parents[1] / "docs" / "linter.md").read_text()
    )

"""The requirement x rule table: no cell without a rule, no field of the model that nothing looks at or holds."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from policykit.cli._group import group
from policykit.lint import coverage
from policykit.lint.coverage import Row, fields, rows
from policykit.model import Section
from policykit.rules import catalogue
from policykit.rules.guide import ALWAYS, COLUMNS, COMMANDS, GUIDE
from policykit.source.codes import CODES
from policykit.testing.rules.examples import all_examples, inputs_of
from tests.lint.conftest import Said


def _holes(table: tuple[Row, ...]) -> list[tuple[str, str]]:
    return [(row.number, column) for row in table for column in row.holes]


# ---- requirements --------------------------------------------------------------------------------------------------


def test_every_cell_of_the_guide_is_held() -> None:
    """A requirement has a rule wherever it bites for lint, a check or a part of the guard at run time, a command."""
    assert _holes(rows()) == []


def test_control_a_requirement_without_its_rules_is_a_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: without the rules that cite G12, G16 and G21 the table has those holes, and none with them."""
    kept = tuple(e for e in catalogue() if not {"G12", "G16", "G21"} & {*e.rule.guide})
    before = _holes(rows())
    monkeypatch.setattr(coverage, "catalogue", lambda: kept)
    assert set(_holes(rows())) - set(before) >= {("G12", "static"), ("G16", "live"), ("G21", "source")}


def test_the_guide_here_is_the_guide(top: Path) -> None:
    """Numbers and columns are those of GUIDE.md, and no title is its text."""
    guide = top.parent / "shared" / "GUIDE.md"
    assert [r.number for r in GUIDE] == [f"G{n:02}" for n in range(1, 48)]
    assert all(set(r.where) <= set(COLUMNS) and len(r.title) < 80 for r in GUIDE)
    if not guide.is_file():
        pytest.skip("the guide is not beside this clone")
    found = re.findall(r"^\| (G\d\d) \| (.+) \| ([SLRCO ]+) \|$", guide.read_text(encoding="utf-8"), re.MULTILINE)
    assert [(number, set(where.split())) for number, _, where in found] == [(r.number, set(r.where)) for r in GUIDE]
    assert [r.number for r, (_, text, _) in zip(GUIDE, found, strict=True) if r.title in text.lower()] == []


def test_what_the_table_names_is_there() -> None:
    """Requirements, commands and codes of the loader that the table names exist."""
    numbers = {r.number for r in GUIDE}
    assert {*ALWAYS, *COMMANDS, *coverage._OF_THE_FILE} <= numbers
    assert {command for commands in COMMANDS.values() for command in commands} <= {*group.list_commands(None)}  # type: ignore[arg-type]
    assert {code for codes in coverage._OF_THE_FILE.values() for code in codes} <= {*CODES}
    assert {n for entry in catalogue() for n in entry.rule.guide} <= numbers


def test_rules_by_guide(run: Callable[..., Said]) -> None:
    """`rules --by guide` prints each requirement with what looks at it; as JSON the same."""
    said = run("rules", "--by", "guide")
    assert said.code == 0
    assert "G12  each address says what it is\n  S  PK205" in said.out
    assert "G45  minutes are measured\n  S  PK716\n  O  incident\n" in said.out
    assert coverage.NOTHING not in said.out
    listed = json.loads(run("rules", "--by", "guide", "--format", "json").out)
    assert listed == json.loads(json.dumps(coverage.to_dict()))
    assert listed["requirements"][46]["where"] == ["static"]


def test_the_page_links_every_rule() -> None:
    """docs/coverage.md names every rule, with the anchor it has in docs/rules.md."""
    page = coverage.page()
    assert [e.rule.code for e in catalogue() if f"(rules.md#{e.rule.code.lower()}-{e.rule.name})" not in page] == []
    assert "| G47 | what disqualifies a vendor | [PK801](rules.md#pk801-vendor-disqualified) | " in page


# ---- fields --------------------------------------------------------------------------------------------------------


@contextmanager
def _watched() -> Iterator[set[tuple[str, str]]]:
    """Yield the fields of the model that are read inside, as (section, field)."""
    seen: set[tuple[str, str]] = set()
    plain = Section.__getattribute__

    def read(self: Section, name: str) -> Any:
        if name in type(self).__pydantic_fields__:
            seen.add((type(self).__name__, name))
        return plain(self, name)

    Section.__getattribute__ = read  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        del Section.__getattribute__


#: A rule that reads more fields than this reads them all alike (contradictions, dead limits) and reaches none.
GENERIC = 100


@cache
def _readers() -> dict[tuple[str, str], set[str]]:
    """Return which rules on policies read each field of the model, over all examples."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for heading in ("Bad", "Good"):
        for entry, _, example in all_examples(catalogue("policy", "fleet"), heading):
            inputs = inputs_of(example)
            with _watched() as seen:
                list(entry.check(inputs))
            found[entry.rule.code] |= seen
    readers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for code, seen in found.items():
        for field in seen if len(seen) < GENERIC else ():
            readers[field].add(code)
    return readers


def _unread(readers: dict[tuple[str, str], set[str]]) -> list[tuple[str, str]]:
    """Return (path, holder) of each field that names a rule, or a family of rules, none of which reads it."""
    return [
        (path, holder)
        for path, section, name, meta in fields()
        for holder in meta.held_by
        if holder.startswith("rule:") and not holder.startswith("rule:PK0")
        if not any(code.startswith(holder[5:].rstrip("x")) for code in readers[section.__name__, name])
    ]


def test_every_field_is_reached_by_its_rules() -> None:
    """A field that names a rule is read by it, one that names a family by a rule of it; all others are held otherwise.

    (That a field names a rule, a check, a part of the guard, or is neutral is held in tests/model.)
    """
    assert _unread(_readers()) == []
    assert len(_readers()) > 60


def test_control_a_field_whose_rule_is_gone_is_noticed() -> None:
    """Control: without the family PK8 the answers of vendors are read by nothing."""
    kept = defaultdict(set, {field: {c for c in codes if c[:3] != "PK8"} for field, codes in _readers().items()})
    assert ("vendors.NAME.incidents_disclosed", "rule:PK8xx") in _unread(kept)

"""Every rule's docstring is its test: its examples are run, its headings and its file's name are held."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import policykit.rules
from policykit.rules import Entry, catalogue, find
from policykit.rules.base import Rule
from tests.rules.examples import HEADINGS, Example, all_examples, examples, run, sections, written

ENTRIES = catalogue()


def _id(value: object) -> str:
    return value.rule.code if isinstance(value, Entry) else str(value) if isinstance(value, int) else ""


@pytest.mark.parametrize(("entry", "index", "example"), list(all_examples(ENTRIES, "Bad")), ids=_id)
def test_bad_example_gives_exactly_its_findings(entry: Entry, index: int, example: Example) -> None:
    """A bad example gives the findings written under it: status, confidence, place and whole message."""
    assert [written(finding) for finding in run(entry, example)] == list(example.findings)
    assert example.findings, "a bad example without a finding shows nothing"


@pytest.mark.parametrize(("entry", "index", "example"), list(all_examples(ENTRIES, "Good")), ids=_id)
def test_good_example_is_clean(entry: Entry, index: int, example: Example) -> None:
    """A good example gives no finding of its rule, neither open nor unknown."""
    assert [written(finding) for finding in run(entry, example)] == []


def test_no_example_was_lost() -> None:
    """Every opened fence of a docstring is closed and read, so that a broken one cannot empty the tests above."""
    for entry in ENTRIES:
        lines = [line for line in entry.doc.splitlines() if line.startswith("```")]
        opened = [line for line in lines if line != "```"]
        assert len(lines) == 2 * len(opened), entry.rule.code
        read = [len(e.findings) > 0 for h in ("Bad", "Good") for e in examples(entry.doc, h)]
        assert sum(line == "```finding" for line in opened) == sum(read), entry.rule.code


@pytest.mark.parametrize("entry", ENTRIES, ids=_id)
def test_docstring_has_the_fixed_headings(entry: Entry) -> None:
    """Each docstring has the five headings in order, at least one example of each kind, and a source."""
    assert list(sections(entry.doc)) == HEADINGS
    assert all(text.strip() for text in sections(entry.doc).values())
    assert list(all_examples((entry,), "Bad"))
    assert list(all_examples((entry,), "Good"))
    assert re.search(r"GUIDE\.md|DESIGN\.md|PITFALLS\.md|INTERFACE\.md|RFC", sections(entry.doc)["Source"])


@pytest.mark.parametrize("entry", ENTRIES, ids=_id)
def test_file_name_holds_code_and_guide_numbers_are_real(entry: Entry) -> None:
    """A rule's file starts with its code, and it cites requirements that the guide has."""
    files = list(Path(policykit.rules.__file__).parent.glob(f"{entry.rule.code.lower()}_*.py"))
    assert len(files) == 1
    assert entry.rule.guide
    assert all(re.fullmatch(r"G(0[1-9]|[1-3][0-9]|4[0-7])", number) for number in entry.rule.guide)


def test_every_family_has_a_rule() -> None:
    """Each family PK1 to PK9 has at least one rule, and codes and names are given once."""
    assert {e.rule.code[:3] for e in ENTRIES} == {f"PK{n}" for n in range(1, 10)}
    assert len({e.rule.code for e in ENTRIES}) == len({e.rule.name for e in ENTRIES}) == len(ENTRIES)


def test_catalogue_splits_policy_and_source_rules() -> None:
    """Each rule has one subject, and rules on what bots are made of are the family PK9."""
    assert {e.rule.code[:3] for e in catalogue("source", "config")} == {"PK9"}
    parts = [*catalogue("policy"), *catalogue("fleet"), *catalogue("source"), *catalogue("config")]
    assert sorted(parts, key=lambda e: e.rule.code) == list(ENTRIES)


def test_find_takes_codes_and_names_in_any_case() -> None:
    """A rule is found by its code or its name; nothing is found by anything else."""
    rules: list[Rule | None] = [e.rule if (e := find(text)) else None for text in ("pk101", "Withdraw-Scope", "PK000")]
    assert rules == [find("PK101").rule, find("PK101").rule, None]  # type: ignore[union-attr]


def test_unwaivable_rules_are_those_of_the_loader() -> None:
    """Rules that cannot be waived are the ones whose waiver the loader refuses (PK030)."""
    from policykit.policy import UNWAIVABLE

    assert {e.rule.code for e in ENTRIES if not e.rule.waivable} == UNWAIVABLE

"""Every rule's docstring is its test: its examples are run, its headings and its file's name are held."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import policykit.rules
from policykit.rules import Entry, catalogue, find
from policykit.rules.base import Rule
from policykit.testing.rules import examples_hold
from policykit.testing.rules.examples import sections

ENTRIES = catalogue()


def _id(entry: Entry) -> str:
    return entry.rule.code


@pytest.mark.parametrize("entry", ENTRIES, ids=_id)
def test_examples_hold(entry: Entry) -> None:
    """Bad examples give exactly the findings written under them, good ones none, and the docstring has its headings."""
    examples_hold(sys.modules[entry.check.__module__])
    assert all(text.strip() for text in sections(entry.doc).values())
    assert re.search(r"GUIDE\.md|DESIGN\.md|PITFALLS\.md|INTERFACE\.md|RFC", sections(entry.doc)["Source"])


DOC = find("PK205").doc  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("doc", "said"),
    [
        (DOC.replace("## Why", "## Because"), "headings are What it finds, Why, Bad, Good, Source, in this order"),
        (DOC.replace("```yaml", "```", 1), "fences are opened and"),
        (DOC.replace("```finding", "```ignored", 1), "Bad with 0 findings"),
        (DOC.replace("open certain", "open likely", 1), "\nnot   ["),
        (re.sub(r"## Bad\n.*?## Good", "## Bad\n\n## Good", DOC, flags=re.DOTALL), "no example under Bad"),
    ],
)
def test_what_does_not_hold_is_named(doc: str, said: str) -> None:
    """Control: a docstring that is not what its rule does fails, and says which rule and how."""
    module = ModuleType("acme_rule", doc)
    found = find("PK205")
    assert found is not None
    module.__dict__.update(RULE=found.rule, check=found.check)
    with pytest.raises(AssertionError) as raised:
        examples_hold(module)
    assert str(raised.value).startswith("PK205: ")
    assert said in str(raised.value)


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

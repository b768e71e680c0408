"""The tables of checks and codes: closed, documented, and equal to what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from policykit import engine
from policykit.cli import _group
from policykit.engine.checks import all_checks
from policykit.engine.checks.missing import holders_named
from policykit.engine.page import page
from policykit.engine.reasons import REASONS
from policykit.model import Policy
from policykit.model.enforced import CHECKS, missing

CODE = re.compile(r'Reason\(\s*"([A-Z_]+)"')
STORE_CODE = re.compile(r'"(STORE_[A-Z_]+)"')


def test_page_is_fresh(top: Path) -> None:
    """docs/checks.md is what `make docs` writes."""
    assert (top / "docs" / "checks.md").read_text(encoding="utf-8") == page()


def test_codes_are_a_closed_set(top: Path) -> None:
    """Every code that a check names or a reason is given is in the table, and none is there for nothing."""
    texts = [p.read_text(encoding="utf-8") for p in (top / "policykit").rglob("*.py") if p.name != "reasons.py"]
    used = {code for check in all_checks() for code in check.codes}
    for text in texts:
        used.update(CODE.findall(text))
        used.update(STORE_CODE.findall(text))
    assert used - set(REASONS) == set()
    everything = "".join(texts)
    assert [code for code in REASONS if f'"{code}"' not in everything] == []


@pytest.mark.parametrize("code", REASONS)
def test_each_code_says_what_to_do_next(code: str) -> None:
    """In more than a word ("wait" for what?), not by saying again what is wrong, and by commands that there are."""
    means, do = REASONS[code]
    assert len(do.split()) >= 3, do
    assert do not in means
    assert not do.endswith(".")
    for named in re.findall(r"`policykit ([a-z ]+)", do):
        words = named.split()
        found = _group.FileGroup().get_command(click.Context(click.Command("policykit")), words[0])
        assert found is not None, named
        if isinstance(found, click.Group) and words[1:]:
            assert found.get_command(click.Context(found), words[1]) is not None, named


def test_each_check_has_its_own_place() -> None:
    """Ids and ranks are unique, every check says what it denies, and its codes are in the table."""
    checks = all_checks()
    assert len({check.id for check in checks}) == len({check.rank for check in checks}) == len(checks)
    for check in checks:
        assert check.__doc__, check
        assert check.__doc__.startswith("Denies "), check.id
        assert set(check.codes) <= set(REASONS)


def test_every_limit_of_the_language_is_held() -> None:
    """What the language says, a check or the guard holds."""
    known = {check.id for check in all_checks()}
    assert {
        h.removeprefix("check:") for _, h in holders_named(Policy) if not missing(h, known) and "check:" in h
    } == CHECKS
    assert sorted({path for path, holder in holders_named(Policy) if missing(holder, known)}) == []


def test_room_names_what_it_has() -> None:
    """The room's own names load when asked for; another is an AttributeError."""
    assert all(getattr(engine, name) is not None for name in engine.__all__)
    with pytest.raises(AttributeError, match=r"module policykit.engine has no attribute nothing"):
        engine.nothing  # noqa: B018

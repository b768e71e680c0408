"""Waivers: what they accept, until when, and whose leave they need."""

from __future__ import annotations

import re

import pytest

from policykit.model import date_ms
from policykit.policy import UNWAIVABLE, load_text
from tests.policy.documents import TOP
from tests.policy.test_load import HEAD, told, under

NOW = date_ms("2026-11-21") or 0
WAIVER = "waivers: [{{rule: PK204, at: keys.a, owner: o, reason: r, expires: {0}}}]"


@pytest.mark.parametrize(
    ("expires", "rule", "path", "accepted"),
    [
        ("2026-11-22", "PK204", "keys.a", True),
        ("2026-11-22", "PK204", "keys.a.ip_allowlist.0.address", True),
        ("2026-11-22", "PK204", "keys.ab", False),
        ("2026-11-22", "PK204", "keys", False),
        ("2026-11-22", "PK205", "keys.a", False),
        ("2026-11-21", "PK204", "keys.a", False),
        ("2026-02-31", "PK204", "keys.a", False),
        ("never", "PK204", "keys.a", False),
    ],
)
def test_waivers(expires: str, rule: str, path: str, accepted: bool) -> None:
    """A waiver accepts its rule at its path and below until its day; a bad date is expired."""
    effective = load_text(HEAD + WAIVER.format(expires))
    assert (effective.waived(rule, path, NOW) is not None) is accepted


def test_a_waiver_needs_the_parents_leave() -> None:
    """What a parent does not list as waivable, no child waives; what it lists, a child may."""
    waiver = WAIVER.format("2027-01-01")
    assert under("waivable: [PK204]", waiver).waived("PK204", "keys.a", NOW) is not None
    assert told(f"{HEAD}extends: [p]\n{waiver}", HEAD) == [
        "PK030 4:18 p gives no leave to waive PK204; `waivable: [PK204]` there, or no waiver here"
    ]


def test_a_parents_waiver_is_inherited_with_its_place() -> None:
    """What a parent waived stays waived, and is shown where the parent says it."""
    effective = under(WAIVER.format("2027-01-01"), "owner: me")
    assert effective.waived("PK204", "keys.a", NOW) is not None
    assert str(effective.place("waivers.0")) == "p.yaml:3:11"


def test_I22_unwaivable_rules_are_the_rules_own_word() -> None:
    """The rules that the loader refuses to waive are exactly those whose files say so."""
    said = {
        path.name[:5].upper()
        for path in (TOP / "policykit" / "rules").glob("pk[1-9]*.py")
        if re.search(r"waivable=False", path.read_text())
    }
    assert said == UNWAIVABLE

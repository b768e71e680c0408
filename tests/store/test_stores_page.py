"""docs/stores.md: every section names tests that are there, and each reason code that it explains is one."""

from __future__ import annotations

import re
from pathlib import Path

from policykit.engine.reasons import REASONS
from tests.engine.test_semantics_page import NODE

#: Codes of the store that the page need not explain: what a policy or an address says wrongly, in its own message.
ELSEWHERE = {"STORE_CURRENCY", "STORE_SHARE", "STORE_URI"}


def _faults(text: str, top: Path) -> list[str]:
    """Say what is wrong with the page."""
    sections = text.split("\n## ")[1:]
    faults = [f"{section.splitlines()[0]}: names no test" for section in sections if not NODE.search(section)]
    for file, test in NODE.findall(text):
        path = top / file
        if not path.exists() or not re.search(rf"^def {test}\(", path.read_text("utf-8"), re.MULTILINE):
            faults.append(f"{file}::{test} is not there")
    codes = {code for code in REASONS if code.startswith("STORE_")} - ELSEWHERE
    said = set(re.findall(r"STORE_(?!PK)[A-Z_]+", text))
    faults += [f"{code}: is not explained" for code in sorted(codes - said)]
    faults += [f"{code}: is no reason code" for code in sorted(said - codes)]
    return faults


def test_every_claim_is_held_by_a_test(top: Path) -> None:
    """No section without tests, no test that is not there, no code unexplained or invented."""
    assert _faults((top / "docs" / "stores.md").read_text("utf-8"), top) == []


def test_a_page_that_lies_is_noticed(top: Path) -> None:
    """A test renamed, a section without one, a code left out or made up: each is named."""
    text = (top / "docs" / "stores.md").read_text("utf-8")
    assert _faults(text.replace("::test_a_backup_never_overwrites", "::test_x"), top) == [
        "tests/store/test_backup.py::test_x is not there"
    ]
    assert _faults(text + "\n## More\n\nTrust us.\n", top) == ["More: names no test"]
    assert _faults(text.replace("STORE_LOCKED", "STORE_BUSY"), top) == [
        "STORE_LOCKED: is not explained",
        "STORE_BUSY: is no reason code",
    ]

"""Lint a policy of policies/ or its faulty twin; a profile is linted in a policy that extends it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from policykit.finding import Finding
from policykit.lint import Call, Options, lint
from policykit.policy import load
from policykit.rules.base import iso_ms

TOP = Path(__file__).parents[2]
GOOD = TOP / "policies"
FAULTY = Path(__file__).parent / "faulty"
#: Which limits this version does not enforce yet: a fact of the version, and no fault of the policy.
OF_THIS_VERSION = "PK605"
CARRIER = (Path(__file__).parent / "carrier.yaml").read_text()
NOW = "2026-11-21T10:00:00Z"

_EXPECT = re.compile(r"# (expect|elsewhere): ([PK0-9 ]+)$")
PAPER, SANDBOX, FLEET = "stages/paper.yaml", "stages/sandbox.yaml", "freqtrade-fleet/fleet.yaml"
_STAGE = (
    "stage: {current: full-live, since: 2026-11-01, next_needs: {days: 7, denials_reviewed: true, approver: risk}}\n"
)
#: What a profile that is no stage needs beside itself.
ADDED = {
    "baseline.yaml": _STAGE,
    "rts6.yaml": f"{_STAGE}withdrawals: {{allowlist: required}}\nclock: {{max_skew: 1s}}\n",
}


class Found(NamedTuple):
    """One finding as a twin writes it down: its line there, 0 when it is elsewhere."""

    line: int
    rule: str


def names(folder: Path) -> list[str]:
    """Return every policy below a folder, relative to it; their tests are none."""
    files = (path for path in folder.rglob("*.yaml") if not path.name.endswith(".test.yaml"))
    return sorted(path.relative_to(folder).as_posix() for path in files)


def relative(file: Path, folder: Path) -> str:
    """Return a path as `extends` takes it."""
    return os.path.relpath(file, folder)


def is_profile(name: str) -> bool:
    """Tell whether a file of policies/ names no exchange."""
    return load(GOOD / name).profile


def carried(name: str, file: Path, tmp_path: Path) -> Path:
    """Write the policy that a profile is linted in: one bot for the fleet, else the carrier.

    A stage is linted with the baseline, as it is used.
    """
    extends = [relative(file, tmp_path)]
    if name == FLEET:
        text = (GOOD / "freqtrade-fleet" / "trend-btc.yaml").read_text().replace("fleet.yaml", extends[0])
    else:
        extends[:0] = [relative(GOOD / "baseline.yaml", tmp_path)] if name.startswith("stages/") else []
        text = CARRIER.replace("PROFILE", ", ".join(extends))
        text = text.replace("ENVIRONMENT", "sandbox" if name == SANDBOX else "live")
        text = text.replace("SCOPES", "read" if name == PAPER else "read, trade.spot")
        text = text.replace("execution\n", "market_data\n") if name == PAPER else text
        text = text.replace("STAGE\n", ADDED.get(name, ""))
    policy = tmp_path / "carrier.yaml"
    policy.write_text(text)
    return policy


def open_findings(file: Path) -> list[Finding]:
    """Lint one file and return what is open; what live state or a record would tell stays unknown."""
    now_ms = iso_ms(NOW)
    assert now_ms is not None
    found = lint(Call((str(file),)), Options(now_ms)).report.findings
    return [f for f in found if f.status == "open" and f.rule != OF_THIS_VERSION]


def expected(twin: Path) -> list[Found]:
    """Return what the comments of a twin say; `elsewhere`: a finding on what it no longer says, outside of it."""
    out = []
    for number, line in enumerate(twin.read_text().splitlines(), 1):
        said = _EXPECT.search(line)
        here = said is not None and said.group(1) == "expect"
        out += [Found(number if here else 0, code) for code in said.group(2).split()] if said else []
    return sorted(out)


def found(findings: list[Finding], twin: Path) -> list[Found]:
    """Return findings as a twin writes them down."""
    here = os.path.realpath(twin)
    return sorted(Found(f.primary.line if os.path.realpath(f.primary.file) == here else 0, f.rule) for f in findings)

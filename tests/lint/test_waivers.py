"""Waivers: one function for lint and run time, a ceiling by severity, and fixes that take out what no longer counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import policykit.lint.run
import policykit.policy.effective
from policykit.lint import Call, Options, lint
from policykit.model.waivers import Waiver
from policykit.policy import accepted, load, load_text
from tests.lint.conftest import NOW, NOW_MS, Said

Run = Callable[..., Said]
DAY_MS = 86_400_000
#: Waivers of a policy whose key has no `why`, no rotation and no reconciliation: some hold, some do not.
WAIVERS = """\
waivers:
  - {rule: PK205, at: keys.mm-exec, owner: a, ticket: T-1, reason: moved, expires: 2026-12-01}
  - {rule: PK301, at: keys.mm-exec.rotation.every, owner: a, ticket: T-1, reason: soon, expires: 2026-11-22}
  - {rule: PK705, at: keys.mm-exec, owner: a, ticket: T-1, reason: elsewhere, expires: 2026-12-01}
"""


def _faulty(policy: Path) -> None:
    text = policy.read_text().replace(', why: "execution host"', "").replace("every: 90d", "every: 180d")
    policy.write_text(
        text.replace("reconciliation: {on_start: required}", "reconciliation: {on_start: optional}") + WAIVERS
    )


@pytest.mark.parametrize("days", [-60, 0, 1, 9, 10, 400])
def test_lint_and_run_time_accept_the_same_findings(policy: Path, days: int) -> None:
    """A finding is waived in lint exactly when the policy that a guard holds accepts it, at every moment."""
    _faulty(policy)
    now_ms = NOW_MS + days * DAY_MS
    held = load(policy, now_ms=now_ms)
    found = lint(Call((str(policy),)), Options(now_ms)).report.findings
    covered = [f for f in found if f.status in ("open", "unknown", "waived")]
    assert [f.rule for f in covered if f.status == "waived"] == [
        f.rule for f in covered if held.waived(f.rule, f.primary.path, now_ms) is not None
    ]
    expected = {"PK205": days <= 9, "PK301": days <= 0, "PK705": False}
    for rule, waived in expected.items():
        assert {f.status == "waived" for f in covered if f.rule == rule} == {waived}, rule


def test_both_roads_call_one_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """`EffectivePolicy.waived` and lint hold the same `accepted`."""
    assert policykit.lint.run.accepted is accepted is policykit.policy.effective.accepted
    waiver = Waiver(rule="PK205", at="keys", owner="a", reason="r", expires="2026-12-01")
    monkeypatch.setattr(policykit.policy.effective, "accepted", lambda *_: waiver)
    assert load_text("policykit: 1\nname: p\n").waived("PK101", "keys.k", NOW_MS) is waiver


def test_no_waiver_lifts_the_ceiling_of_waivers(policy: Path) -> None:
    """A waiver of the rule on long waivers, itself long, would accept everything for ever: it is refused."""
    line = "  - {rule: PK718, at: waivers, owner: a, ticket: T-1, reason: for ever, expires: 2099-01-01}\n"
    policy.write_text("waivers:\n" + line + policy.read_text())
    ended = lint(Call((str(policy),)), Options(NOW_MS))
    assert (ended.code, [f"{f.primary}: {f.rule}" for f in ended.report.findings]) == (2, ["mm.yaml:2:12: PK030"])


def test_a_waiver_covers_what_lies_below_and_nothing_beside() -> None:
    """`keys.mm` covers `keys.mm.scopes`, not `keys.mm-exec`; nothing covers what cannot be waived, or the file."""
    rules = ("PK205", "PK101", "PK102", "PK011")
    waivers = [Waiver(rule=r, at="keys.mm", owner="a", reason="r", expires="2026-12-01") for r in rules]

    def covers(rule: str, path: str) -> bool:
        return accepted(waivers, rule, path, NOW_MS) is not None

    assert [covers("PK205", path) for path in ("keys.mm", "keys.mm.scopes", "keys.mm-exec", "keys", "")] == [
        *(True, True),
        *(False, False, False),
    ]
    assert [covers(rule, "keys.mm") for rule in rules] == [True, False, False, False]


def test_waivers_are_listed_once_each(run: Run, policy: Path) -> None:
    """What is expired, unused, too long and without a ticket is said at its own waiver, and nothing twice."""
    _faulty(policy)
    policy.write_text(
        policy.read_text()
        + "  - {rule: PK204, at: keys, owner: a, ticket: T-1, reason: gone, expires: 2026-11-01}\n"
        + "  - {rule: PK602, at: risk, owner: a, reason: later, expires: 2027-11-01}\n"
    )
    said = run("lint", policy, "--now", NOW, "--format", "concise", "--select", "PK708,PK709,PK718,PK719")
    first = len(policy.read_text().splitlines()) - 4
    assert [line.split(" ", 2)[:2] for line in said.out.splitlines()] == [
        [f"mm.yaml:{first + 2}:12:", "low[PK709"],
        [f"mm.yaml:{first + 3}:75:", "medium[PK708"],
        [f"mm.yaml:{first + 4}:12:", "low[PK709"],
        [f"mm.yaml:{first + 4}:12:", "low[PK719"],
        [f"mm.yaml:{first + 4}:63:", "medium[PK718"],
    ]

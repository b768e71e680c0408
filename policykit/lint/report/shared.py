"""What several formats share: the order of importance, what fails, paths, words for a summary."""

from __future__ import annotations

import os
import re
from pathlib import Path

from policykit.finding import SEVERITIES, Finding
from policykit.lint.report import Style
from policykit.lint.report.quote import clean
from policykit.lint.run import Report

#: What is new first; what was accepted or is old last.
STATUSES = ("open", "unknown", "declared", "baseline", "waived")
_NUMBERS = re.compile(r"\(G\d\d(?:, G\d\d)*\)")
_CONFIDENCES = ("certain", "observed", "likely")


def ranked(report: Report) -> list[Finding]:
    """Return the findings that are not waived, those that matter most first."""
    return sorted((f for f in report.findings if f.status != "waived"), key=_rank)


def _rank(finding: Finding) -> tuple[int, int, int, str, int, int, str]:
    place = finding.primary
    return (
        STATUSES.index(finding.status),
        SEVERITIES.index(finding.severity),
        _CONFIDENCES.index(finding.confidence),
        place.file,
        place.line,
        place.column,
        finding.rule,
    )


def fails(finding: Finding, style: Style) -> bool:
    """Tell whether a finding makes the command end with 1 (or 2, when the file itself is wrong)."""
    if finding.rule.startswith("PK0"):
        return finding.status == "open"
    counted = ("open", "unknown") if style.strict else ("open",)
    return finding.status in counted and SEVERITIES.index(finding.severity) <= SEVERITIES.index(style.fail_on)


def path(file: str, root: str | None) -> str:
    """Return a file's path with forward slashes: relative to the root when it lies below it."""
    if root is not None:
        absolute = os.path.abspath(file)
        relative = os.path.relpath(absolute, root)
        file = absolute if relative.split(os.sep)[0] == os.pardir else relative
    return Path(file).as_posix()


def word(finding: Finding) -> str:
    """Return what stands before a finding: its severity, or its status when that is not open."""
    return finding.severity if finding.status == "open" else finding.status


def sentence(finding: Finding) -> str:
    """Return the message on one line, safe to print, marked when it is likely only."""
    return clean(finding.message) + (" (likely)" if finding.confidence == "likely" else "")


def why(finding: Finding) -> str:
    """Return why it matters, with the numbers of the guide that the rule stands for."""
    numbers = f"({', '.join(finding.guide)})"
    if not finding.why or not finding.guide:
        return clean(finding.why)
    said, count = _NUMBERS.subn(numbers, finding.why, count=1)
    return clean(said if count else f"{said} {numbers}")


def what_to_do(finding: Finding) -> str:
    """Return the next step, or nothing when the message says it already."""
    return "" if finding.next_step in finding.message else clean(finding.next_step)


def counts(report: Report) -> list[str]:
    """Return `1 critical`, `2 unknown` and so on, worst first; waived and old ones are not in it."""
    said = [
        f"{n} {severity}"
        for severity in SEVERITIES
        if (n := sum(1 for f in report.findings if f.status == "open" and f.severity == severity))
    ]
    return said + [f"{n} {status}" for status in ("unknown", "declared") if (n := report.count(status))]

"""`--format concise`: one line a finding, `PLACE: severity[CODE name] message`, as editors and grep read it."""

from __future__ import annotations

from policykit.lint.report import Style
from policykit.lint.report.quote import clean
from policykit.lint.run import Report


def write(report: Report, style: Style) -> str:
    """Return a line for each finding that is not waived."""
    lines = []
    for finding in report.findings:
        if finding.status != "waived":
            word = finding.severity if finding.status == "open" else finding.status
            lines.append(clean(f"{finding.primary}: {word}[{finding.rule} {finding.name}] {finding.message}"))
    return "".join(f"{line}\n" for line in lines)

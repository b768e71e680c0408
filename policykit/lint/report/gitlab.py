"""`--format gitlab`: a Code Quality report, for the widget of a merge request and the marks in its diff."""

from __future__ import annotations

import json
from typing import Any

from policykit.finding import Finding
from policykit.lint.report import Style
from policykit.lint.report.marks import fingerprints
from policykit.lint.report.shared import path, ranked, sentence
from policykit.lint.run import Report

_SEVERITIES = {"critical": "blocker", "high": "critical", "medium": "major", "low": "minor"}


def write(report: Report, style: Style) -> str:
    """Return a JSON list; what is not known and what is declared only is `info`.

    Old findings are in it: GitLab itself compares with the target branch, by fingerprint.
    """
    findings = ranked(report)
    marks = fingerprints(findings, style)
    return json.dumps([_one(f, mark, style) for f, mark in zip(findings, marks, strict=True)], indent=1) + "\n"


def _one(finding: Finding, mark: str, style: Style) -> dict[str, Any]:
    asked = finding.status in ("open", "baseline")
    place = finding.primary
    return {
        "description": f"{finding.rule} {finding.name}: {sentence(finding)}",
        "check_name": finding.rule,
        "fingerprint": mark,
        "severity": _SEVERITIES[finding.severity] if asked else "info",
        "categories": ["Security"],
        "location": {
            "path": path(place.file, style.root),
            "lines": {"begin": place.line, "end": max(place.line, place.end_line)},
        },
    }

"""`--format json`: the lint report, version 1, of INTERFACE.md."""

from __future__ import annotations

import json
import re
from typing import Any

from policykit.clock import iso
from policykit.lint.report import Style
from policykit.lint.run import Report

VERSION = 1
_UNPRINTABLE = re.compile(r"[^\n -~]")


def write(report: Report, style: Style) -> str:
    """Return the report as JSON, in one order, with a final newline."""
    summary: dict[str, Any] = {
        "files": report.files,
        **{status: report.count(status) for status in ("open", "unknown", "declared", "waived", "baseline")},
    }
    if report.invariants[0]:
        summary["invariants"] = dict(zip(("proved", "policies", "stages"), report.invariants, strict=True))
    now = iso(report.now_ms).replace(".000Z", "Z")
    head = {"version": VERSION, "now": now, "summary": summary, "findings": []}
    # One finding at a time, joined once: the data of all of them would take more memory than the text.
    before, _, after = f"{_text(head)}\n".rpartition("]\n}")
    parts = [before]
    for index, finding in enumerate(report.findings):
        parts += (",\n  " if index else "\n  ", _text(finding.to_dict()).replace("\n", "\n  "))
    return "".join([*parts, "\n ]\n}" if report.findings else "]\n}", after])


def _text(data: object) -> str:
    return _UNPRINTABLE.sub(_escaped, json.dumps(data, indent=1, ensure_ascii=False))


def _escaped(found: re.Match[str]) -> str:
    """Return a character that no terminal should see as JSON escapes it; half of a pair, too."""
    character = found[0]
    return character if character.isprintable() else json.dumps(character)[1:-1]

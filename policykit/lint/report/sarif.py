"""`--format sarif`: SARIF 2.1.0, for code scanning pages and editors."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from policykit import __version__
from policykit.clock import iso
from policykit.finding import Finding, Observed
from policykit.lint.explain import rows
from policykit.lint.report import Style
from policykit.lint.report.diff import made_by
from policykit.lint.report.marks import fingerprints
from policykit.lint.report.quote import clean, forget, mask, quoted
from policykit.lint.report.sarif_rules import HOME, LEVELS, MESSAGE, descriptor
from policykit.lint.report.shared import sentence
from policykit.lint.run import Report
from policykit.place import Place
from policykit.source.edits import Change

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
#: The longest line that is quoted, in columns.
MAX_LINE = 400
#: How a log ends that has no result.
_END = "[]\n  }\n ]\n}"
#: The kind of a result that is no failure.
_KINDS = {"unknown": "open", "declared": "informational"}


def write(report: Report, style: Style) -> str:
    """Return one run with every finding: waived ones are suppressed, old ones unchanged.

    The rules are those of the findings; where there is none, all, so that the log says what was looked for.
    """
    forget()
    rules = sorted({f.rule for f in report.findings}) or [row.code for row in rows()]
    compared = any(f.status == "baseline" for f in report.findings)
    marks = fingerprints(report.findings, style)
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "policykit",
                "fullName": "policykit lint",
                "version": __version__,
                "semanticVersion": __version__,
                "informationUri": HOME,
                "rules": [descriptor(rule) for rule in rules],
            }
        },
        "automationDetails": {"id": f"policykit/{'live' if report.live else 'lint'}/"},
        "invocations": [_invocation(report, style)],
        "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository."}}},
        "columnKind": "unicodeCodePoints",
    }
    if style.repository is not None:
        run["versionControlProvenance"] = [_provenance(style)]
    text = json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run | {"results": []}]}, indent=1)
    if not report.findings:
        return f"{text}\n"
    # One result at a time: the data of all of them would take several times the memory of the text.
    results = ",\n".join(
        _indented(_result(f, mark, rules.index(f.rule), style) | ({"baselineState": _state(f)} if compared else {}))
        for f, mark in zip(report.findings, marks, strict=True)
    )
    return f"{text.removesuffix(_END)}[\n{results}\n   ]{_END[2:]}\n"


def _indented(result: dict[str, Any]) -> str:
    return "    " + json.dumps(result, indent=1).replace("\n", "\n    ")


def _invocation(report: Report, style: Style) -> dict[str, Any]:
    wrong_file = any(f.rule.startswith("PK0") for f in report.findings)
    return {
        "executionSuccessful": style.code in (0, 1) or (style.code == 2 and wrong_file),
        "exitCode": style.code,
        "endTimeUtc": iso(report.now_ms),
    }


def _provenance(style: Style) -> dict[str, Any]:
    asked = style.repository
    said = {"repositoryUri": asked.uri, "revisionId": asked.revision, "branch": asked.branch} if asked else {}
    return {**{name: value for name, value in said.items() if value}, "mappedTo": {"uriBaseId": ROOT}}


def _state(finding: Finding) -> str:
    return "unchanged" if finding.status == "baseline" else "new"


def _result(finding: Finding, mark: str, index: int, style: Style) -> dict[str, Any]:
    kind = _KINDS.get(finding.status, "fail")
    text = f"{sentence(finding).removesuffix('.')}."
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "kind": kind,
        "level": LEVELS[finding.severity] if kind == "fail" else "none",
        "message": {"text": text, "id": MESSAGE, "arguments": [text]},
        "locations": [_location(finding.primary, style, finding.label)],
        "partialFingerprints": {"policykit/v1": mark},
    }
    related = [_location(place, style, label) for label, place in finding.context]
    if related:
        result["relatedLocations"] = [{"id": number, **one} for number, one in enumerate(related, 1)]
    fixes = _fixes(finding, style)
    if fixes:
        result["fixes"] = fixes
    if finding.status == "waived":
        result["suppressions"] = [_suppression(finding)]
    said = {"severity": finding.severity, "confidence": finding.confidence, "status": finding.status}
    extra = {"guide": list(finding.guide), "nextStep": clean(finding.next_step)}
    result["properties"] = said | {name: value for name, value in extra.items() if value}
    if finding.observed is not None:
        result["properties"]["observed"] = _observed(finding.observed)
    return result


def _location(place: Place, style: Style, label: str) -> dict[str, Any]:
    region, whole = _region(place), _lines(place)
    drawn = quoted(place, MAX_LINE)
    if drawn is not None:
        line, start, length = drawn
        region["snippet"] = {"text": line[start : start + length] or line}
        whole["snippet"] = {"text": line or " "}
    physical = {"artifactLocation": _artifact(place.file, style), "region": region, "contextRegion": whole}
    location: dict[str, Any] = {"physicalLocation": physical}
    if place.path:
        location["logicalLocations"] = [{"fullyQualifiedName": clean(place.path), "kind": "member"}]
    if label:
        location["message"] = {"text": clean(label)}
    return location


def _artifact(file: str, style: Style) -> dict[str, Any]:
    """Return a place below the root by its relative address, any other by its full one."""
    relative = file if style.root is None else os.path.relpath(os.path.abspath(file), style.root)
    if os.path.isabs(relative) or relative.split(os.sep)[0] == os.pardir:
        return {"uri": "file://" + quote(os.fsencode(os.path.abspath(file)))}
    return {"uri": quote(os.fsencode(Path(relative).as_posix())), "uriBaseId": ROOT}


def _lines(place: Place) -> dict[str, Any]:
    return {"startLine": place.line, "endLine": max(place.line, place.end_line)}


def _region(place: Place) -> dict[str, Any]:
    region = {"startLine": place.line, "startColumn": place.column}
    if (place.end_line, place.end_column) >= (place.line, place.column):
        region |= {"endLine": place.end_line, "endColumn": place.end_column}
    return region


def _fixes(finding: Finding, style: Style) -> list[dict[str, Any]]:
    """Return what mends an open finding, but for a fix that would repeat a secret."""
    fix = finding.fix
    if fix is None or finding.status != "open":
        return []
    files = list(made_by(fix))
    inserted = [change.text for _, _, made in files for change in made]
    if not inserted or any(mask(text) != text for text in inserted):
        return []
    changes = [
        {
            "artifactLocation": _artifact(file, style),
            "replacements": [
                {"deletedRegion": _region(_span(file, text, change)), "insertedContent": {"text": change.text}}
                for change in made
            ],
        }
        for file, text, made in files
    ]
    label = clean(fix.label) + ("" if fix.safe else " (look before it is applied)")
    return [{"description": {"text": label}, "artifactChanges": changes}]


def _span(file: str, text: str, change: Change) -> Place:
    """Return the place of what changes."""
    ends = [(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)) for at in (change.start, change.end)]
    return Place(file, *ends[0], *ends[1])


def _suppression(finding: Finding) -> dict[str, Any]:
    waiver = finding.extra.get("waiver", {})
    said = [
        str(waiver.get("reason") or "accepted by a waiver"),
        *(f"{name} {waiver[name]}" for name in ("owner", "ticket", "expires") if waiver.get(name)),
    ]
    return {"kind": "external", "status": "accepted", "justification": clean("; ".join(said))}


def _observed(observed: Observed) -> dict[str, Any]:
    value = observed.value
    return observed.to_dict() | {"value": clean(mask(value)) if isinstance(value, str) else value}

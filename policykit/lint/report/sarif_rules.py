"""What SARIF says of a rule, from the rule's own docstring."""

from __future__ import annotations

import re
from typing import Any

from policykit import __version__
from policykit.finding import SEVERITIES, Severity
from policykit.lint.explain import explain
from policykit.rules import Entry, find
from policykit.source.codes import CODES

#: The package that holds the rules and their pages, by its package URL: it names what is meant, wherever it is served.
HOME = f"pkg:pypi/policykit-trading@{__version__}"
#: GitHub reads these as critical from 9.0, high from 7.0, medium from 4.0, low below.
SECURITY_SEVERITY = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
#: SARIF has one level less than we have severities; the properties say the rest.
LEVELS = dict(zip(SEVERITIES, ("error", "error", "warning", "note"), strict=True))
_PROBLEMS = dict(zip(SEVERITIES, ("error", "error", "warning", "recommendation"), strict=True))
#: The name of the one message of each rule; what it says is in every result, whole.
MESSAGE = "found"
#: GitHub shows so much of a description.
MAX_DESCRIPTION = 1_000
#: Fences of a rule's examples that are no language: how they read elsewhere.
_FENCE = re.compile(r"^```(finding|json|settings|yaml|python)\b[^\n]*$", re.MULTILINE)
_PLAIN = {"finding": "text", "settings": "text"}


def descriptor(code: str) -> dict[str, Any]:
    """Return the reportingDescriptor of a rule, of one of another package, or of a finding on the file itself."""
    entry = find(code)
    if entry is not None:
        return _rule(entry)
    found = CODES.get(code)
    name, why = (found.name, found.why) if found else (code.lower(), "the file itself cannot be used")
    sentence = f"{why[0].upper()}{why[1:]}."
    return _whole(code, name, sentence, sentence, f"{sentence}\n", "high", ())


def _rule(entry: Entry) -> dict[str, Any]:
    rule = entry.rule
    doc = entry.doc.strip()
    short = doc.split("\n", 1)[0] or rule.name
    finds = re.search(r"^## What it finds\n(.+?)(?=^## |\Z)", doc, re.MULTILINE | re.DOTALL)
    full = " ".join(finds[1].split()) if finds else short
    markdown = _FENCE.sub(lambda m: f"```{_PLAIN.get(m[1], m[1])}", doc) + "\n"
    return _whole(rule.code, rule.name, short, full, markdown, rule.severity, rule.guide)


def _whole(
    code: str, name: str, short: str, full: str, markdown: str, severity: Severity, guide: tuple[str, ...]
) -> dict[str, Any]:
    return {
        "id": code,
        "name": "".join(part.capitalize() for part in name.split("-")),
        "shortDescription": {"text": short},
        "fullDescription": {"text": full[:MAX_DESCRIPTION]},
        "help": {"text": explain(code) or markdown, "markdown": markdown},
        "messageStrings": {MESSAGE: {"text": "Found: '{0}'."}},
        "helpUri": f"{HOME}#docs/rules.md",
        "defaultConfiguration": {"level": LEVELS[severity]},
        "properties": {
            "tags": ["security", *(f"guide/{number}" for number in guide)],
            "precision": "high" if code.startswith("PK9") else "very-high",
            "problem.severity": _PROBLEMS[severity],
            "security-severity": SECURITY_SEVERITY[severity],
        },
    }

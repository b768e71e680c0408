"""The baseline: findings that were there when the linter came, so that only new ones fail.

A JSON file, version 1. An entry holds a rule, a file, a path in the document, a hash of what stands there, and how
often that is found: never the content itself.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from policykit.finding import Finding
from policykit.lint.identity import content_of, fingerprint, path_of
from policykit.lint.state import read_json

__all__ = ["Baseline", "Entry", "acceptable", "fingerprint", "matched", "of", "read", "text_of"]

VERSION = 1
#: The longest baseline that is read, and the most findings that one holds.
MAX_BYTES = 16 * 1024 * 1024
MAX_ENTRIES = 100_000
#: The longest file that is looked into to recognise a finding; no file that is linted is longer.
MAX_FILE_BYTES = 1024 * 1024
_NEEDED = "a baseline (policykit lint --write-baseline FILE)"

TextOf = Callable[[str], str]


class Entry(NamedTuple):
    """What a finding is recognised by. `file` is relative to the folder of the baseline, with forward slashes."""

    rule: str
    file: str
    path: str
    content: str
    #: Whether it rests on what an exchange said.
    live: bool = False

    def to_dict(self, count: int) -> dict[str, Any]:
        """Return it as the file has it."""
        row: dict[str, Any] = {name: getattr(self, name) for name in _TEXTS}
        return {**row, **({"live": True} if self.live else {}), "count": count}


#: The fields of an entry that are text.
_TEXTS = ("rule", "file", "path", "content")


class Baseline(NamedTuple):
    """Findings that are accepted, and how often each."""

    folder: str
    entries: Counter[Entry]

    def write(self) -> str:
        """Return it as JSON, in one order, an entry a line."""
        rows = sorted(self.entries.items(), key=lambda row: (row[0].file, row[0].path, row[0]))
        lines = [json.dumps(entry.to_dict(count), ensure_ascii=False) for entry, count in rows]
        body = "[\n  " + ",\n  ".join(lines) + "\n ]" if lines else "[]"
        return f'{{\n "version": {VERSION},\n "findings": {body}\n}}\n'


def acceptable(finding: Finding) -> bool:
    """Tell whether a baseline may hold a finding: an open one, of a rule that can be waived."""
    return finding.waivable and finding.status in ("open", "baseline")


def of(findings: Iterable[Finding], folder: str, text: TextOf) -> Baseline:
    """Return the baseline of findings, its files relative to a folder."""
    entries = Counter(_entry(f, folder, text) for f in findings if acceptable(f))
    return Baseline(folder, entries)


def matched(findings: Iterable[Finding], baseline: Baseline, text: TextOf) -> tuple[list[Finding], Counter[Entry]]:
    """Return the findings, those of the baseline with that status, and the entries that no finding used up."""
    left = Counter(baseline.entries)
    found: list[Finding] = []
    for finding in findings:
        entry = _entry(finding, baseline.folder, text) if finding.status == "open" and acceptable(finding) else None
        if entry is not None and left[entry] > 0:
            left[entry] -= 1
            finding = replace(finding, status="baseline")
        found.append(finding)
    return found, +left


def _entry(finding: Finding, folder: str, text: TextOf) -> Entry:
    said = text(finding.primary.file)
    file = relative(finding.primary.file, folder)
    live = finding.observed is not None
    return Entry(finding.rule, file, path_of(finding, said), content_of(finding, said), live)


def relative(file: str, folder: str) -> str:
    """Return a file's path from a folder, with forward slashes."""
    return Path(os.path.relpath(os.path.abspath(file), folder)).as_posix()


def text_of(file: str) -> str:
    """Return the text of a file as far as it can be read: what cannot be is empty."""
    try:
        if not Path(file).is_file():
            return ""
        with Path(file).open("rb") as stream:
            return stream.read(MAX_FILE_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""


def read(path: str) -> Baseline:
    """Read a baseline. Raise StateUnreadable."""
    folder = os.path.dirname(os.path.abspath(path))
    return read_json(path, _NEEDED, lambda data: Baseline(folder, _entries(data)), MAX_BYTES)


def _entries(data: dict[str, Any]) -> Counter[Entry]:
    """Return the entries of a baseline's data. Raise ValueError with what is wrong."""
    if "version" not in data:
        raise ValueError("not a JSON object with a version")
    if data["version"] != VERSION or isinstance(data["version"], bool):
        raise ValueError(f"not version {VERSION}")
    rows = data.get("findings")
    if not isinstance(rows, list):
        raise ValueError("no list of findings")
    if len(rows) > MAX_ENTRIES:
        raise ValueError(f"over {MAX_ENTRIES} findings")
    entries: Counter[Entry] = Counter()
    for index, row in enumerate(rows):
        said = row if isinstance(row, dict) else {}
        values = [value for name in _TEXTS if isinstance(value := said.get(name), str)]
        count = said.get("count", 1)
        if len(values) < len(_TEXTS) or type(count) is not int or not 1 <= count <= MAX_ENTRIES:
            raise ValueError(f"findings[{index}] is no entry (rule, file, path, content, count)")
        rule, file, path, content = values
        entries[Entry(rule, file, path, content, said.get("live") is True)] += count
    return entries

"""What lint says of an open file, as marks: exactly its findings, each at its place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from policykit.finding import Finding
from policykit.place import Place
from policykit.proofs.lsp.desk import Desk
from policykit.proofs.lsp.hover import located
from policykit.proofs.lsp.places import said
from policykit.proofs.lsp.text import Span
from policykit.proofs.suite.form import SuiteError
from policykit.proofs.suite.reading import read_suite
from policykit.source import Document, read

Level = Literal["error", "warning", "information", "hint"]
#: How loud a finding is: what ends a lint by default (`--fail-on medium`) is an error or a warning.
LEVELS: Final[dict[str, Level]] = {"critical": "error", "high": "error", "medium": "warning", "low": "information"}
#: Values that do nothing: editors fade them.
FADED: Final = frozenset(("PK610", "PK612", "PK613", "PK708", "PK709"))
#: Findings that compare a value with what an extended policy says.
COMPARED: Final = frozenset(("PK021", "PK022"))
#: A line of what is wrong with a file of tests.
_PROBLEM: Final = re.compile(r".*?:([0-9]+):([0-9]+): (.*)", re.DOTALL)


class Mark(NamedTuple):
    """One finding on the text of a file. `number`: which of the file's findings it is."""

    span: Span
    level: Level
    code: str
    message: str
    related: tuple[tuple[str, Place], ...]
    faded: bool
    number: int


def marks(desk: Desk, file: str) -> list[Mark]:
    """Return the marks of an open policy, in the order of lint; what is waived or declared has none."""
    return list(_marks(desk, file))


def _marks(desk: Desk, file: str) -> Iterator[Mark]:
    real = os.path.realpath(file)
    text = desk.text(file)
    for index, finding in enumerate(desk.judged(file).shown):
        if finding.status not in ("open", "unknown"):
            continue
        related = tuple(finding.context)
        if os.path.realpath(finding.primary.file) == real:
            span, message = text.span(finding.primary), _message(finding)
            if finding.rule in COMPARED:
                places = list(said(desk, file, finding.primary.path))[:1]
                related += tuple(("the policy that is extended says it here", place) for place in places)
        else:
            # It stands in what this file extends: it is marked where that is named, and points there.
            span = text.span(_entry(desk, file, finding.primary.file))
            message = f"{located(finding.primary, file)}: {_message(finding)}"
            related = ((finding.label or "it is said here", finding.primary), *related)
        level: Level = "information" if finding.status == "unknown" else LEVELS[finding.severity]
        faded = finding.rule in FADED and finding.status == "open"
        yield Mark(span, level, finding.rule, message, related, faded, index)


def test_marks(desk: Desk, file: str) -> list[Mark]:
    """Return what is wrong with an open file of tests (`NAME.test.yaml`), as `policykit test` says it."""
    text = desk.text(file)
    try:
        read_suite(read(text.text, file))
    except SuiteError as error:
        found = []
        for number, line in enumerate(error.problems):
            said = _PROBLEM.match(line)
            at = Place(file, int(said[1]), int(said[2]), int(said[1]), int(said[2])) if said else Place(file)
            found.append(
                Mark(text.span(at), "error", "test", said[3] if said else line, (), faded=False, number=number)
            )
        return found
    return []


def _message(finding: Finding) -> str:
    prefix = "could not be observed: " if finding.status == "unknown" else ""
    seen = finding.observed
    lines = [f"{prefix}{finding.message}"]
    if seen is not None:
        lines.append(f"observed: {seen.path} is {seen.value} ({seen.exchange}, {seen.endpoint}, {seen.at})")
    if finding.next_step and finding.next_step not in finding.message:
        lines.append(f"next: {finding.next_step}")
    return "\n".join(lines)


def _entry(desk: Desk, file: str, other: str) -> Place:
    """Return the entry of `extends` through which another file is part of this one."""
    document: Document = desk.document(file)[0]
    named = document.data.get("extends") if isinstance(document.data, dict) else None
    for index, name in enumerate(named if isinstance(named, list) else ()):
        if not isinstance(name, str):
            continue
        at = os.path.join(os.path.dirname(file), name)
        reached = (at, *(path for path, _ in desk.above(at)))
        if os.path.realpath(other) in map(os.path.realpath, reached):
            return document.places.get(f"extends.{index}", Place(file))
    return Place(file)

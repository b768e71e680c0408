"""What can be done about findings: their fixes, each proved before it is made, all safe ones, a waiver to fill in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from policykit.errors import PolicyError
from policykit.finding import Edit, Finding
from policykit.lint.discover import Target
from policykit.lint.fix import Assess, Wanted, mend, mend_one
from policykit.place import Place
from policykit.policy import UNWAIVABLE, check, load
from policykit.policy.show import scalar
from policykit.proofs.lsp.desk import Desk
from policykit.proofs.lsp.diagnostics import Mark, marks
from policykit.proofs.lsp.text import Span, changes_between
from policykit.source import Document, decode
from policykit.source.edits import CannotEdit, Change, apply, changes

#: What a person has to fill in: no date, so that a waiver with it is accepted by nobody (it is marked, PK708).
NO_DATE: Final = "YYYY-MM-DD"
FIX_ALL: Final = "fix-all"


class Action(NamedTuple):
    """One thing that can be done. `number`: the finding it is about, -1 for all of a file."""

    kind: Literal["fix", "unsafe", "fix-all", "waive", "explain"]
    title: str
    code: str
    number: int
    mark: Mark | None = None


class Edited(NamedTuple):
    """What becomes of one file: changes of its text as it is open."""

    file: str
    changes: tuple[Change, ...]


def actions(desk: Desk, file: str, span: Span) -> list[Action]:
    """Return what can be done about the findings that a span touches; the safe first. `edits` makes each."""
    judged = desk.judged(file)
    found: list[Action] = []
    for mark in marks(desk, file):
        finding = judged.shown[mark.number]
        if not mark.span.touches(span):
            continue
        if finding.fix is not None and finding.status == "open":
            safe = finding.fix.safe
            title = finding.fix.label if safe else f"{finding.fix.label} (unsafe: read what it changes)"
            found.append(
                Action("fix" if safe else "unsafe", f"{finding.rule}: {title}", finding.rule, mark.number, mark)
            )
        if may_waive(finding):
            title = f"{finding.rule}: waive this finding (owner, reason and date to fill in)"
            found.append(Action("waive", title, finding.rule, mark.number, mark))
        found.append(Action("explain", f"explain {finding.rule} {finding.name}", finding.rule, mark.number, mark))
    if any(f.fix is not None and f.fix.safe and f.status == "open" for f in judged.shown):
        found.append(Action("fix-all", "policykit: fix all that is safe in this file", FIX_ALL, -1))
    order = ("fix", "fix-all", "unsafe", "waive", "explain")
    return sorted(found, key=lambda action: order.index(action.kind))


def may_waive(finding: Finding) -> bool:
    """Tell whether a waiver can accept a finding at all."""
    refused = finding.rule in UNWAIVABLE or finding.rule.startswith("PK0")
    return finding.waivable and not refused and "*" not in finding.primary.path and bool(finding.primary.path)


def edits(desk: Desk, file: str, kind: str, number: int) -> list[Edited] | str:
    """Return what an action changes, or in words why it changes nothing."""
    judged = desk.judged(file)
    if kind == "fix-all":
        return _all(desk, file)
    if not 0 <= number < len(judged.raw):
        return "the text has changed meanwhile"
    if kind == "waive":
        return _waiver(desk, file, judged.shown[number])
    if kind in ("fix", "unsafe"):
        return _one(desk, file, judged.raw[number], "safe" if kind == "fix" else "unsafe")
    return "it changes no text"


def _targets(desk: Desk, file: str) -> list[Target]:
    return [Target(file, "policy", named=True), *(Target(at, "policy", named=False) for at, _ in desk.above(file))]


def _assess(desk: Desk, file: str) -> Assess:
    """Return what lints texts; what is open, as it is, is known already."""

    def assess(some: Sequence[Target], texts: Mapping[str, bytes]) -> Sequence[Finding]:
        alone = [target.file for target in some] == [file]
        if alone and all(desk.bytes.get(real) == raw for real, raw in texts.items()):
            return desk.judged(file).raw
        return desk.lint(some, {**desk.bytes, **texts})

    return assess


def _one(desk: Desk, file: str, finding: Finding, wanted: Wanted) -> list[Edited] | str:
    made = mend_one(_targets(desk, file), finding, wanted, _assess(desk, file), desk.bytes)
    return made if isinstance(made, str) else [_edited(desk, one.name, one.old, one.new) for one in made]


def _all(desk: Desk, file: str) -> list[Edited] | str:
    judged = desk.judged(file)
    own = [Target(file, "policy", named=True)]
    made = mend(own, judged.raw, "safe", _assess(desk, file), texts=desk.bytes)
    if not made.files:
        return "; ".join(made.left_out) or "nothing here has a safe fix"
    return [_edited(desk, one.name, one.old, one.new) for one in made.files]


def _edited(desk: Desk, file: str, old: bytes, new: bytes) -> Edited:
    known = desk.open.get(os.path.realpath(file))
    before = known.text.text if known is not None else old.decode("utf-8")
    return Edited(known.file if known is not None else file, tuple(changes_between(before, new.decode("utf-8"))))


def _waiver(desk: Desk, file: str, finding: Finding) -> list[Edited] | str:
    """Add a waiver with all that a person must say. Until its date is one it accepts nothing."""
    if not may_waive(finding):
        return f"{finding.rule} cannot be waived"
    document, now = desk.document(file)
    if not now or not isinstance(document.data, dict):
        return "the file cannot be read as it is"
    owner = document.data.get("owner")
    fields = {
        "rule": finding.rule,
        "at": _path(finding.primary.path, document),
        "owner": owner if isinstance(owner, str) else "WHO",
        "ticket": "TICKET",
        "reason": "WHY IT IS ACCEPTED",
        "expires": NO_DATE,
    }
    item = f"{{{', '.join(f'{name}: {scalar(value)}' for name, value in fields.items())}}}"
    there = document.data.get("waivers")
    listed = isinstance(there, list) and bool(there)
    path = f"waivers.{len(there)}" if listed and isinstance(there, list) else "waivers"
    text = desk.text(file).text
    edit = Edit(Place(file, path=path), item if listed else f"- {item}\n", "add")
    if there == []:
        edit = Edit(document.places["waivers"], f"[{item}]")
    try:
        # One line of it would be taken for the value itself: `waivers: - {...}`.
        made = changes(text, file, [edit]) if listed or there == [] else (_appended(text, item),)
        new = apply(text, made)
    except CannotEdit as error:
        return str(error)
    return _loads(desk, file, new) or [Edited(file, tuple(made))]


def _path(path: str, document: Document) -> str:
    """Return a path as the file writes it: a cap that is one bound is no list there."""
    while path.rpartition(".")[2].isdecimal() and path not in document.places:
        path = path.rpartition(".")[0]
    return path


def _appended(text: str, item: str) -> Change:
    newline = "\r\n" if "\r\n" in text else "\n"
    before = "" if not text or text.endswith(("\n", "\r")) else newline
    return Change(len(text), len(text), f"{before}waivers:{newline}  - {item}{newline}")


def _loads(desk: Desk, file: str, new: str) -> str:
    """Return why a file with a waiver would not load, where it does now: what it extends may give no leave."""
    checked = check(decode(new.encode("utf-8", "surrogatepass"), file))
    try:
        load(file, read_own=lambda _: checked, read_parent=desk.checked)
    except PolicyError as error:
        if desk.effective(file) is not None:
            return error.findings[0].message
    return ""

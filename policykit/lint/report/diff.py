"""A fix as the lines that it takes away and puts in their place."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from policykit.errors import PolicyError
from policykit.finding import Edit, Fix
from policykit.lint.baseline import text_of
from policykit.lint.report.quote import clean, mask, width
from policykit.source.edits import CannotEdit, Change, apply, changes

#: The most lines of a fix that are shown.
MAX_LINES = 20
#: The most lines that are compared; of a longer stretch all are shown as changed.
MAX_COMPARED = 400
#: How many columns before a difference stay when a long line is cut.
BEFORE = 24

Line = tuple[str, str]


def diff_of(fix: Fix, columns: int) -> list[Line]:
    """Return ("-", line) and ("+", line) in their order, each at most so many columns, their common indentation gone.

    No line holds a secret or a control character. Nothing when the fix cannot be drawn.
    """
    lines: list[Line] = []
    for _, old, made in made_by(fix):
        lines += _lines(old.splitlines(), apply(old, made).splitlines())
    kept = [(kind, clean(mask(text).expandtabs(4)).rstrip()) for kind, text in lines[:MAX_LINES]]
    drawn = _cut(_dedent(kept), columns)
    return [*drawn, *([(" ", f"... and {len(lines) - MAX_LINES} more lines")] if len(lines) > MAX_LINES else [])]


def made_by(fix: Fix) -> Iterator[tuple[str, str, tuple[Change, ...]]]:
    """Yield for each file of a fix its name, its text, and what changes in it; nothing where it cannot be edited."""
    for file in dict.fromkeys(edit.place.file for edit in fix.edits):
        edits = [edit for edit in fix.edits if edit.place.file == file]
        text = text_of(file)
        try:
            yield file, text, changes(text, file, edits, policy=_structural(edits))
        except (CannotEdit, PolicyError):
            continue


def _structural(edits: Sequence[Edit]) -> bool:
    """Tell whether edits speak of keys of a policy; others are spans, in any language."""
    return any(edit.kind != "replace" for edit in edits) and all(edit.place.path for edit in edits)


def _lines(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    """Yield what differs, line by line."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    before, after = old[start : len(old) - end], new[start : len(new) - end]
    if max(len(before), len(after)) > MAX_COMPARED:
        before, after = before[:MAX_COMPARED], after[:MAX_COMPARED]
    for kind, i, j, k, m in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            yield from (("-", line) for line in before[i:j])
            yield from (("+", line) for line in after[k:m])


def _dedent(lines: Sequence[Line]) -> list[Line]:
    common = min((len(text) - len(text.lstrip()) for _, text in lines if text), default=0)
    return [(kind, text[common:]) for kind, text in lines]


def _cut(lines: list[Line], columns: int) -> list[Line]:
    """Cut lines that are too long: two that differ keep where they do so."""
    if not lines or all(width(text) <= columns for _, text in lines):
        return lines
    left = 0
    if len(lines) == 2:
        old, new = lines[0][1], lines[1][1]
        same = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        left = max(0, same - BEFORE) if max(width(old), width(new)) > columns else 0
    return [(kind, _short(f"\u2026{text[left:]}" if left else text, columns)) for kind, text in lines]


def _short(line: str, columns: int) -> str:
    return line if width(line) <= columns else f"{line[: max(1, columns - 1)]}\u2026"

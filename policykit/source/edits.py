"""Edits of one file's text: what changes is a span, and every other character stays what it was.

A policy is not dumped anew, because no dumper keeps comments, quotes, line ends and layout all alike: each `Edit`
becomes changes of the text, from the places that the reader noted, and the result is read again: it must say what was
meant.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from policykit.finding import Edit
from policykit.place import Place
from policykit.source.layout import CannotEdit, Layout, Steps, key_text
from policykit.source.reader import Document, read, shown

__all__ = ["CannotEdit", "Change", "apply", "changes"]

#: What becomes of a list or a section whose last item is removed: it stays, empty, or it is removed, too.
Emptied = Literal["keep", "drop"]
_GONE: Final = object()
#: Findings of the reader that leave the structure whole: one value is refused, the others are where they are.
_WHOLE: Final = frozenset(("PK004", "PK006", "PK007"))
#: Further indentation of a section that is made.
INDENT: Final = "  "

#: Reads a text; the last few are remembered, because each fix of a text reads it anew. What it returns is not changed.
remembered: Final = lru_cache(maxsize=4)(read)


class Change(NamedTuple):
    """The characters from `start` up to `end` of a text become `text`."""

    start: int
    end: int
    text: str


def apply(text: str, made: Iterable[Change]) -> str:
    """Return the text with changes made. Raise CannotEdit when two of them touch the same characters."""
    out: list[str] = []
    at = 0
    for change in sorted(made, key=lambda c: (c.start, c.end)):
        if change.start < at:
            raise CannotEdit("two edits touch the same text")
        out += (text[at : change.start], change.text)
        at = change.end
    return "".join((*out, text[at:]))


def changes(
    text: str, file: str, edits: Sequence[Edit], *, emptied: Emptied = "keep", policy: bool = True
) -> tuple[Change, ...]:
    """Return the changes that make edits of one file. Raise CannotEdit.

    With `policy` the file is a policy: what is replaced must be the key or the value at the path of the edit's place,
    and what is removed and added is proved by reading the result. Otherwise spans are replaced, whole lines removed.
    """
    layout = Layout(text)
    if not policy:
        made = [_plain(layout, edit) for edit in edits]
        apply(text, made)
        return tuple(made)
    editor = _Editor(layout, remembered(text, file), emptied)
    for edit in edits:
        editor.take(edit)
    apply(text, editor.made)
    editor.prove(text)
    return tuple(editor.made)


def _plain(layout: Layout, edit: Edit) -> Change:
    if edit.kind == "add":
        raise CannotEdit("only a policy has sections to add to")
    start, end = layout.span(edit.place)
    if edit.kind == "replace":
        return Change(start, end, edit.text)
    return Change(*layout.whole_lines(start, max(start, end - 1)), "")


class _Editor:
    """The edits of one policy, as changes of its text and, beside that, of its data."""

    def __init__(self, layout: Layout, document: Document, emptied: Emptied) -> None:
        self.layout = layout
        self.document = document
        self.emptied = emptied
        self.made: list[Change] = []
        #: The changes of structure alone, and the data that they are to give.
        self.structure: list[Change] = []
        self.expected: Any = copy.deepcopy(document.data)

    def take(self, edit: Edit) -> None:
        if edit.kind == "replace":
            self.made.append(Change(*self.seen(edit.place), edit.text))
            return
        if any(found.rule not in _WHOLE for found in self.document.findings):
            raise CannotEdit("the file cannot be read as it is")
        made = self.removed(edit.place) if edit.kind == "remove" else self.added(edit)
        self.made += made
        self.structure += made

    def seen(self, place: Place) -> tuple[int, int]:
        """Return the span of a place. What stands there must be what the finding saw: the key or value of its path."""
        for places in (self.document.places, self.document.key_places):
            for path, known in places.items():
                # A cap that is one bound is in force as the first of a list, where the bounds of layers are united.
                if known[1:5] == place[1:5] and place.path in (path, _named(path), f"{path}.0"):
                    return self.layout.span(place)
        raise CannotEdit(f"what is in force at {place.path or 'the top'} is not said here")

    def prove(self, text: str) -> None:
        """Read what the changes of structure make; it must say what was meant, no more and no less."""
        if self.structure:
            result = remembered(apply(text, self.structure), self.document.file)
            worse = len(result.findings) > len(self.document.findings)
            if worse or result.data != _pruned(self.expected):
                raise CannotEdit("the layout there does not allow it")

    # -- places -------------------------------------------------------------------------------------------------

    def steps(self, path: str) -> tuple[Steps, list[str]]:
        """Return the steps to the innermost value on a path that is there, and the names that are not."""
        value = self.document.data
        steps: list[str | int] = []
        left = path
        while left:
            step = self.step(value, left)
            if step is None:
                break
            steps.append(step)
            value = value[step]
            left = left[len(str(step)) + 1 :]
        return tuple(steps), left.split(".") if left else []

    @staticmethod
    def step(value: Any, left: str) -> str | int | None:
        if isinstance(value, dict):
            fitting = [k for k in value if left == k or left.startswith(f"{k}.")]
            return max(fitting, key=len, default=None)
        first = left.partition(".")[0]
        return int(first) if isinstance(value, list) and first.isdecimal() and int(first) < len(value) else None

    def value(self, steps: Steps) -> Any:
        value = self.document.data
        for step in steps:
            value = value[step]
        return value

    def span(self, steps: Steps) -> tuple[int, int]:
        return self.layout.span(self.document.places[_path(steps)])

    def entry(self, steps: Steps) -> int:
        """Return where an entry starts: at its key, at its dash, or, in `[...]`, at itself."""
        key = self.document.key_places.get(_path(steps))
        if key is not None:
            return self.layout.span(key)[0]
        if self.flow(steps[:-1]):
            return self.span(steps)[0]
        index = steps[-1]
        assert isinstance(index, int)
        before = self.span((*steps[:-1], index - 1))[1] if index else self.span(steps[:-1])[0]
        return self.layout.dash(before)

    def flow(self, steps: Steps) -> bool:
        return self.layout.text[self.span(steps)[0]] in "[{"

    def entries(self, steps: Steps) -> list[Steps]:
        value = self.value(steps)
        inner: Iterable[str | int] = value if isinstance(value, dict) else range(len(value))
        return [(*steps, step) for step in inner]

    # -- remove -------------------------------------------------------------------------------------------------

    def removed(self, place: Place) -> list[Change]:
        steps, missing = self.steps(place.path)
        if missing or not steps:
            raise CannotEdit(f"there is no {place.path} here")
        start, end = self.layout.span(place)
        if not self.entry(steps) <= start <= end <= self.span(steps)[1]:
            raise CannotEdit(f"what is in force at {place.path} is not said here")
        return self.remove(steps)

    def remove(self, steps: Steps) -> list[Change]:
        around = steps[:-1]
        entries = self.entries(around)
        if len(entries) == 1 and self.emptied == "drop" and around:
            return self.remove(around)
        _set(self.expected, steps, _GONE)
        if len(entries) == 1:
            return self.empty(steps)
        cut = self.cut_flow if self.flow(around) else self.cut_block
        return [cut(entries, entries.index(steps))]

    def cut_block(self, entries: list[Steps], index: int) -> Change:
        layout = self.layout
        start, end = self.entry(entries[index]), self.span(entries[index])[1]
        if layout.starts_line(start):
            return Change(*layout.whole_lines(start, end), "")
        if index + 1 == len(entries):
            raise CannotEdit("the layout there does not allow it")
        following = self.entry(entries[index + 1])
        if layout.text[layout.line_end(end) : following].strip():
            raise CannotEdit("a comment stands in the way")
        return Change(start, following, "")

    def cut_flow(self, entries: list[Steps], index: int) -> Change:
        layout = self.layout
        start, end = self.entry(entries[index]), self.span(entries[index])[1]
        after = layout.comma(end)
        if layout.starts_line(start) and layout.ends_line(after):
            return Change(*layout.whole_lines(start, after), "")
        if index + 1 < len(entries):
            following = self.entry(entries[index + 1])
            alike = "\n" not in layout.text[after:following] and "\r" not in layout.text[after:following]
            return Change(start, following, "") if alike else Change(layout.blanks_before(start), after, "")
        before = self.span(entries[index - 1])[1]
        between = layout.text[before:start]
        plain = between.replace(",", "").strip(" \t") == ""
        return Change(before if plain else layout.blanks_before(start), end, "")

    def empty(self, steps: Steps) -> list[Change]:
        """Remove the only entry of a list or a section, which stays, empty."""
        layout = self.layout
        around = steps[:-1]
        start, end = self.span(around)
        if self.flow(around):
            if "#" not in layout.text[start:end]:
                return [Change(start + 1, end - 1, "")]
            return [Change(self.entry(steps), layout.comma(self.span(steps)[1]), "")]
        nothing = "[]" if isinstance(self.value(around), list) else "{}"
        if not around or not layout.starts_line(start):
            return [Change(start, end, nothing)]
        key = self.document.key_places.get(_path(around))
        at = layout.colon(layout.span(key)[1]) if key is not None else self.entry(around) + 1
        return [Change(at, at, f" {nothing}"), Change(*layout.whole_lines(start, end), "")]

    # -- add ----------------------------------------------------------------------------------------------------

    def added(self, edit: Edit) -> list[Change]:
        around, missing = self.steps(edit.place.path)
        value = read(edit.text, self.document.file)
        box = self.value(around)
        if not missing or value.findings:
            raise CannotEdit(f"{edit.place.path} is here already" if not missing else "the value cannot be read")
        if isinstance(box, list) and missing != [str(len(box))]:
            raise CannotEdit(f"there is no {edit.place.path} here")
        if not isinstance(box, list | dict):
            raise CannotEdit(f"{_path(around)} is no section")
        inner = value.data
        for name in reversed(missing[1:]):
            inner = {name: inner}
        _set(self.expected, (*around, missing[0] if isinstance(box, dict) else len(box)), inner)
        return [self.insert(around, missing, edit.text)]

    def insert(self, around: Steps, missing: list[str], text: str) -> Change:
        layout = self.layout
        start, end = self.span(around)
        listed = isinstance(self.value(around), list)
        if self.flow(around):
            entry = text if listed else _nested(missing, text)
            entries = self.entries(around)
            if not entries:
                return Change(start + 1, start + 1, entry)
            at = max(self.span(e)[1] for e in entries)
            return Change(at, at, f", {entry}")
        indent = " " * layout.column(start)
        lines = [f"{indent}- {text}"] if listed else _block(missing, text, indent)
        if around:
            at = layout.line_end(end)
            return Change(at, at, "".join(f"{layout.newline}{line}" for line in lines))
        at = len(layout.text)
        body = layout.newline.join(lines)
        return Change(at, at, f"{body}{layout.newline}" if layout.ends_with_newline else f"{layout.newline}{body}")


def _path(steps: Steps) -> str:
    return ".".join(str(step) for step in steps)


def _named(path: str) -> str:
    """Return a path as findings of the reader have it: what could be a pasted secret is not shown."""
    return ".".join(part if part.isdigit() else shown(part) for part in path.split("."))


def _nested(names: Sequence[str], text: str) -> str:
    for name in reversed(names[1:]):
        text = f"{{{key_text(name)}: {text}}}"
    return f"{key_text(names[0])}: {text}"


def _block(names: Sequence[str], text: str, indent: str) -> list[str]:
    lines: list[str] = []
    for name in names[:-1]:
        lines.append(f"{indent}{key_text(name)}:")
        indent += INDENT
    last = f"{indent}{key_text(names[-1])}:"
    values = text.strip("\n").split("\n")
    if len(values) == 1:
        return [*lines, f"{last} {values[0]}"]
    return [*lines, last, *(f"{indent}{INDENT}{value}" for value in values)]


def _set(data: Any, steps: Steps, value: Any) -> None:
    *inner, last = steps
    for step in inner:
        data = data[step]
    if isinstance(data, list) and last == len(data):
        data.append(value)
    else:
        data[last] = value


def _pruned(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _pruned(value) for key, value in data.items() if value is not _GONE}
    return [_pruned(value) for value in data if value is not _GONE] if isinstance(data, list) else data

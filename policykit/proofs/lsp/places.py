"""From a cursor to what stands there, from there to where it is said, and the outline of a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from policykit.place import Place
from policykit.policy.show import scalar
from policykit.proofs.lsp.cursor import Path, outline
from policykit.proofs.lsp.desk import Desk
from policykit.proofs.lsp.fields import field_at
from policykit.proofs.lsp.text import Span
from policykit.source import Document


class Here(NamedTuple):
    """What a cursor stands on: its path, the characters of it, and whether that is the key and not the value."""

    path: Path
    span: Span
    is_key: bool

    @property
    def dotted(self) -> str:
        """The path as places are keyed by it."""
        return dotted(self.path)


class Symbol(NamedTuple):
    """One key of a file with all that is in it."""

    name: str
    detail: str
    whole: Span
    key: Span
    inner: tuple[Symbol, ...]


def dotted(path: Path) -> str:
    """Write a path as places are keyed by it."""
    return ".".join(str(step) for step in path)


def steps(data: Any, path: str) -> Path:
    """Return the steps of a dotted path; a name may have dots in it."""
    out: list[str | int] = []
    while path:
        if isinstance(data, dict):
            fitting = [key for key in data if path == key or path.startswith(f"{key}.")]
            step: str | int = max(fitting, key=len, default=path.partition(".")[0])
            data = data.get(step)
        else:
            first = path.partition(".")[0]
            step = int(first) if first.isdecimal() else first
            data = data[step] if isinstance(data, list) and isinstance(step, int) and step < len(data) else None
        out.append(step)
        path = path[len(str(step)) + 1 :]
    return tuple(out)


def here(desk: Desk, file: str, offset: int) -> Here | None:
    """Return what stands at a character of an open file: a key or a single value; None for blanks and comments."""
    text = desk.text(file)
    document, now = desk.document(file)
    if not now:
        # What is in force is looked up by the path; where it stood before says nothing of where it stands now.
        found = outline(text.text)
        key = next((key for key in found.keys if key.start <= offset <= key.end), None)
        return None if key is None else Here(key.path, Span(key.start, key.end), is_key=True)
    line, column = text.position(offset, "utf-32")
    at = (line + 1, column + 1 - (text.first if line == 0 else 0))
    for places, is_key in ((document.key_places, True), (document.places, False)):
        for path, place in places.items():
            if place[1:3] <= at <= place[3:5] and (is_key or place.line == place.end_line):
                found_here = Here(steps(document.data, path), text.span(place), is_key)
                if is_key or not isinstance(_value(document.data, found_here.path), dict | list):
                    return found_here
    return None


def _value(data: Any, path: Path) -> Any:
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def definition(desk: Desk, file: str, offset: int) -> list[Place]:
    """Return where what stands at a character is said: in the files that are extended, in a waiver's target."""
    found = here(desk, file, offset)
    if found is None:
        return []
    path, document = found.path, desk.document(file)[0]
    if path[:1] == ("extends",) and len(path) > 1:
        name = _value(document.data, path)
        at = os.path.join(os.path.dirname(file), name) if isinstance(name, str) else ""
        return [Place(at)] if at and not desk.missing(at) else []
    if path[:1] == ("waivers",):
        target = _value(document.data, path)
        if path[-1:] != ("at",) or found.is_key or not isinstance(target, str):
            return []
        return list(said(desk, file, target, own=True))[:1]
    field = field_at(path)
    return list(said(desk, file, found.dotted)) or (
        # One word for all symbols there, an entry for this one here.
        list(said(desk, file, dotted(field.path))) if field is not None and field.inside else []
    )


def said(desk: Desk, file: str, path: str, *, own: bool = False) -> Iterator[Place]:
    """Yield the places where a path is said: in the file itself if asked, then in what it extends, nearest first."""
    files: list[tuple[str, Document]] = [(file, desk.document(file)[0])] if own else []
    for name, document in (*files, *desk.above(file)):
        place = document.key_places.get(path) or document.places.get(path)
        if place is not None:
            yield place._replace(file=name)


def symbols(desk: Desk, file: str) -> tuple[Symbol, ...]:
    """Return the keys of a file, one inside the other."""
    document = desk.document(file)[0]
    text = desk.text(file)

    def below(data: Any, path: str) -> Iterator[Symbol]:
        items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
        for step, value in items:
            at = f"{path}.{step}" if path else str(step)
            key, place = document.key_places.get(at), document.places.get(at)
            inner = tuple(below(value, at))
            if place is None or (key is None and not inner):
                continue
            whole = text.span(place)
            name = text.span(key) if key is not None else whole
            label = _label(step, value)
            detail = "" if isinstance(value, dict | list) or value is None else scalar(value)
            yield Symbol(label, detail, Span(min(name.start, whole.start), max(name.end, whole.end)), name, inner)

    return tuple(below(document.data, ""))


def _label(step: str | int, value: Any) -> str:
    """Return what an entry is called: an item of a list by the first of its values."""
    if isinstance(step, str):
        return step or '""'
    first = next(iter(value.values()), None) if isinstance(value, dict) else None
    return str(first) if isinstance(first, str) and first else str(step + 1)

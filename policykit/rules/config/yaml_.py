"""Read any YAML, not only the strict one of policies: events of the C parser, limits at each one, nothing built."""

from __future__ import annotations

import re
from typing import Any

from _ruamel_yaml import (  # type: ignore[import-not-found]
    AliasEvent,
    CParser,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    YAMLError,
)

from policykit.place import Place
from policykit.rules.config.base import MAX_DEPTH, MAX_SETTINGS, Setting, Unreadable, dotted

#: An item of a list `- NAME=value`, as docker compose has it under `environment:`.
_ASSIGNED = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,200})=")


class _Box:
    __slots__ = ("count", "is_map", "key")

    def __init__(self, is_map: bool) -> None:
        self.is_map = is_map
        self.key: str | None = None
        self.count = 0


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Setting] = []
        self.boxes: list[_Box] = []

    def take(self, event: Any) -> None:
        kind = type(event)
        if kind is ScalarEvent:
            self.scalar(event)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            # INVARIANT I20: limits hold at each event.
            if len(self.boxes) >= MAX_DEPTH:
                raise Unreadable(f"it is nested over {MAX_DEPTH} deep")
            self.boxes.append(_Box(kind is MappingStartEvent))
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            self.boxes.pop()
            self.step()
        elif kind is AliasEvent:
            self.step()

    def step(self) -> None:
        """Go on to the next value of the box around; what is a key of it by itself has no name."""
        if not self.boxes:
            return
        box = self.boxes[-1]
        if box.is_map:
            box.key = "" if box.key is None else None
        box.count += 1

    def scalar(self, event: Any) -> None:
        box = self.boxes[-1] if self.boxes else None
        if box is not None and box.is_map and box.key is None:
            box.key = event.value
            return
        if event.tag is None or event.tag.startswith("tag:yaml.org"):  # `!secret x` names a secret, and holds none
            self.found.append(self.setting(event, box))
            if len(self.found) > MAX_SETTINGS:
                raise Unreadable(f"it has over {MAX_SETTINGS} values")
        self.step()

    def setting(self, event: Any, box: _Box | None) -> Setting:
        path = tuple(str(b.count) if b.key is None else b.key for b in self.boxes)
        start, end, value = event.start_mark, event.end_mark, event.value
        column, end_column = start.column + 1, end.column + 1
        assigned = _ASSIGNED.match(value) if box is not None and not box.is_map else None
        if assigned is not None and start.line == end.line:
            path = (*path[:-1], *assigned[1].split("__"))
            value = value[assigned.end() :]
            quote = event.style in ("'", '"')
            column, end_column = column + assigned.end() + quote, end_column - quote
        place = Place(self.file, start.line + 1, column, end.line + 1, end_column, dotted(path))
        return Setting(path, value, place)


def read(text: str, file: str) -> list[Setting]:
    """Return every scalar that has a name or a position, of all documents. Raise Unreadable."""
    reader = _Reader(file)
    parser = CParser(text)
    try:
        while (event := parser.get_event()) is not None:
            reader.take(event)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise Unreadable(f"this is not YAML (line {mark.line + 1})" if mark else "this is not YAML") from None
    finally:
        parser.dispose()
    return reader.found

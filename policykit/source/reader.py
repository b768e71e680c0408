"""A strict reader of YAML: text in; plain data, the place of every key and value, and findings out.

It reads the events of ruamel.yaml's C parser and keeps its own stack: `compose()` crashes on 100,000 `[`, events do
not, because the limits below are checked at each one. No finding ever quotes a line: it may hold a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from _ruamel_yaml import (  # type: ignore[import-not-found]
    AliasEvent,
    CParser,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    YAMLError,
)

from policykit.finding import Finding, Fix
from policykit.place import Place
from policykit.source.codes import finding
from policykit.source.gaps import Gaps
from policykit.source.scalars import INVISIBLE, Refusal, meaning, quoted

MAX_BYTES: Final = 262_144
MAX_DEPTH: Final = 24
MAX_NODES: Final = 20_000
MAX_SCALAR: Final = 4_096
#: After so many findings the rest of the file is not looked at.
MAX_FINDINGS: Final = 50

_PLAIN_WORD = re.compile(r"[a-z]{1,20}([_-]([a-z]{1,20}|[0-9]{1,3})){0,4}\Z")
_KNOWN = re.compile(r"[A-Z0-9]{2,8}[/-][A-Z0-9]{2,8}\Z")


def shown(key: str) -> str:
    """Return a key as messages may show it: words are shown, what could be a pasted secret is not."""
    return key if _PLAIN_WORD.match(key) or _KNOWN.match(key) else "..."


@dataclass(slots=True)
class Document:
    """What a file says. `places` and `key_places` are keyed by dotted path (`keys.mm-exec.scopes.0`; the root is "").

    `data` is made of dict, list, str, int and bool, and of None where a value was refused: a finding says why.
    """

    file: str
    data: Any = None
    places: dict[str, Place] = field(default_factory=dict)
    key_places: dict[str, Place] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    #: Paths whose value was refused: what is said of them has been said.
    refused: set[str] = field(default_factory=set)


#: Keys are the language's own words, the same few in every policy.
_is_text = lru_cache(maxsize=1024)(lambda key: isinstance(meaning(key), str))
_new: Callable[[type[Place], tuple[Any, ...]], Place] = tuple.__new__


class _Stop(Exception):
    """The rest of the file is not worth reading."""


class _Box:
    """A container that is being filled."""

    __slots__ = ("data", "flow_line", "indent", "key", "path", "start")

    def __init__(self, data: dict[str, Any] | list[Any], path: str, start: Any, flow: bool, outer: _Box | None) -> None:
        self.data = data
        self.path = path
        self.start = start
        self.key: str | None = None
        #: The line on which the outermost `[` or `{` around what is inside stands; None outside of any.
        self.flow_line: int | None = None
        #: The column of the innermost section or list that is not in brackets, -1 when there is none.
        self.indent: int = start.column
        if flow:
            self.flow_line = start.line if outer is None or outer.flow_line is None else outer.flow_line
            self.indent = -1 if outer is None else outer.indent


class _Reader:
    """One pass over the events of one file."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.doc = Document(file)
        self.stack: list[_Box] = []
        self.nodes = 0
        self.documents = 0
        self.last_end: Any = None
        self.gaps = Gaps(text)

    # -- places and findings ------------------------------------------------------------------------------------

    def place(self, start: Any, end: Any, path: str = "") -> Place:
        # Twice as fast as Place(...), for the half of all time of a lint that goes into places.
        return _new(Place, (self.doc.file, start.line + 1, start.column + 1, end.line + 1, end.column + 1, path))

    def say(self, code: str, place: Place, what: str, may: str, *, fix: Fix | None = None) -> None:
        # INVARIANT I23: a key may be a pasted secret; paths in findings show words only.
        safe = place._replace(path=_named(place.path))
        self.doc.findings.append(finding(code, safe, what, may, fix=fix and _moved(fix, safe)))
        if len(self.doc.findings) >= MAX_FINDINGS:
            raise _Stop

    # -- events -------------------------------------------------------------------------------------------------

    def run(self) -> Document:
        parser = CParser(self.text)
        try:
            while True:
                event = parser.get_event()
                if event is None:
                    break
                self.take(event)
        except _Stop:
            pass
        except YAMLError as error:
            self.syntax(error)
        finally:
            parser.dispose()
        if not self.documents and not self.doc.findings:
            self.doc.findings.append(
                finding("PK001", Place(self.doc.file), "the file is empty", 'a policy ("policykit: 1", "name: ...")')
            )
        return self.doc

    def syntax(self, error: Any) -> None:
        mark, opened = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
        context = getattr(error, "context", None) or ""
        # What was never closed is wrong where it was opened, not on the line where that was noticed.
        # So is a line without a colon, on the line after which that was noticed.
        inside = "flow" in context or "simple key" in context
        unclosed = mark is not None and opened is not None and opened.line != mark.line and inside
        mark = opened if mark is None or unclosed or "quoted" in context else mark
        place = Place(self.doc.file, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2) if mark else None
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
        if mark and self.text[mark.index : mark.index + 1] == "\t":
            problem = _TAB
        self.doc.findings.append(
            finding("PK002", place or Place(self.doc.file), f"this is not YAML ({problem})", _HINTS.get(problem, _HINT))
        )

    def take(self, event: Any) -> None:
        kind = type(event)
        box = self.stack[-1] if self.stack else None
        line = event.start_mark.line
        flow_line = box.flow_line if box is not None else None
        if line != event.end_mark.line or self.gaps.comments or (flow_line is not None and line != flow_line):
            self.gap(event, box.indent if box is not None else -1, flow_line)
        if kind is ScalarEvent:
            self.node(event)
            self.last_end = event.end_mark
            if box is not None and box.key is None and type(box.data) is dict:
                self.key(event, box, box.data)
            else:
                path = self.path()
                self.put(self.value(event, path), event, path)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            self.node(event)
            self.open(event, {} if kind is MappingStartEvent else [])
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            self.close(event)
        elif kind is AliasEvent:
            self.say("PK003", self.place(event.start_mark, event.end_mark, self.path()), "an alias", "the value itself")
            self.put(None, event, self.path())
        elif kind is DocumentStartEvent:
            self.document(event)

    def gap(self, event: Any, indent: int, flow_line: int | None) -> None:
        fault = self.gaps.fault(event, indent, flow_line)
        if fault is not None:
            self.say("PK002", self.at(fault.offset), f"this is not YAML ({fault.what})", fault.may)
            raise _Stop

    def document(self, event: Any) -> None:
        self.documents += 1
        place = self.place(event.start_mark, event.end_mark)
        if self.documents > 1:
            self.say("PK003", place, "a second document in one file", "one policy a file")
            raise _Stop
        if event.version or event.tags:
            self.say("PK003", place, "a YAML directive", "a policy without `%` lines")

    def node(self, event: Any) -> None:
        self.nodes += 1
        # INVARIANT I20: limits hold at each event, before anything is built from it.
        if self.nodes > MAX_NODES:
            self.say(
                "PK003", self.place(event.start_mark, event.end_mark), f"over {MAX_NODES} values", "a smaller policy"
            )
            raise _Stop
        if event.anchor is not None:
            self.say("PK003", self.mark(event), "an anchor", "the value itself, wherever it is meant")
        if event.tag is not None:
            self.say("PK003", self.mark(event), "a YAML tag", "the value without it")

    def at(self, offset: int) -> Place:
        """Return the place of one character of the text."""
        line = self.text.count("\n", 0, offset) + 1
        column = offset - self.text.rfind("\n", 0, offset)
        return Place(self.doc.file, line, column, line, column + 1, self.path())

    def mark(self, event: Any) -> Place:
        """Return the first character of an event: what stands there may be long, and it is not quoted."""
        start = event.start_mark
        return Place(self.doc.file, start.line + 1, start.column + 1, start.line + 1, start.column + 2, self.path())

    def path(self) -> str:
        """Return the path that the next value gets."""
        if not self.stack:
            return ""
        box = self.stack[-1]
        last = box.key if isinstance(box.data, dict) else str(len(box.data))
        if last is None:
            return box.path
        return f"{box.path}.{last}" if box.path else last

    # -- values -------------------------------------------------------------------------------------------------

    def key(self, event: Any, box: _Box, data: dict[str, Any]) -> None:
        key = event.value
        path = f"{box.path}.{key}" if box.path else key
        place = self.place(event.start_mark, event.end_mark, path)
        plain = event.style == ""
        if plain and key == "<<":
            self.say("PK003", place, "a merge key", "the fields themselves")
        elif len(key) > MAX_SCALAR:
            self.say("PK003", place, f"a key of over {MAX_SCALAR} characters", "a shorter one")
        elif plain and not _is_text(key):
            cure = quoted(key)
            fix = Fix.replace(place, cure.text, cure.label, safe=cure.safe)
            self.say("PK004", place, "a key that YAML readers do not all take for text", "write it in quotes", fix=fix)
        elif self.invisible(key, event, path):
            pass
        elif key in data:
            self.say("PK005", place, f"the key `{shown(key)}` is given twice", "each key once")
        box.key = key
        self.doc.key_places[path] = place

    def value(self, event: Any, path: str) -> str | int | bool | None:
        text: str = event.value
        if len(text) > MAX_SCALAR:
            self.refuse(path, "PK003", self.mark(event), f"a value of over {MAX_SCALAR} characters", "a shorter one")
            return None
        if event.style != "":
            return None if self.invisible(text, event, path) else text
        meant = meaning(text)
        if not isinstance(meant, Refusal):
            if text == "-":
                self.refuse(path, "PK002", self.mark(event), "this is not YAML (a dash alone)", "a dash in quotes")
            return meant
        place = self.place(event.start_mark, event.end_mark, path)
        if meant.code == "PK007" and text == "" and path in self.doc.key_places:
            place = self.doc.key_places[path]
        cure = meant.cure
        fix = Fix.replace(place, cure.text, cure.label, safe=cure.safe) if cure else None
        if meant.code == "PK007" and path in self.doc.key_places:
            fix = Fix.remove(place, "leave the key out")
        self.refuse(path, meant.code, place, meant.what, meant.may, fix=fix)
        return None

    def invisible(self, text: str, event: Any, path: str) -> bool:
        """Look for what an escape (`"\\u202e"`) may have made; the file's own characters are looked at before."""
        found = INVISIBLE.search(text) if event.style == '"' and not (text.isascii() and text.isprintable()) else None
        if found is None:
            return False
        place = self.place(event.start_mark, event.end_mark, path)
        self.refuse(path, "PK006", place, f"the invisible character U+{ord(found[0]):04X}", "text that can be seen")
        return True

    def refuse(self, path: str, code: str, place: Place, what: str, may: str, *, fix: Fix | None = None) -> None:
        self.doc.refused.add(path)
        self.say(code, place, f"{_named(path)}: {what}" if path else what, may, fix=fix)

    def put(self, value: Any, event: Any, path: str) -> None:
        self.doc.places[path] = self.place(event.start_mark, event.end_mark, path)
        if not self.stack:
            self.doc.data = value
            return
        box = self.stack[-1]
        if isinstance(box.data, list):
            box.data.append(value)
        elif box.key is not None:
            box.data[box.key] = value
            box.key = None

    def open(self, event: Any, data: dict[str, Any] | list[Any]) -> None:
        if len(self.stack) >= MAX_DEPTH:
            self.say("PK003", self.mark(event), f"nested over {MAX_DEPTH} deep", "a flatter policy")
            raise _Stop
        box = self.stack[-1] if self.stack else None
        if box is not None and isinstance(box.data, dict) and box.key is None:
            self.say("PK003", self.mark(event), "a key that is a list or a section", "plain text")
            raise _Stop
        path = self.path()
        self.put(data, event, path)
        self.stack.append(_Box(data, path, event.start_mark, bool(event.flow_style), box))

    def close(self, event: Any) -> None:
        box = self.stack.pop()
        if box.flow_line is not None:
            self.last_end = event.end_mark
        end = self.last_end or event.end_mark
        self.doc.places[box.path] = self.place(box.start, end, box.path)


_HINT = "look at the indentation, quotes and brackets around here"
_TAB = "a tab where the indentation belongs"
_HINTS: Mapping[str, str] = {
    _TAB: "spaces in the place of the tab",
    "mapping values are not allowed in this context": 'text that holds ": " in quotes, or a key on a line of its own',
    "found unexpected end of stream": "the closing quote or bracket",
    "could not find expected ':'": "`key: value`, with a blank after the colon",
    "found character that cannot start any token": "quotes around text that starts with @, ` or %",
    "found unexpected ':'": 'a blank after the colon, or quotes around text that holds ":" (inside of [ ] and { })',
    "did not find expected ',' or ']'": "the closing `]` of this list, or a comma",
    "did not find expected ',' or '}'": "the closing `}` of this section, or a comma",
    "did not find expected key": "the same indentation as the keys above",
    "did not find expected '-' indicator": "`- ` before each item, all with the same indentation",
    "found undefined tag handle": "the value without a YAML tag (`!`), or quotes around it",
    "did not find expected alphabetic or numeric character": "quotes around text that starts with * or &",
}


def _moved(fix: Fix, place: Place) -> Fix:
    return replace(fix, edits=tuple(replace(edit, place=place) for edit in fix.edits))


def _named(path: str) -> str:
    return ".".join(shown(part) if not part.isdigit() else part for part in path.split("."))


def read(text: str, file: str) -> Document:
    """Read the text of one policy. Never raises: what is wrong is in `findings`."""
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        what = f"the file is over {MAX_BYTES} bytes"
        return Document(file, findings=[finding("PK001", Place(file), what, "a policy of at most that")])
    found = None if text.isascii() and text.isprintable() else INVISIBLE.search(text)
    if found is not None:
        before = re.split(r"\r\n|\r|\n", text[: found.start()])
        place = Place(file, len(before), len(before[-1]) + 1, len(before), len(before[-1]) + 2)
        what = f"the invisible character U+{ord(found[0]):04X}"
        return Document(file, findings=[finding("PK006", place, what, "a file without it")])
    return _Reader(text, file).run()

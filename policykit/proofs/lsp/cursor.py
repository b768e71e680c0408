"""Where a cursor stands, in any text: what is being typed is seldom YAML yet, and its lines say enough.

One pass over the lines by their indentation, and over brackets by their pairs. It takes more than the strict reader
does and proves nothing: it serves completion, and hover where the reader cannot read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

Step = str | int
Path = tuple[Step, ...]

#: The longest text that is looked at; a policy is no longer (source.reader.MAX_BYTES).
MAX_CHARS: Final = 262_144
#: The deepest nesting that is followed.
MAX_DEPTH: Final = 64

_KEY: Final = re.compile(
    r"""("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s#\[\]{},"'&*!|>%@`-][^:#\n]*?|-[^\s:#][^:#\n]*?)[ ]*:(?=\s|\Z)"""
)
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_WORD_END: Final = re.compile(r"[^\s,\[\]{}:#\"']*")
_QUOTES: Final = "\"'"


class Named(NamedTuple):
    """A key, and the characters that it takes."""

    path: Path
    start: int
    end: int


class Spot(NamedTuple):
    """What is typed at the cursor: a key of the section at `path`, or the value at `path`.

    `start` is where the word begins, `end` where the part of it after the cursor ends. `colon`: one follows already.
    """

    role: Literal["key", "value"]
    path: Path
    start: int
    end: int
    prefix: str
    flow: bool = False
    colon: bool = False
    #: The cursor is in the word's quotes.
    quoted: bool = False


@dataclass(slots=True)
class Outline:
    """The keys of a text in their order, and where the cursor stands."""

    keys: list[Named] = field(default_factory=list)
    spot: Spot | None = None

    def present(self, path: Path) -> frozenset[str]:
        """Return the keys of the section at a path, but for one that is being typed."""
        spot = self.spot
        typed = (spot.start, spot.end) if spot is not None and spot.role == "key" else (-1, -1)
        return frozenset(
            str(key.path[-1]) for key in self.keys if key.path[:-1] == path and not typed[0] <= key.start <= typed[1]
        )

    def around(self, offset: int) -> Path | None:
        """Return the path of the key at an offset, or of the last one that begins before it."""
        before = [key for key in self.keys if key.start <= offset]
        return before[-1].path if before else None


@dataclass(slots=True)
class _Level:
    """A section or a list that is open: the column of its keys or dashes, and the last of them."""

    indent: int
    path: Path
    dashes: bool = False
    last: Step | None = None
    count: int = 0

    @property
    def inner(self) -> Path:
        """The path of what follows the last key or dash."""
        return self.path if self.last is None else (*self.path, self.last)


@dataclass(slots=True)
class _Frame:
    """A bracket that is open."""

    bracket: str
    path: Path
    key: str | None = None
    count: int = 0

    @property
    def inner(self) -> Path:
        """The path of the value that stands here."""
        if self.bracket == "[":
            return (*self.path, self.count)
        return self.path if self.key is None else (*self.path, self.key)


def outline(text: str, cursor: int = -1) -> Outline:
    """Return the keys of a text and, with a cursor, where it stands."""
    return _Scan(text[:MAX_CHARS], cursor).run()


class _Scan:
    def __init__(self, text: str, cursor: int) -> None:
        self.text = text
        self.cursor = cursor
        self.out = Outline()
        self.levels = [_Level(0, ())]

    def run(self) -> Outline:
        at = 0
        while True:
            found = _LINE.match(self.text, at)
            end = found.end() if found else len(self.text)
            bare = at + len(self.text[at:end].rstrip("\r\n"))
            following = self.line(at, bare)
            if following <= bare:
                following = end
            if following >= len(self.text) and (following == bare or at == end):
                return self.out
            if following <= at:
                return self.out
            at = following

    # -- lines --------------------------------------------------------------------------------------------------

    def line(self, start: int, end: int) -> int:
        """Take one line; return where to go on: after brackets or text of several lines, that is further down."""
        at = start + len(self.text[start:end]) - len(self.text[start:end].lstrip(" \t"))
        here = start <= self.cursor <= end
        if here and self.cursor <= at:
            self.blank(start, at, end)
        if at == end or self.text[at] == "#" or (at == start and self.text[at:end].startswith(("---", "%"))):
            return end
        column = at - start
        self.close(column, dash=self.is_dash(at, end))
        while self.is_dash(at, end):
            self.dash(column)
            after = at + 1 + len(self.text[at + 1 : end]) - len(self.text[at + 1 : end].lstrip(" "))
            column += after - at
            if here and at < self.cursor <= after:
                self.spot("value", self.levels[-1].inner, self.cursor, end)
            at = after
        return self.content(at, end, column) if at < end else end

    def is_dash(self, at: int, end: int) -> bool:
        return at < end and self.text[at] == "-" and self.text[at + 1 : at + 2] in ("", " ", "\n", "\r")

    def close(self, column: int, *, dash: bool) -> None:
        """Leave what lies deeper than a column."""
        levels = self.levels
        while len(levels) > 1 and (
            levels[-1].indent > column or (levels[-1].indent == column and levels[-1].dashes and not dash)
        ):
            levels.pop()

    def dash(self, column: int) -> None:
        top = self.levels[-1]
        if not (top.dashes and top.indent == column):
            top = _Level(column, top.inner, dashes=True)
            self.push(top)
        top.last = top.count
        top.count += 1

    def push(self, level: _Level) -> None:
        if len(self.levels) < MAX_DEPTH:
            self.levels.append(level)

    def section(self, column: int) -> _Level:
        """Return the section whose keys stand at a column."""
        top = self.levels[-1]
        if top.dashes or top.indent < column:
            top = _Level(column, top.inner)
            self.push(top)
        return top

    def content(self, at: int, end: int, column: int) -> int:
        found = None if self.text[at] in "[{" else _KEY.match(self.text, at, end)
        here = at <= self.cursor <= end
        if found is None:
            if self.text[at] in "[{":
                return self.brackets(at, self.levels[-1].inner, column)
            if here:
                self.typed(at, end, column)
            return end
        name = found[1]
        section = self.section(column)
        section.last = name[1:-1] if name[0] in _QUOTES else name
        self.out.keys.append(Named(section.inner, at, at + len(name)))
        if here and self.cursor <= at + len(name):
            self.spot("key", section.path, at, at + len(name), colon=True)
        return self.value(found.end(), end, section)

    def value(self, at: int, end: int, section: _Level) -> int:
        """Take what follows a key's colon."""
        begin = at + len(self.text[at:end]) - len(self.text[at:end].lstrip(" \t"))
        first = self.text[begin : begin + 1] if begin < end else ""
        if at <= self.cursor <= end and (first not in ("[", "{") or self.cursor <= begin):
            comment = re.search(r"(?:^|[ \t])#", self.text[at:end])
            last = at + comment.start() if comment else end
            if self.cursor <= max(last, at):
                self.spot("value", section.inner, min(begin, self.cursor), last)
        if first and first in "[{":
            return self.brackets(begin, section.inner, section.indent)
        if first and first in "|>":
            return self.block(end, section.indent)
        return end

    def block(self, end: int, indent: int) -> int:
        """Return where a block of text ends: with the first line that is not further in."""
        at = end
        while at < len(self.text):
            found = _LINE.match(self.text, at)
            after = found.end() if found else len(self.text)
            line = self.text[at:after]
            if at > end and line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
                return at
            if after == at:
                break
            at = after
        return at

    # -- brackets -----------------------------------------------------------------------------------------------

    def brackets(self, at: int, path: Path, indent: int) -> int:
        """Take `[...]` or `{...}`, over several lines too; one not closed ends where a line is no further in."""
        frames = [_Frame(self.text[at], path)]
        begin = at = at + 1
        while at < len(self.text) and frames:
            char = self.text[at]
            comment = char == "#" and self.text[at - 1] in " \t\r\n"
            if char in _QUOTES and not self.text[begin:at].strip():
                at = self.quoted(at)
            elif char == ":" and self.text[at + 1 : at + 2] in ("", " ", "\n", "\r", ",", "}", "]"):
                self.flow_key(frames[-1], begin, at)
                begin = at = at + 1
            elif comment or char in ",[]{}\r\n":
                self.token(frames[-1], begin, at)
                if char in "\r\n" and self.ends_here(at, indent):
                    return at
                self.step(frames, char)
                begin = at = self.line_end(at) if comment else at + 1
            else:
                at += 1
        if frames:
            self.token(frames[-1], begin, at)
        return at

    @staticmethod
    def step(frames: list[_Frame], char: str) -> None:
        """Open or close a bracket, or go on to its next entry."""
        if char in "[{" and len(frames) < MAX_DEPTH:
            frames.append(_Frame(char, frames[-1].inner))
        elif char in "]}":
            frames.pop()
        elif char == ",":
            frames[-1].count += 1
            frames[-1].key = None

    def line_end(self, at: int) -> int:
        found = re.compile(r"[\r\n]|\Z").search(self.text, at)
        return found.start() if found else len(self.text)

    def quoted(self, at: int) -> int:
        """Return where quotes end: with the line, if they are not closed."""
        quote = self.text[at]
        at += 1
        while at < len(self.text) and self.text[at] not in (quote, "\n", "\r"):
            at += 2 if quote == '"' and self.text[at] == "\\" else 1
        return at + 1 if self.text[at : at + 1] == quote else at

    def ends_here(self, at: int, indent: int) -> bool:
        """Tell whether brackets that are open at the end of a line are over, as its next lines say."""
        found = re.compile(r"(?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\n|\r))*").match(self.text, at)
        following = found.end() if found else at
        rest = self.text[following : self.line_end(following)]
        inner = rest.lstrip(" \t")
        return bool(inner) and inner[0] not in "]}" and len(rest) - len(inner) <= indent

    def trimmed(self, begin: int, end: int) -> tuple[int, int]:
        word = self.text[begin:end]
        start = begin + len(word) - len(word.lstrip())
        return start, max(start, begin + len(word.rstrip()))

    def flow_key(self, frame: _Frame, begin: int, colon: int) -> None:
        start, end = self.trimmed(begin, colon)
        name = self.text[start:end]
        if frame.bracket != "{" or not name:
            return
        frame.key = name[1:-1] if name[0] in _QUOTES else name
        self.out.keys.append(Named(frame.inner, start, end))
        if begin <= self.cursor <= colon:
            self.spot("key", frame.path, min(start, self.cursor), end, flow=True, colon=True)

    def token(self, frame: _Frame, begin: int, end: int) -> None:
        """Take a word between two delimiters: if the cursor is in it, it is what is being typed."""
        if not begin <= self.cursor <= end:
            return
        start, last = self.trimmed(begin, end)
        is_key = frame.bracket == "{" and frame.key is None
        path = frame.path if is_key else frame.inner
        self.spot("key" if is_key else "value", path, min(start, self.cursor), max(last, self.cursor), flow=True)

    # -- the cursor ---------------------------------------------------------------------------------------------

    def blank(self, start: int, at: int, end: int) -> None:
        """Take a cursor before which nothing stands on its line."""
        levels = [_Level(x.indent, x.path, x.dashes, x.last, x.count) for x in self.levels]
        column = self.cursor - start
        self.close(column, dash=False)
        top = self.levels[-1]
        path = top.path if not top.dashes and top.indent >= column else top.inner
        if at == end or self.text[at] == "#" or self.cursor < at:
            self.spot("key", path, self.cursor, self.cursor)
        self.levels = levels

    def typed(self, at: int, end: int, column: int) -> None:
        """Take a word that is neither a key with its colon nor in brackets."""
        top = self.levels[-1]
        item = top.dashes and top.indent < column
        path = top.path if not top.dashes and top.indent >= column else top.inner
        comment = re.search(r"[ \t]#", self.text[at:end])
        last = at + comment.start() if comment else at + len(self.text[at:end].rstrip())
        if self.cursor <= last or not comment:
            self.spot("value" if item else "key", path, at, max(last, self.cursor))

    def spot(  # one for each part of a spot
        self,
        role: Literal["key", "value"],
        path: Path,
        start: int,
        end: int,
        *,
        flow: bool = False,
        colon: bool = False,
    ) -> None:
        if self.out.spot is not None:
            return
        prefix = self.text[start : self.cursor]
        quoted = prefix[:1] in ('"', "'")
        found = _WORD_END.match(self.text, self.cursor, max(end, self.cursor))
        end = found.end() if found and not quoted else max(end, self.cursor)
        self.out.spot = Spot(role, path, start, end, prefix.lstrip(_QUOTES) if quoted else prefix, flow, colon, quoted)

"""One text by character, and the same by the lines and units in which an editor counts."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from typing import Final, Literal, NamedTuple

from policykit.place import Place
from policykit.source.edits import Change

#: How an editor counts the columns of a line; the protocol's default is utf-16.
Encoding = Literal["utf-8", "utf-16", "utf-32"]
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_BOM: Final = "\ufeff"
_UTF16_TWO: Final = 0x10000


class Span(NamedTuple):
    """The characters from `start` up to `end` of a text."""

    start: int
    end: int

    def touches(self, other: Span) -> bool:
        """Tell whether two spans share a character, or a place between two."""
        return self.start <= other.end and other.start <= self.end


def width(text: str, encoding: Encoding) -> int:
    """Return how many units a text on one line takes."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    if encoding == "utf-8":
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text) + sum(ord(char) >= _UTF16_TWO for char in text)


class Text:
    """A text whose characters are found by line and column. Whatever lies outside is the nearest place inside."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(found.end() for found in _LINE_END.finditer(text))]
        #: A place counts the columns of the first line after a byte order mark.
        self.first = len(_BOM) if text.startswith(_BOM) else 0

    def _line(self, line: int) -> Span:
        """Return a line, counted from 0, without its end."""
        start = self.starts[line]
        end = self.starts[line + 1] if line + 1 < len(self.starts) else len(self.text)
        return Span(start, start + len(self.text[start:end].rstrip("\r\n")))

    def offset(self, line: int, units: int, encoding: Encoding) -> int:
        """Return the character at a line and column of an editor, both counted from 0."""
        if line < 0 or line >= len(self.starts):
            return 0 if line < 0 else len(self.text)
        start, end = self._line(line)
        if units <= 0:
            return start
        if encoding == "utf-32" or self.text[start:end].isascii():
            return min(start + units, end)
        left = units
        for at in range(start, end):
            left -= width(self.text[at], encoding)
            if left < 0:
                return at  # inside a character: before it
        return end

    def position(self, offset: int, encoding: Encoding) -> tuple[int, int]:
        """Return the line and column of an editor at a character."""
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(self.starts, offset) - 1
        return line, width(self.text[self.starts[line] : offset], encoding)

    def span(self, place: Place) -> Span:
        """Return the characters of a place."""
        start = self._at(place.line, place.column)
        end = max(start, self._at(place.end_line, place.end_column))
        # A block of text (`|`) ends below itself.
        return Span(start, start + len(self.text[start:end].rstrip()))

    def _at(self, line: int, column: int) -> int:
        if line < 1 or line > len(self.starts):
            return len(self.text) if line > 0 else 0
        start = self.starts[line - 1] + (self.first if line == 1 else 0)
        end = self.starts[line] if line < len(self.starts) else len(self.text)
        return min(start + max(column - 1, 0), max(start, end))


def changes_between(old: str, new: str) -> list[Change]:
    """Return changes of single lines, and less where one suffices, that make one text of another."""
    before, after = (text.splitlines(keepends=True) for text in (old, new))
    at = [0]
    for line in before:
        at.append(at[-1] + len(line))
    made: list[Change] = []
    for tag, first, last, left, right in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            made.append(_least(old, at[first], at[last], "".join(after[left:right])))
    return made


def _least(old: str, start: int, end: int, text: str) -> Change:
    """Return the change of a span without what both texts begin and end with."""
    most = min(end - start, len(text))
    front = next((i for i in range(most) if old[start + i] != text[i]), most)
    most -= front
    back = next((i for i in range(most) if old[end - 1 - i] != text[len(text) - 1 - i]), most)
    return Change(start + front, end - back, text[front : len(text) - back])

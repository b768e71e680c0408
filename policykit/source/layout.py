"""The characters of a text by line and column, and what stands between its values: blanks, comments, commas, dashes."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import Final

from policykit.place import Place
from policykit.source.scalars import meaning

#: The way to a value: keys and indices.
Steps = tuple[str | int, ...]

_LINE_END: Final = re.compile(r"\r\n|\n|\r")
#: Blanks, ends of lines and comments.
_BETWEEN: Final = re.compile(r"(?:[ \t\r\n]+|(?<=[ \t\r\n,])#[^\r\n]*|(?<![^\r\n])#[^\r\n]*)*")
_REST: Final = re.compile(r"(?:[ \t]+#[^\r\n]*|[ \t]*)(?=[\r\n]|\Z)")
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_/-]*\Z")
_BOM: Final = "\ufeff"


class CannotEdit(Exception):
    """The text has no place for an edit: why, in one line without any of the text."""


def key_text(name: str) -> str:
    """Write a key as YAML: plain where every reader takes that for text, else in quotes."""
    plain = _PLAIN_KEY.match(name) and isinstance(meaning(name), str)
    return name if plain else json.dumps(name, ensure_ascii=False)


class Layout:
    """One text. Offsets count characters of the whole text; lines and columns leave a byte order mark out."""

    def __init__(self, text: str) -> None:
        self.text = text
        first = len(_BOM) if text.startswith(_BOM) else 0
        self.starts = [first, *(found.end() for found in _LINE_END.finditer(text))]
        found = _LINE_END.search(text)
        self.newline = found[0] if found else "\n"

    @property
    def ends_with_newline(self) -> bool:
        """Whether the last line is ended."""
        return self.text.endswith(("\n", "\r"))

    def offset(self, line: int, column: int) -> int:
        """Return the offset of a line and column, counted from 1."""
        if not 1 <= line <= len(self.starts):
            raise CannotEdit("the file has changed")
        at = self.starts[line - 1] + column - 1
        last = self.starts[line] if line < len(self.starts) else len(self.text)
        if not self.starts[line - 1] <= at <= last:
            raise CannotEdit("the file has changed")
        return at

    def span(self, place: Place) -> tuple[int, int]:
        """Return the offsets of a place; one that ends below its text (`|`) ends with the text."""
        start, end = self.offset(place.line, place.column), self.offset(place.end_line, place.end_column)
        if end < start:
            raise CannotEdit("the file has changed")
        return start, start + len(self.text[start:end].rstrip()) if end > start else end

    def line_start(self, at: int) -> int:
        """Return where the line of an offset starts."""
        return self.starts[max(0, bisect_right(self.starts, at) - 1)]

    def column(self, at: int) -> int:
        """Return how many characters stand before an offset on its line."""
        return at - self.line_start(at)

    def line_end(self, at: int) -> int:
        """Return where the line ends, its newline not included; nothing but a comment may stand before that."""
        rest = _REST.match(self.text, at)
        if rest is None:
            raise CannotEdit("something else stands on that line")
        return rest.end()

    def starts_line(self, at: int) -> bool:
        """Tell whether only blanks stand before an offset on its line."""
        return self.text[self.line_start(at) : at].strip(" \t") == ""

    def ends_line(self, at: int) -> bool:
        """Tell whether only blanks and a comment stand after an offset on its line."""
        return _REST.match(self.text, at) is not None

    def whole_lines(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the lines from one offset to another, with one newline: the text's last line stays ended,
        or not ended, as it was.
        """
        first = self.line_start(start)
        found = _LINE_END.search(self.text, end)
        if found is not None:
            return first, found.end()
        before = self.text[:first]
        return first - (len(before) - len(before.removesuffix("\n").removesuffix("\r"))), len(self.text)

    def blanks_before(self, at: int) -> int:
        """Return where the blanks before an offset start."""
        return len(self.text[:at].rstrip(" \t"))

    def comma(self, at: int) -> int:
        """Return the offset after the comma that follows, or the same offset when none does."""
        after = self.skip(at)
        return after + 1 if self.text[after : after + 1] == "," else at

    def colon(self, at: int) -> int:
        """Return the offset after the colon of a key that ends at an offset."""
        return self.after(at, ":")

    def dash(self, at: int) -> int:
        """Return the offset of the next dash."""
        return self.after(at, "-") - 1

    def after(self, at: int, character: str) -> int:
        """Return the offset after a character that must come next."""
        found = self.skip(at)
        if self.text[found : found + 1] != character:
            raise CannotEdit("the layout there does not allow it")
        return found + 1

    def skip(self, at: int) -> int:
        """Return the offset of what follows blanks and comments."""
        found = _BETWEEN.match(self.text, at)
        return found.end() if found else at

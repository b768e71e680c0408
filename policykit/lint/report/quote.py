"""Source lines as a report shows them: no control characters, no secret, and aligned by what a terminal draws."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from policykit.finding import Finding
from policykit.place import Place
from policykit.rules.credentials import random_run

#: A report quotes from the first part of a file only; no policy and no source that is read is longer.
MAX_QUOTED_BYTES = 1024 * 1024
#: How many files' lines are kept; findings are sorted by file.
MAX_FILES = 64
TAB = 4
#: How much of a long line is looked at on each side of a span, in characters; far more than any terminal shows.
WINDOW = 1_024

_LINE_END = re.compile(r"\r\n|\n|\r")
#: What a credential looks like: a long run of letters and digits, or of base64 with all three kinds of character.
_RUN = re.compile(r"[A-Za-z0-9]{16,}|[A-Za-z0-9+/=_-]{20,}")
#: A value given to a credential's name: all of it up to a space, comma, bracket or quote.
_GIVEN = re.compile(
    r"(?i)((?:secret|api_?key|api_?secret|passphrase|password|private_?key|token|credential)[\"']?\s*[:=]\s*)"
    r"([\"'][^\"']*[\"']?|[^\s,}\]]+)"
)
_REFERENCE = re.compile(r"[\"']?(env|vault|aws-sm|azure-kv|keyring)://[A-Za-z0-9_./@-]*[\"']?\Z")
_USERINFO = re.compile(r"(://)([^/\s@\"']*)(@)")


def mask(text: str) -> str:
    """Replace by stars, character by character, whatever looks like a secret; places stay where they are."""

    def given(match: re.Match[str]) -> str:
        value = match[2]
        return match[0] if _REFERENCE.match(value) or not _is_literal(value) else match[1] + "*" * len(value)

    def run(match: re.Match[str]) -> str:
        return "*" * len(match[0]) if random_run(match[0]) else match[0]

    text = _USERINFO.sub(lambda m: m[1] + "*" * len(m[2]) + m[3], text)
    return _RUN.sub(run, _GIVEN.sub(given, text))


def _is_literal(value: str) -> bool:
    """Tell a value from code that fetches one: `os.environ[...]`, a name, a call."""
    return value[:1] in "\"'" or any(c.isdigit() for c in value)


def clean(text: str) -> str:
    """Make text safe to print on one line: control, format and bidi characters become visible dots."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == " " else "\u00b7" for c in text)


def width(text: str) -> int:
    """Return how many columns a terminal draws: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    import unicodedata  # a table of 1 MB, for text that is not ASCII only

    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


@lru_cache(maxsize=MAX_FILES)
def _lines(file: str) -> tuple[str, ...]:
    try:
        if not Path(file).is_file():  # a pipe would wait for a writer
            return ()
        with Path(file).open("rb") as stream:
            raw = stream.read(MAX_QUOTED_BYTES)
    except (OSError, ValueError):
        return ()
    return tuple(_LINE_END.split(raw.decode("utf-8-sig", "replace")))


def forget() -> None:
    """Drop what was read; the next report reads the files again."""
    _lines.cache_clear()


#: (file, line, column) of spans that are secrets whatever they look like.
_concealed: set[tuple[str, int, int]] = set()


def conceal(findings: Iterable[Finding]) -> None:
    """Show stars for the whole span of each finding that says of itself that it is a secret."""
    _concealed.clear()
    _concealed.update(f.primary[:3] for f in findings if f.extra.get("secret"))


def quoted(place: Place, columns: int) -> tuple[str, int, int] | None:
    """Return (line to show, column of the span, length of the span) in terminal columns, counted from 0.

    `columns`: at most so many are shown; a longer line is cut around the span. None when there is no such line.
    """
    lines = _lines(place.file)
    if not 1 <= place.line <= len(lines):
        return None
    raw = lines[place.line - 1]
    end = place.end_column - 1 if place.end_line == place.line else len(raw.rstrip())
    start = min(place.column - 1, len(raw))
    if len(raw) > 2 * WINDOW:  # only what is near the span can be shown
        left = max(0, start - WINDOW)
        raw = raw[left : start + WINDOW]
        start, end = start - left, end - left
    masked = mask(raw)
    if place[:3] in _concealed:
        masked = masked[:start] + "*" * (end - start) + masked[end:]
    before, span, after = (
        clean(part.replace("\t", " " * TAB)) for part in (masked[:start], masked[start:end], masked[end:])
    )
    if width(before + span + after) > columns:
        before, span, after = _cut(before, span, after, columns)
    return (before + span + after).rstrip(), width(before), max(1, width(span))


def _cut(before: str, span: str, after: str, columns: int) -> tuple[str, str, str]:
    """Keep the span and as much around it as fits; what is left out shows as an ellipsis."""
    room = max(columns, 8)
    if width(span) > room // 2:
        span = _head(span, room // 2 - 1) + "\u2026"
    left = (room - width(span)) // 2
    if width(before) > left:
        before = "\u2026" + _head(before[::-1], left - 1)[::-1]
    rest = room - width(before) - width(span)
    if width(after) > rest:
        after = _head(after, max(0, rest - 1)) + "\u2026"
    return before, span, after


def _head(text: str, columns: int) -> str:
    used = 0
    for index, character in enumerate(text):
        used += width(character)
        if used > columns:
            return text[:index]
    return text

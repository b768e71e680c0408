"""Read files with one setting a line: dotenv, ini, TOML, systemd units."""

from __future__ import annotations

import re
from collections.abc import Iterator

from policykit.rules.config.base import Places, Setting

_SECTION = re.compile(r"\[{1,2}[ \t]*([^\]\n]{1,200}?)[ \t]*\]+")
_NAME = re.compile(r"[ \t]*(?:export[ \t]+|set[ \t]+)?[\"']?([A-Za-z_][A-Za-z0-9_.-]{0,200})[\"']?[ \t]*[=:][ \t]*")
_QUOTED = re.compile(r"\"((?:[^\"\\\n]|\\.)*)\"|'([^'\n]*)'")
_PEM_QUOTED = re.compile(r"\"(-----BEGIN[^\"]{1,16000})\"|'(-----BEGIN[^']{1,16000})'")
_PLAIN = re.compile(r"[^\n]*")
#: A comment behind a value: a blank before it.
_COMMENT = re.compile(r"[ \t]+[#;].*|[ \t\r]+\Z")
_ASSIGNED = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,200})=")


def read(text: str, file: str) -> Iterator[Setting]:
    """Yield the settings of `name = value` lines, with `[section]` as the first part of the path."""
    places = Places(text, file)
    section: tuple[str, ...] = ()
    at = 0
    while at < len(text):
        start, line_end = at, text.find("\n", at)
        at = line_end + 1 if line_end >= 0 else len(text)
        header = _SECTION.match(text, start)
        if header is not None:
            section = tuple(header[1].split("."))
            continue
        name = _NAME.match(text, start)
        if name is None:
            continue
        value, first, last = _value(text, name.end())
        at = max(at, text.find("\n", last) + 1 or len(text))
        path = (*section, *re.split(r"\.|__", name[1]))
        yield Setting(path, value, places.span(first, last, (*section, name[1])))


def _value(text: str, at: int) -> tuple[str, int, int]:
    """Return a value and its span, quotes included; a private key in quotes may take several lines."""
    quoted = _PEM_QUOTED.match(text, at) or _QUOTED.match(text, at)
    if quoted is not None:
        return quoted[1] if quoted[1] is not None else quoted[2], at, quoted.end()
    found = _PLAIN.match(text, at)
    plain = _COMMENT.sub("", found[0] if found else "")
    return plain, at, at + len(plain)


def read_unit(text: str, file: str) -> Iterator[Setting]:
    """Yield what `Environment=` and `SetCredential=` of a systemd unit set."""
    places = Places(text, file)
    for line in re.finditer(
        r"^[ \t]*(Environment|SetCredential)[ \t]*=((?:[^\n\\]+|\\\r?\n|\\.)*)", text, re.MULTILINE
    ):
        if line[1] == "SetCredential":
            name, _, value = line[2].strip().partition(":")
            first = text.index(value, line.start(2))
            yield Setting((name,), value, places.span(first, first + len(value), (name,)))
            continue
        for word in re.finditer(r"\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|((?:[^\s\"'\\]|\\\S)+)", line[2]):
            yield from _assigned(word, line.start(2), places)


def _assigned(word: re.Match[str], offset: int, places: Places) -> Iterator[Setting]:
    group = word.lastindex or 0
    name = _ASSIGNED.match(word[group]) if group else None
    if name is not None:
        first = offset + word.start(group) + name.end()
        value = word[group][name.end() :]
        path = tuple(name[1].split("__"))
        yield Setting(path, value.strip("\"'"), places.span(first, offset + word.end(group), (name[1],)))

"""Read JSON as freqtrade does, with comments and trailing commas, and with the place of each value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from policykit.rules.config.base import MAX_DEPTH, MAX_SETTINGS, MAX_WORDS, Places, Setting, Unreadable

_WORD = re.compile(
    r"(?P<blank>[ \t\r\n]+|//[^\n]*|/\*[\s\S]*?\*/|\#[^\n]*)"
    r"|(?P<text>\"(?:[^\"\\\n]|\\.)*\")|(?P<mark>[{}\[\]:,])|(?P<plain>[A-Za-z0-9+.\-]+)"
)


def read(text: str, file: str) -> list[Setting]:
    """Return every text, number and word of a JSON file with its path. Raise Unreadable."""
    places = Places(text, file)
    found: list[Setting] = []
    path: list[str] = []  # one part for each open box: the key, or the position in a list
    boxes: list[str] = []
    key: str | None = None
    for kind, start, end in _words(text):
        word = text[start:end]
        if word in ("{", "["):
            _enter(boxes, path, key, word)
            key = None
        elif word in ("}", "]"):
            _leave(boxes, path, word)
            key = None
        elif word == ",":
            key = None
            if boxes and boxes[-1] == "[":
                path[-1] = str(int(path[-1]) + 1)
        elif word == ":":
            continue
        elif boxes and boxes[-1] == "{" and key is None:
            key = _text(word) if kind == "text" else word
            path[-1] = key
        else:
            value = _text(word) if kind == "text" else word
            found.append(Setting(tuple(path), value, places.span(start, end, path)))
            if len(found) > MAX_SETTINGS:
                raise Unreadable(f"it has over {MAX_SETTINGS} values")
    if boxes:
        raise Unreadable("this is not JSON: a bracket is not closed")
    return found


def _words(text: str) -> Iterator[tuple[str, int, int]]:
    at = count = 0
    while at < len(text):
        count += 1
        if count > MAX_WORDS:
            raise Unreadable(f"it has over {MAX_WORDS} words")
        word = _WORD.match(text, at)
        if word is None:
            raise Unreadable(f"this is not JSON (line {text.count(chr(10), 0, at) + 1})")
        if word.lastgroup != "blank":
            yield str(word.lastgroup), at, word.end()
        at = word.end()


def _enter(boxes: list[str], path: list[str], key: str | None, word: str) -> None:
    if len(boxes) >= MAX_DEPTH:
        raise Unreadable(f"it is nested over {MAX_DEPTH} deep")
    if boxes and boxes[-1] == "{" and key is None:
        raise Unreadable("this is not JSON: a key is not text")
    boxes.append(word)
    path.append("" if word == "{" else "0")


def _leave(boxes: list[str], path: list[str], word: str) -> None:
    if not boxes or boxes.pop() + word not in ("{}", "[]"):
        raise Unreadable("this is not JSON: a bracket that was not opened")
    path.pop()


def _text(word: str) -> str:
    try:
        return str(json.loads(word, strict=False))
    except ValueError:
        return word[1:-1]

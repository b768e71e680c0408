"""Read texts with a name out of source, without parsing it: also Python 2, other languages, notebooks, broken files.

For versions out of git's history, where a secret in a comment or in a file that no longer parses is as public as any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from policykit.place import Place
from policykit.rules.config import json_
from policykit.rules.config.base import MAX_SETTINGS, Places, Setting
from policykit.rules.credentials import known

#: The value in `secret = "..."`, `"secret": "..."`, `environ["SECRET"] = "..."`, `getenv("SECRET", "...")`, ...
_VALUE = re.compile(r"[:=,][ \t]*[rbuRBU]{0,2}(\"[^\"\n]{8,16000}\"|'[^'\n]{8,16000}')")
#: ... and, read backwards from there, the name before it. A comma gives a value to a name in quotes only.
_EMAN = re.compile(r"(?:[:=][ \t]*(?:rts[ \t]*:[ \t]*)?\]?[\"']?|,[ \t]*[\"'])(\w{0,100}[A-Za-z_])(?!\w)")
#: Texts of any name that may be a credential by their format.
_TEXT = re.compile(
    r"[\"']([0-9]{8,10}:[\w-]{35}|xox\w-[\w-]+|gh\w_\w{36}|https://[^\"'\s]{40,300}|-----BEGIN[^\"']+)[\"']"
)


def read(text: str, file: str) -> list[Setting]:
    """Return the texts that source gives to names, in order."""
    places = Places(text, file)
    found: dict[int, tuple[str, str, int]] = {}
    backwards = text[::-1]
    for value in _VALUE.finditer(text):
        name = _EMAN.match(backwards, len(text) - value.start() - 1)
        if name is not None:
            found[value.start(1)] = (name[1][::-1], value[1][1:-1], value.end(1))
    for match in _TEXT.finditer(text):
        if known(match[1]):
            found.setdefault(match.start(), ("text", match[1], match.end()))
    return [
        Setting((name,), value, places.span(start, end, (name,)))
        for start, (name, value, end) in sorted(found.items())[:MAX_SETTINGS]
    ]


def read_notebook(text: str, file: str) -> Iterator[Setting]:
    """Yield the texts that a notebook gives to names: in its code, and in what it printed. Raise Unreadable."""
    for line in json_.read(text, file):
        for inner in read(line.value, file):
            yield replace(inner, place=_moved(line.place, inner.place))


def _moved(line: Place, inner: Place) -> Place:
    """Return the span of the whole line of the notebook: escapes move the columns inside of it."""
    return line._replace(path=inner.path)

"""A file in which a bot keeps its settings, and often its keys, as the rules on such files read it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from policykit.place import Place

#: The longest file that is read.
MAX_BYTES = 1024 * 1024
_DOTENV = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)[ \t]*=[ \t]*(.*?)[ \t]*\r?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Setting:
    """One named value. `name` is the last part of its `place.path`. The value may be a secret: no repr shows it."""

    name: str
    value: str = field(repr=False)
    place: Place


@dataclass(frozen=True, slots=True)
class Config:
    """One file. `kind` names what keeps its settings in such a file: `dotenv`, ..."""

    file: str
    kind: str
    settings: tuple[Setting, ...] = ()
    #: Why it could not be read; all else is then empty.
    unreadable: str = ""


def read(raw: bytes, file: str) -> Config:
    """Read the settings of a file. One that cannot be read comes back with the reason, which quotes none of it."""
    if len(raw) > MAX_BYTES:
        return Config(file, "dotenv", unreadable=f"a file of over {MAX_BYTES // 1024} KiB is not read")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Config(file, "dotenv", unreadable="it is not UTF-8")
    settings = []
    for found in _DOTENV.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        start = found.start(2) - (text.rfind("\n", 0, found.start(2)) + 1)
        place = Place(file, line, start + 1, line, start + 1 + len(found[2]), found[1])
        settings.append(Setting(found[1], found[2].strip("\"'"), place))
    return Config(file, "dotenv", tuple(settings))

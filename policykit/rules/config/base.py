"""What a file of settings is to the rules: its named values with their places, and what is known of the file itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from policykit.place import Place
from policykit.rules.credentials import MIN_LENGTH, random_run

#: The longest file that is read, and the most values, words and the deepest nesting of one.
MAX_BYTES = 256 * 1024
MAX_SETTINGS = 10_000
MAX_WORDS = 100_000
MAX_DEPTH = 64

#: What keeps its settings in such a file. `python` is source, of which only texts with a name are read.
Kind = Literal[
    "dotenv", "freqtrade", "hummingbot", "compose", "systemd", "json", "yaml", "toml", "ini", "policy", "python", ""
]
#: What git does with a file. `unknown`: there is a repository, and git could not be asked.
Git = Literal["tracked", "ignored", "untracked", "outside", "unknown"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One named value. `path` is where it stands in the file; the last part is its name. No repr shows the value."""

    path: tuple[str, ...]
    value: str = field(repr=False)
    place: Place

    @property
    def name(self) -> str:
        """The last part of the path that is no position in a list."""
        return next((part for part in reversed(self.path) if not part.isdigit()), "")


@dataclass(frozen=True, slots=True)
class Past:
    """Where a version of a file is in git's history, and which of its values was not there before."""

    commit: str
    #: When that commit was made, as an ISO date.
    date: str
    #: Whether the value still stands in a file of the current commit.
    present: bool
    #: Where it stands; every value of the file when it is not given.
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """One file. The facts about it are gathered by lint: rules ask neither git nor the file system."""

    file: str
    kind: Kind
    settings: tuple[Setting, ...] = ()
    #: Why it could not be read; all else is then empty.
    unreadable: str = ""
    git: Git = "outside"
    #: Whether every user of the host may read the file.
    world_readable: bool = False
    #: Set when this is a version out of git's history.
    past: Past | None = None


class Unreadable(Exception):
    """Say why a file is not read: never with words of the file."""


class Places:
    """Turn offsets of a text into places."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._offset = 0
        self._line = 1

    def span(self, start: int, end: int, path: Iterable[str]) -> Place:
        """Return the place of a part of the text; spans are asked for in order."""
        line, column = self._at(start)
        end_line, end_column = self._at(end)
        return Place(self._file, line, column, end_line, end_column, dotted(path))

    def _at(self, offset: int) -> tuple[int, int]:
        self._line += self._text.count("\n", self._offset, offset)
        self._offset = offset
        return self._line, offset - self._text.rfind("\n", 0, offset)


def dotted(path: Iterable[str]) -> str:
    """Write a path as reports show it. What could be a pasted secret is not shown."""
    # INVARIANT I23: a name may be a pasted secret.
    return ".".join("..." if len(part) >= MIN_LENGTH and random_run(part) else part for part in path)

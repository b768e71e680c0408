"""A place in a file: what every finding and every error points at."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """Name a span of a file. Lines and columns count from 1; `path` is the dotted path of the value in the document."""

    file: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1
    path: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

"""Notebooks: the code of their cells as one source, and where each line of it stands in the `.ipynb` file."""

from __future__ import annotations

import ast
import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

#: The longest notebook that is read: most of one is what its cells printed.
MAX_NOTEBOOK_BYTES = 8 * 1024 * 1024

_SOURCE = re.compile(r'"source"\s*:\s*(?=["\[])')
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_PART = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL)
#: A line that IPython takes and Python does not: a magic, a shell command, a question.
_MAGIC = re.compile(r"(\s*+)(?:[%!?].*|[\w.]+\?\??\s*)\Z")
_MAGIC_VALUE = re.compile(r"(\s*+[\w., ]++=\s*+)[%!].*\Z")
#: Magics of a whole cell whose rest is Python all the same.
_PYTHON_CELLS = frozenset(("%%time", "%%timeit", "%%capture", "%%prun", "%%python", "%%python3"))


class Spot(NamedTuple):
    """Where a line of a cell stands in the file: its physical line, its first column there, its text as JSON has it."""

    cell: int
    line: int
    column: int
    raw: str

    def at(self, column: int) -> tuple[int, int]:
        """Return the physical line and column of a column of the cell's line."""
        before = islice(_PART.finditer(self.raw), column - 1)
        return self.line, self.column + sum(len(part[0]) for part in before)


class Cells(NamedTuple):
    """The code cells of a notebook as one text, line by line, with a spot for each line."""

    lines: list[str]
    spots: list[Spot]

    def without(self, cell: int) -> Cells:
        """Return them with the lines of one cell empty."""
        return self._replace(lines=["" if s.cell == cell else x for x, s in zip(self.lines, self.spots, strict=True)])

    def of(self, cell: int) -> list[str]:
        """Return the lines of one cell."""
        return [x for x, s in zip(self.lines, self.spots, strict=True) if s.cell == cell]


def cells(text: str) -> Cells | str:
    """Return the code cells of a notebook, or the reason why it cannot be read. A cell that is no Python is empty."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return "this is not the JSON of a notebook"
    found = data.get("cells") if isinstance(data, dict) else None
    if not isinstance(found, list):
        return "this is not a notebook of format 4: it has no list `cells`"
    result = Cells([], [])
    if _language(data) != "python":
        return result
    breaks = [m.start() for m in re.finditer("\n", text)]
    for number, (cell, place) in enumerate(_placed(found, text), 1):
        if isinstance(cell, dict) and cell.get("cell_type") == "code" and place is not None:
            _add(result, number, text, place, breaks)
    return result


def _language(data: dict[str, Any]) -> str:
    metadata = data.get("metadata")
    for name, key in (("language_info", "name"), ("kernelspec", "language")):
        part = metadata.get(name) if isinstance(metadata, dict) else None
        if isinstance(part, dict) and isinstance(part.get(key), str):
            return str(part[key]).lower()
    return "python"


def _placed(found: list[Any], text: str) -> Iterator[tuple[Any, tuple[int, int] | None]]:
    """Yield each cell with the span of its source in the text; None where the file has it in another form."""
    decoder = json.JSONDecoder()
    at = 0
    for cell in found:
        wanted = cell.get("source") if isinstance(cell, dict) else None
        place = None
        for match in _SOURCE.finditer(text, at) if wanted is not None else ():
            value, end = decoder.raw_decode(text, match.end())
            if value == wanted:
                place, at = (match.end(), end), end
                break
        yield cell, place


def _add(result: Cells, number: int, text: str, place: tuple[int, int], breaks: list[int]) -> None:
    """Add the lines of one cell, as Python."""
    lines: list[str] = []
    spots: list[Spot] = []
    for match in _STRING.finditer(text, *place):
        at = match.start(1)
        for piece in _pieces(match.group(1)):
            line = bisect_right(breaks, at)
            start = at - (breaks[line - 1] if line else -1)
            if piece:
                lines.append(json.loads(f'"{piece}"').rstrip("\r\n"))
                spots.append(Spot(number, line + 1, start, piece))
            at += len(piece)
    result.lines.extend(_python(lines))
    result.spots.extend(spots)


def _pieces(raw: str) -> list[str]:
    """Split a string, as JSON has it, behind each line break."""
    pieces, start = [], 0
    for part in re.finditer(r"\\.", raw):
        if part.group() == "\\n":
            pieces.append(raw[start : part.end()])
            start = part.end()
    return [*pieces, raw[start:]]


def _python(lines: list[str]) -> list[str]:
    """Put Python in the place of what only IPython takes; a cell in another language becomes empty."""
    first = next((line.strip() for line in lines if line.strip()), "")
    if first.startswith("%%") and first.split()[0] not in _PYTHON_CELLS:
        return [""] * len(lines)
    plain = []
    for line in lines:
        magic, value = _MAGIC.match(line), _MAGIC_VALUE.match(line)
        plain.append(f"{magic[1]}pass" if magic else f"{value[1]}None" if value else line)
    return plain


def parse(found: Cells) -> tuple[ast.Module, Cells, list[int]]:
    """Return the tree of the cells that are Python, what is left of the text, and the numbers of the other cells."""
    try:
        return ast.parse("\n".join(found.lines)), found, []
    except SyntaxError:
        broken = []
        for number in dict.fromkeys(s.cell for s in found.spots):
            try:
                ast.parse("\n".join(found.of(number)))
            except SyntaxError:
                broken.append(number)
                found = found.without(number)
        return ast.parse("\n".join(found.lines)), found, broken

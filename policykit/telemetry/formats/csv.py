"""A table with the columns of `flat.COLUMNS`, for spreadsheets (RFC 4180): no cell of it is taken for a formula."""

from __future__ import annotations

import csv
import io
import re
from typing import Any, Final

from policykit.telemetry.formats import Entry
from policykit.telemetry.formats.flat import COLUMNS, cells

#: What a spreadsheet may take for a formula (owasp.org/www-community/attacks/CSV_Injection, read 2026-11): a symbol or
#: a reason can come from anybody. Such a cell gets an apostrophe before it; a negative number is none.
_FORMULA: Final = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?")


def line(entry: Entry) -> str:
    """Return the row, its cells in quotes where they need them."""
    return _written([_safe(cell) for cell in cells(entry)])


def _safe(cell: Any) -> Any:
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def _written(values: list[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(values)
    return out.getvalue()


HEAD: Final = _written(list(COLUMNS))

"""Formats of a lint report: one file a format, found by name; each has `write(report, style) -> str`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import NamedTuple

from policykit.lint.run import Report


class Style(NamedTuple):
    """How to draw: with colour or not, how many columns there are, and how long the run took (None: not said)."""

    colour: bool = False
    columns: int = 120
    seconds: float | None = None


#: Modules beside this one that are no format.
_HELPERS = ("quote",)


def formats() -> tuple[str, ...]:
    """Return the names of the formats, `text` first."""
    names = {p.stem.rstrip("_") for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("_")}
    return ("text", *sorted(names - {"text", *_HELPERS}))


def write(name: str, report: Report, style: Style) -> str:
    """Return the report in a format."""
    module = importlib.import_module(f"{__name__}.{name if name != 'json' else 'json_'}")
    text: str = module.write(report, style)
    return text

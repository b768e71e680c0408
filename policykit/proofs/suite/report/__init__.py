"""Formats of a report of tests: one file a format, each with `write(report, style) -> str`."""

from __future__ import annotations

import importlib
from typing import Final, NamedTuple

from policykit.proofs.suite.all_of import Report

FORMATS: Final = ("text", "json", "junit")


class Style(NamedTuple):
    """How to draw: what the terminal can do; `coverage`: with its table; `seconds`: how long it took; None: unsaid."""

    colour: bool = False
    columns: int = 120
    coverage: bool = False
    seconds: float | None = None


def write(name: str, report: Report, style: Style) -> str:
    """Return the report in a format."""
    module = importlib.import_module(f"{__name__}.{name if name != 'json' else 'json_'}")
    text: str = module.write(report, style)
    return text

"""Formats of a lint report: one file a format, found by name; each has `write(report, style) -> str`."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from policykit.finding import Severity
from policykit.lint.report.quote import conceal
from policykit.lint.run import Report


class Repository(NamedTuple):
    """Which version of which repository was linted, as a CI says it. `uri` holds no credentials."""

    uri: str
    revision: str = ""
    branch: str = ""


class Style(NamedTuple):
    """How to draw, and what only the caller knows of the run.

    - `colour`, `columns`: what the terminal can do. `seconds`: how long the run took; None is not said.
    - `fail_on`, `strict`, `code`: what counts as failed, and the exit code that the command ends with.
    - `root`: the folder that paths are written relative to, for the formats that ask for it; None leaves them as given.
    """

    colour: bool = False
    columns: int = 120
    seconds: float | None = None
    fail_on: Severity = "medium"
    strict: bool = False
    code: int = 0
    root: str | None = None
    repository: Repository | None = None


#: Modules beside this one that are no format.
_HELPERS = ("diff", "marks", "quote", "sarif_rules", "shared")


def formats() -> tuple[str, ...]:
    """Return the names of the formats, `text` first."""
    names = {p.stem.rstrip("_") for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("_")}
    return ("text", *sorted(names - {"text", *_HELPERS}))


def write(name: str, report: Report, style: Style) -> str:
    """Return the report in a format."""
    # INVARIANT I23: whatever a format quotes, what a rule found to be a secret is stars.
    conceal(report.findings)
    text: str = _module(name).write(report, style)
    return text


def job_page(name: str, report: Report, style: Style) -> str:
    """Return what a format has to say on the page of the CI's job, beside its report: Markdown, or nothing."""
    module = _module(name)
    text: str = module.job_page(report, style) if hasattr(module, "job_page") else ""
    return text


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name if name != 'json' else 'json_'}")

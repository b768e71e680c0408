"""docs/speed.md: the newest figures of every bench on one machine, with their goals, met or not."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

from bench._harness import Row

PAGE = Path(__file__).resolve().parent.parent / "docs" / "speed.md"
HEAD = """# How fast

<!-- Made by `.venv/bin/python -m bench --page [NAMES]` on one machine; do not edit. -->

Each row is a ratio to something that was measured beside it in the same rounds: absolute figures drift between
machines, ratios hold. `make bench` measures them on yours, and ends with an error when a goal is missed. A goal that is
not met stands here as not met.

A row names its store where it has one: `memory` is the store of tests and of one process, `sqlite FULL` the default,
durable before an order is sent. `hand` is a chain of `if` statements with the same checks and nothing else.

"""
FEET = """
Cold starts are whole processes that find bytecode, as after an install. The floor of `lint` imports click, ruamel.yaml
and pydantic and builds the model of a policy.
"""


def time_text(seconds: float) -> str:
    """Write seconds in the unit that fits."""
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= scale:
            return f"{seconds / scale:.4g} {unit}"
    return f"{seconds * 1e9:.4g} ns"


def page(rows: Sequence[Row], where: str) -> str:
    """Return the page. `where`: what it was measured on."""
    lines = ["| what | goal | ratio | to | median | |", "|---|---|---|---|---|---|"]
    notes = []
    for row in rows:
        goal = f"{'>=' if row.at_least else '<='} {row.goal:g}"
        met = "met" if row.met else "**not met**"
        cells = (row.what, goal, f"{row.ratio:.2f}", row.unit, time_text(row.seconds), met)
        lines.append(f"| {' | '.join(cells)} |")
        if row.note:
            notes.append(f"- {row.what}: {row.note}")
    return "\n".join([f"{HEAD}Measured with {where}.", "", *lines, "", *notes]) + f"\n{FEET}"


def row_names(folder: Path) -> list[str]:
    """Return what each bench measures, read from the sources and not by measuring."""
    files = [file for file in sorted(folder.glob("*.py")) if not file.stem.startswith("_")]
    calls = [
        node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)
    ]
    first = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id in ("row", "Row")]
    return [name.value for name in first if isinstance(name, ast.Constant) and isinstance(name.value, str)]

"""Run the benches: every file of this folder that does not start with `_` and has `rows()`; print and write JSON."""

from __future__ import annotations

import json
import platform
import sys
from importlib import import_module
from pathlib import Path

from bench._harness import Row

FOLDER = Path(__file__).parent
OUT = FOLDER / "out" / "bench.json"


def names() -> list[str]:
    """Return the benches that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


def time_text(seconds: float) -> str:
    """Write seconds in the unit that fits."""
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= scale:
            return f"{seconds / scale:.4g} {unit}"
    return f"{seconds * 1e9:.4g} ns"


def line(row: Row) -> str:
    """Write one row: what, goal, measured, met or not."""
    goal = f"{'>=' if row.at_least else '<='} {row.goal:g}"
    verdict = "met" if row.met else "NOT MET"
    text = f"{row.what:58} {goal:>8} {row.ratio:8.2f} {row.unit:34} {time_text(row.seconds):>10}  {verdict}"
    return f"{text}\n    {row.note}" if row.note else text


def main(arguments: list[str]) -> int:
    """Run the named benches, or all. Return 1 if a row is not met, 2 for a name that is none."""
    wrong = [name for name in arguments if name not in names()]
    if wrong:
        print(f"bench: {wrong[0]!r} is no bench; one of {', '.join(names())} is needed", file=sys.stderr)
        return 2
    rows: list[Row] = []
    print(f"{'what':58} {'goal':>8} {'ratio':>8} {'to':34} {'median':>10}")
    for name in arguments or names():
        for row in import_module(f"bench.{name}").rows():
            rows.append(row)
            print(line(row), flush=True)
    missed = sum(not row.met for row in rows)
    OUT.parent.mkdir(exist_ok=True)
    head = {"python": platform.python_version(), "machine": platform.machine()}
    OUT.write_text(json.dumps({**head, "rows": [row.to_dict() for row in rows]}, indent=1) + "\n")
    print(f"\n{len(rows)} rows, {missed} not met; figures in bench/out/bench.json")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

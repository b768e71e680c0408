"""Run the benches: every file of this folder that does not start with `_` and has `rows()`; print and write JSON."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from bench._harness import Row
from bench._page import PAGE, page, row_names, time_text

FOLDER = Path(__file__).parent
OUT = FOLDER / "out" / "bench.json"


def names() -> list[str]:
    """Return the benches that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


def line(row: Row) -> str:
    """Write one row: what, goal, measured, met or not."""
    goal = f"{'>=' if row.at_least else '<='} {row.goal:g}"
    verdict = "met" if row.met else "NOT MET"
    text = f"{row.what:58} {goal:>8} {row.ratio:8.2f} {row.unit:34} {time_text(row.seconds):>10}  {verdict}"
    return f"{text}\n    {row.note}" if row.note else text


def measured(benches: Sequence[str]) -> list[Row]:
    """Run benches and print each row as it is measured."""
    rows: list[Row] = []
    print(f"{'what':58} {'goal':>8} {'ratio':>8} {'to':34} {'median':>10}")
    for name in benches:
        for row in import_module(f"bench.{name}").rows():
            rows.append(row)
            print(line(row), flush=True)
    return rows


def known() -> dict[str, Row]:
    """Return the newest figures of each row on this machine."""
    if not OUT.exists():
        return {}
    rows = [{**row} for row in json.loads(OUT.read_text("utf-8"))["rows"]]
    return {row["what"]: Row(**{name: value for name, value in row.items() if name != "met"}) for row in rows}


def main(arguments: list[str]) -> int:
    """Run the named benches, or all; with `--page` first, write docs/speed.md: what was not run stays as it was.

    Return 1 if a row is not met, 2 for a name that is none.
    """
    on_page = arguments[:1] == ["--page"]
    arguments = arguments[on_page:]
    wrong = [name for name in arguments if name not in names()]
    if wrong:
        print(f"bench: {wrong[0]!r} is no bench; one of {', '.join(names())} is needed", file=sys.stderr)
        return 2
    rows = measured(arguments or names())
    missed = sum(not row.met for row in rows)
    OUT.parent.mkdir(exist_ok=True)
    head = {"python": platform.python_version(), "machine": platform.machine()}
    newest = known() | {row.what: row for row in rows}
    ordered = [newest[what] for what in row_names(FOLDER) if what in newest]
    OUT.write_text(json.dumps({**head, "rows": [row.to_dict() for row in ordered]}, indent=1) + "\n")
    unknown = [what for what in row_names(FOLDER) if what not in newest]
    if on_page and unknown:
        print(
            f"bench: never measured here: {unknown[0]!r} and {len(unknown) - 1} more; the page is left", file=sys.stderr
        )
    elif on_page:
        PAGE.write_text(page(ordered, f"Python {head['python']}, {head['machine']}"), encoding="utf-8")
    print(f"\n{len(rows)} rows, {missed} not met; figures in bench/out/bench.json")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Hold each room to its least branch coverage; the table is `[tool.policykit.coverage]` in pyproject.toml."""

from __future__ import annotations

import json
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
SHOWN = 12  # lines of the least covered files that are printed for a room that fails


def room_of(file: str) -> str:
    """Return `engine` for policykit/engine/x.py, `top` for policykit/order.py."""
    parts = Path(file).parts
    return parts[1] if len(parts) > 2 else "top"


def measure(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> dict[str, tuple[int, int, list[str]]]:
    """Return for each room: covered and all (statements and branches), and its files that miss something."""
    rooms: dict[str, tuple[int, int, list[str]]] = defaultdict(lambda: (0, 0, []))
    for file, data in sorted(report["files"].items()):
        s = data["summary"]
        covered = s["covered_lines"] + s["covered_branches"]
        total = s["num_statements"] + s["num_branches"]
        old = rooms[room_of(file)]
        missing = (
            [f"{file}: lines {data['missing_lines']}, branches {data['missing_branches']}"] if covered < total else []
        )
        rooms[room_of(file)] = (old[0] + covered, old[1] + total, old[2] + missing)
    return rooms


def main(path: str) -> int:
    """Print a line for each room; return 1 if one is under its gate."""
    gates = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["policykit"]["coverage"]
    failed = 0
    for room, (covered, total, missing) in sorted(measure(json.loads((TOP / path).read_text())).items()):
        gate = gates.get(room, gates["default"])
        percent = 100.0 * covered / total if total else 100.0
        ok = percent >= gate
        failed += not ok
        print(f"{room:12}{percent:7.2f} %  gate {gate:>5} %  {'' if ok else 'UNDER'}")
        if not ok:
            print("".join(f"    {line}\n" for line in missing[:SHOWN]), end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

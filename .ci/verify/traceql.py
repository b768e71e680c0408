"""Parse every TraceQL query of the dashboards and of docs/dashboards.md with Grafana's own grammar, from npm.

The control: queries with a mistake are refused by the same grammar.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from npm import TOOLS, TOP, ToolsMissing, install

from dashboards import traceql

PARSER = Path(__file__).resolve().with_suffix(".mjs")
PAGE = TOP / "docs" / "dashboards.md"
BLOCK = re.compile(r"^```traceql\n(.*?)^```", re.DOTALL | re.MULTILINE)
#: What must be refused.
BROKEN = ('{ span.a = "x" ', '{ span.a === "x" }', '{ span.a = "x" } | selct(span.a)', '{ span.a "x" }')
SECONDS = 60


def queries() -> Iterator[tuple[str, str]]:
    """Give each query with where it stands."""
    for path in sorted((TOP / "dashboards" / "grafana").glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            yield from (
                (f"{path.stem}: {panel['title']}", target["query"])
                for target in panel.get("targets", ())
                if "query" in target
            )
    yield "a point's link", traceql.OF_CHECK
    for number, block in enumerate(BLOCK.findall(PAGE.read_text(encoding="utf-8")), 1):
        yield f"docs/dashboards.md, block {number}", block.strip()


def errors(asked: list[str]) -> list[list[int]]:
    """Return the places of the errors in each query, from 0."""
    done = subprocess.run(
        ["node", str(PARSER), str(TOOLS / "package.json")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    return [list(places) for places in json.loads(done.stdout)]


def main() -> int:
    """Parse; 0 when every query is one and every broken one is refused."""
    try:
        install()
    except ToolsMissing as error:
        print(f"traceql: {error}", file=sys.stderr)
        return 1
    named = list(queries())
    wrong = 0
    for (name, query), places in zip(named, errors([query for _, query in named]), strict=True):
        print(f"traceql: {name}: {'yes' if not places else f'NO, at {places}: {query}'}")
        wrong += bool(places)
    for query, places in zip(BROKEN, errors(list(BROKEN)), strict=True):
        print(f"traceql: refused: {query}: {'yes' if places else 'NO'}")
        wrong += not places
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

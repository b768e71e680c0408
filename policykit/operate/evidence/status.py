"""What a package holds, in short: as data, and as lines for a terminal."""

from __future__ import annotations

from collections import Counter
from typing import Any

from policykit.operate.evidence.package import VERSION, Package


def to_dict(package: Package) -> dict[str, Any]:
    """Return the tables with their counts, everything that is not known, and the anchors."""
    missing = Counter(one.table for one in package.unknown)
    return {
        "version": VERSION,
        "from": package.since,
        "to": package.until,
        "intact": package.whole,
        "tables": [
            {"name": t.name, "title": t.title, "rows": len(t.rows), "unknown": missing[t.name]} for t in package.tables
        ],
        "unknown": [one._asdict() for one in package.unknown],
        "journals": [span._asdict() for span in package.spans],
        "anchor": None if package.anchored is None else {"said": package.anchored[0], "holds": package.anchored[1]},
    }


def text(said: dict[str, Any]) -> str:
    """Write what `to_dict` returned, with the file and its signature where one was made."""
    lines = [f"evidence: {said['from']} to {said['to']}"]
    lines += [
        f"  {one['title']:<44}{one['rows']:>7,} rows  {one['unknown'] or 'none'} unknown" for one in said["tables"]
    ]
    for span in said["journals"]:
        state = span["problem"] or (f"whole up to row {span['last']:,}" if span["last"] else "has no row")
        lines.append(f"journal {span['file']}: {state}")
    if said["anchor"] is not None:
        lines.append(f"anchor: {said['anchor']['said']}")
    lines.append(f"not known ({len(said['unknown'])}):")
    lines += [f"  {one['table']}: {one['what']} -> {one['ask']}" for one in said["unknown"]]
    if "file" in said:
        lines.append(f"written: {said['file']}, {'signed' if said['signed'] else 'not signed'}")
    return "\n".join(lines)

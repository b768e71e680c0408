"""index.md of a package: for somebody who was not there and does not know policykit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from policykit.operate.evidence.clauses import CLAUSES, SOURCES
from policykit.operate.evidence.package import Package, Table
from policykit.operate.evidence.signature import NAMESPACE

#: A table shows so many rows here, the newest; all of them are in data/.
SHOWN: Final = 25
#: Characters of one cell.
_WIDEST: Final = 90

_HEAD: Final = """\
# Evidence of API trading controls

Period: {since} up to, not including, {until} (UTC). Made by policykit {library}.

Trading bots send orders to exchanges with API keys. policykit stands between them: it reads a **policy** (what each
key is for, what it may do, how much may be traded), decides on each order, and writes each decision and each act of
an operator into a **journal**, in which every row carries a hash over itself and the row before. This package is
what that journal and those policies say of the period. It was made by a program, without a person choosing rows. It
shows what was recorded; it is no opinion on whether a control is good enough, and **what it does not show stands
first**.

{verdict}
"""
_VERIFY: Final = """\
## Verify it without us

Nothing of policykit is needed.

1. **The files are those that were packed**: `sha256sum -c MANIFEST.sha256` in the unpacked folder.
2. **Who packed them**, if `MANIFEST.sha256.sig` is there, with a list of signers that you got from somebody you
   trust, not from here (a line is `NAME ssh-ed25519 AAAA...`): `ssh-keygen -Y verify -f allowed_signers -I NAME -n
   {namespace} -s MANIFEST.sha256.sig < MANIFEST.sha256`
3. **The tables say what the journal says**: each row names `row` (its number in the journal), `hash` and `file`
   (which journal of the list above, from 0). Let somebody copy the journal before your eyes (`policykit journal
   backup FILE`, or any copy of a SQLite file that is at rest) and run `python3 verify.py PACKAGE.zip FILE`: it
   follows the whole chain up to the anchor and looks up each row. `verify.py` is {lines} lines to be read first. By
   hand: the hash of a row is SHA-256 over the hash of the row before, its number, its time in ms, its kind and its
   data, joined by line feeds: `sqlite3 FILE "SELECT seq, at_ms, kind, body, hash FROM journal WHERE seq = N"`.
4. **The journal's end was not cut off, and the whole was not written anew**: no chain shows that. Keep
   `journal/anchor.json`; the next package must hold that row with that hash. An anchor from an earlier day that
   somebody else kept (`policykit journal verify --anchor`, with a time-stamp authority's signature where one was
   asked) shows it for the past.
"""


def page(package: Package, verify_lines: int) -> str:
    """Write index.md."""
    return "\n".join([*_lines(package, verify_lines), ""])


def _lines(package: Package, verify_lines: int) -> Iterator[str]:
    yield _HEAD.format(since=package.since, until=package.until, library=package.library, verdict=_verdict(package))
    yield from _unknown(package)
    yield from _proofs(package)
    for table in package.tables:
        yield from _table(table)
    yield from _anchors(package)
    yield _VERIFY.format(namespace=NAMESPACE, lines=verify_lines)
    yield from _clauses(package)


def _verdict(package: Package) -> str:
    if package.whole:
        return (
            "The journal is whole as far as this can be told: every row up to the anchor follows from the one before."
        )
    return "**The journal is damaged or was changed. What follows is what could be read; do not rely on it.**"


def _unknown(package: Package) -> Iterator[str]:
    yield f"## What is not known ({len(package.unknown)})\n"
    yield "None of this is a proof of anything being wrong, and none of it may be read as being right.\n"
    yield from _grid(
        ("of", "what is not known", "who could tell, or how"),
        [(one.table, one.what, one.ask) for one in package.unknown[: 4 * SHOWN]],
    )
    if len(package.unknown) > 4 * SHOWN:
        yield f"\n{len(package.unknown) - 4 * SHOWN} more are in `data/unknown.json`."
    yield ""


def _proofs(package: Package) -> Iterator[str]:
    missing = Counter(one.table for one in package.unknown)
    yield "## What is proved, in short\n"
    yield from _grid(
        ("what", "rows", "not known", "all of it"),
        [(t.title, str(len(t.rows)), str(missing[t.name]), f"data/{t.name}.json") for t in package.tables],
    )
    yield ""


def _table(table: Table) -> Iterator[str]:
    yield f"## {table.title}\n\n{table.says}\n"
    if not table.rows:
        yield "The period has none.\n"
        return
    columns = [name for name in table.columns if name not in ("hash", "file")]
    yield from _grid(columns, [[_cell(row.get(name)) for name in columns] for row in table.rows[-SHOWN:]])
    left = len(table.rows) - SHOWN
    yield f"\nThe newest {SHOWN} of {len(table.rows)}; all are in `data/{table.name}.json`.\n" if left > 0 else ""


def _anchors(package: Package) -> Iterator[str]:
    yield "## The journal, and its anchor\n"
    yield "The anchor of a journal is its newest row of before the period's end, and that row's hash.\n"
    yield from _grid(
        ("file", "name", "store", "pruned through", "anchor: row", "its time", "its hash", "chain"),
        [
            (
                *(str(number), span.file, span.epoch, str(span.pruned_through or "-"), str(span.last)),
                *(span.at, span.hash, span.problem or "whole"),
            )
            for number, span in enumerate(package.spans)
        ],
    )
    if package.anchored is not None:
        said, good = package.anchored
        yield f"\nAn earlier anchor, kept elsewhere: {'it holds, ' if good else '**it does not hold**: '}{said}."
    yield ""


def _clauses(package: Package) -> Iterator[str]:
    rows = {table.name: len(table.rows) for table in package.tables}
    yield "## Where to look for which clause\n"
    yield "Whether a clause is met is yours to judge. The third column counts rows, the last says what is not here.\n"
    yield from _grid(
        ("clause", "about", "look at", "not in this package"),
        [
            (
                f"{one.standard} {one.clause}",
                one.about,
                ", ".join(f"{name} ({rows[name]})" for name in one.tables),
                one.beyond or "-",
            )
            for one in CLAUSES
        ],
    )
    yield "\nSources: " + "; ".join(f"{name}: {source}" for name, source in SOURCES.items()) + "."


def _grid(head: Any, rows: Any) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_safe(cell) for cell in row)} |"


def _safe(cell: str) -> str:
    """Return text that stays in its cell and is shown as it stands: journal rows hold what people and bots typed."""
    for char in "\\|<>`[]*_":
        cell = cell.replace(char, f"\\{char}" if char not in "<>" else {"<": "&lt;", ">": "&gt;"}[char])
    return " ".join(cell.split())


def _cell(value: Any) -> str:
    if value is None or value in ([], {}):
        return "-"
    if isinstance(value, dict):
        value = {name: inner for name, inner in value.items() if name not in ("hash", "file")}
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."

"""What an evidence package is made of: tables, what is not known, and where in the journal it all stands."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

VERSION: Final = 1
#: A table has at most so many rows; what is left out is said.
MAX_ROWS: Final = 10_000


class Unknown(NamedTuple):
    """Something that the package does not show: of which table, what, and who could find out, or how."""

    table: str
    what: str
    ask: str


class Table(NamedTuple):
    """One kind of proof. A row's `row` and `hash` name the journal row that it is from."""

    name: str
    title: str
    #: What a row means, in plain words.
    says: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]


class Span(NamedTuple):
    """One journal file as it was read: up to its newest row of the period, and whether the chain holds until there."""

    file: str
    epoch: str
    #: The first row that is in the file, and what was kept of what was pruned before it.
    first: int
    pruned_through: int
    #: The anchor: the newest row before the period's end, its hash, its time. 0 and empty: there is none.
    last: int
    hash: str
    at: str
    #: What is wrong with the file; None: every row up to the anchor follows from the one before.
    problem: str | None


class Package(NamedTuple):
    """Everything that is written; times are ISO text, `until` is the first moment that no longer counts."""

    since: str
    until: str
    library: str
    tables: tuple[Table, ...]
    unknown: tuple[Unknown, ...]
    spans: tuple[Span, ...]
    #: What an anchor that was kept elsewhere says of the journal: (what was found, whether it holds); None: none given.
    anchored: tuple[str, bool] | None
    #: Each effective policy as JSON has it, by file name in the package.
    policies: dict[str, dict[str, Any]]

    @property
    def whole(self) -> bool:
        """Tell whether the journal is what was written, as far as can be told."""
        held = self.anchored is None or self.anchored[1]
        return held and all(span.problem is None for span in self.spans)


def limited(table: Table) -> tuple[Table, list[Unknown]]:
    """Return a table of at most MAX_ROWS rows, the newest, and what that leaves out."""
    left = len(table.rows) - MAX_ROWS
    if left <= 0:
        return table, []
    words = f"{left:,} of its {len(table.rows):,} rows, the oldest, are left out"
    return table._replace(rows=table.rows[left:]), [Unknown(table.name, words, "ask for a shorter period")]

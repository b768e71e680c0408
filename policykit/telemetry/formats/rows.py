"""The journal for other programs: rows chosen by time, kind, bot, symbol and outcome, in one of `formats`.

Rows stream from the file, so memory does not grow with the journal; an export goes on from the number of a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from policykit.store.base import Row
from policykit.store.reader import JournalDamaged, JournalReader
from policykit.telemetry.formats import Entry
from policykit.telemetry.tail import Orders, every

#: Rows before the first that is exported, in which the orders are looked for that later rows are about.
LEARNED: Final = 10_000
#: Between so many rows it is said how far the export is.
SAY_EVERY: Final = 5_000

Say = Callable[[int, int], None]


@dataclass
class Selection:
    """Which rows are exported; then `first`, `last` and `count` say which were, and `read` how far was read."""

    after: int = 0
    since_ms: int | None = None
    until_ms: int | None = None
    kinds: frozenset[str] = frozenset()
    bot: str | None = None
    symbol: str | None = None
    outcome: str | None = None
    count: int = 0
    read: int = 0

    def entries(self, journal: JournalReader, say: Say = lambda done, of: None) -> Iterator[Entry]:
        """Yield the rows that are wanted, up to the newest as of now, or up to a damage (`journal.damage`)."""
        newest = journal.newest()
        last = 0 if newest is None else newest.seq
        orders = Orders()
        self.read = self.after
        try:
            for row in every(journal, max(0, self.after - LEARNED)):
                if row.seq > last:
                    break
                about = orders.about(row)
                if row.seq <= self.after:
                    continue
                self.read = row.seq
                if row.seq % SAY_EVERY == 0 or row.seq == last:
                    say(row.seq, last)
                if self._wants(row, about):
                    self.count += 1
                    yield Entry(row, about)
        except JournalDamaged:
            return  # whoever exports says so behind what could be read

    def _wants(self, row: Row, about: dict[str, object]) -> bool:
        if self.since_ms is not None and row.at_ms < self.since_ms:
            return False
        if self.until_ms is not None and row.at_ms >= self.until_ms:
            return False
        if self.kinds and row.kind not in self.kinds:
            return False
        if self.outcome is not None:
            decided = row.body.get("decision", {}).get("outcome") if row.kind == "decision" else row.body.get("state")
            if decided != self.outcome:
                return False
        wanted = (("bot", self.bot), ("symbol", self.symbol))
        return all(value is None or about.get(name) == value for name, value in wanted)


def lines(entries: Iterator[Entry], name: str) -> Iterator[str]:
    """Yield the lines of a text format, its head first."""
    form = import_module(f"policykit.telemetry.formats.{name}")
    head = getattr(form, "HEAD", None)
    if head is not None:
        yield head
    yield from map(form.line, entries)

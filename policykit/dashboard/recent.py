"""What the page keeps of the journal's last rows by itself: equity over time, and what candidate policies would do."""

from __future__ import annotations

from collections import Counter
from typing import Final

from policykit.dashboard.burn import Equity
from policykit.dashboard.view import Candidate
from policykit.errors import StoreUnavailable
from policykit.store.base import Row
from policykit.store.reader import JournalReader

#: So many rows back it begins; what is older is no matter of today.
BACK: Final = 20_000
#: Candidate policies that are counted.
MAX_CANDIDATES: Final = 20


class Recent:
    """Rows are taken in once, in order, a part at a time."""

    def __init__(self) -> None:
        self.equity = Equity()
        self._after: int | None = None
        self._differs: dict[tuple[str, str], Counter[str]] = {}

    def advance(self, reader: JournalReader, newest: int, limit: int) -> int:
        """Take in at most `limit` rows that are new; return how many. A damage ends it where it is."""
        if self._after is None or self._after > newest:
            self._after = max(0, newest - BACK)
        done = 0
        try:
            for row in reader.rows(self._after, limit):
                self._take(row)
                self._after = row.seq
                done += 1
        except StoreUnavailable:
            return 0
        return done

    def _take(self, row: Row) -> None:
        self.equity.take(row)
        said = row.body.get("shadow") if row.kind == "decision" else None
        if isinstance(said, dict) and said.get("outcome") != "failed" and isinstance(row.body.get("decision"), dict):
            policy = said.get("policy") or {}
            name = (str(policy.get("name", "")), str(policy.get("version", "")))
            if name in self._differs or len(self._differs) < MAX_CANDIDATES:
                was, would = row.body["decision"].get("outcome"), said.get("outcome")
                self._differs.setdefault(name, Counter())["same" if was == would else str(would)] += 1

    def candidates(self) -> tuple[Candidate, ...]:
        """Return each policy on trial, and how it would have decided."""
        return tuple(
            Candidate(
                name,
                version,
                f"would deny {said['deny']:,} that were allowed, and allow {said['allow']:,} that were denied; "
                f"{said['same']:,} as now",
            )
            for (name, version), said in sorted(self._differs.items())
        )

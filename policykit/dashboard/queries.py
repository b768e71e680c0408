"""What an index is asked. Every answer is bounded; what a row says is read from the journal itself."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from policykit.dashboard.intake import MAX_ID, NOT_UNDERSTOOD
from policykit.dashboard.tables import DECIDED_TO_SENT, DECISION, HOUR_MS, MINUTE_MS, SENT_TO_ANSWERED, SUM
from policykit.store.base import Row

#: Buckets of time that one answer has at most.
MAX_BUCKETS: Final = 5_000
#: Rows that one answer has at most.
MAX_LIMIT: Final = 5_000
#: The shortest part of an id that is looked for, characters.
MIN_PART: Final = 4
#: Orders that are named when an id fits several.
MAX_CANDIDATES: Final = 10
#: Sends of one order, and rows of one, at most.
MAX_STEPS: Final = 10_000
_ALWAYS: Final = 1 << 62
T = TypeVar("T")


class Total(NamedTuple):
    """Decisions with the same labels, as policykit.decisions counts them."""

    outcome: str
    code: str
    check: str
    action: str
    mode: str
    stage: str
    drill: bool
    sandbox: bool
    decisions: int


class Newest(NamedTuple):
    """The newest decision of one label set: its id, when it was made, the trace it was asked for in, if any."""

    total: Total
    ident: str
    at_ms: int
    trace: str | None


class Outcome(NamedTuple):
    """Decisions of one outcome in one bucket of time that begins at `start_ms`."""

    start_ms: int
    outcome: str
    mode: str
    decisions: int


class CheckCount(NamedTuple):
    """Denials of one check (the deciding one) for one reason."""

    check: str
    code: str
    denials: int


class Denial(NamedTuple):
    """A decision that denied, by its deciding reason. `others`: how many more reasons it had."""

    seq: int
    at_ms: int
    ident: str
    bot: str
    mode: str
    action: str
    symbol: str
    side: str
    check: str
    code: str
    message: str
    observed: str | None
    limit: str | None
    unit: str | None
    place: str | None
    others: int
    drill: bool


class Ordered(NamedTuple):
    """An order that was allowed, and what is known of it. Times are UTC ms, numbers decimal text."""

    seq: int
    at_ms: int
    ident: str
    client_order_id: str
    order_id: str | None
    account: str
    bot: str
    action: str
    symbol: str
    side: str
    type: str
    quantity: str | None
    price: str | None
    state: str
    signed_ms: int | None
    answered_ms: int | None


class Latency(NamedTuple):
    """How long one part of an order's way took, ms; never more than 1/32 too low. None where there was no order."""

    kind: str
    orders: int
    p50_ms: int | None
    p95_ms: int | None
    p99_ms: int | None
    max_ms: int | None


class Delay(NamedTuple):
    """How often a delay lasted how long, ms, to 1/32 (at least so long), and what they came to together, exactly."""

    kind: str
    counts: dict[int, int]
    sum_ms: int


class Found(NamedTuple):
    """Every decision of one order, re-sends included, and every row of it, oldest first."""

    idents: tuple[str, ...]
    seqs: tuple[int, ...]


class Several(NamedTuple):
    """Several orders fit an id: the newest of them, and how many there are."""

    idents: tuple[str, ...]
    total: int


class Queries:
    """The questions; an index says where they are asked."""

    def _ask(self, work: Callable[[sqlite3.Connection], T]) -> T:
        raise NotImplementedError

    def _look_up(self, seqs: Iterable[int]) -> Iterator[Row]:
        raise NotImplementedError

    def totals(self) -> list[Total]:
        """Return every decision since the journal begins, counted by its labels."""
        rows = self._ask(partial(_counts, DECISION, [(0, 0, 1)]))
        return sorted(_total(labels, count) for labels, count in rows)

    def newest(self) -> list[Newest]:
        """Return the newest decision of each label set that the journal still has."""
        asked = "SELECT labels, ident, at_ms, trace FROM series JOIN decided ON seq = newest WHERE kind = ?"
        rows = self._ask(lambda db: db.execute(asked, (DECISION,)).fetchall())
        return [Newest(_total(labels), *rest) for labels, *rest in rows]

    def outcomes(self, since_ms: int, until_ms: int, bucket_ms: int) -> list[Outcome]:
        """Return decisions by outcome and mode in each bucket that had any; buckets are aligned to the epoch.

        The first and the last are whole. Quickest where `bucket_ms` is a number of minutes, or of hours.
        Raise ValueError for over MAX_BUCKETS buckets.
        """
        if bucket_ms < 1 or (until_ms - since_ms) // bucket_ms >= MAX_BUCKETS:
            raise ValueError(f"buckets of {bucket_ms} ms are too many; {MAX_BUCKETS} may be")
        first, end = since_ms - since_ms % bucket_ms, until_ms + -until_ms % bucket_ms
        width = next((w for w in (HOUR_MS, MINUTE_MS) if bucket_ms % w == 0), 0)

        def counted(db: sqlite3.Connection) -> list[Any]:
            if width:
                kept = (
                    "SELECT start - start % ?, labels, sum(n) FROM tally JOIN series ON id = series "
                    "WHERE tally.kind = ? AND width = ? AND start >= ? AND start < ? GROUP BY 1, series"
                )
                return db.execute(kept, (bucket_ms, DECISION, width, first, end)).fetchall()
            low, high = _numbers(db, first, end)
            rows = (
                "SELECT at_ms - at_ms % ?, labels, count(*) FROM decided JOIN series ON id = series "
                "WHERE seq BETWEEN ? AND ? AND at_ms >= ? AND at_ms < ? GROUP BY 1, series"
            )
            return db.execute(rows, (bucket_ms, low, high, first, end)).fetchall()

        sums: dict[tuple[int, str, str], int] = {}
        for start, labels, count in self._ask(counted):
            total = _total(labels)
            key = (start, total.outcome, total.mode)
            sums[key] = sums.get(key, 0) + count
        return [Outcome(*key, count) for key, count in sorted(sums.items())]

    def checks(self, since_ms: int, until_ms: int) -> list[CheckCount]:
        """Return denials by check and reason, the most frequent first; whole minutes."""
        sums: dict[tuple[str, str], int] = {}
        for labels, count in self._ask(partial(_counts, DECISION, _pieces(since_ms, until_ms))):
            total = _total(labels)
            if total.outcome == "deny":
                sums[total.check, total.code] = sums.get((total.check, total.code), 0) + count
        return [CheckCount(*key, count) for key, count in sorted(sums.items(), key=lambda item: (-item[1], item[0]))]

    def latencies(self, since_ms: int, until_ms: int) -> list[Latency]:
        """Return how long orders took from decision to sending, and from there to the answer; whole minutes."""
        pieces = _pieces(since_ms, until_ms)
        kinds = ((DECIDED_TO_SENT, "decided_to_sent"), (SENT_TO_ANSWERED, "sent_to_answered"))
        return [_latency(name, self._ask(partial(_counts, kind, pieces))) for kind, name in kinds]

    def delays(self) -> list[Delay]:
        """Return every delay of an order since the journal begins: to its sending, and from there to the answer."""
        always = [(0, 0, 1)]
        sums = {int(kind): total for kind, total in self._ask(partial(_counts, SUM, always))}
        found = []
        for kind, name in ((DECIDED_TO_SENT, "decided_to_sent"), (SENT_TO_ANSWERED, "sent_to_answered")):
            counted = {int(text): count for text, count in self._ask(partial(_counts, kind, always))}
            found.append(Delay(name, counted, sums.get(kind, 0)))
        return found

    def denials(
        self,
        since_ms: int = 0,
        until_ms: int = _ALWAYS,
        *,
        check: str | None = None,
        symbol: str | None = None,
        bot: str | None = None,
        before_seq: int = _ALWAYS,
        limit: int = 200,
    ) -> list[Denial]:
        """Return denials, the newest first; for the next page give the last one's `seq` as `before_seq`."""
        page = _Page(since_ms, until_ms, before_seq, limit)
        seqs = self._ask(partial(page.find, "decided", "seq", "denied", check_id=check, symbol=symbol, bot=bot))
        return list(_told(self._look_up(seq for (seq,) in seqs), _denial))

    def newer_denial(self, seq: int) -> str | None:
        """Return the id of the next denial after a row; None for the newest."""
        after = "SELECT ident FROM decided WHERE denied AND seq > ? ORDER BY seq LIMIT 1"
        found = self._ask(lambda db: db.execute(after, (seq,)).fetchone())
        return None if found is None else str(found[0])

    def orders(
        self,
        since_ms: int = 0,
        until_ms: int = _ALWAYS,
        *,
        state: str | None = None,
        symbol: str | None = None,
        bot: str | None = None,
        before_seq: int = _ALWAYS,
        limit: int = 200,
    ) -> list[Ordered]:
        """Return orders that were allowed, the newest first; pages as of `denials`."""
        page = _Page(since_ms, until_ms, before_seq, limit)
        columns = "seq, state, order_id, signed_ms, answered_ms"
        of = partial(page.find, "decided", columns, "state IS NOT NULL", state=state, symbol=symbol, bot=bot)
        known = {seq: rest for seq, *rest in self._ask(of)}
        return list(_told(self._look_up(known), lambda row: _ordered(row, *known[row.seq])))

    def states(
        self, since_ms: int = 0, until_ms: int = _ALWAYS, *, before_seq: int = _ALWAYS, limit: int = 200
    ) -> list[Row]:
        """Return the rows that changed in what state trading is (halts, resumes, policies, bans), the newest first."""
        page = _Page(since_ms, until_ms, before_seq, limit)
        return list(self._look_up(seq for (seq,) in self._ask(partial(page.find, "turns", "seq", "1"))))

    def story(self, part: str) -> Found | Several | None:
        """Return the rows of the order that an id fits, as `journal show` finds it; None when nothing fits.

        `part` is a decision's id, a client order id or an exchange's order id, or the beginning or the end of one of
        the first two, MIN_PART characters at least. A whole id goes before a part of one.
        """
        return self._ask(partial(_story, part[:MAX_ID]))


class _Page(NamedTuple):
    """A part of a list, the newest first."""

    since_ms: int
    until_ms: int
    before_seq: int
    limit: int

    def find(
        self, table: str, columns: str, condition: str, db: sqlite3.Connection, **equal: str | None
    ) -> list[tuple[Any, ...]]:
        """Return `columns` of the rows of a table that fit; words of ours but for the values of `equal`."""
        asked = {name: value for name, value in equal.items() if value is not None}
        low, high = _numbers(db, self.since_ms, self.until_ms)
        fits = "".join(f" AND {name} = ?" for name in asked)
        statement = (
            f"SELECT {columns} FROM {table} WHERE {condition} AND seq BETWEEN ? AND ? "  # noqa: S608 # nosec B608 - words of ours
            f"AND at_ms >= ? AND at_ms < ?{fits} ORDER BY seq DESC LIMIT ?"
        )
        bounds = (low, min(high, self.before_seq - 1), self.since_ms, self.until_ms)
        return db.execute(statement, (*bounds, *asked.values(), max(0, min(self.limit, MAX_LIMIT)))).fetchall()


def _numbers(db: sqlite3.Connection, since_ms: int, until_ms: int) -> tuple[int, int]:
    """Return the numbers between which every row of a time is."""
    hours = "SELECT coalesce(min(low), 1), coalesce(max(high), 0) FROM hours WHERE start >= ? AND start < ?"
    low, high = db.execute(hours, (since_ms - since_ms % HOUR_MS, until_ms)).fetchone()
    return int(low), int(high)


def _pieces(since_ms: int, until_ms: int) -> list[tuple[int, int, int]]:
    """Cut a time into whole hours and the minutes before and after: (width, start, end)."""
    since_ms, until_ms = since_ms - since_ms % MINUTE_MS, until_ms + -until_ms % MINUTE_MS
    first, last = since_ms + -since_ms % HOUR_MS, until_ms - until_ms % HOUR_MS
    if first >= last:
        return [(MINUTE_MS, since_ms, until_ms)]
    return [(MINUTE_MS, since_ms, first), (HOUR_MS, first, last), (MINUTE_MS, last, until_ms)]


def _total(labels: str, decisions: int = 0) -> Total:
    return Total._make([*json.loads(labels), decisions])


def _counts(kind: int, pieces: list[tuple[int, int, int]], db: sqlite3.Connection) -> list[tuple[str, int]]:
    """Return labels and counts of a kind of series; labels may come more than once."""
    counted = (
        "SELECT labels, sum(n) FROM tally JOIN series ON id = series "
        "WHERE tally.kind = ? AND width = ? AND start >= ? AND start < ? GROUP BY series"
    )
    return [found for piece in pieces for found in db.execute(counted, (kind, *piece))]


def _latency(kind: str, counted: list[tuple[str, int]]) -> Latency:
    by_ms: Counter[int] = Counter()
    for text, count in counted:
        by_ms[int(text)] += count
    total, seen, values = sum(by_ms.values()), 0, sorted(by_ms)
    if not values:
        return Latency(kind, 0, None, None, None, None)
    at: dict[int, int] = {}
    for took_ms in values:
        seen += by_ms[took_ms]
        for percent in (50, 95, 99):
            if percent not in at and seen * 100 >= total * percent:
                at[percent] = took_ms
    return Latency(kind, total, at[50], at[95], at[99], values[-1])


def _told(rows: Iterable[Row], tell: Callable[[Row], T]) -> Iterator[T]:
    """Say what rows say; one that is not what the index saw is left out."""
    for row in rows:
        try:
            yield tell(row)
        except NOT_UNDERSTOOD:
            continue


def _denial(row: Row) -> Denial:
    said = row.body["decision"]
    first, order = said["reasons"][0], said["order"]
    return Denial(
        seq=row.seq,
        at_ms=row.at_ms,
        ident=said["id"],
        bot=said["bot"],
        mode=said["mode"],
        action=said["action"],
        symbol=order.get("symbol", ""),
        side=order.get("side", ""),
        check=first["check"],
        code=first["code"],
        message=first["message"],
        observed=first.get("observed"),
        limit=first.get("limit"),
        unit=first.get("unit"),
        place=first.get("place"),
        others=len(said["reasons"]) - 1,
        drill=row.body.get("drill") is True,
    )


def _ordered(row: Row, state: str, order_id: str | None, signed_ms: int | None, answered_ms: int | None) -> Ordered:
    said, intent = row.body["decision"], row.body["intent"]
    order = intent["order"]
    return Ordered(
        seq=row.seq,
        at_ms=row.at_ms,
        ident=said["id"],
        client_order_id=intent["client_order_id"],
        order_id=order_id,
        account=intent["account"],
        bot=said["bot"],
        action=said["action"],
        symbol=order.get("symbol", ""),
        side=order.get("side", ""),
        type=order.get("type", ""),
        quantity=order.get("quantity"),
        price=order.get("price"),
        state=state,
        signed_ms=signed_ms,
        answered_ms=answered_ms,
    )


def _story(part: str, db: sqlite3.Connection) -> Found | Several | None:
    roots: list[int] = []
    for fits, values in _fits(part):
        statement = f"SELECT DISTINCT coalesce(root, seq) FROM decided WHERE seq IN ({fits}) ORDER BY 1 DESC"  # noqa: S608 # nosec B608 - words of ours
        roots = roots or [root for (root,) in db.execute(statement, values)]
    if not roots:
        return None
    if len(roots) > 1:
        named = ",".join(str(int(root)) for root in roots[:MAX_CANDIDATES])
        some = f"SELECT ident FROM decided WHERE seq IN ({named}) ORDER BY seq"  # noqa: S608 # nosec B608 - numbers
        return Several(tuple(ident for (ident,) in db.execute(some)), len(roots))
    sends = db.execute(
        "SELECT seq, ident FROM decided WHERE seq = ?1 OR root = ?1 ORDER BY seq LIMIT ?2", (roots[0], MAX_STEPS)
    ).fetchall()
    seqs = [seq for seq, _ in sends]
    for seq, _ in sends:
        steps = db.execute("SELECT seq FROM steps WHERE decision = ? LIMIT ?", (seq, MAX_STEPS))
        seqs.extend(step for (step,) in steps)
    return Found(tuple(ident for _, ident in sends), tuple(sorted(seqs)))


def _fits(part: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what finds the decisions that an id fits, the strictest first. The end of an id is found by a scan."""
    names, one = ("ident", "client_id"), "SELECT seq FROM decided WHERE"
    yield " UNION ".join(f"{one} {name} = ?1" for name in (*names, "order_id")), (part,)
    if len(part) >= MIN_PART:
        last = part[:-1] + chr(min(ord(part[-1]) + 1, sys.maxunicode))
        begins = [f"{one} {name} >= ?1 AND {name} < ?2" for name in names]
        ends = [f"{one} {name} IS NOT NULL AND substr({name}, -length(?1)) = ?1" for name in names]
        yield " UNION ".join(begins), (part, last)
        yield " UNION ".join(ends), (part,)

"""What an index keeps of a journal row. A row that is not understood is counted, and changes nothing."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from policykit.dashboard.tables import DECIDED_TO_SENT, DECISION, HOUR_MS, MINUTE_MS, SENT_TO_ANSWERED, SUM, WIDTHS
from policykit.store.base import Row

#: Different label sets of decisions at most, as of the metric; more are counted together under no labels.
MAX_SERIES: Final = 2_000
#: A latency is kept with so many leading bits: never more than 1/32 too low.
LATENCY_BITS: Final = 6
#: A longer one tells of a clock that stepped, not of an order, ms.
MAX_LATENCY_MS: Final = 86_400_000
#: The longest id that is looked for, characters; the start of a longer one is kept.
MAX_ID: Final = 200
#: Kinds of rows that say in what state trading is, or what of it changed.
TURNS: Final = frozenset(("halt", "resume", "policy", "policy.refused", "ban", "resolved", "stage"))
#: States that an answer of the exchange, or its absence, leaves an order in.
_ANSWERED: Final = frozenset(("acknowledged", "rejected", "settled"))
_TRACE: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_MAX_MS: Final = 1 << 53
#: What a row can raise that another version, or another hand, wrote.
NOT_UNDERSTOOD: Final = (KeyError, TypeError, ValueError, AttributeError, IndexError)

_DECIDED: Final = "INSERT OR REPLACE INTO decided VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_FOUND: Final = "SELECT seq, at_ms, signed_ms, answered_ms FROM decided WHERE ident = ? ORDER BY seq DESC LIMIT 1"
_KNOWN: Final = (
    "UPDATE decided SET state = ?, order_id = coalesce(?, order_id), signed_ms = coalesce(signed_ms, ?), "
    "answered_ms = coalesce(answered_ms, ?) WHERE seq = ?"
)
_TALLY: Final = "INSERT INTO tally VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET n = n + excluded.n"
_HOUR: Final = (
    "INSERT INTO hours VALUES (?,?,?) ON CONFLICT DO UPDATE SET low = min(low, excluded.low), "
    "high = max(high, excluded.high)"
)


class Intake:
    """Take rows into the tables of one index, inside a transaction of the caller's."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        found = db.execute("SELECT id, kind, labels FROM series")
        self._series = {(kind, labels): number for number, kind, labels in found}
        self._decisions = sum(kind == DECISION for kind, _ in self._series)
        self._policies = {name: (stage, bool(box)) for name, stage, box in db.execute("SELECT * FROM policies")}
        self._takers: Mapping[str, Callable[[Row], None]] = {"decision": self._decision, "outcome": self._outcome}
        self._counted: Counter[tuple[int, int, int]] = Counter()
        self._hours: dict[int, tuple[int, int]] = {}
        self._newest: dict[int, tuple[int, str | None]] = {}

    def take(self, rows: Iterable[Row]) -> list[int]:
        """Take rows in, in order; return the numbers of those that were not understood."""
        strange = []
        self._counted.clear()
        self._hours.clear()
        self._newest.clear()
        for row in rows:
            try:
                if row.kind in self._takers:
                    self._takers[row.kind](row)
                else:
                    self._other(row)
            except NOT_UNDERSTOOD:
                strange.append(row.seq)
            hour = row.at_ms - row.at_ms % HOUR_MS
            self._hours[hour] = (self._hours.get(hour, (row.seq, 0))[0], row.seq)
        counted: Counter[tuple[int, int, int, int]] = Counter()
        for (kind, at_ms, series), count in self._counted.items():
            for width in WIDTHS:
                counted[kind, width, at_ms - at_ms % width if width else 0, series] += count
        self.db.executemany(_TALLY, [(*key, count) for key, count in counted.items()])
        newest = [(seq, trace, series) for series, (seq, trace) in self._newest.items()]
        self.db.executemany("UPDATE series SET newest = ?, trace = ? WHERE id = ?", newest)
        self.db.executemany(_HOUR, [(hour, *bounds) for hour, bounds in self._hours.items()])
        return strange

    def _count(self, kind: int, labels: str, at_ms: int, more: int = 1) -> int:
        """Count more of a series; return its number."""
        found = self._series.get((kind, labels))
        if found is None:
            found = self.db.execute("INSERT INTO series (kind, labels) VALUES (?,?)", (kind, labels)).lastrowid
            assert found is not None
            self._series[kind, labels] = found
        self._counted[kind, at_ms - at_ms % MINUTE_MS, found] += more
        return found

    def _decision(self, row: Row) -> None:
        said, intent = row.body["decision"], row.body.get("intent")
        first = said["reasons"][0] if said["reasons"] and said["outcome"] == "deny" else {}
        check = _text(first.get("check", ""))
        stage, sandbox = self._policies.get(said["policy"]["version"], ("", False))
        key = (said["outcome"], first.get("code", ""), check, said["action"], said["mode"], stage)
        labels = json.dumps([*map(_text, key), row.body.get("drill") is True, sandbox])
        denied, ident, bot = said["outcome"] == "deny", _ident(said["id"]), _text(said["bot"])
        symbol = _text(said["order"].get("symbol", ""))
        client = said["order"].get("client_order_id")
        state, root = None, None
        if intent is not None:
            client, state = intent["client_order_id"], _text(intent["state"])
            if intent.get("replaces") is not None:
                root = self._root(_ident(intent["replaces"]))
        client = None if client is None else _ident(client)
        if (DECISION, labels) not in self._series:
            if self._decisions >= MAX_SERIES:
                labels = json.dumps([""] * 6 + [False, False])
            self._decisions += (DECISION, labels) not in self._series
        series = self._count(DECISION, labels, row.at_ms)
        values = (row.seq, row.at_ms, series, denied, ident, bot, symbol, check, client, root, state, None, None, None)
        self.db.execute(_DECIDED, values)
        self._newest[series] = (row.seq, _trace(row.body.get("trace")))

    def _root(self, before: str) -> int | None:
        """Return the row of the first decision of the order that `before` was a send of."""
        found = self.db.execute("SELECT coalesce(root, seq) FROM decided WHERE ident = ?", (before,)).fetchone()
        return None if found is None else int(found[0])

    def _outcome(self, row: Row) -> None:
        body = row.body
        state, order_id, signed = _text(body["state"]), body.get("order_id"), _moment(body.get("signed_ms"))
        order_id = None if order_id is None else _ident(order_id)
        found = self._step(row)
        if found is None:
            return
        seq, decided, was_signed, was_answered = found
        answered = row.at_ms if state in _ANSWERED and was_answered is None else None
        self.db.execute(_KNOWN, (state, order_id, signed, answered, seq))
        if signed is not None and was_signed is None:
            self._latency(DECIDED_TO_SENT, row.at_ms, signed - decided)
        sent = signed if was_signed is None else was_signed
        if answered is not None and sent is not None:
            self._latency(SENT_TO_ANSWERED, row.at_ms, answered - sent)

    def _latency(self, kind: int, at_ms: int, took_ms: int) -> None:
        if 0 <= took_ms <= MAX_LATENCY_MS:
            self._count(kind, str(lowered(took_ms)), at_ms)
            self._count(SUM, str(kind), at_ms, took_ms)

    def _step(self, row: Row) -> tuple[int, int, int | None, int | None] | None:
        """Keep that a row is about an order; return what is known of it."""
        found: tuple[int, int, int | None, int | None] | None
        found = self.db.execute(_FOUND, (_ident(row.body["intent"]),)).fetchone()
        if found is not None:
            self.db.execute("INSERT OR IGNORE INTO steps VALUES (?,?)", (found[0], row.seq))
        return found

    def _other(self, row: Row) -> None:
        if "intent" in row.body:
            self._step(row)
        if row.kind == "policy":
            self._policy(row.body)
        if row.kind in TURNS:
            self.db.execute("INSERT OR REPLACE INTO turns VALUES (?,?,?)", (row.seq, row.at_ms, row.kind))

    def _policy(self, body: Mapping[str, Any]) -> None:
        version, stage = _text(body["version"]), _text(body.get("stage", ""))
        known = (stage, body.get("environment") == "sandbox")
        if self._policies.get(version) != known:
            self._policies[version] = known
            self.db.execute("INSERT OR REPLACE INTO policies VALUES (?,?,?)", (version, *known))


def lowered(took_ms: int) -> int:
    """Return the lower end of the bucket that a latency falls into: its LATENCY_BITS leading bits."""
    shift = max(0, took_ms.bit_length() - LATENCY_BITS)
    return took_ms >> shift << shift


def longest(low: int) -> int:
    """Return the longest latency that is kept as `low`."""
    return low + (1 << max(0, low.bit_length() - LATENCY_BITS)) - 1


def _text(value: Any) -> str:
    """Return a text that SQLite takes; raise TypeError for what is none."""
    if not isinstance(value, str):
        raise TypeError
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _ident(value: Any) -> str:
    return _text(value)[:MAX_ID]


def _trace(said: Any) -> str | None:
    """Return a trace id; None for what is none."""
    found = said.get("trace_id") if isinstance(said, Mapping) else None
    return found if isinstance(found, str) and _TRACE.fullmatch(found) else None


def _moment(value: Any) -> int | None:
    """Return UTC ms; raise ValueError for what is no such number."""
    if value is None:
        return None
    if type(value) is not int or not 0 <= value < _MAX_MS:
        raise ValueError
    return value

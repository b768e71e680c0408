"""The journal for people, one line a row: `journal tail`.

A view: it reads `Store.rows()` and nothing else, so it shows what is proved, also of another process or after a crash.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from policykit.clock import iso
from policykit.redact import scrub
from policykit.store.base import Row
from policykit.store.reader import JournalDamaged, JournalReader
from policykit.telemetry.words import filled, grouped, looked_up, moment, one_line, order_text, who

#: Rows read at a time.
PAGE: Final = 1_000
#: Rows that only keep facts and permits fresh; `tail` leaves them out unless told otherwise.
QUIET: Final = frozenset(("observe", "renew", "use"))
#: Characters of one value of a row that has no words of its own; `--format json` has all of it.
MAX_VALUE: Final = 80
#: Intents whose bot and symbol are remembered for their later rows.
MAX_REMEMBERED: Final = 10_000


class Rows(Protocol):
    """What is read of a store, or of a journal file."""

    def rows(self, after: int = 0, limit: int = PAGE) -> Iterator[Row]:
        """Yield journal rows in order."""


def every(store: Rows, after: int = 0) -> Iterator[Row]:
    """Yield every row after a sequence number, a page at a time."""
    while True:
        seen = after
        for row in store.rows(after, PAGE):
            yield row
            after = row.seq
        if after == seen:
            return


class Orders:
    """What rows are about: later rows of an order name its intent, and the decision alone says bot and symbol."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {}

    def about(self, row: Row) -> dict[str, Any]:
        """Return bot, account, order and ids of what a row is about; of a row of no known order {}."""
        if row.kind != "decision":
            return self._known.get(str(row.body.get("intent", "")), {})
        decision = row.body.get("decision", {})
        about = {"bot": decision.get("bot", ""), **decision.get("order", {}), "action": decision.get("action", "")}
        about["decision"] = decision.get("id", "")
        intent = row.body.get("intent")
        if intent is not None:
            about.update(client_order_id=intent["client_order_id"], account=intent["account"])
            if len(self._known) >= MAX_REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[intent["id"]] = about
        return about


@dataclass
class Tail:
    """One line a row. Filters: a bot, a symbol, an outcome (allow, deny, or a state: unknown, rejected, ...)."""

    bot: str | None = None
    symbol: str | None = None
    outcome: str | None = None
    quiet: bool = True
    #: Columns; a longer line is cut; 0: never.
    width: int = 0
    _orders: Orders = field(default_factory=Orders)
    _found: dict[str, list[Any]] = field(default_factory=dict)

    def take(self, row: Row) -> str | None:
        """Return the row's line, or None when a filter leaves it out."""
        about = self._orders.about(row)
        if not self.wants(row, about):
            return None
        what, rest = _WORDS[row.kind](row.body, about) if row.kind in _WORDS else (row.kind, _other(row.body))
        who = f"{about.get('bot', ''):<10} {about.get('symbol', ''):<10}" if about else ""
        line = scrub(f"{iso(row.at_ms)[11:23]} {row.seq:>7}  {what:<8} {who + ' ' if who else ''}{rest}".rstrip())
        line = one_line(line)
        return line if not self.width or len(line) <= self.width else line[: self.width - 1] + "…"

    def wants(self, row: Row, about: Mapping[str, Any]) -> bool:
        """Tell whether the filters let a row through."""
        if self.quiet and (row.kind in QUIET or (row.kind == "reconcile" and not self._news(row.body))):
            return False
        if self.outcome is not None:
            decided = row.body.get("decision", {}).get("outcome") if row.kind == "decision" else row.body.get("state")
            if decided != self.outcome:
                return False
        if self.bot is not None and about.get("bot") != self.bot:
            return False
        return self.symbol is None or about.get("symbol") == self.symbol

    def _news(self, compared: Mapping[str, Any]) -> bool:
        """Tell whether a comparison found something else than the one before it of the same account."""
        account, found = str(compared.get("account")), [row[:3] for row in compared.get("drift", [])]
        before = self._found.get(account, [])
        self._found[account] = found
        return found != before or "by" in compared


class JsonTail(Tail):
    """One JSON object a row; the same filters."""

    def take(self, row: Row) -> str | None:
        """Return the row as JSON, or None when a filter leaves it out."""
        if not self.wants(row, self._orders.about(row)):
            return None
        return scrub(json.dumps({"seq": row.seq, "at": iso(row.at_ms), "kind": row.kind, "body": row.body}))


Words = tuple[str, str]


def _decision(body: Mapping[str, Any], about: Mapping[str, Any]) -> Words:
    decision = body.get("decision", {})
    outcome = str(decision.get("outcome", "")).upper()
    if outcome == "DENY" and decision.get("mode") == "shadow":
        outcome = "(DENY)"
    said = order_text(about, symbol=False)
    if decision.get("action") not in ("order.create", None):
        said = f"{decision['action']} {said}".rstrip()
    reasons = decision.get("reasons", [])
    if not reasons:
        return outcome, said
    more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return outcome, f"{said}  {_reason(reasons[0])}{more}"


def _reason(reason: Mapping[str, Any]) -> str:
    if "observed" in reason and "limit" in reason:
        seen = f"{grouped(reason['observed'])} of {grouped(reason['limit'])} {reason.get('unit', '')}".rstrip()
        return f"{reason['code']} {seen}"
    return str(reason.get("code", ""))


def _outcome(body: Mapping[str, Any], about: Mapping[str, Any]) -> Words:
    parts = [f"id {body['order_id']}"] if "order_id" in body else []
    if "filled" in body:
        parts.append(filled(body["filled"], about))
    if body.get("error"):
        parts.append(str(body["error"]))
    state = str(body.get("state", ""))
    return {"acknowledged": "accepted"}.get(state, state.replace("_", " ")), ", ".join(parts)


def _halt(body: Mapping[str, Any], _: Mapping[str, Any]) -> Words:
    frozen = ", frozen" if body.get("freeze") else ""
    return str(body.get("state", "HALTED")), f"{body.get('scope')}{frozen}, by {who(body)}: {body.get('why')}"


def _resume(body: Mapping[str, Any], _: Mapping[str, Any]) -> Words:
    return "ACTIVE", f"{body.get('scope')}, by {who(body)}: {body.get('why')}"


def _ban(body: Mapping[str, Any], _: Mapping[str, Any]) -> Words:
    return "banned", f"{body.get('account')} ({body.get('scope')}): nothing is sent before {moment(body['until_ms'])}"


def _observe(body: Mapping[str, Any], _: Mapping[str, Any]) -> Words:
    equity = f"equity {grouped(body['equity'])}" if "equity" in body else ""
    return "facts", f"{body.get('account')} {equity}".rstrip()


def _lookup(body: Mapping[str, Any], _: Mapping[str, Any]) -> Words:
    return "lookup", looked_up(body)


def _reconcile(body: Mapping[str, Any], _: Mapping[str, Any]) -> Words:
    drift = body.get("drift", [])
    found = "; ".join(f"{kind} {key} {quantity}" for kind, key, quantity, *_ in drift)
    by = f", accepted by {who(body)}: {body['why']}" if "by" in body else ""
    return "compared", f"{body.get('account')}: " + (f"unexplained: {found}" if drift else "nothing unexplained") + by


def _message(body: Mapping[str, Any], _: Mapping[str, Any]) -> Words:
    done = "was told" if body.get("ok") else f"could not be told ({body.get('words')})"
    over = "over: " if body.get("what") == "over" else ""
    if body.get("test"):
        return "message", f"{body.get('target')} {done}: a test of {body.get('policy')}"
    return "message", f"{body.get('target')} {done}: {over}{body.get('cause')} {body.get('subject')}"


_IN_FORCE: Final = {"mode": "", "stage": "stage ", "bot": "bot ", "file": ""}


def _policy(body: Mapping[str, Any], _: Mapping[str, Any]) -> Words:
    said = [f"{body.get('name')} {body.get('version')} in force for {body.get('account')}"]
    said += [f"{word}{body[name]}" for name, word in _IN_FORCE.items() if body.get(name)]
    return "policy", ", ".join(said)


def _other(body: Mapping[str, Any]) -> str:
    said = ((name, str(value)) for name, value in body.items() if value is not None)
    return " ".join(
        f"{name}={value if len(value) <= MAX_VALUE else value[: MAX_VALUE - 1] + '…'}" for name, value in said
    )


_WORDS: Final[Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Words]]] = {
    "decision": _decision,
    "outcome": _outcome,
    "lookup": _lookup,
    "halt": _halt,
    "resume": _resume,
    "ban": _ban,
    "observe": _observe,
    "reconcile": _reconcile,
    "message": _message,
    "policy": _policy,
}


def recent(journal: JournalReader, tail: Tail, count: int) -> tuple[list[str], int]:
    """Return the newest `count` lines that the filters let through, and the number of the last row read.

    Reads backward in pages, so that a long journal costs no more than what is shown; of a damaged one it reads what is
    before the damage, and following meets that again.
    """
    newest = journal.newest()
    last = 0 if newest is None else newest.seq
    first = max(1, journal.first())
    start, found = last, 0
    while start >= first and found < count:
        start = max(first - 1, start - PAGE)
        look = Tail(tail.bot, tail.symbol, tail.outcome, tail.quiet)
        found = sum(look.take(row) is not None for row in _until(journal, start, last))
    lines: list[str] = []
    read = start
    for row in _until(journal, start, last):
        read = row.seq
        line = tail.take(row)
        lines += [] if line is None else [line]
    return lines[max(0, len(lines) - count) :], read


def _until(journal: Rows, after: int, last: int) -> Iterator[Row]:
    """Yield rows up to `last`, or up to a damage before it."""
    try:
        for row in every(journal, after):
            if row.seq > last:
                return
            yield row
    except JournalDamaged:
        return


def follow(journal: JournalReader, tail: Tail, after: int, wait: Callable[[], bool]) -> Iterator[str]:
    """Yield the line of every new row for as long as `wait` says so; it is asked when there is nothing new.

    Raise StoreUnavailable where the journal cannot be read on.
    """
    while True:
        for row in every(journal, after) if journal.changed() else ():
            after = row.seq
            line = tail.take(row)
            if line is not None:
                yield line
        if not wait():
            return

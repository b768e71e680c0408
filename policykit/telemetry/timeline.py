"""The life of one order as the journal has it: `journal show`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

from policykit.clock import iso
from policykit.policy import PAPER
from policykit.redact import scrub
from policykit.store.base import Row
from policykit.store.reader import JournalDamaged, JournalReader
from policykit.telemetry.words import clock, filled, grouped, looked_up, moment, one_line, order_text

#: Shortest part of an id that is looked for, characters.
MIN_PART: Final = 4
#: Orders named when an id fits several.
MAX_CANDIDATES: Final = 10


class Ambiguous(NamedTuple):
    """Several orders fit an id: the newest of them, (id, one line)."""

    candidates: tuple[tuple[str, str], ...]
    total: int


class Line(NamedTuple):
    """One line of an order's life; without `at_ms` it belongs to the line above: a reason, a warning."""

    at_ms: int | None
    word: str
    result: str = ""
    rest: str = ""

    def __str__(self) -> str:
        if self.at_ms is None:
            return f"{'':14}{self.rest}"
        return f"{clock(self.at_ms)}  {self.word:<10} {self.result:<10} {self.rest}".rstrip()


class Attempt(NamedTuple):
    """One decision of a story: its two head lines, and what became of it."""

    ident: str
    head: tuple[str, str]
    lines: tuple[Line, ...]


class Story(NamedTuple):
    """Everything the journal has of one order or one decision: its rows, oldest first, re-sends included."""

    ids: tuple[str, ...]
    rows: tuple[Row, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON data, version 1."""
        rows = [{"seq": r.seq, "at": iso(r.at_ms), "kind": r.kind, "body": r.body, "hash": r.hash} for r in self.rows]
        return {"version": 1, "ids": list(self.ids), "rows": rows}


def find(journal: JournalReader, part: str) -> Story | Ambiguous | None:
    """Return the story of an id; None when nothing fits it. Of a damaged journal, what is before the damage.

    `part` is a decision's id, a client order id or an exchange's order id, or the beginning or the end of one of the
    first two (MIN_PART characters at least; ids of one process begin alike and end differently).
    """
    fits: dict[str, str] = {}
    before: dict[str, str] = {}
    for row in _naming(journal, part) if part else ():
        if row.kind == "decision":
            ident = row.body["decision"]["id"]
            intent = row.body.get("intent") or {}
            names = [ident, intent.get("client_order_id"), row.body["decision"]["order"].get("client_order_id")]
            if any(_fits(name, part) for name in names if name):
                fits[ident], before[ident] = _candidate(row), intent.get("replaces") or ""
        elif row.kind == "outcome" and row.body.get("order_id") == part:
            fits.setdefault(row.body["intent"], "")
    chosen = [ident for ident in fits if ident == part] or list(fits)
    if not chosen:
        return None
    story = _story(journal, chosen[0])
    others = [ident for ident in chosen if ident not in story.ids]
    if not others:
        return story
    orders = sum(before.get(ident) not in fits for ident in others)
    return Ambiguous(tuple(list(fits.items())[-MAX_CANDIDATES:]), 1 + max(1, orders))


def _naming(journal: JournalReader, part: str) -> Iterator[Row]:
    with suppress(JournalDamaged):
        yield from journal.naming(part)


def _fits(name: str, part: str) -> bool:
    return name == part or (len(part) >= MIN_PART and (name.startswith(part) or name.endswith(part)))


def _candidate(row: Row) -> str:
    decision = row.body["decision"]
    return one_line(
        f"{moment(row.at_ms)}  {decision['outcome']:<5}  {decision['bot']}  {order_text(decision['order'])}".rstrip()
    )


def _story(journal: JournalReader, ident: str) -> Story:
    """Collect the rows of an intent, of what it replaced, and of what replaced it."""
    rows: dict[int, Row] = {}
    known, asked = {ident}, set[str]()
    while known - asked:
        wanted = next(iter(known - asked))
        asked.add(wanted)
        for row in _naming(journal, wanted):
            intent = row.body.get("intent")
            if row.kind == "decision":
                pair = {row.body["decision"]["id"], (intent or {}).get("replaces")} - {None}
                known |= pair if wanted in pair else set()
                if row.body["decision"]["id"] == wanted:
                    rows[row.seq] = row
            elif intent == wanted:
                rows[row.seq] = row
    ordered = tuple(rows[seq] for seq in sorted(rows))
    return Story(tuple(row.body["decision"]["id"] for row in ordered if row.kind == "decision"), ordered)


def attempts(story: Story) -> list[Attempt]:
    """Return the story in words, an attempt for each decision, a line a row."""
    told: list[Attempt] = []
    sent: set[str] = set()
    for attempt, ident in enumerate(story.ids, 1):
        rows = [r for r in story.rows if (r.body.get("decision") or {}).get("id", r.body.get("intent")) == ident]
        lines = [line for row in rows for line in _show(row, attempt, rows[0], sent)]
        told.append(Attempt(ident, _head(rows[0]), tuple(lines)))
    return told


def render(story: Story) -> str:
    """Return the story as text: a head line an attempt, a line a row, times in UTC."""
    told = ["\n".join(map(one_line, (*attempt.head, *attempt.lines))) for attempt in attempts(story)]
    return scrub("\n\n".join(told))


def _where(account: str) -> str:
    """Name an account; one on paper so that nobody takes it for real."""
    return f"{account} (PAPER: simulated)" if account.endswith(PAPER) else account


def _head(row: Row) -> tuple[str, str]:
    decision, intent = row.body["decision"], row.body.get("intent") or {}
    name = intent.get("client_order_id") or decision["order"].get("client_order_id") or decision["id"]
    word = "order" if decision["action"] == "order.create" else decision["action"]
    where = _where(intent.get("account", ""))
    parts = [f"{word} {name}", order_text(decision["order"]), where, f"bot {decision['bot']}"]
    again = f", re-sent in place of {intent['replaces']}" if intent.get("replaces") else ""
    policy = decision["policy"]
    said = f"{iso(row.at_ms)[:10]} UTC, policy {policy['name']} {policy['version']}, decision {decision['id']}{again}"
    return "  ".join(part for part in parts if part), said


def _show(row: Row, attempt: int, decided: Row, sent: set[str]) -> Iterable[Line]:
    if row.kind == "decision":
        yield from _show_decision(row)
    elif row.kind == "outcome":
        yield from _show_outcome(row, attempt, decided, sent)
    elif row.kind == "renew":
        yield Line(row.at_ms, "renewed", "", "the permit to send")
    elif row.kind == "lookup":
        yield Line(row.at_ms, "looked up", "", looked_up(row.body))
    else:
        facts = {k: v for k, v in row.body.items() if k != "intent" and v is not None}
        yield Line(row.at_ms, row.kind, "", " ".join(f"{k}={v}" for k, v in facts.items()))


def _show_decision(row: Row) -> Iterable[Line]:
    decision = row.body["decision"]
    said = [f"{row.body['checks']} checks"] if row.body.get("checks") else []
    if "notional" in row.body:
        said.append(f"order notional {grouped(row.body['notional'])}")
    if row.body.get("reduces") and decision["action"] == "order.create":  # why a cap that it exceeds did not deny it
        said.append("can only reduce")
    if row.body.get("facts_age_s") is not None:
        said.append(f"facts {row.body['facts_age_s']:.1f} s old")
    shadow = " (shadow: it did not act)" if decision["mode"] == "shadow" and decision["outcome"] == "deny" else ""
    yield Line(row.at_ms, "decided", decision["outcome"], ", ".join(said) + shadow)
    if "trace" in row.body:
        trace = row.body["trace"]
        yield Line(None, "trace", rest=f"asked in trace {trace['trace_id']}, span {trace['span_id']}")
    for reason in decision.get("reasons", []):
        place = f" ({reason['place']})" if "place" in reason else ""
        yield Line(None, "reason", rest=f"{reason['code']}: {reason['message']}{place}")
    for warning in row.body.get("warnings", []):
        yield Line(None, "warning", rest=f"warning {warning['code']}: {warning['message']}")
    candidate = row.body.get("shadow")
    if candidate is not None:
        verdict = f"would deny it: {', '.join(candidate['reasons'])}" if candidate["reasons"] else "would allow it"
        if candidate["outcome"] == "failed":
            verdict = "could not judge it"
        elif candidate.get("unjudged"):
            verdict += f", as far as it was judged (not: {', '.join(candidate['unjudged'])})"
        who = f"{candidate['policy']['name']} {candidate['policy']['version']}"
        yield Line(None, "candidate", rest=f"candidate {who} {verdict}")
    if "intent" in row.body:
        yield Line(row.at_ms, "intent", "durable", f"seq {row.seq:,}")
    else:
        yield Line(row.at_ms, "recorded", "", f"seq {row.seq:,}")


def _show_outcome(row: Row, attempt: int, decided: Row, sent: set[str]) -> Iterable[Line]:
    body, order = row.body, decided.body["decision"]["order"]
    ident = body["intent"]
    if "signed_ms" in body and ident not in sent:
        sent.add(ident)
        until = f"request valid until {clock(body['signed_ms'] + body['validity_ms'])}" if "validity_ms" in body else ""
        yield Line(body["signed_ms"], "sent", f"attempt {attempt}", until)
    word, result = _STATES.get(body["state"], (body["state"], ""))
    if word == "sent" and ident in sent:
        return
    parts = [f"id {body['order_id']}"] if "order_id" in body else []
    if "filled" in body:
        parts.append(filled(body["filled"], order))
    if body.get("error"):
        parts.append(str(body["error"]))
    said = ", ".join(parts)
    after = _AFTER.get(body["state"], "")
    if body["state"] == "absent" and str(body.get("error", "")).startswith("resolved by"):
        word, after = "ended", "no look-up proved it; reservation given back"  # a person's word (`orders resolve`)
    yield Line(row.at_ms, word, result, f"{said}; {after}" if said and after else said or after)


_STATES: Final = {
    "sent": ("sent", ""),
    "acknowledged": ("accepted", ""),
    "rejected": ("rejected", ""),
    "unknown": ("unknown", ""),
    "found": ("looked up", "FOUND"),
    "absent": ("looked up", "ABSENT"),
    "expired": ("expired", ""),
    "not_sent": ("not sent", ""),
    "settled": ("settled", ""),
}
_AFTER: Final = {
    "rejected": "reservation given back",
    "unknown": "reservation kept",
    "absent": "behind the fence, it can no longer execute; reservation given back",
    "expired": "reservation given back",
    "not_sent": "reservation given back",
}

"""What an order's page shows: why, its life, its spans, its rows; the words are those of `journal show`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from policykit.dashboard.view import Note
from policykit.dashboard.words import number
from policykit.store.base import Row
from policykit.telemetry.rebuild import JournalSpan, spans_of
from policykit.telemetry.timeline import Attempt, Story, attempts
from policykit.telemetry.words import order_text

#: Rows of one order that are shown; of one that was looked up for hours there are thousands.
MAX_ROWS: Final = 200
#: The drawing of the spans is so wide; no span is narrower than this.
WIDTH: Final = 1_000
_LEAST: Final = 3


class Why(NamedTuple):
    """A reason of a denial; `share`: how much of the bar the limit takes, `over` says by how much it was over."""

    check: str
    code: str
    message: str
    observed: str | None
    limit: str | None
    unit: str | None
    place: str | None
    over: str | None
    share: float | None


class Bar(NamedTuple):
    """A span in the drawing."""

    name: str
    depth: int
    x: float
    width: float
    ms: float
    error: bool


class Shown(NamedTuple):
    """A row of the journal as it is."""

    seq: int
    kind: str
    at_ms: int
    text: str


class OrderPage(NamedTuple):
    """Everything of one order."""

    title: str
    outcome: str
    mode: str
    seq: int
    ids: tuple[tuple[str, str], ...]
    reasons: tuple[Why, ...]
    attempts: tuple[Attempt, ...]
    spans: tuple[Bar, ...]
    spans_ms: float
    trace: str
    rows: tuple[Shown, ...]
    left_out: int
    notes: tuple[Note, ...] = ()
    newer: str | None = None
    older: str | None = None


def page(rows: list[Row], idents: tuple[str, ...], policies: Iterable[Row] = (), left_out: int = 0) -> OrderPage:
    """Return the page of an order by its rows, oldest first; `policies` are rows that say what was in force."""
    first = next(row for row in rows if row.kind == "decision")
    decision = first.body["decision"]
    told = spans_of([*policies, *rows])
    bars, length = waterfall(told)
    return OrderPage(
        title=f"{'' if decision['action'] == 'order.create' else decision['action']} {order_text(decision['order'])}",
        outcome=decision["outcome"],
        mode=decision["mode"],
        seq=first.seq,
        ids=_ids(rows, told),
        reasons=tuple(_why(reason) for reason in decision.get("reasons", [])),
        attempts=tuple(attempts(Story(idents, tuple(rows)))),
        spans=bars,
        spans_ms=length,
        trace=told[0].trace_id if told else "",
        rows=tuple(Shown(r.seq, r.kind, r.at_ms, json.dumps(r.body, indent=1, ensure_ascii=False)) for r in rows),
        left_out=left_out,
    )


def _ids(rows: list[Row], told: list[JournalSpan]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for row in rows:
        decision, intent = row.body.get("decision"), row.body.get("intent")
        if row.kind == "decision" and decision:
            found.setdefault("decision", decision["id"])
            client = intent["client_order_id"] if intent else decision["order"].get("client_order_id")
            if client:
                found["client order id"] = client
            found.setdefault("bot", decision["bot"])
            found.setdefault("policy", f"{decision['policy']['name']} {decision['policy']['version']}")
        elif row.kind == "outcome" and row.body.get("order_id"):
            found["exchange id"] = str(row.body["order_id"])
    return tuple(found.items())


def _why(reason: Mapping[str, Any]) -> Why:
    observed, limit, unit = (reason.get(name) for name in ("observed", "limit", "unit"))
    over, share = _over(observed, limit, unit)
    place = reason.get("place")
    return Why(reason["check"], reason["code"], reason["message"], observed, limit, unit, place, over, share)


def _over(observed: Any, limit: Any, unit: str | None) -> tuple[str | None, float | None]:
    """Say by how much a limit was passed, and which part of what was seen it is."""
    try:
        seen, most = Decimal(str(observed)), Decimal(str(limit))
    except InvalidOperation:
        return None, None
    if not (seen.is_finite() and most.is_finite()) or seen <= most or most < 0:
        return None, None
    by = f"{number(seen - most)} {unit or ''}".rstrip()
    if not most:
        return f"{by} too much", None
    return f"{by} too much, {seen / most - 1:,.1%} over", float(most / seen)


def waterfall(spans: list[JournalSpan]) -> tuple[tuple[Bar, ...], float]:
    """Return the spans laid out over the time of all of them, and that time, ms."""
    if not spans:
        return (), 0.0
    start = min(span.start_ns for span in spans)
    length = max(span.end_ns for span in spans) - start
    depths: dict[str, int] = {}
    bars = []
    for span in sorted(spans, key=lambda one: (one.start_ns, one.parent_id in depths)):
        depth = depths[span.span_id] = depths.get(span.parent_id or "", -1) + 1
        width = max(_LEAST, (span.end_ns - span.start_ns) * WIDTH / (length or 1))
        x = min((span.start_ns - start) * WIDTH / (length or 1), WIDTH - width)
        bars.append(Bar(span.name, depth, x, width, (span.end_ns - span.start_ns) / 1e6, span.error))
    return tuple(bars), length / 1e6

"""A row as columns, for tables: what most questions are about; the whole row stands in `body`."""

from __future__ import annotations

from typing import Any, Final

from policykit.clock import iso
from policykit.redact import scrub
from policykit.store.chain import text_of
from policykit.telemetry.formats import Entry

#: Column -> what it says. All but `seq` are text, numbers as they were written; empty: the row does not say.
COLUMNS: Final = {
    "seq": "number of the row",
    "at": "UTC",
    "kind": "kind of the row: decision, outcome, halt, ...",
    "decision_id": "the decision, or the decision of the order that the row is about",
    "outcome": "of a decision: allow or deny; of an order: its state (acknowledged, unknown, ...)",
    "mode": "enforce or shadow",
    "action": "order.create, order.cancel, ...",
    "bot": "which bot asked",
    "account": "exchange/account",
    "symbol": "what is traded",
    "side": "buy or sell",
    "type": "limit, market, ...",
    "quantity": "of the order",
    "price": "of the order",
    "notional": "of the order, in the account's currency",
    "filled": "what filled, as of this row",
    "client_order_id": "the order's id at the exchange, ours",
    "order_id": "the order's id, the exchange's",
    "replaces": "the intent that this one was sent again for",
    "reason": "code of the deciding reason",
    "check": "the deciding check",
    "observed": "what it found",
    "limit": "what it allows",
    "unit": "of both",
    "message": "the reason, the error, or why a person did something",
    "by": "who did it",
    "scope": "of a halt, a resume, a ban",
    "policy": "name of the policy",
    "policy_version": "of the effective policy",
    "trace_id": "of the caller's trace",
    "hash": "of the row, over itself and the row before",
    "body": "the whole row as JSON",
}


def named(entry: Entry) -> dict[str, Any]:
    """Return the values by COLUMNS, in order: a number first, then text; "" where nothing is said. Not scrubbed."""
    row, about = entry
    body = row.body
    decision = body.get("decision") or {}
    reason: dict[str, Any] = next(iter(decision.get("reasons", ())), {})
    policy = decision.get("policy") or {}
    intent = body.get("intent")
    said = {
        "at": iso(row.at_ms),
        "kind": row.kind,
        "decision_id": about.get("decision"),
        "outcome": decision.get("outcome") or body.get("state"),
        "mode": decision.get("mode"),
        "notional": body.get("notional"),
        "filled": body.get("filled"),
        "order_id": body.get("order_id"),
        "replaces": intent.get("replaces") if isinstance(intent, dict) else None,
        "reason": reason.get("code"),
        "message": reason.get("message") or body.get("error") or body.get("why"),
        "by": body.get("by"),
        "scope": body.get("scope"),
        "policy": policy.get("name") or body.get("name"),
        "policy_version": policy.get("version") or body.get("version"),
        "account": about.get("account") or body.get("account"),
        "trace_id": (body.get("trace") or {}).get("trace_id"),
        "hash": row.hash,
        "body": text_of(body),
    }
    said |= {name: about.get(name) for name in _OF_THE_ORDER} | {name: reason.get(name) for name in _OF_THE_REASON}
    return {name: row.seq if name == "seq" else _text(said[name]) for name in COLUMNS}


def cells(entry: Entry) -> list[Any]:
    """Return the values of COLUMNS, in order, without secrets."""
    seq, *texts = named(entry).values()
    joined = "\n".join(texts)
    return [seq, *(texts if scrub(joined) == joined else map(scrub, texts))]  # nearly always: one look at all of them


_OF_THE_ORDER: Final = ("action", "bot", "symbol", "side", "type", "quantity", "price", "client_order_id")
_OF_THE_REASON: Final = ("check", "observed", "limit", "unit")


def _text(value: Any) -> str:
    return "" if value is None else str(value)

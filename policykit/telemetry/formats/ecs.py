"""One ECS document a row, for Elastic: `event.*` by its categorization fields, the columns of `flat` under `policykit`.

(elastic.co/docs/reference/ecs, ECS 8.17: ecs-base, ecs-event, ecs-allowed-values-event-{kind,category,type,outcome},
read 2026-11-21.) A decision is of category `api`, type `allowed` or `denied`; `@timestamp` and `ecs.version` are the
two fields that every document must have.
"""

from __future__ import annotations

from typing import Any, Final

from policykit import __version__
from policykit.clock import iso
from policykit.redact import scrub
from policykit.store.chain import text_of
from policykit.telemetry.formats import Entry
from policykit.telemetry.formats.flat import named

SCHEMA: Final = "8.17.0"
#: States of an order -> event.outcome: from where the journal stands.
_OUTCOMES: Final = {
    "acknowledged": "success",
    "found": "success",
    "settled": "success",
    "rejected": "failure",
    "absent": "failure",
    "expired": "failure",
    "not_sent": "failure",
    "sent": "unknown",
    "unknown": "unknown",
}
#: Kinds of rows -> (category, type); what people do to the trading state configures it.
_KINDS: Final = {
    "halt": ("configuration", "change"),
    "resume": ("configuration", "change"),
    "policy": ("configuration", "change"),
}


def line(entry: Entry) -> str:
    """Return the document as JSON."""
    return scrub(text_of(document(entry)))


def document(entry: Entry) -> dict[str, Any]:
    """Return the document of a row as data."""
    row, about = entry
    body = row.body
    decision = body.get("decision") or {}
    denied = decision.get("outcome") == "deny"
    told = named(entry)
    category, kind_of = _KINDS.get(row.kind, ("api", "info"))
    if decision:
        kind_of = "denied" if denied and decision.get("mode") != "shadow" else "allowed"
    event: dict[str, Any] = {
        "kind": "alert" if row.kind == "halt" else "event",
        "category": [category],
        "type": [kind_of],
        "action": str(about.get("action") or row.kind),
        "dataset": "policykit.journal",
        "module": "policykit",
        "id": f"{row.seq}:{row.hash}",
        "sequence": row.seq,
        "hash": row.hash,
        "original": told.pop("body"),
    }
    if body.get("state") in _OUTCOMES and row.kind == "outcome":
        event["outcome"] = _OUTCOMES[body["state"]]
    elif decision:
        event["outcome"] = "success"  # the decision was made; that it was a denial is its type
    out: dict[str, Any] = {
        "@timestamp": iso(row.at_ms),
        "ecs": {"version": SCHEMA},
        "event": event,
        "observer": {"vendor": "policykit", "product": "policykit", "version": __version__},
        "policykit": {name: value for name, value in told.items() if value != ""},
    }
    reasons = decision.get("reasons") or ()
    if reasons:
        first = reasons[0]
        event["reason"] = "; ".join(str(reason.get("message")) for reason in reasons)
        out["rule"] = {"id": str(first.get("code")), "name": str(first.get("check"))}
        out["rule"]["ruleset"] = str((decision.get("policy") or {}).get("name", ""))
    elif body.get("why"):
        event["reason"] = str(body["why"])
    if body.get("error"):
        out["error"] = {"message": str(body["error"])}
    if about.get("bot"):
        out["service"] = {"name": str(about["bot"])}
    if body.get("by"):
        out["user"] = {"name": str(body["by"])}
    if body.get("trace"):
        out["trace"], out["span"] = {"id": body["trace"]["trace_id"]}, {"id": body["trace"]["span_id"]}
    return out

"""One OCSF event a row, for a SIEM: class API Activity (6003) with the profile Security Control.

(schema.ocsf.io, schema 1.3.0; files `events/application/api_activity.json`, `profiles/security_control.json`,
`objects/{api,actor,metadata,product}.json` of github.com/ocsf/ocsf-schema, read 2026-11-21.) A decision is an API call
that a control allowed or denied; what people and guards do to the trading state is an update by the same API. What has
no attribute there stands in `unmapped`, the whole row in `raw_data`.
"""

from __future__ import annotations

from typing import Any, Final

from policykit import __version__
from policykit.clock import iso
from policykit.redact import scrub
from policykit.store.chain import text_of
from policykit.telemetry.formats import Entry
from policykit.telemetry.formats.flat import named

SCHEMA: Final = "1.3.0"
CATEGORY, CLASS = 6, 6003
_CREATE, _READ, _UPDATE, _DELETE, _OTHER = 1, 2, 3, 4, 99
_ACTIVITIES: Final = {
    "order.create": _CREATE,
    "order.amend": _UPDATE,
    "order.cancel": _DELETE,
    "orders.cancel_all": _DELETE,
    "position.close": _CREATE,
    "account.configure": _UPDATE,
    "margin.borrow": _CREATE,
    "margin.repay": _UPDATE,
    "convert": _CREATE,
    "data.read": _READ,
    "stream.connect": _READ,
    "transfer": _CREATE,
    "withdraw": _CREATE,
    "key.admin": _UPDATE,
}
#: Rows of no order, by kind: what they do.
_KINDS: Final = {"halt": _UPDATE, "resume": _UPDATE, "policy": _UPDATE, "observe": _READ, "reconcile": _READ}
_INFORMATIONAL, _LOW, _MEDIUM, _HIGH = 1, 2, 3, 4
#: States of an order that say whether the call went well.
_SUCCESS: Final = frozenset(("acknowledged", "found", "settled", "sent"))
_FAILURE: Final = frozenset(("rejected", "absent", "expired", "not_sent"))


def line(entry: Entry) -> str:
    """Return the event as JSON."""
    return scrub(text_of(event(entry)))


def event(entry: Entry) -> dict[str, Any]:
    """Return the event of a row as data."""
    row, about = entry
    decision = row.body.get("decision") or {}
    action = str(about.get("action") or f"policykit.{row.kind}")
    activity = _ACTIVITIES.get(action) or _KINDS.get(row.kind, _OTHER)
    account = str(about.get("account") or row.body.get("account") or "")
    out: dict[str, Any] = {
        "activity_id": activity,
        "category_uid": CATEGORY,
        "class_uid": CLASS,
        "type_uid": CLASS * 100 + activity,
        "time": row.at_ms,
        "severity_id": _severity(row.kind, row.body),
        "message": _message(row.kind, row.body, decision),
        "metadata": {
            "version": SCHEMA,
            "product": {"name": "policykit", "vendor_name": "policykit", "version": __version__},
            "profiles": ["security_control"],
            "sequence": row.seq,
            "uid": f"{row.seq}:{row.hash}",
            "log_name": "journal",
            "original_time": iso(row.at_ms),
            "event_code": row.kind,
        },
        "actor": _actor(row.body, about),
        "api": {"operation": action, "service": {"name": account.partition("/")[0] or "policykit"}},
        "src_endpoint": {"name": _host(row.body)},
        **_status(row.body),
    }
    if decision:
        denied = decision.get("outcome") == "deny"
        acted = denied and decision.get("mode") != "shadow"
        out["action_id"], out["disposition_id"] = (2, 2) if acted else (1, 1)
        policy = decision.get("policy") or {}
        out["policy"] = {"name": str(policy.get("name", "")), "version": str(policy.get("version", ""))}
        out["api"]["request"] = {"uid": str(decision.get("id", ""))}
    if about.get("client_order_id"):
        out["resources"] = [{"uid": about["client_order_id"], "type": "order", "name": str(about.get("symbol", ""))}]
    told = named(entry)
    out["raw_data"] = told.pop("body")
    out["unmapped"] = {"policykit": {name: value for name, value in told.items() if value != ""}}
    return out


def _actor(body: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    actor: dict[str, Any] = {"app_name": str(about.get("bot") or "policykit")}
    if body.get("by"):
        actor["user"] = {"name": str(body["by"])}
    return actor


def _host(body: dict[str, Any]) -> str:
    intent = body.get("intent")
    return str((intent.get("host") if isinstance(intent, dict) else body.get("host")) or "unknown")


def _status(body: dict[str, Any]) -> dict[str, Any]:
    state = body.get("state")
    if state in _SUCCESS:
        return {"status_id": 1}
    if state in _FAILURE:
        return {"status_id": 2, "status_detail": str(body.get("error") or state)}
    return {"status_id": 0 if state == "unknown" else 1}


def _severity(kind: str, body: dict[str, Any]) -> int:
    """An order nobody knows the fate of and a halt are for people; a denial is worth a look."""
    if kind == "halt":
        return _HIGH
    if body.get("state") == "unknown" or (kind == "reconcile" and body.get("drift")):
        return _MEDIUM
    return _LOW if (body.get("decision") or {}).get("outcome") == "deny" else _INFORMATIONAL


def _message(kind: str, body: dict[str, Any], decision: dict[str, Any]) -> str:
    reasons = decision.get("reasons") or ()
    said = [str(reason.get("message")) for reason in reasons] or [body.get("error") or body.get("why") or ""]
    return f"{kind}: {'; '.join(map(str, said))}" if any(said) else kind

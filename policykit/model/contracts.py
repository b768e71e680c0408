"""The JSON Schemas of what policykit writes: lint report, snapshot, decision, journal (version 1 of each).

They are open: a later release may add fields, and a reader ignores those that it does not know.
"""

from __future__ import annotations

from typing import Any, Final

from policykit.model.journal_contract import journal
from policykit.model.suite_contract import suite

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_TEXT: Final = {"type": "string"}
_OPTIONAL: Final = {"type": ["string", "null"]}
_WHOLE: Final = {"type": "integer", "minimum": 0}
_PLACE_NUMBER: Final = {"type": "integer", "minimum": 1}
_DECIMAL: Final = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
_GRANTED: Final = {"enum": ["granted", "denied", "unknown"]}


def _object(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _lint_report() -> dict[str, Any]:
    place = _object(
        {
            "file": _TEXT,
            "line": _PLACE_NUMBER,
            "column": _PLACE_NUMBER,
            "end_line": _PLACE_NUMBER,
            "end_column": _PLACE_NUMBER,
            "path": _TEXT,
        }
    )
    observed = _object(
        {
            "exchange": _TEXT,
            "endpoint": _TEXT,
            "path": _TEXT,
            "value": {},
            "at": _TEXT,
            "age_s": {"type": ["number", "null"]},
        }
    )
    edit = _object({"kind": {"enum": ["replace", "remove", "add"]}, **place["properties"], "text": _TEXT})
    fix = _object({"label": _TEXT, "safe": {"type": "boolean"}, "edits": _list(edit)})
    finding = _object(
        {
            "rule": {"type": "string", "pattern": "^[A-Z]{2,8}[0-9]{3}$"},
            "name": _TEXT,
            "severity": {"enum": ["critical", "high", "medium", "low"]},
            "confidence": {"enum": ["certain", "observed", "likely"]},
            "status": {"enum": ["open", "unknown", "declared", "waived", "baseline"]},
            "message": _TEXT,
            "guide": _list({"type": "string", "pattern": "^G[0-9]{2}$"}),
            "primary": place,
            "observed": {"anyOf": [observed, {"type": "null"}]},
            "fix": {"anyOf": [fix, {"type": "null"}]},
            "next": _TEXT,
        },
        optional=("next",),
    )
    counts = dict.fromkeys(("files", "open", "unknown", "declared", "waived", "baseline"), _WHOLE)
    summary = _object(counts, optional=("baseline",))
    return _object({"version": {"const": 1}, "now": _TEXT, "summary": summary, "findings": _list(finding)})


def _snapshot() -> dict[str, Any]:
    source = _object({"endpoint": _TEXT, "at": _TEXT})
    key = _object(
        {
            "name": _TEXT,
            "id": {"type": "string", "pattern": "^sha256:[0-9a-f]{12}$"},
            "label": _OPTIONAL,
            "permissions": {"type": "object", "additionalProperties": _GRANTED},
            "raw": {"type": ["object", "array"]},
            "unrecognised": _list(_TEXT),
            "ip_allowlist": _object(
                {
                    "restricted": {"enum": ["yes", "no", "unknown"]},
                    "addresses": {"type": ["array", "null"], "items": _TEXT},
                }
            ),
            "created_at": _OPTIONAL,
            "expires_at": _OPTIONAL,
            "last_used_at": _OPTIONAL,
            "unknown": {"type": "object", "additionalProperties": _TEXT},
            "source": source,
        }
    )
    return _object(
        {
            "version": {"const": 1},
            "taken_at": _TEXT,
            "exchange": _TEXT,
            "endpoint": _OPTIONAL,
            "cost": {"type": "object", "additionalProperties": _WHOLE},
            "clock": {"type": "object"},
            "keys": _list(key),
            "limits": _list({"type": "object"}),
            "account": {"type": "object"},
            "withdrawal_addresses": {"type": ["array", "null"]},
            "errors": _list(_object({"code": _TEXT, "message": _TEXT})),
            "policy": {"type": ["string", "null"]},
            "account_name": {"type": ["string", "null"]},
            "signature": _object({"algorithm": {"const": "ed25519"}, "key": _TEXT, "value": _TEXT}),
        },
        optional=("policy", "account_name", "signature"),
    )


def _decision() -> dict[str, Any]:
    reason = {
        "code": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]+$"},
        "check": _TEXT,
        "observed": _TEXT,
        "limit": _TEXT,
        "unit": _TEXT,
        "place": _TEXT,
        "message": _TEXT,
    }
    order = {
        "symbol": _TEXT,
        "side": {"enum": ["buy", "sell"]},
        "type": _TEXT,
        "quantity": _DECIMAL,
        "price": _DECIMAL,
        "stop_price": _DECIMAL,
        "quote_quantity": _DECIMAL,
        "time_in_force": _TEXT,
        "reduce_only": {"type": "boolean"},
        "client_order_id": _TEXT,
    }
    return _object(
        {
            "version": {"const": 1},
            "id": _TEXT,
            "outcome": {"enum": ["allow", "deny"]},
            "mode": {"enum": ["enforce", "shadow"]},
            "bot": _TEXT,
            "action": _TEXT,
            "policy": _object({"name": _TEXT, "version": {"type": "string", "pattern": "^sha256:[0-9a-f]{12}$"}}),
            "order": _object(order, optional=tuple(order)),
            "reasons": _list(_object(reason, optional=("observed", "limit", "unit", "place"))),
        }
    )


def _diff() -> dict[str, Any]:
    verdict = {"enum": ["looser", "different", "tighter", "equal"]}
    place = _object({"file": _TEXT, "line": _PLACE_NUMBER, "column": _PLACE_NUMBER, "path": _TEXT})
    reason = _object(
        {
            "code": _TEXT,
            "check": _TEXT,
            "message": _TEXT,
            "observed": _TEXT,
            "limit": _TEXT,
            "unit": _TEXT,
            "place": _TEXT,
        },
        optional=("observed", "limit", "unit", "place"),
    )
    flip = _object(
        {
            "order": {"type": "object"},
            "facts": {"type": "object"},
            "at": _TEXT,
            "was": _list(reason),
            "now": _list(reason),
        }
    )
    side = _object({"file": _TEXT, "version": {"type": "string", "pattern": "^sha256:[0-9a-f]{12}$"}})
    field = _object(
        {
            "path": _TEXT,
            "verdict": verdict,
            "was": _TEXT,
            "now": _TEXT,
            "was_at": _or_null(place),
            "now_at": _or_null(place),
            "held_by": _list(_TEXT),
            "guide": _list({"type": "string", "pattern": "^G[0-9]{2}$"}),
            "why": _TEXT,
            "flip": _or_null(flip),
            "back": _or_null(flip),
        }
    )
    policy = _object(
        {
            "name": _TEXT,
            "verdict": verdict,
            "proof": _TEXT,
            "old": _or_null(side),
            "new": _or_null(side),
            "fields": _list(field),
        }
    )
    fault = _object({"rule": {"type": "string", "pattern": "^PK0[0-9]{2}$"}, "message": _TEXT, "place": place})
    counts = dict.fromkeys(("policies", "looser", "different", "tighter", "equal"), _WHOLE)
    return _object(
        {
            "version": {"const": 1},
            "old": _TEXT,
            "new": _TEXT,
            "summary": _object(counts),
            "policies": _list(policy),
            "faults": _list(fault),
            "replayed": {"type": ["object", "null"]},
            "consents": _list({"type": "object"}),
        },
        optional=("consents",),
    )


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def contracts() -> dict[str, dict[str, Any]]:
    """Return the hand-written schemas by name."""
    made = {
        "diff": ("Difference of policies", _diff()),
        "lint-report": ("Lint report", _lint_report()),
        "snapshot": ("Snapshot", _snapshot()),
        "decision": ("Decision", _decision()),
        "journal": ("Journal row", journal()),
        "policy-test": ("Tests of a policy", suite()),
    }
    return {name: {"$schema": DIALECT, "title": f"{title}, version 1", **body} for name, (title, body) in made.items()}

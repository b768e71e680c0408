"""The JSON Schema of a journal row, as `policykit journal export` writes it: one form for each kind of row.

Open, as the others are: a later release may add fields, and kinds. A test holds every row of real runs against it, with
nothing that it does not name.
"""

from __future__ import annotations

from typing import Any, Final

from policykit.order import FLAGS, NUMBERS, WORDS

_TEXT: Final = {"type": "string"}
_OPTIONAL: Final = {"type": ["string", "null"]}
_WHOLE: Final = {"type": "integer", "minimum": 0}
_MOMENT: Final = {"type": "integer", "minimum": 0, "description": "UTC milliseconds since 1970"}
_NO_MOMENT: Final = {"type": ["integer", "null"], "minimum": 0}
_YES: Final = {"type": "boolean"}
_NUMBER: Final = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "description": "a decimal, as text"}
_NUMBERS: Final = {"type": "object", "additionalProperties": _NUMBER}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_HASH: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_ANY: Final[dict[str, Any]] = {}
_MAP: Final = {"type": "object"}
_STATES: Final = ("sent", "acknowledged", "rejected", "unknown", "found", "absent", "expired", "not_sent", "settled")

_HOLDS: Final = {
    "type": "array",
    "description": "counter, amount, limit, kind, check, span in ms, whether the window is fixed",
    "items": {
        "type": "array",
        "prefixItems": [
            _TEXT,
            {"type": "integer"},
            {"type": "integer"},
            {"enum": ["sum", "window", "position", "clear", "positions", "gross", "net"]},
            _TEXT,
            _WHOLE,
            _YES,
        ],
    },
}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": required | optional}


_REASON: Final = _object(
    {"code": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]+$"}, "check": _TEXT, "message": _TEXT},
    observed=_TEXT,
    limit=_TEXT,
    unit=_TEXT,
    place=_TEXT,
    failure=_YES,
)
#: What a bot asked for, as it asked: an order that is denied for a size that is no number has that size.
_ORDER: Final = _object(
    {},
    **dict.fromkeys(("symbol", "side", "type", *WORDS), _ANY),
    **dict.fromkeys((*NUMBERS, *FLAGS), _ANY),
    client_order_id=_TEXT,
    amends=_MAP,
)
_DECISION: Final = _object(
    {
        "version": {"const": 1},
        "id": _TEXT,
        "outcome": {"enum": ["allow", "deny"]},
        "mode": {"enum": ["enforce", "shadow"]},
        "bot": _TEXT,
        "action": _TEXT,
        "policy": _object({"name": _TEXT, "version": _TEXT}),
        "order": _ORDER,
        "reasons": {"type": "array", "items": _REASON},
    }
)
_INTENT: Final = _object(
    {
        "id": _TEXT,
        "account": _TEXT,
        "client_order_id": _TEXT,
        "family": _TEXT,
        "reduces": _YES,
        "bot": _TEXT,
        "host": _TEXT,
        "pid": _WHOLE,
        "decided_ms": _MOMENT,
        "permit_until_ms": _NO_MOMENT,
        "validity_ms": _NO_MOMENT,
        "state": {"enum": ["intended", *_STATES]},
        "signed_ms": _NO_MOMENT,
        "changed_ms": _MOMENT,
        "order_id": _OPTIONAL,
        "closed": _YES,
        "replaces": _OPTIONAL,
        "error": _OPTIONAL,
        "filled": _NUMBER,
        "action": _TEXT,
        "order": _ORDER,
        "holds": _HOLDS,
    },
    cost=_NUMBER,
    amends=_TEXT,
)
_TRACE: Final = _object(
    {
        "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "span_id": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
    }
)
_OBSERVED: Final = _object(
    {"account": _TEXT, "as_of_ms": _MOMENT, "until_ms": _MOMENT},
    **dict.fromkeys(("equity", "net_transfers", "margin_ratio", "borrowed", "carried_transfers"), _NUMBER),
    **dict.fromkeys(("positions", "marks", "contract_sizes", "units"), _NUMBERS),
    **dict.fromkeys(("day_start_ms", "week_start_ms"), _MOMENT),
    partial=_YES,
    skew_ms={"type": "integer"},
    position_mode=_TEXT,
    unlisted=_TEXTS,
    quotes={"type": "object", "additionalProperties": {"type": "array"}},
    contracts={"type": "object", "additionalProperties": {"type": "array"}},
)

#: Who did it: the name that was told, and what the machine knows of the one who told it (operate/person.py).
_CLAIM: Final = _object(
    {"name": _TEXT, "proof": {"enum": ["claimed", "signed"]}, "os_user": _TEXT, "host": _TEXT},
    **dict.fromkeys(("login", "tty", "key"), _TEXT),
)
#: What an operator did, and to what; what else a row says is its kind's own.
_OPERATION: Final = {**_object({"account": _TEXT, "name": _TEXT}, claim=_CLAIM), "additionalProperties": _ANY}

#: A step of an incident (`name` is INCIDENT/STEP), or its head (`name` is the incident, with its `accounts`).
_INCIDENT: Final = _object(
    {"account": _TEXT, "name": _TEXT},
    claim=_CLAIM,
    state={"enum": ["open", "closed", "done", "skipped", "failed", "unknown", "waiting", "alarm"]},
    **dict.fromkeys(("incident", "step", "words", "by", "why", "owner", "proof", "key", "alive_from", "since"), _TEXT),
    **dict.fromkeys(("started_ms", "detected_ms", "since_ms", "closed_ms", "dead_ms", "alive_ms"), _MOMENT),
    **dict.fromkeys(("took_ms", "ended_ms", "cancelled", "left", "foreign"), _WHOLE),
    **dict.fromkeys(("freeze", "keep_exits", "drill"), _YES),
    **dict.fromkeys(("lines", "endpoints", "known_addresses"), _TEXTS),
    **dict.fromkeys(("closed_by", "closed_why", "sub_account"), _TEXT),
    accounts={"type": "array", "items": _MAP},
    families=_MAP,
)

#: Kind -> what it tells, and the form of its data. The one place where they stand.
KINDS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "decision": (
        "what a policy said to an action, and with `intent` that an order may be sent",
        _object(
            {"decision": _DECISION, "reduces": _YES},
            notional=_TEXT,
            facts_age_s={"type": "number"},
            warnings={"type": "array", "items": _REASON},
            checks=_WHOLE,
            intent=_INTENT,
            holds=_HOLDS,
            trace=_TRACE,
            shadow=_MAP,
            without_store=_YES,
            key=_TEXT,
            facts=_MAP,
            facts_seq=_WHOLE,
            in_force=_WHOLE,
            replaces=_TEXT,
            waivers={"type": "array"},
        ),
    ),
    "renew": ("a permit to send goes on", _object({"intent": _TEXT, "validity_ms": _WHOLE})),
    "outcome": (
        "what became known of an order",
        _object(
            {"intent": _TEXT, "state": {"enum": list(_STATES)}},
            order_id=_TEXT,
            signed_ms=_MOMENT,
            validity_ms=_WHOLE,
            error=_TEXT,
            took_ms={"type": "number"},
            filled=_NUMBER,
            cost=_NUMBER,
            quantity=_NUMBER,
            price=_NUMBER,
            closed=_YES,
        ),
    ),
    "lookup": (
        "a look-up of an order that proved nothing",
        _object({"intent": _TEXT, "asked": _YES, "fence_ms": _NO_MOMENT}),
    ),
    "resolved": (
        "a person said what became of an order",
        _object({"intent": _TEXT, "as": _TEXT, "by": _TEXT, "why": _TEXT}, claim=_CLAIM),
    ),
    "use": ("a use of budgets that no decision was made on: reads", _object({"holds": _HOLDS})),
    "observe": ("facts of an account, as the exchange told them", _OBSERVED),
    "reconcile": (
        "the account compared with the exchange",
        _object(
            {"account": _TEXT, "drift": {"type": "array", "items": {"type": "array"}}},
            **dict.fromkeys(("at_ms", "until_ms", "accepted_ms"), _MOMENT),
            **dict.fromkeys(("bounds", "foreign"), _MAP),
            lines={"type": "array"},
            foreign_orders=_WHOLE,
            accepted=_TEXTS,
            by=_TEXT,
            why=_TEXT,
            claim=_CLAIM,
        ),
    ),
    "halt": (
        "trading was stopped in a scope",
        _object(
            {
                "scope": _TEXT,
                "state": {"enum": ["REDUCING", "HALTED"]},
                "by": _TEXT,
                "why": _TEXT,
                "freeze": _YES,
                "latched": _YES,
            },
            decision=_TEXT,
            claim=_CLAIM,
        ),
    ),
    "resume": ("halts were lifted", _object({"scope": _TEXT, "by": _TEXT, "why": _TEXT}, claim=_CLAIM)),
    "ban": ("nothing may be sent before a moment", _object({"account": _TEXT, "scope": _TEXT, "until_ms": _MOMENT})),
    "policy": (
        "a policy is in force for an account",
        _object(
            {"account": _TEXT, "currency": _TEXT},
            **dict.fromkeys(("name", "version", "stage", "file", "mode", "bot", "host", "key"), _TEXT),
            **dict.fromkeys(("backend", "environment", "library"), _TEXT),
            **dict.fromkeys(("trades", "entries"), _YES),
            groups=_TEXTS,
            layers=_TEXTS,
            reloaded=_object({"was": _TEXT, "looser": _TEXTS, "tighter": _TEXTS}),
            policy=_MAP,
            place=_ANY,
            candidate=_object({"name": _TEXT, "version": _TEXT, "policy": _MAP}),
            waivers={"type": "array"},
        ),
    ),
    "policy.refused": (
        "a policy that was written anew is not taken",
        _object({"name": _TEXT, "version": _TEXT, "why": _TEXT, "looser": _TEXTS, "tighter": _TEXTS}),
    ),
    "address.proof": (
        "a key works from a host's address",
        _object(
            dict.fromkeys(("exchange", "environment", "account", "key", "host"), _TEXT), endpoint=_OPTIONAL, how=_TEXT
        ),
    ),
    "lint": (
        "what `lint --live` found of a policy: [severity, rule, how many]; when its keys were made",
        _object(
            {"account": _TEXT, "policy": _TEXT, "version": _TEXT},
            findings={"type": "array", "items": {"type": "array"}},
            keys={"type": "object", "additionalProperties": _MOMENT},
        ),
    ),
    "stream": (
        "a stream came back after a gap",
        _object({"stream": _TEXT, "account": _TEXT, "bot": _TEXT, "gap_ms": _WHOLE}),
    ),
    "fallback": ("a line of the file that stands in for the store is unreadable", _object({"unreadable": _WHOLE})),
    "message": (
        "people were told, or could not be",
        {**_object({"target": _TEXT, "ok": _YES}, words=_TEXT), "additionalProperties": _ANY},
    ),
    "drill": ("a drill was held", _OPERATION),
    "exposed": ("a key may be in other hands: it is overdue at once", _OPERATION),
    "signer": (
        "the clients of a guard went over to the successor of their key",
        _object(
            {**dict.fromkeys(("account", "key", "old", "new", "bot", "host"), _TEXT), "pid": _WHOLE, "clients": _WHOLE}
        ),
    ),
    "rotation": ("how far a key's successor has come", _OPERATION),
    "stage": ("a stage was entered, or left", _OPERATION),
    "review": ("a person looked at something", _OPERATION),
    "incident": ("how far a step of an incident is, or the incident itself", _INCIDENT),
    "paper": (
        "a paper account, as it is after an order: nothing of this happened at an exchange",
        _object({"account": _TEXT, "name": _TEXT}, n=_WHOLE, book=_MAP, order=_MAP),
    ),
    "approval": ("a person signed something", _OPERATION),
    "prune": (
        "older rows were taken out",
        _object(
            {"through": _WHOLE, "hash": _HASH, "state": _HASH, "carried": _HASH, "by": _TEXT, "archive": _OPTIONAL},
            rows=_WHOLE,
            first=_WHOLE,
            why=_TEXT,
            claim=_CLAIM,
        ),
    ),
}


def journal() -> dict[str, Any]:
    """Return the schema of one row."""
    head = {
        "seq": {"type": "integer", "minimum": 1, "description": "rows are numbered without gaps"},
        "at": {"type": "string", "format": "date-time", "description": "UTC"},
        "kind": {"enum": list(KINDS)},
        "body": {"type": "object"},
        "hash": {**_HASH, "description": "SHA-256 over the row before's, seq, milliseconds, kind and data, by lines"},
    }
    forms = [
        {
            "if": {"properties": {"kind": {"const": kind}}},
            "then": {"properties": {"body": {"description": what, **form}}},
        }
        for kind, (what, form) in KINDS.items()
    ]
    return {**_object(head), "allOf": forms}

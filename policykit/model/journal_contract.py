"""The JSON Schema of a journal row, as `policykit journal export` writes it: one form for each kind of row.

Open, as the others are: a later release may add fields, and kinds. A test holds every row of real runs against it, with
nothing that it does not name.
"""

from __future__ import annotations

from typing import Any, Final

from policykit.model.journal_forms import (
    ANY,
    DECIMALS,
    HASH,
    MAP,
    MOMENT,
    NO_MOMENT,
    NUMBER,
    OPTIONAL,
    STATES,
    TEXT,
    TEXTS,
    WHOLE,
    YES,
    form,
)
from policykit.model.journal_operations import CLAIM, OPERATIONS
from policykit.order import FLAGS, NUMBERS, WORDS

_HOLDS: Final = {
    "type": "array",
    "description": "counter, amount, limit, kind, check, span in ms, whether the window is fixed",
    "items": {
        "type": "array",
        "prefixItems": [
            TEXT,
            {"type": "integer"},
            {"type": "integer"},
            {"enum": ["sum", "window", "position", "clear", "positions", "gross", "net"]},
            TEXT,
            WHOLE,
            YES,
        ],
    },
}


_REASON: Final = form(
    {"code": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]+$"}, "check": TEXT, "message": TEXT},
    observed=TEXT,
    limit=TEXT,
    unit=TEXT,
    place=TEXT,
    failure=YES,
)
#: What a bot asked for, as it asked: an order that is denied for a size that is no number has that size.
_ORDER: Final = form(
    {},
    **dict.fromkeys(("symbol", "side", "type", *WORDS), ANY),
    **dict.fromkeys((*NUMBERS, *FLAGS), ANY),
    client_order_id=TEXT,
    amends=MAP,
)
_DECISION: Final = form(
    {
        "version": {"const": 1},
        "id": TEXT,
        "outcome": {"enum": ["allow", "deny"]},
        "mode": {"enum": ["enforce", "shadow"]},
        "bot": TEXT,
        "action": TEXT,
        "policy": form({"name": TEXT, "version": TEXT}),
        "order": _ORDER,
        "reasons": {"type": "array", "items": _REASON},
    }
)
_INTENT: Final = form(
    {
        "id": TEXT,
        "account": TEXT,
        "client_order_id": TEXT,
        "family": TEXT,
        "reduces": YES,
        "bot": TEXT,
        "host": TEXT,
        "pid": WHOLE,
        "decided_ms": MOMENT,
        "permit_until_ms": NO_MOMENT,
        "validity_ms": NO_MOMENT,
        "state": {"enum": ["intended", *STATES]},
        "signed_ms": NO_MOMENT,
        "changed_ms": MOMENT,
        "order_id": OPTIONAL,
        "closed": YES,
        "replaces": OPTIONAL,
        "error": OPTIONAL,
        "filled": NUMBER,
        "action": TEXT,
        "order": _ORDER,
        "holds": _HOLDS,
    },
    cost=NUMBER,
    amends=TEXT,
)
_TRACE: Final = form(
    {
        "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "span_id": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
    }
)
_OBSERVED: Final = form(
    {"account": TEXT, "as_of_ms": MOMENT, "until_ms": MOMENT},
    **dict.fromkeys(("equity", "net_transfers", "margin_ratio", "borrowed", "carried_transfers"), NUMBER),
    **dict.fromkeys(("positions", "marks", "contract_sizes", "units"), DECIMALS),
    **dict.fromkeys(("day_start_ms", "week_start_ms"), MOMENT),
    partial=YES,
    skew_ms={"type": "integer"},
    position_mode=TEXT,
    unlisted=TEXTS,
    quotes={"type": "object", "additionalProperties": {"type": "array"}},
    contracts={"type": "object", "additionalProperties": {"type": "array"}},
)

#: Kind -> what it tells, and the form of its data. The one place where they stand.
KINDS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "decision": (
        "what a policy said to an action, and with `intent` that an order may be sent",
        form(
            {"decision": _DECISION, "reduces": YES},
            notional=TEXT,
            facts_age_s={"type": "number"},
            warnings={"type": "array", "items": _REASON},
            checks=WHOLE,
            intent=_INTENT,
            holds=_HOLDS,
            trace=_TRACE,
            shadow=MAP,
            without_store=YES,
            key=TEXT,
            facts=MAP,
            facts_seq=WHOLE,
            in_force=WHOLE,
            replaces=TEXT,
            waivers={"type": "array"},
        ),
    ),
    "renew": ("a permit to send goes on", form({"intent": TEXT, "validity_ms": WHOLE})),
    "outcome": (
        "what became known of an order",
        form(
            {"intent": TEXT, "state": {"enum": list(STATES)}},
            order_id=TEXT,
            signed_ms=MOMENT,
            validity_ms=WHOLE,
            error=TEXT,
            took_ms={"type": "number"},
            filled=NUMBER,
            cost=NUMBER,
            quantity=NUMBER,
            price=NUMBER,
            closed=YES,
        ),
    ),
    "lookup": (
        "a look-up of an order that proved nothing",
        form({"intent": TEXT, "asked": YES, "fence_ms": NO_MOMENT}),
    ),
    "resolved": (
        "a person said what became of an order",
        form({"intent": TEXT, "as": TEXT, "by": TEXT, "why": TEXT}, claim=CLAIM),
    ),
    "use": ("a use of budgets that no decision was made on: reads", form({"holds": _HOLDS})),
    "observe": ("facts of an account, as the exchange told them", _OBSERVED),
    "reconcile": (
        "the account compared with the exchange",
        form(
            {"account": TEXT, "drift": {"type": "array", "items": {"type": "array"}}},
            **dict.fromkeys(("at_ms", "until_ms", "accepted_ms"), MOMENT),
            **dict.fromkeys(("bounds", "foreign"), MAP),
            lines={"type": "array"},
            foreign_orders=WHOLE,
            accepted=TEXTS,
            by=TEXT,
            why=TEXT,
            claim=CLAIM,
        ),
    ),
    "halt": (
        "trading was stopped in a scope",
        form(
            {
                "scope": TEXT,
                "state": {"enum": ["REDUCING", "HALTED"]},
                "by": TEXT,
                "why": TEXT,
                "freeze": YES,
                "latched": YES,
            },
            decision=TEXT,
            claim=CLAIM,
        ),
    ),
    "resume": ("halts were lifted", form({"scope": TEXT, "by": TEXT, "why": TEXT}, claim=CLAIM)),
    "ban": ("nothing may be sent before a moment", form({"account": TEXT, "scope": TEXT, "until_ms": MOMENT})),
    "policy": (
        "a policy is in force for an account",
        form(
            {"account": TEXT, "currency": TEXT},
            **dict.fromkeys(("name", "version", "stage", "file", "mode", "bot", "host", "key"), TEXT),
            **dict.fromkeys(("backend", "environment", "library"), TEXT),
            **dict.fromkeys(("trades", "entries"), YES),
            groups=TEXTS,
            layers=TEXTS,
            reloaded=form({"was": TEXT, "looser": TEXTS, "tighter": TEXTS}),
            policy=MAP,
            follows=WHOLE,
            place=ANY,
            candidate=form({"name": TEXT, "version": TEXT, "policy": MAP}, run=TEXT, unjudged=TEXTS),
            waivers={"type": "array"},
        ),
    ),
    "policy.refused": (
        "a policy that was written anew is not taken",
        form({"name": TEXT, "version": TEXT, "why": TEXT, "looser": TEXTS, "tighter": TEXTS}),
    ),
    "address.proof": (
        "a key works from a host's address",
        form(dict.fromkeys(("exchange", "environment", "account", "key", "host"), TEXT), endpoint=OPTIONAL, how=TEXT),
    ),
    "lint": (
        "what `lint --live` found of a policy: [severity, rule, how many]; when its keys were made",
        form(
            {"account": TEXT, "policy": TEXT, "version": TEXT},
            findings={"type": "array", "items": {"type": "array"}},
            keys={"type": "object", "additionalProperties": MOMENT},
        ),
    ),
    "stream": (
        "a stream came back after a gap",
        form({"stream": TEXT, "account": TEXT, "bot": TEXT, "gap_ms": WHOLE}),
    ),
    "fallback": ("a line of the file that stands in for the store is unreadable", form({"unreadable": WHOLE})),
    "message": (
        "people were told, or could not be",
        {**form({"target": TEXT, "ok": YES}, words=TEXT, test=YES, policy=TEXT), "additionalProperties": ANY},
    ),
    **OPERATIONS,
    "signer": (
        "the clients of a guard went over to the successor of their key",
        form({**dict.fromkeys(("account", "key", "old", "new", "bot", "host"), TEXT), "pid": WHOLE, "clients": WHOLE}),
    ),
    "prune": (
        "older rows were taken out",
        form(
            {"through": WHOLE, "hash": HASH, "state": HASH, "carried": HASH, "by": TEXT, "archive": OPTIONAL},
            rows=WHOLE,
            first=WHOLE,
            why=TEXT,
            claim=CLAIM,
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
        "hash": {**HASH, "description": "SHA-256 over the row before's, seq, milliseconds, kind and data, by lines"},
    }
    forms = [
        {
            "if": {"properties": {"kind": {"const": kind}}},
            "then": {"properties": {"body": {"description": what, **form}}},
        }
        for kind, (what, form) in KINDS.items()
    ]
    return {**form(head), "allOf": forms}

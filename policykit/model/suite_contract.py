"""The JSON Schema of a file of a policy's tests, for editors. What depends on others of its values, the reader says."""

from __future__ import annotations

from typing import Any, Final, get_args

from policykit.model.stage import StageName
from policykit.order import ACTIONS, FLAGS, NUMBERS, WORDS

_TEXT: Final = {"type": "string", "minLength": 1}
_NUMBER: Final = {"type": ["string", "integer"]}
_FACTS: Final = {"type": "object", "description": "What is known of the account: docs/facts.md."}
_ENDS: Final = ("cancelled", "rejected", "lost", "found", "absent")


def _closed(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
    return made | ({"required": list(required)} if required else {})


def _order() -> dict[str, Any]:
    words = ("symbol", "side", "type", "client_order_id", *WORDS)
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "action": {"enum": list(ACTIONS)},
            **{key: {"type": "string"} for key in words},
            **dict.fromkeys(NUMBERS, _NUMBER),
            **{key: {"type": "boolean"} for key in FLAGS},
            "amends": {"type": "object"},
        },
    }


def _expect() -> dict[str, Any]:
    code = {"type": "string", "pattern": "^[A-Z][A-Z0-9_]+$"}
    one = {"anyOf": [code, _closed({"code": code, "check": _TEXT}, ("code",))]}
    codes = {"anyOf": [code, {"type": "array", "items": one, "minItems": 1}]}
    deny = {"anyOf": [{"const": "any"}, codes, _closed({"includes": codes}, ("includes",))]}
    warn = {"anyOf": [code, {"type": "array", "items": one}]}
    denied, warned = _closed({"deny": deny}, ("deny",)), _closed({"warn": warn}, ("warn",))
    return {"anyOf": [{"enum": ["allow", "deny"]}, denied, warned]}


def _step() -> dict[str, Any]:
    how = {"quantity": _NUMBER, "price": _NUMBER}
    state = {"enum": ["HALTED", "REDUCING"]}
    return {
        "after": {"type": "string", "pattern": "^[0-9]{1,9}(ms|s|m|h|d)$"},
        "given": _FACTS,
        "order": _order(),
        "expect": _expect(),
        "as": _TEXT,
        "of": _TEXT,
        "times": {"type": "integer", "minimum": 1, "maximum": 1_000},
        "then": {"anyOf": [{"enum": ["filled", "cancelled", "rejected", "lost"]}, _closed({"filled": _closed(how)})]},
        "filled": {"anyOf": [_TEXT, _closed({"of": _TEXT, **how})]},
        **{key: {"anyOf": [_TEXT, _closed({"of": _TEXT})]} for key in _ENDS},
        "halt": {
            "anyOf": [_TEXT, _closed({"scope": _TEXT, "state": state, "why": _TEXT, "freeze": {"type": "boolean"}})]
        },
        "resume": {"anyOf": [_TEXT, _closed({"scope": _TEXT})]},
    }


def suite() -> dict[str, Any]:
    """Return the schema."""
    step = _step()
    own = {
        "name": _TEXT,
        "stage": {"enum": list(get_args(StageName))},
        "now": _TEXT,
        "steps": {"type": "array", "items": _closed(step), "minItems": 1, "maxItems": 1_000},
    }
    test = _closed({**step, **own}, ("name",))
    properties = {
        "policykit_test": {"const": 1},
        "policy": _TEXT,
        "with": {"type": "object"},
        "key": _TEXT,
        "bot": _TEXT,
        "now": _TEXT,
        "given": _FACTS,
        "tests": {"type": "array", "items": test, "minItems": 1, "maxItems": 1_000},
    }
    return _closed(properties, ("policykit_test", "tests"))

"""The words of which the forms of journal rows are made."""

from __future__ import annotations

from typing import Any, Final

TEXT: Final = {"type": "string"}
OPTIONAL: Final = {"type": ["string", "null"]}
WHOLE: Final = {"type": "integer", "minimum": 0}
MOMENT: Final = {"type": "integer", "minimum": 0, "description": "UTC milliseconds since 1970"}
NO_MOMENT: Final = {"type": ["integer", "null"], "minimum": 0}
YES: Final = {"type": "boolean"}
NUMBER: Final = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "description": "a decimal, as text"}
DECIMALS: Final = {"type": "object", "additionalProperties": NUMBER}
TEXTS: Final = {"type": "array", "items": TEXT}
HASH: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
ANY: Final[dict[str, Any]] = {}
MAP: Final = {"type": "object"}
STATES: Final = ("sent", "acknowledged", "rejected", "unknown", "found", "absent", "expired", "not_sent", "settled")


def form(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """Return the form of an object: what it must have, and what it may."""
    return {"type": "object", "required": list(required), "properties": required | optional}

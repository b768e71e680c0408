"""A policy as plain data, and the version that is made of it."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

from policykit.model.base import Section
from policykit.model.policy import Policy
from policykit.model.shape import shapes
from policykit.units import Amount, Duration, Percent, Share, plain

#: Hex digits of a version.
VERSION_DIGITS = 12


def dump(value: Any) -> Any:
    """Return a section or a value as the language writes it: dict, list, str, int, bool. Absent fields are left out."""
    if isinstance(value, Section):
        out: dict[str, Any] = {}
        for name in shapes(type(value)):
            item = getattr(value, name)
            said = name in value.model_fields_set
            if item is None or (not said and item in ((), "")):
                continue
            written = dump(item)
            if said or written != {}:
                out[name] = written
        return out
    if isinstance(value, dict):
        return {key: dump(item) for key, item in value.items()}
    if isinstance(value, Amount | Share | Percent | Duration):
        return str(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else plain(value)
    if type(value) is tuple:
        items = [dump(item) for item in value]
        return items[0] if len(items) == 1 and isinstance(value[0], Amount | Share) else items
    return value


def canonical(value: Any) -> str:
    """Write plain data in one way only: keys sorted, and lists too, because every list of the language is a set."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted({canonical(item) for item in value})) + "]"
    return json.dumps(value)


def version(model: Policy) -> str:
    """Return `sha256:` and 12 hex digits of the canonical effective policy: what is in force, not how it is written.

    Equal for `60s` and `1m`, for any order of keys and items, and for a limit said here or inherited.
    """
    return digest(model)[: len("sha256:") + VERSION_DIGITS]


def digest(model: Policy) -> str:
    """Return `sha256:` and all 64 hex digits, for what is signed: two texts of one short version can be made."""
    data = dump(model)
    data.pop("extends", None)
    text = canonical(data)
    return "sha256:" + hashlib.sha256(text.encode("ascii")).hexdigest()

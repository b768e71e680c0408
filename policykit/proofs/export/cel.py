"""A policy as CEL (Google's Common Expression Language): one expression, a map of what denies."""

from __future__ import annotations

import json
from typing import Final

from policykit.proofs.export.conditions import Conditions, Dialect


def _regex(pattern: str) -> str:
    escaped = "".join(".*" if c == "*" else c if c.isalnum() or c in "/:" else f"[{c}]" for c in pattern)
    return f"^{escaped}$"


CEL: Final = Dialect(
    "o",
    lambda name: f"has(o.{name})",
    lambda value, words: f"{value} in {json.dumps(list(words))}",
    lambda value, pattern: f"{value}.matches({json.dumps(_regex(pattern))})",
    lambda test, yes, no: f"({test} ? {yes} : {no})",
)


def cel(conditions: Conditions) -> str:
    """Return conditions as one CEL expression over `o`: a map from `check|CODE` to whether it denies."""
    entries = [f'"{check}|{code}": {when}' for (check, code), when in conditions.items()]
    return "{" + ",\n".join(entries) + "}"

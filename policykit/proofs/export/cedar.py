"""A policy as Cedar (Amazon's language of authorization): a set of policies with ids."""

from __future__ import annotations

import json
from typing import Final

from policykit.proofs.export.conditions import Conditions, Dialect

CEDAR: Final = Dialect(
    "context",
    lambda name: f"context has {name}",
    lambda value, words: f"{json.dumps(list(words))}.contains({value})",
    lambda value, pattern: f"{value} like {json.dumps(pattern)}",
    lambda test, yes, no: f"(if {test} then {yes} else {no})",
)


def cedar(conditions: Conditions) -> str:
    """Return conditions as Cedar: everything is permitted but what a `forbid` names; its id is `check|CODE`."""
    lines = ['@id("permit")\npermit(principal, action, resource);']
    for (check, code), when in conditions.items():
        lines.append(f'@id("{check}|{code}")\nforbid(principal, action, resource) when {{ {when} }};')
    return "\n".join(lines)

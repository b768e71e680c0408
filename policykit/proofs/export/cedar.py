"""A policy as Cedar (Amazon's language of authorization): a set of policies with ids."""

from __future__ import annotations

import json
from typing import Final

from policykit.model import Policy
from policykit.proofs.export.conditions import Dialect, conditions

CEDAR: Final = Dialect(
    "context",
    lambda name: f"context has {name}",
    lambda value, words: f"{json.dumps(list(words))}.contains({value})",
    lambda value, pattern: f"{value} like {json.dumps(pattern)}",
    lambda test, yes, no: f"(if {test} then {yes} else {no})",
)


def cedar(policy: Policy) -> str:
    """Return the policy as Cedar: everything is permitted but what a `forbid` names; its id is `check|CODE`."""
    lines = ["permit(principal, action, resource);"]
    for part in conditions(policy, CEDAR):
        for (check, code), when in part.items():
            lines.append(f'@id("{check}|{code}")\nforbid(principal, action, resource) when {{ {when} }};')
    return "\n".join(lines)

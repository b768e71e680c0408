"""Intended and actual positions are not compared.

## What it finds
A live policy with a trading key and no `reconciliation`, or one that does not wait for it at the start.

## Why
Orders placed by hand, by another tool or by a run that crashed are found only by looking; a bot that starts without
looking trades on a position it does not have (G30).

## Bad
```yaml
reconciliation: {on_start: optional}
```
```finding
open certain policy.yaml:1:28 the bot trades before intended and actual positions were compared
```

## Good
```yaml
reconciliation: {on_start: required}
```

## Source
GUIDE.md G30; PITFALLS.md 16 and story 10.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK705",
    "reconciliation",
    "medium",
    ("G30",),
    "a bot that does not look trades on a position it does not have (G30)",
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for the section, and for the wait at the start."""
    if not inputs.trades or inputs.model.environment != "live":
        return
    section = inputs.model.reconciliation
    place = inputs.place("reconciliation.on_start")
    if section is None:
        yield RULE.finding(
            place,
            "intended and actual positions are never compared",
            label="no `reconciliation`",
            next_step="add `reconciliation: {on_start: required}`",
        )
    elif section.on_start != "required":
        yield RULE.finding(
            place,
            "the bot trades before intended and actual positions were compared",
            label='"required" waits',
            next_step="set `on_start: required`",
            fix=Fix.replace(place, "required", "reconcile before the first order", safe=True),
        )

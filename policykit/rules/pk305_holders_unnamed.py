"""Nobody knows who can read a key's secret.

## What it finds
A live policy's key without `holders`, or with an empty list.

## Why
When a person leaves, every key that the person could read is rotated at once. That is possible only where it is written
down who could (G19).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    secret: vault://kv/trading/mm-exec
```
```finding
open certain policy.yaml:2:3 who can read the secret of key `mm-exec` is not said
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    holders: [ops-lead]
```
```yaml
environment: sandbox
keys:
  mm-exec:
    purpose: execution
```

## Source
GUIDE.md G19 (rotated at once after a person leaves).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK305", "holders-unnamed", "low", ("G19",), "who leaves takes the keys along that nobody listed (G19)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for the names of those who can read each key."""
    if inputs.model.environment != "live":
        return
    for name, key in inputs.keys.items():
        if not key.holders:
            yield RULE.finding(
                inputs.place(f"keys.{name}.holders"),
                f"who can read the secret of key `{name}` is not said",
                label="no `holders`" if key.holders is None else "empty",
                next_step="name the persons or roles that can read it: `holders: [ops-lead]`",
            )

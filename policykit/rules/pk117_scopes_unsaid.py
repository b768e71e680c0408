"""A key does not say what it may do.

## What it finds
A key without `scopes`.

## Why
Every rule on scopes, and every control that a trading key needs, is judged by what the key is said to be for. One that
says nothing passes as harmless (G07, G06).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
```
```finding
open certain policy.yaml:2:3 what key `mm-exec` may do is not said
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```yaml
keys:
  feed:
    purpose: market_data
    scopes: []
```

## Source
GUIDE.md G06, G07.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK117", "scopes-unsaid", "medium", ("G07", "G06"), "a key that says nothing passes as harmless (G07)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for keys without a list of scopes; an empty list is one."""
    for name, key in inputs.keys.items():
        if key.scopes is None:
            yield RULE.finding(
                inputs.place(f"keys.{name}.scopes"),
                f"what key `{name}` may do is not said",
                label="no `scopes`",
                next_step="name all that it may do: `scopes: [read]`, `scopes: [read, trade.spot]`",
            )

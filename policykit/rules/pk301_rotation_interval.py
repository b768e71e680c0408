"""A key is rotated too rarely, or never.

## What it finds
A key without `rotation.every`, or with one over 90 days.

## Why
Every key leaks one day; what a thief copied last year should no longer work (G01, G19).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 180d}
```
```finding
open certain policy.yaml:4:23 key `mm-exec` is rotated every 180d; the guide says every 90 days
```
```yaml
keys:
  mm-exec:
    purpose: execution
```
```finding
open certain policy.yaml:2:3 key `mm-exec` is never rotated; the guide says every 90 days
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 30d}
```

## Source
GUIDE.md G19 (every 90 days; some monthly).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import DAY_MS, Inputs, Rule

RULE = Rule(
    "PK301", "rotation-interval", "medium", ("G19", "G01"), "what a thief copied long ago should no longer work (G19)"
)

#: The guide's longest life of a key.
MAX_EVERY_MS = 90 * DAY_MS


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the interval of each key."""
    for name, key in inputs.keys.items():
        every = key.rotation.every if key.rotation else None
        place = inputs.place(f"keys.{name}.rotation.every")
        if every is None:
            yield RULE.finding(
                place,
                f"key `{name}` is never rotated; the guide says every 90 days",
                label="no `rotation: {every: 90d}`",
                next_step="add `rotation: {every: 90d, delete_old_within: 24h}`",
            )
        elif every.ms > MAX_EVERY_MS:
            yield RULE.finding(
                place,
                f"key `{name}` is rotated every {every}; the guide says every 90 days",
                label='"90d" or less',
                next_step="rotate at least every 90 days",
                fix=Fix.replace(place, "90d", "rotate sooner", safe=True),
            )

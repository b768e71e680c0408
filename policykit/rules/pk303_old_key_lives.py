"""After a rotation the old key lives on.

## What it finds
A key with a rotation whose `delete_old_within` is absent or over 24 hours.

## Why
Two keys that work are twice the surface, and the old one is the one that may have leaked (G20).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d, delete_old_within: 7d}
```
```finding
open certain policy.yaml:4:47 the old key may live 7d after a rotation of `mm-exec`; the guide says within 24
  hours
```
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d}
```
```finding
open certain policy.yaml:4:5 nothing says when the old key of `mm-exec` is deleted; the guide says within 24
  hours
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d, delete_old_within: 24h}
```

## Source
GUIDE.md G20.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import DAY_MS, Inputs, Rule

RULE = Rule("PK303", "old-key-lives", "medium", ("G20",), "the old key is the one that may have leaked (G20)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the time that an old key may live beside its successor."""
    for name, key in inputs.keys.items():
        if key.rotation is None:
            continue
        within = key.rotation.delete_old_within
        place = inputs.place(f"keys.{name}.rotation.delete_old_within")
        if within is None:
            yield RULE.finding(
                place,
                f"nothing says when the old key of `{name}` is deleted; the guide says within 24 hours",
                label="no `delete_old_within`",
                next_step="add `delete_old_within: 24h`",
                fix=Fix.add(place, "24h", "delete the old key within a day", safe=True),
            )
        elif within.ms > DAY_MS:
            yield RULE.finding(
                place,
                f"the old key may live {within} after a rotation of `{name}`; the guide says within 24 hours",
                label='"24h" or less',
                next_step="delete the old key within 24 hours",
                fix=Fix.replace(place, "24h", "delete the old key sooner", safe=True),
            )

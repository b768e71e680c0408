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
#: A rotation as the guide has it.
_WHOLE = "{every: 90d, warn_before: 14d, delete_old_within: 24h}"


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the interval of each key."""
    for name, key in inputs.keys.items():
        every = key.rotation.every if key.rotation else None
        warn = key.rotation.warn_before if key.rotation else None
        place = inputs.place(f"keys.{name}.rotation.every")
        if every is None:
            yield RULE.finding(
                place,
                f"key `{name}` is never rotated; the guide says every 90 days",
                label="no `rotation: {every: 90d}`",
                next_step=f"add `rotation: {_WHOLE}`",
                fix=_rotate(inputs, name, whole=key.rotation is None),
            )
        elif every.ms > MAX_EVERY_MS:
            yield RULE.finding(
                place,
                f"key `{name}` is rotated every {every}; the guide says every 90 days",
                label='"90d" or less',
                next_step="rotate at least every 90 days",
                fix=Fix.replace(place, "90d", "rotate sooner", safe=warn is None or warn.ms < MAX_EVERY_MS),
            )


def _rotate(inputs: Inputs, name: str, *, whole: bool) -> Fix:
    """Return the fix of a key that is never rotated: the whole section, or the interval that a section lacks."""
    section = inputs.place(f"keys.{name}.rotation")
    if whole:
        return Fix.add(section, _WHOLE, "rotate it as the guide says", safe=True)
    return Fix.add(section._replace(path=f"{section.path}.every"), "90d", "rotate it as the guide says", safe=True)

"""Nobody is told that a key is due.

## What it finds
A live policy's key that is rotated, without `rotation.warn_before`, or with one as long as the interval itself.

## Why
A rotation needs a person at the exchange's page and a restart; one that comes as a surprise is put off, and a reminder
that is always there is read by nobody (G19).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d, delete_old_within: 24h}
```
```finding
open certain policy.yaml:4:5 nobody is told before key `mm-exec` is due, every 90d
```
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 30d, warn_before: 30d}
```
```finding
open certain policy.yaml:4:41 the reminder of key `mm-exec` is always there: it comes 30d before a rotation every 30d
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d, warn_before: 14d}
```
```yaml
environment: sandbox
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d}
```

## Source
GUIDE.md G19; DESIGN.md, section 3 (`warn_before`).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import DAY_MS, Inputs, Rule

RULE = Rule("PK304", "rotation-unannounced", "low", ("G19",), "a rotation that comes as a surprise is put off (G19)")

#: What `--fix` writes, where it is shorter than the interval.
WARN_MS = 14 * DAY_MS


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the window of warning with the interval."""
    if inputs.model.environment != "live":
        return
    for name, key in inputs.keys.items():
        every = key.rotation.every if key.rotation else None
        warn = key.rotation.warn_before if key.rotation else None
        place = inputs.place(f"keys.{name}.rotation.warn_before")
        if every is None:
            continue
        if warn is None:
            yield RULE.finding(
                place,
                f"nobody is told before key `{name}` is due, every {every}",
                label="no `warn_before`",
                next_step="add `warn_before: 14d`",
                fix=Fix.add(place, "14d", "announce the rotation", safe=True) if every.ms > WARN_MS else None,
            )
        elif warn.ms >= every.ms:
            yield RULE.finding(
                place,
                f"the reminder of key `{name}` is always there: it comes {warn} before a rotation every {every}",
                label=f"shorter than {every}",
                next_step="make it shorter than the interval",
            )

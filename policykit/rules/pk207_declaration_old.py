"""What a person declared of a key was looked at long ago.

## What it finds
A `declared.at` more than 90 days ago (the guide's figure for rotation: the key itself should be another by then), one
that is still to come, and one that is no day.

## Why
Addresses and permissions are changed on a web page in seconds; an old look at it says nothing of today (G13).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    declared: {ip_allowlist: [45.33.32.156], by: desk-head, at: 2026-07-04}
```
```finding
open certain policy.yaml:4:65 what desk-head declared of key `mm-exec` is 140 days old; at most 90 days
```
```yaml
keys:
  mm-exec:
    purpose: execution
    declared: {created: 2026-10-01, by: desk-head, at: 2026-12-01}
```
```finding
open certain policy.yaml:4:56 what desk-head declared of key `mm-exec` is dated 2026-12-01, which is still to come
```
```yaml
keys:
  mm-exec:
    purpose: execution
    declared: {created: 2026-10-01, by: desk-head, at: 2026-02-31}
```
```finding
open certain policy.yaml:4:56 what desk-head declared of key `mm-exec` is dated 2026-02-31, which is no day
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    declared: {ip_allowlist: [45.33.32.156], by: desk-head, at: 2026-11-20}
```

## Source
GUIDE.md G13 (live list and policy agree), G19 (90 days).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import DAY_MS, Inputs, Rule, days, iso_ms

RULE = Rule("PK207", "declaration-old", "medium", ("G13", "G19"), "an old look at a page says nothing of today (G13)")

#: The oldest declaration that is taken for the present: as old as the guide lets the key itself get. In whole days,
#: because a declaration has a day and no hour.
MAX_AGE_DAYS = 90


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the day of each declaration with now."""
    for name, key in inputs.keys.items():
        if key.declared is None:
            continue
        at_ms = iso_ms(key.declared.at)
        if at_ms is None:
            when = f"is dated {key.declared.at}, which is no day"
        elif at_ms > inputs.now_ms + DAY_MS:
            when = f"is dated {key.declared.at}, which is still to come"
        elif (inputs.now_ms - at_ms) // DAY_MS > MAX_AGE_DAYS:
            when = f"is {days(inputs.now_ms - at_ms)} old; at most {MAX_AGE_DAYS} days"
        else:
            continue
        yield RULE.finding(
            inputs.place(f"keys.{name}.declared.at"),
            f"what {key.declared.by} declared of key `{name}` {when}",
            label="when somebody looked",
            next_step=f"look at {inputs.key_page()} and declare it anew",
        )

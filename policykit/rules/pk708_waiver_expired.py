"""A waiver has expired.

## What it finds
A waiver whose `expires` is past, or is no date.

## Why
An exception that outlives its reason is a rule that nobody agreed to. The finding it covered is open again.

## Bad
```yaml
waivers:
  - {rule: PK205, at: keys.mm-exec, owner: desk-a, reason: "host is being moved", expires: 2026-10-01}
```
```finding
open certain policy.yaml:2:92 the waiver of PK205 at keys.mm-exec expired 51 days ago
```
```yaml
waivers:
  - {rule: PK205, at: keys.mm-exec, owner: desk-a, reason: "host is being moved", expires: soon}
```
```finding
open certain policy.yaml:2:92 the waiver of PK205 at keys.mm-exec has no readable expiry
```

## Good
```yaml
waivers:
  - {rule: PK205, at: keys.mm-exec, owner: desk-a, reason: "host is being moved", expires: 2026-12-01}
```

## Source
DESIGN.md, section 3 (a waiver has owner, reason, expiry; a bad date is expired).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule, days, iso_ms

RULE = Rule("PK708", "waiver-expired", "medium", ("G01",), "an exception that outlives its reason is nobody's decision")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare each expiry with now."""
    for index, waiver in enumerate(inputs.model.waivers):
        expires_ms = iso_ms(waiver.expires)
        if expires_ms is not None and inputs.now_ms < expires_ms:
            continue
        when = "has no readable expiry" if expires_ms is None else f"expired {days(inputs.now_ms - expires_ms)} ago"
        place = inputs.place(f"waivers.{index}.expires")
        yield RULE.finding(
            place,
            f"the waiver of {waiver.rule} at {waiver.at} {when}",
            label="no longer counts",
            next_step=f"mend what it covered, or let {waiver.owner} agree to it anew",
            # It counts for nothing any more; of a date that cannot be read nobody knows what was meant.
            fix=Fix.remove(
                place._replace(path=f"waivers.{index}"), "take the expired waiver out", safe=expires_ms is not None
            ),
        )

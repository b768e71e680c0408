"""A waiver runs for longer than its finding may be accepted.

## What it finds
A waiver that expires further ahead than its rule's severity allows: critical 7 days, high 30, medium 90, low 365.
Cannot be waived.

## Why
A waiver gives time to mend, it is no second policy. The worse the finding, the sooner somebody looks again (G01).

## Bad
```yaml
waivers:
  - {rule: PK214, at: keys.mm-exec, owner: desk-a, ticket: OPS-12, reason: "old host", expires: 2027-02-01}
```
```finding
open certain policy.yaml:2:97 the waiver of PK214 at keys.mm-exec runs for another 71 days; a high finding is accepted
  for at most 30
```
```yaml
waivers:
  - {rule: PK601, at: kill_switch, owner: desk-a, ticket: OPS-12, reason: "comes on Monday", expires: 2026-11-30}
```
```finding
open certain policy.yaml:2:103 the waiver of PK601 at kill_switch runs for another 8 days; a critical finding is
  accepted for at most 7
```

## Good
```yaml
waivers:
  - {rule: PK214, at: keys.mm-exec, owner: desk-a, ticket: OPS-12, reason: "old host", expires: 2026-12-21}
```
```yaml
waivers:
  - {rule: PK204, at: keys.mm-exec, owner: desk-a, ticket: OPS-12, reason: "a placeholder", expires: 2027-11-21}
```
```yaml
waivers:
  - {rule: PK299, at: keys.mm-exec, owner: desk-a, ticket: OPS-12, reason: "a slip", expires: 2029-11-21}
```

## Source
DESIGN.md, section 3 (waivers); the ceilings are policykit's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from policykit.finding import Finding, Fix, Severity
from policykit.rules.base import DAY_MS, Inputs, Rule, days, iso_ms

RULE = Rule(
    "PK718",
    "waiver-too-long",
    "medium",
    ("G01",),
    "a waiver gives time to mend, it is no second policy",
    waivable=False,
)

#: The longest time for which a finding is accepted at once, in days, by its severity.
CEILING_DAYS: Final[Mapping[Severity, int]] = {"critical": 7, "high": 30, "medium": 90, "low": 365}


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare each expiry with the ceiling of the rule's severity; the last day counts whole."""
    from policykit.rules import find  # the catalogue imports this file

    for index, waiver in enumerate(inputs.model.waivers):
        entry, expires_ms = find(waiver.rule), iso_ms(waiver.expires)
        if entry is None or expires_ms is None:
            continue
        severity = entry.rule.severity
        ceiling = CEILING_DAYS[severity]
        latest_ms = inputs.now_ms + ceiling * DAY_MS
        if expires_ms <= latest_ms:
            continue
        last_day = datetime.fromtimestamp(latest_ms / 1000, UTC).date().isoformat()
        place = inputs.place(f"waivers.{index}.expires")
        yield RULE.finding(
            place,
            f"the waiver of {waiver.rule} at {waiver.at} runs for another {days(expires_ms - inputs.now_ms)}; a"
            f" {severity} finding is accepted for at most {ceiling}",
            label=f"{last_day} at the latest",
            next_step=f"set `expires: {last_day}`, and mend it by then",
            fix=Fix.replace(place, last_day, f"let it expire after {ceiling} days", safe=True),
        )

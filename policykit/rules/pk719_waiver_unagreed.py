"""A waiver does not say where it was agreed.

## What it finds
A waiver without `ticket`. Of one that has expired PK708 says all.

## Why
Owner and reason are one person's word in one file; the ticket is where a second one agreed, and where the work of
mending it stands (G01).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
    ip_allowlist: [{address: 45.33.32.156}]
waivers:
  - {rule: PK205, at: keys.mm-exec, owner: desk-a, reason: "host is being moved", expires: 2026-12-01}
```
```finding
open certain policy.yaml:7:12 the waiver of PK205 at keys.mm-exec does not say where it was agreed
```

## Good
```yaml
waivers:
  - {rule: PK205, at: keys.mm-exec, owner: desk-a, ticket: OPS-12, reason: "host is being moved", expires: 2026-12-01}
```

```yaml
waivers:
  - {rule: PK205, at: keys.mm-exec, owner: desk-a, reason: "host is being moved", expires: 2026-11-21}
```

## Source
DESIGN.md, section 3 (waivers).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, iso_ms

RULE = Rule("PK719", "waiver-unagreed", "low", ("G01",), "a ticket is where a second person agreed")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for the ticket of each waiver."""
    for index, waiver in enumerate(inputs.model.waivers):
        expires_ms = iso_ms(waiver.expires)
        if waiver.ticket is None and expires_ms is not None and inputs.now_ms < expires_ms:
            yield RULE.finding(
                inputs.place(f"waivers.{index}.rule"),
                f"the waiver of {waiver.rule} at {waiver.at} does not say where it was agreed",
                label="no `ticket`",
                next_step="add `ticket:` with the number or the page",
            )

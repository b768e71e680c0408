"""An allowed address says nothing of itself.

## What it finds
An entry of an `ip_allowlist` without `why`, or with an empty one.

## Why
Nobody dares to remove an address that nobody knows; after a migration it stays for ever (G12).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156}]
```
```finding
open certain policy.yaml:4:30 address 45.33.32.156 of key `mm-exec` does not say what it is
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156, why: "execution host, Fremont"}]
```

## Source
GUIDE.md G12.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.addresses import allowed
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK205", "address-undocumented", "low", ("G12",), "an address that nobody knows is never removed (G12)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for `why` beside each address."""
    for entry in allowed(inputs):
        if not ((inputs.keys[entry.key].ip_allowlist or ())[entry.number].why or "").strip():
            yield RULE.finding(
                entry.place,
                f"address {entry.text} of key `{entry.key}` does not say what it is",
                label="no `why`",
                next_step='say what the host is and why it is there: `why: "execution host, Frankfurt"`',
            )

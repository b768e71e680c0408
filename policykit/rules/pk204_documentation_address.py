"""A key is bound to an address from a documentation range.

## What it finds
An entry of an `ip_allowlist` in 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32 or 3fff::/20.

## Why
These addresses belong to nobody: the entry was copied from an example, and the real address is still missing (G10).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 203.0.113.7, why: "execution host"}]
```
```finding
open certain policy.yaml:4:30 key `mm-exec` is bound to 203.0.113.7, an address for documentation
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]
```

## Source
RFC 5737, RFC 3849 and RFC 9637 (addresses reserved for documentation).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.addresses import allowed, documentation
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK204", "documentation-address", "low", ("G10",), "an address from an example is nobody's: the real one is missing"
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for each entry in the ranges."""
    for entry in allowed(inputs):
        if entry.network is not None and documentation(entry.network):
            yield RULE.finding(
                entry.place,
                f"key `{entry.key}` is bound to {entry.text}, an address for documentation",
                label="belongs to nobody",
                next_step="name the address that this host's requests leave from",
            )

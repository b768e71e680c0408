"""A key is bound to a range of addresses.

## What it finds
An entry of an `ip_allowlist` that covers more than one address.

## Why
A range lets in every neighbour in the same data centre: only specific static addresses are a restriction (G10).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.0/24, why: "the data centre"}]
```
```finding
open certain policy.yaml:4:30 key `mm-exec` is bound to 45.33.32.0/24: 256 addresses; name single ones
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}, {address: "2600:3c01::7/128", why: "the same"}]
```

## Source
GUIDE.md G10.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.addresses import allowed
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK202", "address-range", "high", ("G10",), "a range lets in every neighbour of the host (G10)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Count the addresses of each entry."""
    for entry in allowed(inputs):
        if entry.network is not None and entry.network.num_addresses > 1:
            bits = entry.network.max_prefixlen - entry.network.prefixlen
            count = f"{2**bits:,}" if bits < 32 else f"2^{bits}"
            yield RULE.finding(
                entry.place,
                f"key `{entry.key}` is bound to {entry.text}: {count} addresses; name single ones",
                label=f"{count} addresses",
                next_step="name the static address of each host that trades, one entry each",
            )

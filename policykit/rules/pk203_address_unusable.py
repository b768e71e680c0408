"""A key is bound to an address that no exchange can see.

## What it finds
An entry of an `ip_allowlist` that is no address at all, or a private, loopback, link-local, multicast or unspecified
one.

## Why
The exchange sees the public address that requests leave from; an allowlist with a private one is a list that was
never tested (G10, G11).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 10.0.0.7, why: "execution host"}]
```
```finding
open certain policy.yaml:4:30 key `mm-exec` is bound to 10.0.0.7, which no exchange sees as a sender
```
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.256, why: "execution host"}]
```
```finding
open certain policy.yaml:4:30 key `mm-exec` is bound to 45.33.32.256, which is no address
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]
```

## Source
GUIDE.md G10, G11; RFC 1918, RFC 6890.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.addresses import DOCUMENTATION, allowed, inside
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK203", "address-unusable", "medium", ("G10", "G11"), "an exchange sees only the public address (G11)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at what kind of address each entry is; documentation ranges are PK204's."""
    for entry in allowed(inputs):
        if entry.network is None:
            message = f"key `{entry.key}` is bound to {entry.text}, which is no address"
        elif inside(entry.network, DOCUMENTATION) or entry.network.is_global:
            continue
        else:
            message = f"key `{entry.key}` is bound to {entry.text}, which no exchange sees as a sender"
        yield RULE.finding(
            entry.place,
            message,
            label="not a public address",
            next_step="name the public address that this host's requests leave from",
        )

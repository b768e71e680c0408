"""A key is bound to an address that no exchange can see.

## What it finds
An entry of an `ip_allowlist` that is no address at all, or one that requests never come from: private, loopback,
link-local, multicast, of a carrier's network (100.64.0.0/10), for benchmarks, reserved; or an IPv4 address that is
written as IPv6, which exchanges compare as text.

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
open certain policy.yaml:4:30 key `mm-exec` is bound to 10.0.0.7, a private address: no exchange sees it as a
  sender
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

```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist:
      - {address: 224.0.0.7, why: "execution host"}
      - {address: 100.64.0.7, why: "execution host"}
      - {address: "::ffff:45.33.32.156", why: "execution host"}
      - {address: "4000::7", why: "execution host"}
```
```finding
open certain policy.yaml:5:19 key `mm-exec` is bound to 224.0.0.7, a multicast address: no exchange sees it as a sender
open certain policy.yaml:6:19 key `mm-exec` is bound to 100.64.0.7, an address inside a carrier's network: no exchange
  sees it as a sender
open certain policy.yaml:7:19 key `mm-exec` is bound to ::ffff:45.33.32.156, an IPv4 address written as IPv6: no
  exchange sees it as a sender
open certain policy.yaml:8:19 key `mm-exec` is bound to 4000::7, a reserved address: no exchange sees it as a sender
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]
```

## Source
GUIDE.md G10, G11; RFC 1918, RFC 6598, RFC 6890 and the registries that it opened.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.addresses import Allowed, allowed, inside, mapped, network_of, special
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK203", "address-unusable", "medium", ("G10", "G11"), "an exchange sees only the public address (G11)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at what kind of address each entry is; documentation ranges are PK204's."""
    entries = tuple(allowed(inputs))
    for entry in entries:
        if entry.network is None:
            message = f"key `{entry.key}` is bound to {entry.text}, which is no address"
        elif what := special(entry.network):
            message = f"key `{entry.key}` is bound to {entry.text}, {what}: no exchange sees it as a sender"
        else:
            continue
        yield RULE.finding(
            entry.place,
            message,
            label="not a public address",
            next_step="name the public address that this host's requests leave from",
            fix=_plain(entry, entries),
        )


def _plain(entry: Allowed, entries: tuple[Allowed, ...]) -> Fix | None:
    """Return the fix of an IPv4 address that is written as IPv6: one that is public, and not allowed already."""
    address = mapped(entry.network) if entry.network is not None else None
    network = network_of(str(address)) if address is not None else None
    if network is None or special(network):
        return None
    if any(e.key == entry.key and e.network is not None and inside(network, e.network) for e in entries):
        return None
    return Fix.replace(entry.place, str(address), f"write it as {address}")

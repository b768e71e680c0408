"""An address is allowed twice.

## What it finds
Two entries of one key's `ip_allowlist` that are the same address, however it is written, and one that lies in the
range of another.

## Why
After a migration one of the two is removed and the other stays: the old address still works (G13, G12).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist:
      - {address: 45.33.32.156, why: "execution host"}
      - {address: 45.33.32.156/32, why: "the new one"}
```
```finding
open certain policy.yaml:6:19 key `mm-exec` is bound to 45.33.32.156/32 twice
```
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist:
      - {address: 45.33.32.0/24, why: "the data centre"}
      - {address: 45.33.32.156, why: "execution host"}
```
```finding
open certain policy.yaml:6:19 key `mm-exec` is bound to 45.33.32.156, which lies in 45.33.32.0/24
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist:
      - {address: 45.33.32.156, why: "execution host"}
      - {address: 45.33.32.157, why: "its standby"}
  mm-hedge:
    purpose: hedging
    ip_allowlist:
      - {address: 45.33.32.156, why: "execution host"}
```

## Source
GUIDE.md G12, G13.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.addresses import Allowed, Network, allowed, inside
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK206", "address-twice", "low", ("G13", "G12"), "of two entries one stays when the address is removed (G13)"
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare each address of a key with the ranges of the key and with the addresses before it."""
    entries = list(allowed(inputs))
    ranges = [(e, e.network) for e in entries if e.network is not None and e.network.num_addresses > 1]
    first: dict[tuple[str, Network], Allowed] = {}
    for entry in entries:
        if entry.network is None:
            continue
        other = first.setdefault((entry.key, entry.network), entry)
        if other is not entry:
            whole = entry.place._replace(path=f"keys.{entry.key}.ip_allowlist.{entry.number}")
            yield RULE.finding(
                entry.place,
                f"key `{entry.key}` is bound to {entry.text} twice",
                label="the same address",
                context=(("here as well", other.place),),
                next_step="take one of the two out",
                fix=Fix.remove(whole, "take the second one out", safe=True),
            )
            continue
        wider = next(
            (e for e, n in ranges if e.key == entry.key and n != entry.network and inside(entry.network, n)), None
        )
        if wider is not None:
            yield RULE.finding(
                entry.place,
                f"key `{entry.key}` is bound to {entry.text}, which lies in {wider.text}",
                label="says nothing beside the range",
                context=(("the range", wider.place),),
                next_step="take the range out, and name each address",
            )

"""A key can make and change keys.

## What it finds
A key whose `scopes` include `key_admin`, whatever its purpose. Whether the exchange grants it without the policy
asking is PK104's to say.

## Why
Whoever holds a key that makes keys makes one that withdraws, without an address restriction: every other scope and
allowlist of the policy is void (G04, G07).

## Bad
```yaml
keys:
  panic:
    purpose: break_glass
    scopes: [read, trade.spot, key_admin]
```
```finding
open certain policy.yaml:4:32 key `panic` asks for key_admin: it can make a key that may do anything
```

## Good
```yaml
keys:
  panic:
    purpose: break_glass
    scopes: [read, trade.spot]
```

## Source
GUIDE.md G04, G07; exchanges.json, `subaccount_admin` (Deribit account:read_write can create, edit and remove keys).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule
from policykit.rules.scopes import declared_scope

RULE = Rule(
    "PK111",
    "key-admin-scope",
    "high",
    ("G07", "G04"),
    "a key that makes keys makes one that withdraws (G04)",
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the scopes asked for."""
    for name, place in declared_scope(inputs, "key_admin"):
        yield RULE.finding(
            place,
            f"key `{name}` asks for key_admin: it can make a key that may do anything",
            label="beyond any bot",
            context=inputs.declared_at(name),
            next_step="take `key_admin` out of the scopes; make and revoke keys by hand, on the exchange's page",
            fix=Fix.remove(place, "take `key_admin` out"),
        )

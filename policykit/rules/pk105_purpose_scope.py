"""A key asks for more than its purpose needs.

## What it finds
A key for tracking or market data whose scopes include anything but `read`. `withdraw`, `transfer` and `key_admin` have
rules of their own, whatever the purpose (PK101, PK102, PK111); what execution and hedging do not trade is PK116's.

## Why
A tracker that is broken into should show balances, not spend them: one key for one purpose, with no more than that
purpose needs (G07).

## Bad
```yaml
keys:
  dashboard:
    purpose: tracking
    scopes: [read, trade.spot]
```
```finding
open certain policy.yaml:4:20 key `dashboard` is for tracking and asks for trade.spot
```

## Good
```yaml
keys:
  dashboard:
    purpose: tracking
    scopes: [read]
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```

## Source
GUIDE.md G07.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK105", "purpose-scope", "high", ("G07",), "a key has no more than its purpose needs (G07)")

#: Scopes that have rules of their own, whatever the purpose.
_OWN_RULES = ("withdraw", "transfer", "key_admin")
#: Purposes that only read.
READS_ONLY = ("tracking", "market_data")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at each scope beside the key's purpose."""
    for name, key in inputs.keys.items():
        for index, scope in enumerate(key.scopes or ()):
            if scope == "read" or scope in _OWN_RULES or key.purpose not in READS_ONLY:
                continue
            place = inputs.place(f"keys.{name}.scopes.{index}")
            yield RULE.finding(
                place,
                f"key `{name}` is for {key.purpose} and asks for {scope}",
                label="beyond its purpose",
                context=(("its purpose", inputs.place(f"keys.{name}.purpose")),),
                next_step=f"take `{scope}` out, or make a key of its own for it",
                fix=Fix.remove(place, f"take `{scope}` out"),
            )

"""A key asks for more than its purpose needs.

## What it finds
A key for tracking or market data whose scopes include anything but `read`; a key for execution or hedging with
`key_admin`.

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

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK105", "purpose-scope", "high", ("G07",), "a key has no more than its purpose needs (G07)")

#: Scopes that have rules of their own, whatever the purpose.
_OWN_RULES = ("withdraw", "transfer")
_READS_ONLY = ("tracking", "market_data")
_TRADES = ("execution", "hedging")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at each scope beside the key's purpose."""
    for name, key in inputs.keys.items():
        for index, scope in enumerate(key.scopes or ()):
            if scope in _OWN_RULES or not _beyond(key.purpose, scope):
                continue
            yield RULE.finding(
                inputs.place(f"keys.{name}.scopes.{index}"),
                f"key `{name}` is for {key.purpose} and asks for {scope}",
                label="beyond its purpose",
                context=(("its purpose", inputs.place(f"keys.{name}.purpose")),),
                next_step=f"take `{scope}` out, or make a key of its own for it",
            )


def _beyond(purpose: str, scope: str) -> bool:
    return (purpose in _READS_ONLY and scope != "read") or (purpose in _TRADES and scope == "key_admin")

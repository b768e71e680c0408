"""Whether a symbol has one position or two is not said.

## What it finds
A policy that trades contracts without `account.position_mode`.

## Why
In hedge mode a sell can open a short leg beside the long one. Who takes it for a reduction lets it past every cap
(G35, PITFALLS 3).

## Bad
```yaml
account: {name: main, currency: USDT}
keys:
  mm-exec: {purpose: execution, scopes: [read, trade]}
risk:
  symbols: ["BTC/USDT:USDT"]
```
```finding
open certain policy.yaml:1:1 contracts are traded, and whether a symbol has one position or two is not said
```

## Good
```yaml
account: {name: main, currency: USDT, position_mode: one_way}
keys:
  mm-exec: {purpose: execution, scopes: [read, trade]}
risk:
  symbols: ["BTC/USDT:USDT"]
```
```yaml
account: {name: main, currency: USDT}
risk:
  symbols: ["BTC/USDT"]
```

## Source
GUIDE.md G35; PITFALLS.md 3 (hedge mode has two legs).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.budgets import products

RULE = Rule(
    "PK615",
    "position-mode-missing",
    "medium",
    ("G35",),
    "in hedge mode a sell can open a short leg beside the long one",
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for the position mode where contracts are traded."""
    if inputs.model.account.position_mode is None and inputs.trades and "swap" in products(inputs):
        yield RULE.finding(
            inputs.place("account.position_mode"),
            "contracts are traded, and whether a symbol has one position or two is not said",
            label="no `position_mode`",
            next_step="add `position_mode: one_way`, or `hedge` as the account is set",
        )

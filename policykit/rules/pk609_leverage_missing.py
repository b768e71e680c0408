"""Contracts may be traded at any leverage.

## What it finds
A policy that trades derivatives (by its exchange, its symbols or its keys' scopes), or whose key may borrow
(`trade.margin`), without `risk.max_leverage`.

## Why
Leverage decides how far the market has to move until the exchange closes the position for you; exchanges remember the
last setting of whoever used the account (G01). Low, because this version cannot hold the bound: it sees no leverage,
and a guard with `max_leverage` denies every increase in contracts (PK605).

## Bad
```yaml
keys:
  mm-exec: {purpose: execution, scopes: [read, trade]}
risk:
  symbols: ["BTC/USDT:USDT"]
```
```finding
open certain policy.yaml:3:1 contracts are traded and nothing bounds the leverage
```
```yaml
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.margin]}
risk:
  symbols: ["BTC/USDT"]
```
```finding
open certain policy.yaml:3:1 a key may borrow and nothing bounds the leverage
```

## Good
```yaml
keys:
  mm-exec: {purpose: execution, scopes: [read, trade]}
risk:
  symbols: ["BTC/USDT:USDT"]
  max_leverage: 3
```
```yaml
risk:
  symbols: ["BTC/USDT"]
```

## Source
GUIDE.md G01; PITFALLS.md 28 (freqtrade sets leverage and margin mode before every entry).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.budgets import products

RULE = Rule(
    "PK609",
    "leverage-missing",
    "low",
    ("G01",),
    "leverage decides how soon the exchange closes the position for you",
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for a bound on leverage where there can be any."""
    risk = inputs.model.risk
    if not inputs.trades or (risk is not None and risk.max_leverage is not None):
        return
    borrows = any("trade.margin" in (key.scopes or ()) for key in inputs.keys.values())
    if borrows or "swap" in products(inputs):
        yield RULE.finding(
            inputs.place("risk.max_leverage"),
            f"{'a key may borrow' if borrows else 'contracts are traded'} and nothing bounds the leverage",
            label="no `max_leverage`",
            next_step="set it at the exchange; under `max_leverage` a guard of this version denies every increase",
        )

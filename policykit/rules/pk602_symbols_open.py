"""A bot may trade every symbol.

## What it finds
A policy with a trading key and no `risk.symbols`, or with one that allows everything (`*`).

## Why
A thief of a key that only trades makes its victim buy his own illiquid coin at his price; in 2022 that emptied
accounts. A short list of liquid symbols leaves nothing to sell you (G01).

## Bad
```yaml
risk:
  max_order_notional: 1% of equity
```
```finding
open certain policy.yaml:1:1 any symbol may be traded
```
```yaml
risk:
  symbols: ["*", "!LUNA*"]
```
```finding
open certain policy.yaml:2:13 any symbol may be traded: "*" is everything
```
```yaml
risk:
  symbols: ["*/*:*"]
```
```finding
open certain policy.yaml:2:13 any symbol may be traded: "*/*:*" is everything
```

## Good
```yaml
risk:
  symbols: [BTC/USDT, ETH/USDT]
```

## Source
GUIDE.md G01; PITFALLS.md 29.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.model.symbols import matches
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK602", "symbols-open", "high", ("G01",), "a stolen key that only trades buys the thief's own coin")

#: A market that no list names: a pattern that matches it matches everything.
_ANY = ("?/?", "?/?:?")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for a list of symbols where a key trades."""
    if not inputs.trades:
        return
    symbols = inputs.model.risk.symbols if inputs.model.risk else None
    if not symbols or all(s.startswith("!") for s in symbols):
        yield RULE.finding(
            inputs.place("risk.symbols"),
            "any symbol may be traded",
            label="no `symbols`",
            next_step='name what the bot trades: `symbols: ["BTC/USDT"]`',
        )
        return
    for index, symbol in enumerate(symbols):
        if any(matches(symbol, market) for market in _ANY):
            yield RULE.finding(
                inputs.place(f"risk.symbols.{index}"),
                f'any symbol may be traded: "{symbol}" is everything',
                label="everything",
                next_step='name what the bot trades: `symbols: ["BTC/USDT"]`',
            )

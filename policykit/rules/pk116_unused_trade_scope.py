"""A key may trade a product of which the policy has no symbol.

## What it finds
A key for execution or hedging with `trade.derivatives` or `trade.options` where every symbol of `risk.symbols` is a
spot market, or with `trade.spot` or `trade.margin` where none is, on an exchange whose key page has each of them as a
permission of its own. `trade` without a product is not looked at, and a policy that names no symbols is PK602's.

## Why
What the bot may not trade by its policy, only a thief would trade with its key; derivatives add leverage to that (G07).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot, trade.derivatives]
risk:
  symbols: ["BTC/USDT", "*/USDC"]
```
```finding
open certain policy.yaml:4:32 key `mm-exec` asks for trade.derivatives; `risk.symbols` has no market of that kind
```
```yaml
keys:
  mm-exec:
    purpose: hedging
    scopes: [read, trade.spot, trade.derivatives]
risk:
  symbols: ["BTC/USDT:USDT", "!ETH/USDT"]
```
```finding
open certain policy.yaml:4:20 key `mm-exec` asks for trade.spot; `risk.symbols` has no market of that kind
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
  mm-hedge:
    purpose: hedging
    scopes: [read, trade.derivatives]
risk:
  symbols: ["BTC/USDT", "BTC/USDT:USDT"]
```
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot, trade.derivatives]
risk:
  symbols: ["BTC*"]
```
```yaml
exchange: okx
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot, trade.derivatives]
```

## Source
GUIDE.md G07 (a key has no more than its purpose needs).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK116",
    "unused-trade-scope",
    "medium",
    ("G07",),
    "what the policy does not trade, only a thief would trade with its key (G07)",
)

_DERIVATIVES = ("trade.derivatives", "trade.options")
_SPOT = ("trade.spot", "trade.margin")
_TRADES = ("execution", "hedging")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the kinds of trade that a key asks for with the kinds of market that the policy names."""
    symbols = inputs.model.risk.symbols if inputs.model.risk else None
    named = [s for s in symbols or () if not s.startswith("!")]
    if not named or inputs.traits is None:
        return
    spot = any(":" not in s for s in named)
    derivative = any(_may_be_derivative(s) for s in named)
    unused = (*(() if derivative else _DERIVATIVES), *(() if spot else _SPOT))
    for name, key in inputs.keys.items():
        for index, scope in enumerate(key.scopes or ()):
            # Where the exchange's page has one box for all trade, a scope of it cannot be taken away.
            if scope in unused and key.purpose in _TRADES and scope in inputs.traits.scope_labels:
                place = inputs.place(f"keys.{name}.scopes.{index}")
                yield RULE.finding(
                    place,
                    f"key `{name}` asks for {scope}; `risk.symbols` has no market of that kind",
                    label="nothing to trade with it",
                    context=(("all that is traded", inputs.place("risk.symbols")),),
                    next_step=f"take `{scope}` out, and untick {inputs.on_page(scope)} at {inputs.key_page()}",
                    fix=Fix.remove(place, f"take `{scope}` out"),
                )


def _may_be_derivative(pattern: str) -> bool:
    """Tell whether a pattern lets in a symbol with a settlement (`BTC/USDT:USDT`): after its slash, or by a glob."""
    quote = pattern.partition("/")[2]
    return not quote or ":" in quote or "*" in quote

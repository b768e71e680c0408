"""Nothing keeps an order's price near the market.

## What it finds
A live policy with a trading key and no `risk.price_collar`.

## Why
A price with a slipped digit, and a thief of a trade key who sells his own coin to you, both trade far from the market;
a collar refuses them (G01, PITFALLS 29). It judges orders that name a price: market orders take what they get, so keep
them out of `order_types` where they are not needed.

## Bad
```yaml
risk:
  symbols: ["BTC/USDT"]
  max_order_notional: 1.5% of equity
```
```finding
open certain policy.yaml:1:1 no price collar: an order may be priced at anything; market orders are allowed too
```
```yaml
risk:
  symbols: ["BTC/USDT"]
  order_types: [limit]
```
```finding
open certain policy.yaml:1:1 no price collar: an order may be priced at anything
```

## Good
```yaml
risk:
  symbols: ["BTC/USDT"]
  price_collar: {max_deviation: 2%, max_age: 2s}
```
```yaml
environment: sandbox
risk: {symbols: ["BTC/USDT"]}
```

## Source
GUIDE.md G01; PITFALLS.md 29; Commission Delegated Regulation (EU) 2017/589 (RTS 6), article 15(1)(a) (price collars).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK608", "collar-missing", "medium", ("G01",), "a slipped digit or a thief's own coin trades far from the market"
)

#: What the fix sets.
COLLAR = "{max_deviation: 2%}"


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for a collar where a key trades live."""
    risk = inputs.model.risk
    if inputs.model.environment != "live" or not inputs.trades or (risk is not None and risk.price_collar is not None):
        return
    types = risk.order_types if risk else None
    market = types is None or any("limit" not in kind for kind in types)
    place = inputs.place("risk.price_collar")
    yield RULE.finding(
        place,
        f"no price collar: an order may be priced at anything{'; market orders are allowed too' if market else ''}",
        label="no `price_collar`",
        next_step=f"add `price_collar: {COLLAR}` to `risk`",
        fix=Fix.add(place, COLLAR, "keep prices near the mark"),
    )

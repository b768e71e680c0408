"""A limit never binds: another one is always tighter.

## What it finds
A bound that another limit of the policy makes useless, because both bound the same thing and the other is tighter in
the same dimension: a cap on orders over the gross exposure, or over the cap on every position where nothing can be sold
short (an order that turns a short position is larger than what is held then), `max_orders` over what a rate budget lets
through, a price's age over the facts' age. With `account.max_equity` also an amount over what a share of that equity
comes to. Which limit lies inside which is said at the fields of the model. What only a profile says or what only a
stage shadows is no finding: the profile serves others, the stage passes.

## Why
Who wrote it believes that it holds; it says nothing, and the day the tighter one goes it is untested (G33 to G35).

## Bad
```yaml
risk:
  symbols: ["BTC/USDT"]
  max_order_notional: 10% of equity
  max_position_notional: {default: 5% of equity, "BTC/USDT": 8% of equity}
```
```finding
open certain policy.yaml:3:23 risk.max_order_notional 10% of equity never binds: risk.max_position_notional is at most
  8% of equity
```
```yaml
account: {name: main, currency: USDT, max_equity: 10000 USDT, max_age: 10s}
risk:
  symbols: ["BTC/USDT"]
  max_order_notional: [1% of equity, 500 USDT]
  max_position_notional: {default: 5% of equity, "BTC/USDT": 20% of equity}
  max_asset_exposure: 20% of equity
  max_gross_exposure: 10% of equity
  price_collar: {max_deviation: 2%, max_age: 1m}
```
```finding
open certain policy.yaml:4:38 risk.max_order_notional 500 USDT never binds: beside it is 1% of equity, 100 USDT of
  10000 USDT at most
open certain policy.yaml:8:46 risk.price_collar.max_age 1m never binds: account.max_age is 10s
open certain policy.yaml:6:23 risk.max_asset_exposure 20% of equity never binds: risk.max_gross_exposure is 10% of
  equity
```
```yaml
rate_budgets:
  orders: {limit: 50, per: 10s, window: fixed, shared_by: account, use_at_most: 80%}
risk:
  max_orders: {limit: 100, per: 10s}
```
```finding
open certain policy.yaml:4:23 risk.max_orders 100 per 10s never binds: rate_budgets.orders lets 80 through
```

## Good
```yaml
risk:
  symbols: ["BTC/USDT"]
  max_order_notional: [5% of equity, 500 USDT]
  max_position_notional: {default: 5% of equity, "BTC/USDT": 20% of equity}
  max_gross_exposure: 20% of equity
  max_orders: {limit: 80, per: 10s}
```
```yaml
risk:
  max_order_notional: 10% of equity
  max_position_notional: {"BTC/USDT": 5% of equity}
```

## Source
GUIDE.md G33, G34, G35; DESIGN.md, section 2 (dead-limit rules come from the strictness of the fields).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.dead import dead_limits

RULE = Rule("PK610", "dead-limit", "low", ("G33", "G34", "G35"), "a limit that never binds is believed in and untested")


def check(inputs: Inputs) -> Iterator[Finding]:
    """State each bound that is always behind a tighter one, and that this policy itself says."""
    seen: set[str] = set()
    for dead in dead_limits(inputs):
        place = dead.place
        if place.file not in (inputs.effective.file, dead.by.file) or dead.what in seen:
            continue
        seen.add(dead.what)
        yield RULE.finding(
            place,
            f"{dead.what} never binds: {dead.tighter}",
            label="never binds",
            next_step="take it out, or set it tighter than the other",
            context=(("always tighter", dead.by),),
        )

"""One order at the edge of its price collar can lose more than a day may.

## What it finds
A cap on orders times `price_collar.max_deviation` that is over `daily_loss.limit`, bound by bound in one dimension.

## Why
The daily loss is looked at before an order, not in the middle of one: a single order at the worst price that the
collar lets through goes past it at once (G36).

## Bad
```yaml
risk:
  symbols: ["BTC/USDT"]
  max_order_notional: 2% of equity
  price_collar: {max_deviation: 60%}
  daily_loss: {limit: 1% of equity}
```
```finding
open certain policy.yaml:4:33 one order of 2% of equity may lose 1.2% of equity inside its collar of 60%; a day may
  lose 1% of equity
```
```yaml
risk:
  max_order_notional: [1% of equity, 5000 USDT]
  price_collar: {max_deviation: 50%}
  daily_loss: {limit: [3% of equity, 2000 USDT]}
```
```finding
open likely policy.yaml:3:33 one order of 5000 USDT may lose 2500 USDT inside its collar of 50%; a day may lose 2000
  USDT
```

## Good
```yaml
risk:
  max_order_notional: 2% of equity
  price_collar: {max_deviation: 2%}
  daily_loss: {limit: [3% of equity, 500 USDT]}
```
```yaml
risk:
  max_order_notional: 10% of equity
  price_collar: {max_deviation: 30%}
  daily_loss: {limit: 3% of equity}
```

## Source
GUIDE.md G36, G33.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.units import Amount, Share, dimension

RULE = Rule(
    "PK606", "loss-under-collar", "medium", ("G36", "G33"), "one order can lose more than the day's limit (G36)"
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare what one order can lose inside its collar with the day's limit."""
    risk = inputs.model.risk
    if risk is None or not risk.max_order_notional or risk.price_collar is None or risk.daily_loss is None:
        return
    limits = {dimension(bound): bound for bound in risk.daily_loss.limit}
    deviation = risk.price_collar.max_deviation
    for bound in risk.max_order_notional:
        limit = limits.get(dimension(bound))
        lost = bound[0] * deviation.fraction
        if limit is not None and lost > limit[0]:
            loss = Amount(lost, bound.currency) if isinstance(bound, Amount) else Share(lost)
            yield RULE.finding(
                inputs.place("risk.price_collar.max_deviation"),
                f"one order of {bound} may lose {loss} inside its collar of {deviation}; a day may lose {limit}",
                confidence="certain" if len(risk.max_order_notional) == 1 else "likely",
                label="a day's loss in one order",
                next_step="narrow the collar, or lower `max_order_notional`",
            )
            return

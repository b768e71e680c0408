"""A day may lose too much, or its limit stops nothing.

## What it finds
A daily loss limit above 5 % of equity, or one whose breach only warns.

## Why
A strategy that has stopped working loses every day; beyond 3-5 % of capital all trading halts until a person has
looked (G36).

## Bad
```yaml
risk:
  daily_loss: {limit: 20% of equity, on_breach: halt}
```
```finding
open certain policy.yaml:2:23 a day may lose 20% of equity; the guide's range is 3-5%
```
```yaml
risk:
  daily_loss: {limit: 3% of equity, on_breach: warn}
```
```finding
open certain policy.yaml:2:48 a day that lost its limit goes on trading: the breach only warns
```

## Good
```yaml
risk:
  daily_loss: {limit: [3% of equity, 5000 USDT], on_breach: reduce_only}
```

## Source
GUIDE.md G36 (3-5 % of capital; beyond it all trading halts).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule
from policykit.units import Share

RULE = Rule("PK604", "daily-loss", "high", ("G36",), "a strategy that has stopped working loses every day (G36)")

#: The guide's largest loss of a day, as a share of equity.
MAX_SHARE = Share(Decimal("0.05"))


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the limit's share, and at what a breach does."""
    loss = inputs.model.risk.daily_loss if inputs.model.risk else None
    if loss is None:
        return
    shares = [b for b in loss.limit if isinstance(b, Share)]
    place = inputs.place("risk.daily_loss.limit")
    if shares and min(shares).fraction > MAX_SHARE.fraction:
        yield RULE.finding(
            place,
            f"a day may lose {min(shares)}; the guide's range is 3-5%",
            label=f'"{MAX_SHARE}" or less',
            next_step="lower the limit",
            fix=Fix.replace(place, str(MAX_SHARE), "lower the limit", safe=True) if len(loss.limit) == 1 else None,
        )
    if loss.on_breach == "warn":
        yield RULE.finding(
            inputs.place("risk.daily_loss.on_breach"),
            "a day that lost its limit goes on trading: the breach only warns",
            label="stops nothing",
            next_step="set `on_breach: reduce_only` or `halt`",
        )

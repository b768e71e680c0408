"""A day may lose too much, or its limit stops nothing.

## What it finds
A daily loss limit above 5 % of equity, or one whose breach only warns. An amount is compared with the equity that the
policy states (`account.max_equity`), and live with the one that the exchange reports when it is smaller; where neither
can be done, the share is unknown.

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

```yaml
account: {name: main, currency: USDT, max_equity: 10000 USDT}
risk:
  daily_loss: {limit: 800 USDT}
```
```finding
open certain policy.yaml:3:23 a day may lose 800 USDT, 8% of equity; the guide's range is 3-5%
```
```yaml
risk:
  daily_loss: {limit: [500 USDT, 10% of equity]}
```
```finding
open certain policy.yaml:2:34 a day may lose 10% of equity; the guide's range is 3-5%
```
```yaml
account: {name: main, currency: USDT, max_equity: 10000 USDT}
risk:
  daily_loss: {limit: 5 BTC}
```
```finding
unknown policy.yaml:3:23 what share of equity a day may lose is not known: the limit is not in USDT
```
```yaml
account: {name: main, currency: USDT}
risk:
  daily_loss: {limit: 800 USDT}
```
```finding
unknown policy.yaml:3:23 what share of equity a day may lose is not known: no `account.max_equity` is stated
```
```yaml
account: {name: main, currency: USDT, max_equity: 100000 USDT}
risk:
  daily_loss: {limit: 4000 USDT}
```
```json
{"account": {"equity": "20000 USDT"}}
```
```finding
open observed policy.yaml:3:23 a day may lose 4000 USDT, 20% of equity; the guide's range is 3-5%
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
from policykit.rules.caps import bound_place, judged, max_equity
from policykit.rules.holdings import equity, equity_lacks, evidence
from policykit.units import Amount, Share, plain

RULE = Rule(
    "PK604",
    "daily-loss",
    "high",
    ("G36",),
    "a strategy that has stopped working loses every day (G36)",
    ("policy", "snapshot"),
)

#: The guide's largest loss of a day, as a share of equity.
MAX_SHARE = Share(Decimal("0.05"))


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the limit's share, and at what a breach does."""
    loss = inputs.model.risk.daily_loss if inputs.model.risk else None
    if loss is None:
        return
    currency, stated = inputs.model.account.currency, max_equity(inputs)
    now = None if equity_lacks(inputs) else equity(inputs)  # an equity without all assets makes the share too large
    seen = now is not None and (stated is None or now < stated)
    said = judged(loss.limit, currency, now if seen else stated)
    if said is None:
        own = any(isinstance(b, Amount) and b.currency == currency for b in loss.limit)
        reason = "no `account.max_equity` is stated" if own else f"the limit is not in {currency}"
        yield RULE.unknown(
            inputs.place("risk.daily_loss.limit"),
            f"what share of equity a day may lose is not known: {reason}",
            "state `account.max_equity`, or add a share: [3% of equity, ...]",
        )
    elif said[1].fraction > MAX_SHARE.fraction:
        index, share = said
        place, bound = bound_place(inputs, "risk.daily_loss.limit", index), loss.limit[index]
        observed = None
        if now and seen and isinstance(bound, Amount):
            observed = evidence(inputs, "equity", "equity", f"{plain(now)} {currency}")
        yield RULE.finding(
            place,
            f"a day may lose {bound}{'' if isinstance(bound, Share) else f', {share}'}; the guide's range is 3-5%",
            confidence="observed" if observed else "certain",
            observed=observed,
            label=f'"{MAX_SHARE}" or less',
            next_step="lower the limit",
            fix=Fix.replace(place, str(MAX_SHARE), "lower the limit", safe=True) if isinstance(bound, Share) else None,
        )
    if loss.on_breach == "warn":
        place = inputs.place("risk.daily_loss.on_breach")
        yield RULE.finding(
            place,
            "a day that lost its limit goes on trading: the breach only warns",
            label="stops nothing",
            next_step="set `on_breach: reduce_only` or `halt`",
            fix=Fix.replace(place, "reduce_only", "let only reductions pass", safe=True),
        )

"""Nothing bounds the clock, or the bound is wider than the exchange's own.

## What it finds
A live policy with a trading key and no `clock.max_skew`, or one that is wider than the time by which the exchange lets
a request be signed ahead of its clock.

## Why
Within the policy's bound and beyond the exchange's, every request fails at once, exits too. Drift is to be noticed
before that (G03).

## Bad
```yaml
clock: {max_skew: 5s, request_validity: 5s}
```
```finding
open certain policy.yaml:1:19 the clock may be 5s off; binance refuses what is signed more than 1s ahead
```
```yaml
clock: {request_validity: 5s}
```
```finding
open certain policy.yaml:1:1 nothing bounds how far the clock may be off
```

## Good
```yaml
clock: {max_skew: 1s, request_validity: 5s}
```
```yaml
exchange: kraken
clock: {max_skew: 5s}
```
```yaml
environment: sandbox
clock: {request_validity: 5s}
```

## Source
GUIDE.md G03; Binance rest-api.md, "Timing security" (a5e0bc3), in the traits as `ahead_ms`.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule
from policykit.units import Duration

RULE = Rule("PK720", "clock-bound", "medium", ("G03",), "drift is to be noticed before every request fails (G03)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the bound with the shortest one of the exchange's order families."""
    if not inputs.trades or inputs.model.environment != "live":
        return
    bound = inputs.model.clock.max_skew if inputs.model.clock else None
    place = inputs.place("clock.max_skew")
    families = [f for p in inputs.traits.products.values() for f in p.families.values()] if inputs.traits else []
    ahead_ms = min((f.ahead_ms for f in families if f.ahead_ms is not None), default=None)
    if bound is None:
        yield RULE.finding(
            place,
            "nothing bounds how far the clock may be off",
            label="no `max_skew`",
            next_step="add `max_skew: 500ms`: beyond it increases are denied",
        )
    elif ahead_ms is not None and bound.ms > ahead_ms:
        widest = Duration(ahead_ms)
        yield RULE.finding(
            place,
            f"the clock may be {bound} off; {inputs.model.exchange} refuses what is signed more than {widest} ahead",
            label=f"{widest} or less",
            next_step=f"set `max_skew: {widest}` or less",
            fix=Fix.replace(place, str(widest), f"notice it at {widest}", safe=True),
        )

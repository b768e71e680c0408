"""A rate budget counts in a looser window than the exchange.

## What it finds
A budget under the published rate whose window still lets more through in the exchange's own: a longer span that may
be used up at once, or a fixed window where the exchange's rolls (two pass at its edge).

## Why
6,000 a minute is no more than 1,000 per ten seconds on average, and six times as much in the first ten seconds; the
exchange counts those (G24).

## Bad
```yaml
rate_budgets:
  orders: {limit: 300, per: 1m, window: fixed, shared_by: account, use_at_most: 80%}
```
```finding
open certain policy.yaml:2:29 budget `orders` lets 240 through in 10s; binance allows 50 in each fixed 10s
```
```yaml
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip, use_at_most: 80%}
```
```json
{"limits": [{"name": "request-weight", "limit": 1000, "per_ms": 10000}]}
```
```finding
open observed policy.yaml:2:38 budget `request-weight` lets 4,800 through in 10s; binance allows 1,000 in each fixed
  10s
```

## Good
```yaml
rate_budgets:
  orders: {limit: 50, per: 10s, window: rolling, shared_by: account, use_at_most: 80%}
  orders-day: {limit: 50, per: 1h, window: fixed, shared_by: account}
```

## Source
GUIDE.md G24; PITFALLS.md 13 (windows).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policykit.finding import Finding, Observed
from policykit.rules.base import Inputs, Rule
from policykit.rules.budgets import most_in, published
from policykit.units import Duration

if TYPE_CHECKING:
    from policykit.traits.base import RateWindow

RULE = Rule(
    "PK406",
    "budget-window",
    "high",
    ("G24", "G23"),
    "the exchange counts in its own window; what comes at once is over it (G24)",
    ("policy", "snapshot"),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Ask of each budget what it lets through in the exchange's window."""
    for name, budget in (inputs.model.rate_budgets or {}).items():
        for window in published(inputs, name):
            over_rate = budget.limit * window.per_ms > window.limit * budget.per.ms
            most = most_in(budget, budget.for_exits, window.per_ms, aligned=window.window == "fixed")
            if over_rate or most <= window.limit:  # over the rate is PK401's
                continue
            differs = "per" if budget.per.ms != window.per_ms else "window"
            span = Duration(window.per_ms)
            seen = _seen(inputs, window)
            yield RULE.finding(
                inputs.place(f"rate_budgets.{name}.{differs}"),
                f"budget `{name}` lets {most:,} through in {span}; {inputs.model.exchange} allows {window.limit:,} in "
                f"each {window.window} {span}",
                confidence="observed" if seen else "certain",
                observed=seen,
                label=f'"{span}" is the exchange\'s' if differs == "per" else "two windows pass at its edge",
                next_step=f"count as the exchange does: `per: {span}`, `window: {window.window}`",
            )
            break


def _seen(inputs: Inputs, window: RateWindow) -> Observed | None:
    """Return the evidence of an allowance, when it is one that the exchange published and not the documented one."""
    for one in inputs.snapshot.limits if inputs.snapshot else []:
        if (one.name, one.limit, one.per_ms) == (window.name, window.limit, window.per_ms):
            return inputs.evidence(one.endpoint, f"limits.{one.name}", one.limit, one.at)
    return None

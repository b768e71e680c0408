"""A rate budget has a name that the exchange's traits do not know.

## What it finds
A budget that is not named as the traits of its exchange name an allowance. Of an exchange without traits it is
unknown; of an id that ccxt does not have, PK730 says all.

## Why
What a call costs is found by the budget's name: under another name nothing is counted but what `costs` lists (G22), and
a guard denies increases rather than leave a limit unenforced.

## Bad
```yaml
rate_budgets:
  mine: {limit: 6000, per: 1m, window: fixed, shared_by: ip, costs: {"POST /api/v3/order": 1}}
  weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip}
```
```finding
open certain policy.yaml:3:3 budget `weight` is none of binance's: request-weight, orders and orders-day
```
```yaml
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip}
  request_weight: {limit: 600, per: 1m, window: fixed, shared_by: ip}
```
```finding
open certain policy.yaml:3:3 budget `request_weight` is none of binance's: request-weight, orders and orders-day
```
```yaml
rate_budgets:
  request_weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip}
```
```finding
open certain policy.yaml:2:3 budget `request_weight` is none of binance's: request-weight, orders and orders-day
```
```yaml
exchange: kraken
rate_budgets:
  counter: {limit: 15, per: 45s, window: rolling, shared_by: key}
  orders: {limit: 60, per: 1m, window: rolling, shared_by: account}
```
```finding
unknown policy.yaml:3:3 what `counter` counts is not known: policykit does not know the limits of kraken
unknown policy.yaml:4:3 what `orders` counts is not known: policykit does not know the limits of kraken
```

## Good
```yaml
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip}
  mine: {limit: 6000, per: 1m, window: fixed, shared_by: ip, costs: {"POST /api/v3/order": 1}}
```

```yaml
exchange: binanse
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip}
```

## Source
GUIDE.md G22; DESIGN.md, section 3 (`rate_budgets`: named as traits name them).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule, words
from policykit.traits import exists

#: How alike a name must be to be suggested.
ALIKE = 0.6

RULE = Rule("PK403", "budget-unnamed", "medium", ("G22",), "what a call costs is found by the budget's name (G22)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look each budget up in the traits; one that lists its own costs stands for itself."""
    budgets = inputs.model.rate_budgets or {} if exists(inputs.model.exchange) else {}
    for name, budget in budgets.items():
        if budget.costs:
            continue
        place = inputs.effective.key_place(f"rate_budgets.{name}")._replace(path=f"rate_budgets.{name}")
        if inputs.traits is None:
            yield RULE.unknown(
                place,
                f"what `{name}` counts is not known: policykit does not know the limits of {inputs.model.exchange}",
                'every call counts one; where a read weighs more, say so: `costs: {"GET /path": 10}`',
            )
            continue
        known = tuple(dict.fromkeys(w.name for w in inputs.traits.rate_windows))
        if name not in known:
            free = [other for other in known if other not in budgets]
            close = difflib.get_close_matches(name, free, cutoff=ALIKE)
            said_here = f"rate_budgets.{name}" in inputs.effective.key_places
            yield RULE.finding(
                place,
                f"budget `{name}` is none of {inputs.model.exchange}'s: {words(known)}",
                label=f"did you mean `{close[0]}`?" if close else "counts nothing",
                next_step="use the exchange's name, or list what calls cost under `costs`",
                fix=Fix.replace(place, close[0], f"write `{close[0]}`") if close and said_here else None,
            )

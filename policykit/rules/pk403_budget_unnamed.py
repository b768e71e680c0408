"""A rate budget has a name that the exchange's traits do not know.

## What it finds
A budget that is not named as the traits of its exchange name an allowance. Of an exchange without traits it is
unknown.

## Why
What a call costs is found by the budget's name: under another name nothing is counted but what `costs` lists (G22).

## Bad
```yaml
rate_budgets:
  weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip}
```
```finding
open certain policy.yaml:2:11 budget `weight` is none of binance's: request-weight, orders and orders-day
```
```yaml
exchange: kraken
rate_budgets:
  counter: {limit: 15, per: 45s, window: rolling, shared_by: key}
```
```finding
unknown policy.yaml:3:12 what `counter` counts is not known: policykit has no traits of kraken
```

## Good
```yaml
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip}
  mine: {limit: 6000, per: 1m, window: fixed, shared_by: ip, costs: {"POST /api/v3/order": 1}}
```

## Source
GUIDE.md G22; DESIGN.md, section 3 (`rate_budgets`: named as traits name them).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, words

RULE = Rule("PK403", "budget-unnamed", "medium", ("G22",), "what a call costs is found by the budget's name (G22)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look each budget up in the traits; one that lists its own costs stands for itself."""
    for name, budget in (inputs.model.rate_budgets or {}).items():
        place = inputs.place(f"rate_budgets.{name}")
        if budget.costs:
            continue
        if inputs.traits is None:
            yield RULE.unknown(
                place,
                f"what `{name}` counts is not known: policykit has no traits of {inputs.model.exchange}",
                "list the costs of the calls that the bot makes under `costs`",
            )
        elif name not in {w.name for w in inputs.traits.rate_windows}:
            known = words(dict.fromkeys(w.name for w in inputs.traits.rate_windows))
            yield RULE.finding(
                place,
                f"budget `{name}` is none of {inputs.model.exchange}'s: {known}",
                label="counts nothing",
                next_step="use the exchange's name, or list what calls cost under `costs`",
            )

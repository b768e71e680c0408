"""Limits contradict each other: nothing can be traded.

## What it finds
A rate budget whose reserve for exits leaves no room for one order, and a `risk.symbols` whose exclusions take out all
that it names.

## Why
Every entry is denied, and what is found out at the first signal is loosened in a hurry (G34).

## Bad
```yaml
rate_budgets:
  orders: {limit: 50, per: 10s, window: fixed, shared_by: account, use_at_most: 50%, keep_for_exits: 50%}
```
```finding
open certain policy.yaml:2:102 budget `orders` leaves 0 for entries: 25 may be used and 25 of them are kept for exits
```
```yaml
risk:
  symbols: ["LUNA/USDT", "LUNA2/*", "!LUNA*"]
```
```finding
open certain policy.yaml:2:12 no symbol may be traded: the exclusions take out all that is named
```

## Good
```yaml
rate_budgets:
  orders: {limit: 50, per: 10s, window: fixed, shared_by: account, use_at_most: 80%, keep_for_exits: 10%}
  few: {limit: 2, per: 10s, window: fixed, shared_by: account, keep_for_exits: 50%, costs: {"POST /api/v3/order": 1}}
risk:
  symbols: ["*/USDT", "!LUNA*"]
```
```yaml
risk:
  symbols: ["!LUNA*"]
```

## Source
GUIDE.md G22, G34; DESIGN.md, section 2.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.model.symbols import matches
from policykit.rules.base import Inputs, Rule
from policykit.rules.budgets import order_costs, wanted

RULE = Rule("PK611", "limits-contradict", "medium", ("G34", "G22"), "what denies every entry is loosened in a hurry")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for budgets without room for an order, then for symbols that are all excluded."""
    for name, budget in (inputs.model.rate_budgets or {}).items():
        costs = order_costs(inputs, name, budget)
        if costs and costs[0] > budget.for_entries:
            kept = budget.for_exits - budget.for_entries
            yield RULE.finding(
                inputs.place(f"rate_budgets.{name}.keep_for_exits"),
                f"budget `{name}` leaves {budget.for_entries:,} for entries: {budget.for_exits:,} may be used and "
                f"{kept:,} of them are kept for exits",
                label="no room for an order",
                next_step="keep less for exits, or use more of the limit",
            )
    symbols = (inputs.model.risk.symbols if inputs.model.risk else None) or ()
    without = [s[1:] for s in symbols if s.startswith("!")]
    allowed = wanted(inputs)
    nothing = bool(allowed) and all(any(matches(w, p) for w in without) for p in allowed)
    if nothing or "*" in without:
        yield RULE.finding(
            inputs.place("risk.symbols"),
            "no symbol may be traded: the exclusions take out all that is named",
            label="allows nothing",
            next_step="take out the exclusion, or name what the bot trades",
        )

"""A policy with a key that trades has no rate budget.

## What it finds
A policy with a trading key and no `rate_budgets`.

## Why
A bot that throttles itself only after a 429 is banned sooner or later, together with every other bot behind the same
address (G23, G25).

## Bad
```yaml
rate_budgets: {}
```
```finding
open certain policy.yaml:1:15 no rate budget: nothing keeps the bot under the exchange's limits
```

## Good
```yaml
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip, keep_for_exits: 10%}
```

## Source
GUIDE.md G25; PITFALLS.md 14.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, words

RULE = Rule(
    "PK402",
    "budget-missing",
    "medium",
    ("G25", "G23"),
    "a bot that waits for the first 429 is banned with its neighbours",
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for a budget where a key trades."""
    if inputs.trades and not inputs.model.rate_budgets:
        names = words(dict.fromkeys(w.name for w in inputs.traits.rate_windows)) if inputs.traits else ""
        yield RULE.finding(
            inputs.place("rate_budgets"),
            "no rate budget: nothing keeps the bot under the exchange's limits",
            label="no budget",
            next_step=f"add `rate_budgets`{f'; {inputs.model.exchange} has {names}' if names else ''}",
        )

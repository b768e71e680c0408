"""A rate budget keeps nothing for exits.

## What it finds
A budget whose `keep_for_exits` is absent or 0 %.

## Why
When a runaway loop has used the allowance up, the cancel and the closing order are the calls that must still go out
(G23).

## Bad
```yaml
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip}
```
```finding
open certain policy.yaml:2:3 budget `request-weight` keeps nothing for cancels and exits
```

```yaml
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip, keep_for_exits: 0%}
```
```finding
open certain policy.yaml:2:88 budget `request-weight` keeps nothing for cancels and exits
```

## Good
```yaml
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip, keep_for_exits: 10%}
```

## Source
GUIDE.md G23; PITFALLS.md 4 (cancels have their own reserve of the budget).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK404", "no-exit-reserve", "medium", ("G23",), "a ban or an empty budget must not block the way out (G23)")

#: What the fix keeps.
RESERVE = "10%"


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at each budget's reserve."""
    for name, budget in (inputs.model.rate_budgets or {}).items():
        if budget.keep_for_exits is None or budget.keep_for_exits.fraction == 0:
            place, absent = inputs.place(f"rate_budgets.{name}.keep_for_exits"), budget.keep_for_exits is None
            yield RULE.finding(
                place,
                f"budget `{name}` keeps nothing for cancels and exits",
                label="no reserve",
                next_step=f"{'add' if absent else 'set'} `keep_for_exits: {RESERVE}`",
                fix=(Fix.add if absent else Fix.replace)(place, RESERVE, f"keep {RESERVE} for exits"),
            )

"""A rate budget may be used to the last unit.

## What it finds
A budget that may use all that the exchange allows: `use_at_most` is absent or so high that nothing is left between
the budget and the allowance. One whose `limit` is below the allowance has its head-room there.

## Why
Requests of a person, of a restart or of another tool count too; who throttles only at the limit is over it (G25).

## Bad
```yaml
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip, keep_for_exits: 10%}
```
```finding
open certain policy.yaml:2:3 budget `request-weight` may be used to the last unit: 6,000 per 1m
```
```yaml
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip, use_at_most: 100%, keep_for_exits: 10%}
```
```finding
open certain policy.yaml:2:85 budget `request-weight` may be used to the last unit: 6,000 per 1m
```
```yaml
rate_budgets:
  desk: {limit: 10, per: 1m, window: fixed, shared_by: ip, costs: {"POST /api/v3/order": 1}}
```
```finding
open likely policy.yaml:2:3 budget `desk` may be used to the last unit: 10 per 1m
```

## Good
```yaml
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip, use_at_most: 80%}
  orders: {limit: 40, per: 10s, window: fixed, shared_by: account}
```

## Source
GUIDE.md G25 (the bot throttles itself ahead of the limit).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule
from policykit.rules.budgets import published

RULE = Rule(
    "PK405",
    "no-head-room",
    "medium",
    ("G25",),
    "who throttles only at the limit is over it: others behind the address count too (G25)",
)

#: What the fix lets a budget use.
ROOM = "80%"


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare what each budget may use with the allowance of its name, else with its own limit."""
    for name, budget in (inputs.model.rate_budgets or {}).items():
        allowed = [(w.limit, w.per_ms) for w in published(inputs, name)]
        used = budget.for_exits
        full = any(
            used * per_ms >= limit * budget.per.ms for limit, per_ms in allowed or [(budget.limit, budget.per.ms)]
        )
        if full:
            place = inputs.place(f"rate_budgets.{name}.use_at_most")
            absent = budget.use_at_most is None
            yield RULE.finding(
                place,
                f"budget `{name}` may be used to the last unit: {used:,} per {budget.per}",
                confidence="certain" if allowed else "likely",
                label="no `use_at_most`" if absent else "all of it",
                next_step=f"{'add' if absent else 'set'} `use_at_most: {ROOM}`",
                fix=(Fix.add if absent else Fix.replace)(place, ROOM, f"use at most {ROOM}"),
            )

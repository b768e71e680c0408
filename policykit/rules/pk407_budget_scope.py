"""A rate budget is counted for each account or key where the exchange counts for all.

## What it finds
A budget whose `shared_by` is not what shares the allowance at the exchange: counted for each account where everything
behind one address shares it, for each key where the account does, for each address where the account does.

## Why
Four bots with a budget of their own behind one address use four times the allowance: 429, then 418, and no exit
(PITFALLS, story 4).

## Bad
```yaml
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: account, use_at_most: 80%}
  orders-day: {limit: 160000, per: 24h, window: fixed, shared_by: account, use_at_most: 80%}
  orders: {limit: 50, per: 10s, window: fixed, shared_by: key, use_at_most: 80%}
```
```finding
open certain policy.yaml:2:68 budget `request-weight` is counted for each account; binance counts it for each address
open certain policy.yaml:4:59 budget `orders` is counted for each key; binance counts it for each account
```
```yaml
rate_budgets:
  orders: {limit: 50, per: 10s, window: fixed, shared_by: ip, use_at_most: 80%}
```
```finding
open certain policy.yaml:2:59 budget `orders` is counted for each address; binance counts it for each account
```

## Good
```yaml
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip}
  orders: {limit: 50, per: 10s, window: fixed, shared_by: account}
```

## Source
GUIDE.md G24, G25; PITFALLS.md 14 (weights are per address, order counts per account, on Binance).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule
from policykit.rules.budgets import published

RULE = Rule(
    "PK407",
    "budget-scope",
    "high",
    ("G24", "G25"),
    "bots that each count a shared allowance for themselves use it several times over",
)

_WORDS = {"ip": "address", "account": "account", "key": "key"}


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare what each budget is counted by with what shares the allowance."""
    for name, budget in (inputs.model.rate_budgets or {}).items():
        scopes = {window.scope for window in published(inputs, name)}
        # An allowance of each key that is counted for the whole account is only stricter.
        if len(scopes) != 1 or budget.shared_by in scopes or scopes == {"key"}:
            continue
        scope = scopes.pop()
        place = inputs.place(f"rate_budgets.{name}.shared_by")
        yield RULE.finding(
            place,
            f"budget `{name}` is counted for each {_WORDS[budget.shared_by]}; {inputs.model.exchange} counts it for "
            f"each {_WORDS[scope]}",
            label=f"`{scope}` at the exchange",
            next_step=f"set `shared_by: {scope}`",
            fix=Fix.replace(place, scope, f"count for each {_WORDS[scope]}", safe=True),
        )

"""A rate budget is shared by address, and the address has no name.

## What it finds
A live policy with a rate budget `shared_by: ip` and without `account.egress`.

## Why
Whoever sends from one address spends one budget. Without a name all such policies of an exchange count into one, and a
bot that counts into a named one is not among them: the exchange answers with a ban that stops exits too (G25, G23).

## Bad
```yaml
account: {name: main, currency: USDT}
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip}
```
```finding
open certain policy.yaml:3:68 budget `request-weight` is shared by address, and `account.egress` does not name it
```

## Good
```yaml
account: {name: main, currency: USDT, egress: fra-1}
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip}
```
```yaml
account: {name: main, currency: USDT}
rate_budgets:
  orders: {limit: 50, per: 10s, window: fixed, shared_by: account}
```
```yaml
environment: sandbox
account: {name: main, currency: USDT}
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip}
```

## Source
GUIDE.md G23, G25; DESIGN.md, section 8 (address budgets are counted by exchange and egress name).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK209",
    "egress-unnamed",
    "low",
    ("G25", "G23"),
    "what is shared by address is counted by the address's name (G25)",
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for budgets by address; the first one is named."""
    if inputs.model.account.egress is not None or inputs.model.environment != "live":
        return
    for name, budget in (inputs.model.rate_budgets or {}).items():
        if budget.shared_by == "ip":
            yield RULE.finding(
                inputs.place(f"rate_budgets.{name}.shared_by"),
                f"budget `{name}` is shared by address, and `account.egress` does not name it",
                label="by which address?",
                next_step="name the address that requests leave from: `account: {egress: fra-1}`",
            )
            return

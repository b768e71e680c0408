"""Nothing says how persons log in at the exchange, or whether withdrawals are bound to known addresses.

## What it finds
A live policy with a trading key and without `account_security`, or without `withdrawals`.

## Why
The account outranks every key: whoever logs in makes a key without these limits, and adds an address to withdraw to.
What nobody wrote down, nobody has looked at (G42, G43, G44).

## Bad
```yaml without account_security
environment: live
```
```finding
open certain policy.yaml:5:1 nothing says which second factor guards the account
```
```yaml without withdrawals
environment: live
```
```finding
open certain policy.yaml:5:1 nothing says whether withdrawals are bound to known addresses
```

## Good
```yaml
withdrawals: {allowlist: required}
account_security: {second_factor: totp, by: desk-head, at: 2026-11-01}
```

## Source
GUIDE.md G42, G43, G44.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK717", "account-undeclared", "low", ("G42", "G43", "G44"), "what nobody wrote down, nobody has looked at (G43)"
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for both sections."""
    if not inputs.trades or inputs.model.environment != "live":
        return
    if inputs.model.account_security is None:
        yield RULE.finding(
            inputs.place("account_security"),
            "nothing says which second factor guards the account",
            label="no `account_security`",
            next_step="look at the exchange, then add `account_security: {second_factor: ..., by: ..., at: ...}`",
        )
    if inputs.model.withdrawals is None:
        yield RULE.finding(
            inputs.place("withdrawals"),
            "nothing says whether withdrawals are bound to known addresses",
            label="no `withdrawals`",
            next_step="switch the allowlist on at the exchange, then add `withdrawals: {allowlist: required}`",
        )

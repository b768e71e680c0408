"""The account's second factor is weak.

## What it finds
`account_security.second_factor` of `none` or `sms`.

## Why
Whoever logs in makes keys without any of these limits; a phone number is moved to another card with one call to its
company (G43).

## Bad
```yaml
account_security: {second_factor: sms, by: desk-head, at: 2026-11-01}
```
```finding
open certain policy.yaml:1:35 the account's second factor is sms
```

## Good
```yaml
account_security: {second_factor: totp, by: desk-head, at: 2026-11-01}
```

## Source
GUIDE.md G43.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK706", "second-factor", "medium", ("G43",), "whoever logs in makes keys without limits (G43)")

_WEAK = ("none", "sms")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the second factor that was declared."""
    security = inputs.model.account_security
    if security is not None and security.second_factor in _WEAK:
        yield RULE.finding(
            inputs.place("account_security.second_factor"),
            f"the account's second factor is {security.second_factor}",
            label="a hardware key, or at least totp",
            next_step="set a hardware key at the exchange, then record it here",
        )

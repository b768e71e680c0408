"""A vendor must not hold a key.

## What it finds
A vendor that asks for withdraw, for the secret itself or for remote access, or that shows no log of what it did.

## Why
These are the signs that disqualify, whatever else it offers: with them, its breach is your loss and nobody can tell
what happened (G47).

## Bad
```yaml
vendors:
  signals-inc: {asks_for: [read, trade, withdraw], activity_logs: true}
```
```finding
open certain policy.yaml:2:41 vendor `signals-inc` asks for the withdraw permission
```
```yaml
vendors:
  signals-inc: {asks_for: [read], activity_logs: false}
```
```finding
open certain policy.yaml:2:50 vendor `signals-inc` shows no log of what it did
```

## Good
```yaml
vendors:
  tax-report: {asks_for: [read], activity_logs: true}
```

## Source
GUIDE.md G46, G47.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK801", "vendor-disqualified", "critical", ("G47", "G46"), "its breach would be your loss (G47)")

_NEVER = {"withdraw": "the withdraw permission", "secret": "the secret itself", "remote_access": "remote access"}


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for each sign that disqualifies."""
    for name, vendor in (inputs.model.vendors or {}).items():
        for index, asked in enumerate(vendor.asks_for or ()):
            if asked in _NEVER:
                yield RULE.finding(
                    inputs.place(f"vendors.{name}.asks_for.{index}"),
                    f"vendor `{name}` asks for {_NEVER[asked]}",
                    label="disqualifies",
                    next_step="do not give it a key; delete the one it has",
                )
        if vendor.activity_logs is False:
            yield RULE.finding(
                inputs.place(f"vendors.{name}.activity_logs"),
                f"vendor `{name}` shows no log of what it did",
                label="disqualifies",
                next_step="do not give it a key; delete the one it has",
            )

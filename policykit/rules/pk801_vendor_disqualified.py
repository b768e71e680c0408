"""A vendor must not hold a key.

## What it finds
A vendor that asks for withdraw, for the secret itself or for remote access, that shows no log of what it did, or that
was asked (`reviewed`) and has still not answered one of the guide's questions.

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

```yaml
vendors:
  signals-inc: {asks_for: [secret, remote_access], activity_logs: true, ip_restricted_keys: true, reviewed: 2026-11-01}
```
```finding
open certain policy.yaml:2:28 vendor `signals-inc` asks for the secret itself
open certain policy.yaml:2:36 vendor `signals-inc` asks for remote access
open certain policy.yaml:2:16 vendor `signals-inc` was asked on 2026-11-01 and did not answer: whether it can be cut off
  at once, whether its dashboard has a second factor and whether it told of past incidents
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
from policykit.rules.base import Inputs, Rule, words
from policykit.rules.vendors import NEVER, unanswered

RULE = Rule("PK801", "vendor-disqualified", "critical", ("G47", "G46"), "its breach would be your loss (G47)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for each sign that disqualifies."""
    for name, vendor in (inputs.model.vendors or {}).items():
        for index, asked in enumerate(vendor.asks_for or ()):
            if asked in NEVER:
                yield RULE.finding(
                    inputs.place(f"vendors.{name}.asks_for.{index}"),
                    f"vendor `{name}` asks for {NEVER[asked]}",
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
        silent = unanswered(vendor)
        if vendor.reviewed is not None and silent:
            yield RULE.finding(
                inputs.place(f"vendors.{name}"),
                f"vendor `{name}` was asked on {vendor.reviewed} and did not answer: {words(silent)}",
                label="disqualifies",
                next_step="do not give it a key; delete the one it has",
            )

"""Nothing says at which stage the policy is.

## What it finds
A live policy with a trading key and no `stage`.

## Why
Without a stage the bot trades at full size from its first order: the sandbox, the weeks on paper and the small sizes
are skipped, and no cap is lowered for a start (G41).

## Bad
```yaml without stage
environment: live
```
```finding
open certain policy.yaml:5:1 nothing says at which stage this is: the first order may have full size
```

## Good
```yaml
stage: {current: micro-live, since: 2026-11-01}
```

## Source
GUIDE.md G41.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK711", "stage-unsaid", "medium", ("G41",), "without a stage the first order has full size (G41)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for the section."""
    if inputs.model.stage is None and inputs.trades and inputs.model.environment == "live":
        yield RULE.finding(
            inputs.place("stage"),
            "nothing says at which stage this is: the first order may have full size",
            label="no `stage`",
            next_step="start with `stage: {current: micro-live}`; say `full-live` once it was earned",
        )

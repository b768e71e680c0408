"""A policy for the live exchange is still at the sandbox stage.

## What it finds
`stage.current: sandbox` with `environment: live`, or without one, which is live.

## Why
Nothing is proved yet, so a guard lets no order out, exits neither. Whoever moved one of the two words meant to move the
other as well (G41).

## Bad
```yaml
environment: live
stage: {current: sandbox, next_needs: {days: 7, orders: 100, approver: desk-head}}
```
```finding
open certain policy.yaml:2:18 the stage is sandbox and the environment is live: a guard lets no order out
```

## Good
```yaml
environment: sandbox
stage: {current: sandbox, next_needs: {days: 7, orders: 100, approver: desk-head}}
```
```yaml
environment: live
stage: {current: micro-live, next_needs: {days: 7, orders: 100, approver: desk-head}}
```

## Source
GUIDE.md G41; the engine's check `stage.current`, reason STAGE_SANDBOX.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK722", "stage-sandbox-live", "medium", ("G41",), "a stage that lets nothing out looks like a broken bot")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the stage with the environment, as the engine does."""
    stage = inputs.model.stage
    if stage is not None and stage.current == "sandbox" and inputs.model.environment == "live":
        yield RULE.finding(
            inputs.place("stage.current"),
            "the stage is sandbox and the environment is live: a guard lets no order out",
            label="no order leaves",
            next_step="set `environment: sandbox`, or the stage that was reached, such as `current: micro-live`",
        )

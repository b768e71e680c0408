"""A stage may be left sooner than the guide has it.

## What it finds
`stage.next_needs.days` under the guide's least time for the stage: sandbox 7, paper 14, micro-live 7, small-live 14
days. At full-live no stage follows, and nothing is asked.

## Why
A strategy that is right for three days has seen one kind of market, and few of the errors an exchange makes (G41).

## Bad
```yaml
stage: {current: small-live, since: 2026-11-01, next_needs: {days: 7, orders: 200, approver: desk-head}}
```
```finding
open certain policy.yaml:1:68 small-live may be left after 7 days; the guide asks for 14
```
```yaml
stage: {current: sandbox, since: 2026-11-20, next_needs: {days: 1, orders: 200, approver: desk-head}}
```
```finding
open certain policy.yaml:1:65 sandbox may be left after 1 day; the guide asks for 7
```

## Good
```yaml
stage: {current: micro-live, since: 2026-11-01, next_needs: {days: 7, orders: 200, approver: desk-head}}
```
```yaml
stage: {current: small-live, since: 2026-11-01, next_needs: {days: 21, orders: 200, approver: desk-head}}
```
```yaml
stage: {current: full-live, since: 2026-11-01, next_needs: {days: 1}}
```
```yaml
stage: {current: paper, since: 2026-11-01, next_needs: {approver: desk-head}}
```

## Source
GUIDE.md G41.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import DAY_MS, Inputs, Rule, days
from policykit.rules.stages import MINIMUM_DAYS

RULE = Rule("PK712", "stage-too-short", "medium", ("G41",), "a few days show one kind of market (G41)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the days that the stage needs with the guide's."""
    stage = inputs.model.stage
    needs = stage.next_needs if stage is not None else None
    if stage is None or needs is None or needs.days is None:
        return
    least = MINIMUM_DAYS.get(stage.current, 0)
    if needs.days < least:
        place = inputs.place("stage.next_needs.days")
        yield RULE.finding(
            place,
            f"{stage.current} may be left after {days(needs.days * DAY_MS)}; the guide asks for {least}",
            label=f"{least} or more",
            next_step=f"set `days: {least}`",
            fix=Fix.replace(place, str(least), f"stay {least} days", safe=True),
        )

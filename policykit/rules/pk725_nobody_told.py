"""Nobody is told what cannot wait.

## What it finds
A policy with `notify:` of which some critical cause (a halt, an order of unknown outcome, a guard that denies every
increase or is silent, drift) goes to no target.

## Why
A dead bot and a halted account look alike from a bed: somebody's phone has to ring, or the loss goes on until morning
(G36, G42). Who reads `notify:` in a policy believes that it does.

## Bad
```yaml
notify: {repeat: 1h}
```
```finding
open certain policy.yaml:1:9 nobody is told of halt, unknown_order, cannot_decide, guard_silent, drift
```
```yaml
notify:
  targets:
    pager: {secret: "env://PAGER", causes: [halt, unknown_order, drift, loss]}
    chat: {secret: "env://CHAT", causes: [guard_silent], severity: critical}
```
```finding
open certain policy.yaml:2:3 nobody is told of cannot_decide
```

## Good
```yaml
notify:
  targets:
    pager: {secret: "env://PAGER", severity: critical}
    chat: {secret: "env://CHAT"}
```

## Source
GUIDE.md G36, G42.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from policykit.finding import Finding
from policykit.model.notify import CRITICAL, Cause
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK725", "nobody-told", "medium", ("G36", "G42"), "a phone that does not ring looks like a quiet night")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for critical causes that no target is told of."""
    notify = inputs.model.notify
    if notify is None or inputs.effective.profile:
        return
    told = [cause for target in (notify.targets or {}).values() for cause in target.causes or get_args(Cause)]
    missed = [cause for cause in get_args(Cause) if cause in CRITICAL and cause not in told]
    if missed:
        yield RULE.finding(
            inputs.place("notify.targets" if notify.targets else "notify"),
            f"nobody is told of {', '.join(missed)}",
            label="no target has it" if len(missed) == 1 else "no target has them",
            next_step="give one target no `causes`: it is told of everything; try it with policykit notify test",
        )

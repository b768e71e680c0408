"""A key may trade while the policy is on paper.

## What it finds
A key with a trade scope in a live policy whose `stage.current` is `paper`. Keys of a sandbox move no money and are not
looked at; a key for tracking or market data may not trade at any stage (PK105).

## Why
On paper fills are simulated on live data, and a read-only key is enough; with one that trades, the first bug sends a
real order (G41).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
stage: {current: paper}
```
```finding
open certain policy.yaml:4:20 key `mm-exec` asks for trade.spot in the paper stage; a read-only key is enough
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read]
stage: {current: paper}
```
```yaml
keys:
  dashboard:
    purpose: tracking
    scopes: [read, trade.spot]
stage: {current: paper}
```
```yaml
environment: sandbox
stage: {current: paper}
```

## Source
GUIDE.md G41 (paper: 2-4 weeks, a read-only key on live data with simulated fills).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule
from policykit.rules.pk105_purpose_scope import READS_ONLY

RULE = Rule(
    "PK112",
    "paper-trade-scope",
    "medium",
    ("G41", "G07"),
    "on paper nothing is sent: a key that trades can only do harm (G41)",
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for trade scopes where the stage is paper."""
    stage = inputs.model.stage
    if stage is None or stage.current != "paper" or inputs.model.environment != "live":
        return
    for name, key in inputs.keys.items():
        for index, scope in enumerate(key.scopes or ()):
            if scope.startswith("trade") and key.purpose not in READS_ONLY:
                place = inputs.place(f"keys.{name}.scopes.{index}")
                yield RULE.finding(
                    place,
                    f"key `{name}` asks for {scope} in the paper stage; a read-only key is enough",
                    label="not needed on paper",
                    context=(("the stage", inputs.place("stage.current")),),
                    next_step="use a read-only key until micro-live, and make the trading key then",
                    fix=Fix.remove(place, f"take `{scope}` out"),
                )

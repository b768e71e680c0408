"""Nobody has said how often the kill switch is drilled.

## What it finds
A live policy with a trading key whose kill switch has no `drill_every`.

## Why
A switch that is pulled for the first time on the day it is needed is a guess. With an interval here, the journal's
record shows when a drill is overdue (G37).

## Bad
```yaml
kill_switch: {cancel: entries, rearm: {by: [desk-head]}}
```
```finding
open certain policy.yaml:1:1 nothing says how often the kill switch is drilled
```

## Good
```yaml
kill_switch: {cancel: entries, rearm: {by: [desk-head]}, drill_every: 90d}
```

## Source
GUIDE.md G37; the longest interval is the desk's own choice, so none is asked for here.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK710", "drill-unscheduled", "low", ("G37",), "a switch that was never pulled is a guess (G37)")

#: What the fix writes: the interval of policies/baseline.yaml.
USUAL = "90d"


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for the interval of a kill switch that is there; a missing switch is PK601's."""
    switch = inputs.model.kill_switch
    if switch is None or switch.drill_every is not None or not inputs.trades or inputs.model.environment != "live":
        return
    place = inputs.place("kill_switch.drill_every")
    yield RULE.finding(
        place,
        "nothing says how often the kill switch is drilled",
        label="no `drill_every`",
        next_step=f"add `drill_every: {USUAL}`, and drill it",
        fix=Fix.add(place, USUAL, f"drill it every {USUAL}", safe=True),
    )

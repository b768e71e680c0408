"""The kill switch cancels protective orders too.

## What it finds
A live policy with `kill_switch.cancel: all`.

## Why
A halt that removes stops and take-profits leaves the position open and bare, at the worst moment. Entries are
cancelled; what can only reduce stays (G37).

## Bad
```yaml
kill_switch: {cancel: all, rearm: {by: [desk-head]}}
```
```finding
open certain policy.yaml:1:23 the kill switch cancels protective orders too
```

## Good
```yaml
kill_switch: {cancel: entries, rearm: {by: [desk-head]}}
```

## Source
PITFALLS.md 7 and 19.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK704", "kill-cancels-stops", "medium", ("G37",), "a halt that removes stops leaves positions bare")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at what a halt cancels."""
    switch = inputs.model.kill_switch
    if switch is not None and switch.cancel == "all" and inputs.model.environment == "live":
        place = inputs.place("kill_switch.cancel")
        yield RULE.finding(
            place,
            "the kill switch cancels protective orders too",
            label='"entries" keeps stops',
            next_step="set `cancel: entries`",
            fix=Fix.replace(place, "entries", "keep what can only reduce"),
        )

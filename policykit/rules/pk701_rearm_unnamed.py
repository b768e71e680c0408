"""Anybody may end a halt.

## What it finds
A live policy whose kill switch names nobody who may re-arm it, or needs no reason.

## Why
A halt that re-arms itself, or that the bot's own operator waves away at night, stops nothing: a named person decides,
and says why (G37).

## Bad
```yaml
kill_switch: {cancel: entries}
```
```finding
open certain policy.yaml:1:1 the kill switch names nobody who may end a halt
```
```yaml
kill_switch: {cancel: entries, rearm: {by: [desk-head], reason_required: false}}
```
```finding
open certain policy.yaml:1:74 a halt may be ended without a reason
```

## Good
```yaml
kill_switch: {cancel: entries, rearm: {by: [desk-head], reason_required: true}}
```

## Source
GUIDE.md G37; PITFALLS.md, story 6.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK701", "rearm-unnamed", "medium", ("G37",), "a halt that anybody waves away stops nothing (story 6)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at who may end a halt, and whether a reason is needed."""
    switch = inputs.model.kill_switch
    if switch is None or inputs.model.environment != "live":
        return
    if switch.rearm is None or not switch.rearm.by:
        yield RULE.finding(
            inputs.place("kill_switch.rearm.by"),
            "the kill switch names nobody who may end a halt",
            label="no `rearm: {by: [...]}`",
            next_step="name a person or a role: `rearm: {by: [desk-head]}`",
        )
    if switch.rearm is not None and not switch.rearm.reason_required:
        yield RULE.finding(
            inputs.place("kill_switch.rearm.reason_required"),
            "a halt may be ended without a reason",
            label="true keeps a record",
            next_step="set `reason_required: true`",
        )

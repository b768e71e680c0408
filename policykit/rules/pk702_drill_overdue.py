"""The kill switch was not drilled in time.

## What it finds
A kill switch with `drill_every` whose last drill, as the record says, is longer ago. Without a record, or with one
that knows of no drill, it is unknown.

## Why
A switch that was never pulled does not work on the day it is needed (G37).

## Bad
```yaml
kill_switch: {cancel: entries, rearm: {by: [desk-head]}, drill_every: 30d}
```
```json record
{"last_drill_at": "2026-09-01T10:00:00Z"}
```
```finding
open observed policy.yaml:1:71 the kill switch was last drilled 81 days ago; it is drilled every 30d
```
```yaml
kill_switch: {cancel: entries, rearm: {by: [desk-head]}, drill_every: 30d}
```
```finding
unknown policy.yaml:1:71 when the kill switch was last drilled is not known: no record was given
```
```yaml
kill_switch: {cancel: entries, rearm: {by: [desk-head]}, drill_every: 30d}
```
```json record
{"last_drill_at": "2062-11-10T10:00:00Z"}
```
```finding
unknown policy.yaml:1:71 when the kill switch was last drilled is not known: 2062-11-10T10:00:00Z is no time of the past
```
```yaml
kill_switch: {cancel: entries, rearm: {by: [desk-head]}, drill_every: 30d}
```
```json record
{"last_drill_at": "2062-11-10T10:00:00Z"}
```
```finding
unknown policy.yaml:1:71 when the kill switch was last drilled is not known: 2062-11-10T10:00:00Z is no time of the past
```

## Good
```yaml
kill_switch: {cancel: entries, rearm: {by: [desk-head]}, drill_every: 30d}
```
```json record
{"last_drill_at": "2026-11-10T10:00:00Z"}
```

## Source
GUIDE.md G37; DESIGN.md, section 4 (the record).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, days

RULE = Rule(
    "PK702",
    "drill-overdue",
    "medium",
    ("G37",),
    "a switch that was never pulled does not work on the day it is needed (G37)",
    ("policy", "record"),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the last drill with the interval."""
    switch = inputs.model.kill_switch
    if switch is None or switch.drill_every is None:
        return
    place = inputs.place("kill_switch.drill_every")
    last = inputs.record.last_drill_at if inputs.record else None
    last_ms = inputs.past_ms(last)
    if last_ms is None:
        reason = "the record knows of no drill" if inputs.record else "no record was given"
        if last:
            reason = f"{last} is no time of the past"
        yield RULE.unknown(
            place,
            f"when the kill switch was last drilled is not known: {reason}",
            'give a record that says it, {"last_drill_at": "2026-11-10T10:00:00Z"}: --record FILE',
        )
    elif inputs.now_ms - last_ms > switch.drill_every.ms:
        yield RULE.finding(
            place,
            f"the kill switch was last drilled {days(inputs.now_ms - last_ms)} ago; it is drilled every"
            f" {switch.drill_every}",
            confidence="observed",
            label="overdue",
            next_step="policykit drill kill --by NAME",
        )

"""The dead man's switch is refreshed no sooner than it fires.

## What it finds
`dead_man_switch.refresh` that is not under `timeout`.

## Why
The exchange cancels every order each time the refresh is late, and here it always is: stops go too, and the bot trades
on orders that are no longer there (G37).

## Bad
```yaml
dead_man_switch: {timeout: 30s, refresh: 30s}
```
```finding
open certain policy.yaml:1:42 the exchange hears from us every 30s and cancels all orders after 30s of silence
```

## Good
```yaml
dead_man_switch: {timeout: 60s, refresh: 15s}
```

## Source
GUIDE.md G37; PITFALLS.md 19.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK721", "dead-man-refresh", "high", ("G37",), "a refresh that is always late cancels every order")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the refresh with the silence after which the exchange cancels."""
    switch = inputs.model.dead_man_switch
    if switch is not None and switch.refresh.ms >= switch.timeout.ms:
        yield RULE.finding(
            inputs.place("dead_man_switch.refresh"),
            f"the exchange hears from us every {switch.refresh} and cancels all orders after {switch.timeout} of"
            " silence",
            label="too late",
            context=(("the silence", inputs.place("dead_man_switch.timeout")),),
            next_step="refresh at least twice within the time-out",
        )

"""Lost connections are taken up again in a storm.

## What it finds
`retry.reconnect` with a first wait of 0, with a factor below 2, or with `jitter: none`. A cap on connects (`max_per`)
is not asked for while this version does not enforce it (PK605).

## Why
A reconnect loop opens thousands of connections in minutes; the exchange bans the address, and the bot is blind while
its orders stand (G39).

## Bad
```yaml
retry:
  reconnect: {wait_initial: 1s, factor: 1, jitter: none, max_per: {limit: 50, per: 5m}}
```
```finding
open certain policy.yaml:2:41 waits between connects grow by 1; 2 or more is exponential
open certain policy.yaml:2:52 waits between connects have no random part
```

```yaml
retry:
  reconnect: {wait_initial: 0s, factor: 2, jitter: full}
```
```finding
open certain policy.yaml:2:29 waits between connects start at nothing, and stay there whatever they are multiplied by
```

## Good
```yaml
retry:
  reconnect: {wait_initial: 1s, factor: 2, wait_max: 60s, jitter: full}
```

## Source
GUIDE.md G39; PITFALLS.md, story 11.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK504", "reconnect-storm", "medium", ("G39",), "a reconnect loop gets the address banned while orders stand (G39)"
)

#: What each wait is at least multiplied by.
MIN_FACTOR = 2
#: What the fix sets as the first wait.
FIRST_WAIT = "1s"


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at how the waits grow and scatter."""
    reconnect = inputs.model.retry.reconnect if inputs.model.retry else None
    if reconnect is None:
        return
    if reconnect.wait_initial is not None and not reconnect.wait_initial.ms:
        place = inputs.place("retry.reconnect.wait_initial")
        yield RULE.finding(
            place,
            "waits between connects start at nothing, and stay there whatever they are multiplied by",
            label="over 0",
            next_step=f"set `wait_initial: {FIRST_WAIT}`",
            fix=Fix.replace(place, FIRST_WAIT, "wait before the first retry", safe=True),
        )
    if reconnect.factor is not None and reconnect.factor < MIN_FACTOR:
        place = inputs.place("retry.reconnect.factor")
        yield RULE.finding(
            place,
            f"waits between connects grow by {reconnect.factor}; {MIN_FACTOR} or more is exponential",
            label=f"{MIN_FACTOR} or more",
            next_step=f"set `factor: {MIN_FACTOR}`",
            fix=Fix.replace(place, str(MIN_FACTOR), f"grow by {MIN_FACTOR}", safe=True),
        )
    if reconnect.jitter == "none":
        place = inputs.place("retry.reconnect.jitter")
        yield RULE.finding(
            place,
            "waits between connects have no random part",
            label='"full" scatters them',
            next_step="set `jitter: full`",
            fix=Fix.replace(place, "full", "scatter the waits", safe=True),
        )

"""A limit is set that this version does not enforce.

## What it finds
Every limit of the policy whose check or part of the guard is not there yet, in one finding.

## Why
A set limit is never silently unenforced: a guard denies every increase while one of these is set. Cancels and
reductions pass, and `mode: shadow` only counts.

## Bad
```yaml
reconciliation: {on_start: required, orders_every: 30s, positions_every: 60s}
dead_man_switch: {timeout: 60s, refresh: 15s}
```
```finding
open certain policy.yaml:1:52 a guard of this version denies every increase: it does not enforce
  dead_man_switch.refresh, dead_man_switch.timeout, reconciliation.orders_every and 1 more
```

## Good
```yaml
reconciliation: {on_start: required}
retry:
  reconnect: {wait_initial: 1s, factor: 2, jitter: full}
```

## Source
DESIGN.md, section 3 (a set limit whose check does not exist denies increases); GUIDE.md G01.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.model.enforced import unheld
from policykit.rules.base import Inputs, Rule, words

RULE = Rule(
    "PK605", "limit-unenforced", "low", ("G01",), "a guard denies increases rather than leave a set limit unenforced"
)

#: How many of the limits the message names; the next step names all.
SHOWN = 3


def check(inputs: Inputs) -> Iterator[Finding]:
    """List what is set and held by nothing, as the engine's check of the same name does."""
    effective = inputs.effective
    paths = sorted({found.path for found in unheld(effective.model, effective.origins)})
    if paths:
        places = {path: inputs.place(path) for path in paths}
        first = min(paths, key=lambda path: (places[path].file != effective.file, places[path]))
        more = [f"{len(paths) - SHOWN} more"] if len(paths) > SHOWN else []
        yield RULE.finding(
            places[first],
            f"a guard of this version denies every increase: it does not enforce {words([*paths[:SHOWN], *more])}",
            label="not enforced by this version",
            next_step=f"to trade with this version, take out {words(paths)}",
        )

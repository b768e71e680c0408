"""The clock of the host that trades is off.

## What it finds
A snapshot whose clock is further from the exchange's than `clock.max_skew` (without one: 1 second). A snapshot
without a comparison is unknown.

## Why
An exchange refuses requests whose time is off, all of them at once; and the fence behind which a lost order is dead
is computed from that clock (G03).

## Bad
```yaml
clock: {max_skew: 500ms}
```
```json
{"clock": {"server_time": "2026-11-21T09:59:00Z", "skew_ms": -2400, "round_trip_ms": 80}}
```
```finding
open observed policy.yaml:1:19 the clock of the host that trades is 2400 ms off; at most 500ms
```
```yaml
clock: {max_skew: 500ms}
```
```json
{"clock": {"server_time": null, "skew_ms": null, "round_trip_ms": null}}
```
```finding
unknown policy.yaml:1:19 how far the clock is off is not known: the snapshot has no comparison
```

## Good
```yaml
clock: {max_skew: 500ms}
```
```json
{"clock": {"server_time": "2026-11-21T09:59:00Z", "skew_ms": 12, "round_trip_ms": 80}}
```

## Source
GUIDE.md G03; Binance rest-api.md, "Timing security" (a5e0bc3).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.units import Duration

RULE = Rule(
    "PK703",
    "clock-skew",
    "high",
    ("G03",),
    "an exchange refuses every request of a clock that is off (G03)",
    ("policy", "snapshot"),
)

#: Without a bound of the policy: Binance refuses a request that is signed 1 s ahead.
DEFAULT_SKEW_MS = 1_000


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the skew that was observed with the bound."""
    if inputs.snapshot is None:
        return
    bound = inputs.model.clock.max_skew if inputs.model.clock else None
    limit_ms = bound.ms if bound else DEFAULT_SKEW_MS
    place = inputs.place("clock.max_skew")
    skew = inputs.snapshot.clock.get("skew_ms")
    if isinstance(skew, bool) or not isinstance(skew, int | float) or not math.isfinite(skew):
        yield RULE.unknown(
            place, "how far the clock is off is not known: the snapshot has no comparison", "take the snapshot anew"
        )
    elif abs(skew) > limit_ms:
        yield RULE.finding(
            place,
            f"the clock of the host that trades is {round(abs(skew))} ms off; at most {Duration(limit_ms)}",
            confidence="observed",
            label="the bound",
            observed=inputs.evidence("server time", "clock.skew_ms", skew, inputs.snapshot.taken_at),
            next_step="keep the host in step with NTP (chrony, systemd-timesyncd)",
        )

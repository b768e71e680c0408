"""The clock of the host that trades is off.

## What it finds
A snapshot whose clock is further from the exchange's than `clock.max_skew` (without one: 1 second), or so far behind
that it takes, with the way to the exchange, more than half of `clock.request_validity`. A snapshot without a comparison
is unknown, and so is a skew within the resolution of the exchange's answer (an HTTP date has seconds).

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
```yaml
clock: {max_skew: 3s, request_validity: 5s}
```
```json
{"clock": {"server_time": "2026-11-21T09:59:00Z", "skew_ms": -2400, "round_trip_ms": 300}}
```
```finding
open observed policy.yaml:1:41 requests are valid for 5s, of which the clock and the way there take 2700 ms
```
```yaml
clock: {max_skew: 500ms}
```
```json
{"clock": {"server_time": "2026-11-21T09:59:00Z", "skew_ms": 300, "round_trip_ms": 80, "resolution_ms": 1000}}
```
```finding
unknown policy.yaml:1:19 whether the clock is off by more than 500ms is not known: it was told to 1000 ms only
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
    needs_snapshot=True,
)

#: Without a bound of the policy: Binance refuses a request that is signed 1 s ahead.
DEFAULT_SKEW_MS = 1_000
_SET_IT = "keep the host in step with NTP (chrony, systemd-timesyncd)"


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the skew that was observed with the bound, then with how long requests are valid."""
    if inputs.snapshot is None:
        return
    clock = inputs.snapshot.clock
    bound = inputs.model.clock.max_skew if inputs.model.clock else None
    limit_ms = bound.ms if bound else DEFAULT_SKEW_MS
    place = inputs.place("clock.max_skew")
    skew, resolution_ms = _number(clock.get("skew_ms")), _number(clock.get("resolution_ms")) or 0
    if skew is None:
        reason = clock.get("unknown") or "the snapshot has no comparison"
        yield RULE.unknown(place, f"how far the clock is off is not known: {reason}", "take the snapshot anew")
    elif abs(skew) - resolution_ms > limit_ms:
        yield RULE.finding(
            place,
            f"the clock of the host that trades is {round(abs(skew))} ms off; at most {Duration(limit_ms)}",
            confidence="observed",
            label="the bound",
            observed=inputs.evidence("server time", "clock.skew_ms", skew, inputs.snapshot.taken_at),
            next_step=_SET_IT,
        )
    elif abs(skew) + resolution_ms > limit_ms:
        yield RULE.unknown(
            place,
            f"whether the clock is off by more than {Duration(limit_ms)} is not known: "
            f"it was told to {round(resolution_ms)} ms only",
            "compare the host's clock with a time server (chronyc tracking)",
        )
    else:
        yield from _validity(inputs, skew, _number(clock.get("round_trip_ms")) or 0)


def _validity(inputs: Inputs, skew: float, trip_ms: float) -> Iterator[Finding]:
    """Look at what is left of a request's validity when the clock is behind, and the way there was as slow as here."""
    validity = inputs.model.clock.request_validity if inputs.model.clock else None
    taken_ms = trip_ms - skew
    if validity is not None and skew < 0 and taken_ms * 2 > validity.ms:
        yield RULE.finding(
            inputs.place("clock.request_validity"),
            f"requests are valid for {validity}, of which the clock and the way there take {round(taken_ms)} ms",
            confidence="observed",
            label="more than half is gone",
            observed=inputs.evidence(
                "server time", "clock.skew_ms", skew, inputs.snapshot.taken_at if inputs.snapshot else ""
            ),
            next_step=_SET_IT,
        )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value

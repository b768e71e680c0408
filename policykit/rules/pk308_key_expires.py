"""A key ends soon at the exchange.

## What it finds
Live: a key, or its permission to trade, that the exchange ends within `rotation.warn_before` (without one: 14 days), or
has ended. Where the exchange tells no end there is none to warn of.

## Why
A key that ends while orders rest leaves them there: nobody can cancel them by it (G19, G37).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d, warn_before: 14d}
```
```json
{"keys": [{"name": "mm-exec", "expires_at": "2026-11-28T10:00:00Z"}]}
```
```finding
open observed policy.yaml:4:41 key `mm-exec` ends at the exchange in 7 days
```
```yaml
keys:
  mm-exec:
    purpose: execution
```
```json
{"keys": [{"name": "mm-exec", "expires_at": "2026-11-01T10:00:00Z"}]}
```
```finding
open observed policy.yaml:2:3 key `mm-exec` ended at the exchange 20 days ago
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d, warn_before: 14d}
```
```json
{"keys": [{"name": "mm-exec", "expires_at": "2027-01-20T10:00:00Z"}]}
```
```yaml
keys:
  mm-exec: {purpose: execution}
```
```json
{"keys": [{"name": "mm-exec", "expires_at": null}]}
```

## Source
GUIDE.md G19; Binance wallet API, `tradingAuthorityExpirationTime` (exchanges.json, 2026-08).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, days, iso_ms
from policykit.rules.pk304_rotation_unannounced import WARN_MS

RULE = Rule(
    "PK308",
    "key-expires",
    "medium",
    ("G19", "G37"),
    "a key that ends while orders rest leaves them there (G19)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the end that the exchange tells with the window of warning."""
    for name, key, report in inputs.reports():
        ends_ms = iso_ms(report.expires_at)
        warn = key.rotation.warn_before if key.rotation else None
        window_ms = warn.ms if warn else WARN_MS
        if ends_ms is None or ends_ms - inputs.now_ms > window_ms:
            continue
        left_ms = ends_ms - inputs.now_ms
        when = (
            f"ends at the exchange in {days(left_ms)}" if left_ms > 0 else f"ended at the exchange {days(-left_ms)} ago"
        )
        yield RULE.finding(
            inputs.place(f"keys.{name}.rotation.warn_before"),
            f"key `{name}` {when}",
            confidence="observed",
            label="time to rotate" if left_ms > 0 else "too late",
            context=inputs.declared_at(name),
            observed=inputs.observed(report, "expires_at", report.expires_at),
            next_step="make a new key at the exchange, move the bot to it, delete this one within 24 hours",
        )

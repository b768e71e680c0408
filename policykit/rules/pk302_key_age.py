"""A key is older than its rotation allows.

## What it finds
A key whose age at the exchange is over `rotation.every` (without one: over 90 days). Where the exchange does not
tell the age it is unknown; `declared.created` records it, and counts as declared, not as verified.

## Why
An interval that nobody keeps protects nobody (G19).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d}
```
```json
{"keys": [{"name": "mm-exec", "created_at": "2026-07-04T10:00:00Z"}]}
```
```finding
open observed policy.yaml:4:23 key `mm-exec` is 140 days old; it is rotated every 90d
```
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d}
    declared: {scopes: [read], by: desk-head, at: 2026-11-20}
```
```json
{"keys": [{"name": "mm-exec", "created_at": null}]}
```
```finding
unknown policy.yaml:4:23 how old key `mm-exec` is could not be read: the answer of GET
  /sapi/v1/account/apiRestrictions does not say
```
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d}
    declared: {created: 2026-11-01, by: desk-head, at: 2026-11-20}
```
```json
{"keys": [{"name": "mm-exec", "created_at": null}]}
```
```finding
declared policy.yaml:5:25 that key `mm-exec` was made on 2026-11-01 is what desk-head declared; not verified
```
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d}
    declared: {created: 2026-07-04, by: desk-head, at: 2026-11-20}
```
```finding
open certain policy.yaml:5:25 key `mm-exec` is 140 days old; it is rotated every 90d
```
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d}
    declared: {created: 2062-07-04, by: desk-head, at: 2026-11-20}
```
```json
{"keys": [{"name": "mm-exec", "created_at": "2062-07-04T10:00:00Z"}]}
```
```finding
open certain policy.yaml:5:25 key `mm-exec` is declared to be made on 2062-07-04, which is no day of the past
```
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d}
```
```json
{"keys": [{"name": "mm-exec", "created_at": "2062-07-04T10:00:00Z"}]}
```
```finding
unknown policy.yaml:4:23 how old key `mm-exec` is could not be read: 2062-07-04T10:00:00Z is no time of the past
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d}
```
```json
{"keys": [{"name": "mm-exec", "created_at": "2026-10-20T10:00:00Z"}]}
```

## Source
GUIDE.md G19; Binance wallet API, GET /sapi/v1/account/apiRestrictions, `createTime` (exchanges.json, 2026-08).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policykit.finding import Finding, Observed
from policykit.place import Place
from policykit.rules.base import Inputs, Rule, days
from policykit.rules.pk301_rotation_interval import MAX_EVERY_MS

if TYPE_CHECKING:
    from policykit.model import Key

RULE = Rule(
    "PK302",
    "key-age",
    "high",
    ("G19",),
    "an interval that nobody keeps protects nobody (G19)",
    ("policy", "snapshot"),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the age that was observed, else the one that was declared, with the interval."""
    for name, key in inputs.keys.items():
        report = inputs.report(name)
        place = inputs.place(f"keys.{name}.rotation.every")
        made_ms = inputs.past_ms(report.created_at) if report else None
        said = key.declared.created if key.declared else None
        if report is not None and made_ms is not None:
            field = "createTime" if "createTime" in report.raw else "created_at"
            evidence = inputs.observed(report, field, report.created_at)
            yield from _old(inputs, name, key, place, made_ms, evidence)
        elif said is not None and key.declared is not None:
            at, declared_ms = inputs.place(f"keys.{name}.declared.created"), inputs.past_ms(said)
            if declared_ms is None:
                what = f"key `{name}` is declared to be made on {said}, which is no day of the past"
                yield RULE.finding(at, what, label="a slip", next_step="write the day it was")
                continue
            yield from _old(inputs, name, key, at, declared_ms, None)
            if report is not None:
                by = f"{key.declared.by} declared"
                yield RULE.finding(
                    at, f"that key `{name}` was made on {said} is what {by}; not verified", status="declared"
                )
        elif report is not None:
            reason = report.unknown.get("created_at") or f"the answer of {report.endpoint} does not say"
            if report.created_at:
                reason = f"{report.created_at} is no time of the past"
            yield RULE.unknown(
                place,
                f"how old key `{name}` is could not be read: {reason}",
                f"look at {inputs.key_page()}, then record it under `declared: {{created: ...}}`",
            )


def _old(
    inputs: Inputs, name: str, key: Key, place: Place, made_ms: int, evidence: Observed | None
) -> Iterator[Finding]:
    every = key.rotation.every if key.rotation else None
    limit_ms = every.ms if every else MAX_EVERY_MS
    if inputs.now_ms - made_ms <= limit_ms:
        return
    yield RULE.finding(
        place,
        f"key `{name}` is {days(inputs.now_ms - made_ms)} old; it is rotated every {every or days(MAX_EVERY_MS)}",
        confidence="observed" if evidence else "certain",
        label=f"{days(inputs.now_ms - made_ms - limit_ms)} overdue" if evidence else "as declared",
        context=inputs.declared_at(name),
        observed=evidence,
        next_step="make a new key at the exchange, move the bot to it, delete this one within 24 hours",
    )

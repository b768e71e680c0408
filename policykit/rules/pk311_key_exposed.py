"""A key may be in other hands, and was not replaced since.

## What it finds
A key that somebody marked (`policykit keys exposed`: a person left, a vendor was breached, a host moved, a log may have
held it) and that no finished rotation has replaced since; and one whose successor is in use while the old key lives
longer than `delete_old_within` (without one: 24 hours) after its guards went over. Read from the record.

## Why
A key is rotated at once after any possible exposure (G19), and the old one is deleted within 24 hours of a rotation
(G20): until then whoever has it trades.

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d, delete_old_within: 24h}
```
```json record
{"exposed": {"mm-exec": {"at": "2026-11-20T10:00:00Z", "by": "desk-head", "result": "person dana"}}, "rotations": {}}
```
```finding
open observed policy.yaml:2:3 key `mm-exec` may be in other hands since 2026-11-20 (person dana, says desk-head); it was
  not replaced since
```
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d, delete_old_within: 24h}
```
```json record
{"exposed": {}, "rotations": {"mm-exec": {"at": "2026-11-19T10:00:00Z", "by": "desk-head", "result": "swapping"}}}
```
```finding
open observed policy.yaml:4:47 the key that `mm-exec` was before 2026-11-19 is not proved dead; it may live 1 day
  beside its successor
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d, delete_old_within: 24h}
```
```json record
{
  "exposed": {"mm-exec": {"at": "2026-11-18T10:00:00Z"}},
  "rotations": {"mm-exec": {"at": "2026-11-20T10:00:00Z", "result": "done"}}
}
```
```yaml
keys:
  mm-exec:
    purpose: execution
    rotation: {every: 90d, delete_old_within: 24h}
```
```json record
{"exposed": {}, "rotations": {"mm-exec": {"at": "2026-11-21T09:00:00Z", "result": "swapping"}}}
```

## Source
GUIDE.md G19, G20.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.model.types import DurationText
from policykit.rules.base import DAY_MS, Inputs, Rule, days

RULE = Rule(
    "PK311",
    "key-exposed",
    "critical",
    ("G19", "G20"),
    "whoever has a copy of it trades until it is dead (G19, G20)",
    ("policy", "record"),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Hold what was marked, and what is under way, against what was finished."""
    record = inputs.record
    if record is None:
        return
    for name, key in inputs.keys.items():
        exposed, rotation = (record.exposed or {}).get(name), (record.rotations or {}).get(name)
        marked_ms = inputs.past_ms(exposed.at) if exposed else None
        turned_ms = inputs.past_ms(rotation.at) if rotation else None
        done = rotation is not None and rotation.result == "done" and turned_ms is not None
        if exposed is not None and not (done and marked_ms is not None and marked_ms <= (turned_ms or 0)):
            told = ", says ".join(word for word in (exposed.result, exposed.by) if word)
            yield RULE.finding(
                inputs.place(f"keys.{name}"),
                f"key `{name}` may be in other hands since {exposed.at[:10]}{f' ({told})' if told else ''};"
                " it was not replaced since",
                confidence="observed",
                label="overdue at once",
                next_step=f"replace it now: policykit rotate start {name} --by YOU --why WHY",
            )
        if rotation is not None and turned_ms is not None and rotation.result.endswith("swapping"):
            yield from _alive(
                inputs, name, rotation.at, turned_ms, key.rotation.delete_old_within if key.rotation else None
            )


def _alive(inputs: Inputs, name: str, at: str, turned_ms: int, within: DurationText | None) -> Iterator[Finding]:
    limit_ms = within.ms if within else DAY_MS
    if inputs.now_ms - turned_ms <= limit_ms:
        return
    yield RULE.finding(
        inputs.place(f"keys.{name}.rotation.delete_old_within"),
        f"the key that `{name}` was before {at[:10]} is not proved dead;"
        f" it may live {days(limit_ms)} beside its successor",
        confidence="observed",
        label=f"{days(inputs.now_ms - turned_ms - limit_ms)} overdue",
        next_step=f"delete it, then policykit rotate finish {name} --by YOU --why WHY",
    )

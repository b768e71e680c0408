"""A vendor holds a key without a review that it passed.

## What it finds
With a record (`--record`, or the store with `--live`): a vendor with `keys` that the record has no review of, that did
not pass its last review, or whose last review is older than `review_every`, a year where that is absent. Without a
record nothing is said: PK801 to PK803 go by what the policy says.

## Why
What the policy says of a vendor is what its writer thought. A review has a day, a person, and the answers (G46, G47).

## Bad
```yaml
keys:
  reports: {purpose: tracking, scopes: [read]}
vendors:
  tax-report: {keys: [reports], asks_for: [read]}
```
```json record
{"reviews": {}}
```
```finding
open observed policy.yaml:4:22 vendor `tax-report` holds key `reports`, and the record has no review of it
```
```yaml
keys:
  reports: {purpose: tracking, scopes: [read]}
vendors:
  tax-report: {keys: [reports], asks_for: [read]}
```
```json record
{"reviews": {"vendor:tax-report": {"at": "2026-11-01T10:00:00Z", "by": "alice", "result": "disqualified"}}}
```
```finding
open observed policy.yaml:4:22 vendor `tax-report` holds key `reports`; alice reviewed it on 2026-11-01: disqualified
```
```yaml
keys:
  reports: {purpose: tracking, scopes: [read]}
vendors:
  tax-report: {keys: [reports], asks_for: [read], review_every: 90d}
```
```json record
{"reviews": {"vendor:tax-report": {"at": "2026-08-01T10:00:00Z", "by": "alice", "result": "passed"}}}
```
```finding
open observed policy.yaml:4:22 vendor `tax-report` holds key `reports`; it was last reviewed 112 days ago, and is
  reviewed every 90 days
```

## Good
```yaml
keys:
  reports: {purpose: tracking, scopes: [read]}
vendors:
  tax-report: {keys: [reports], asks_for: [read]}
  keyless: {asks_for: [read]}
```
```json record
{"reviews": {"vendor:tax-report": {"at": "2026-08-01T10:00:00Z", "by": "alice", "result": "passed"}}}
```
```yaml
vendors:
  tax-report: {keys: [reports], asks_for: [read]}
```
```json record
{"stage": "full-live"}
```

## Source
GUIDE.md G46, G47.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, days
from policykit.rules.vendors import REVIEW_EVERY_MS

RULE = Rule(
    "PK807",
    "vendor-unreviewed",
    "high",
    ("G46", "G47"),
    "a vendor is asked before it gets a key, and again (G46)",
    ("policy", "record"),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look up the last review of each vendor that holds a key."""
    reviews = inputs.record.reviews if inputs.record else None
    for name, vendor in (inputs.model.vendors or {}).items():
        if reviews is None or not vendor.keys:
            continue
        done = reviews.get(f"vendor:{name}")
        at_ms = inputs.past_ms(done.at) if done else None
        every_ms = vendor.review_every.ms if vendor.review_every else REVIEW_EVERY_MS
        if done is None or at_ms is None:
            claim = ", and the record has no review of it"
        elif done.result != "passed":
            claim = f"; {done.by} reviewed it on {done.at[:10]}: {done.result or 'not passed'}"
        elif inputs.now_ms - at_ms > every_ms:
            claim = f"; it was last reviewed {days(inputs.now_ms - at_ms)} ago, and is reviewed every {days(every_ms)}"
        else:
            continue
        yield RULE.finding(
            inputs.place(f"vendors.{name}.keys"),
            f"vendor `{name}` holds key `{'`, `'.join(vendor.keys)}`{claim}",
            confidence="observed",
            label="without a passing review",
            next_step=f"policykit vendor review {name} --by NAME; until it passes, delete the key",
        )

"""The policy was not reviewed in time.

## What it finds
A policy that says how often it is reviewed (`review.every`), and whose last review is longer ago, is in the future, or
was never: by `review.last`, or by the record where that knows of a later one (`policykit review done`). A policy
without `review` is not asked for one.

## Why
Caps fit the equity, the markets and the people of the day they were written. Full size goes with a regular look (G41).

## Bad
```yaml
review: {every: 90d, last: 2026-07-01, by: desk-head}
```
```finding
open certain policy.yaml:1:28 the policy was last reviewed 143 days ago; it is reviewed every 90d
```
```yaml
review: {every: 90d}
```
```finding
open certain policy.yaml:1:1 the policy is reviewed every 90d, and nothing says when it last was
```
```yaml
review: {every: 90d, last: 2027-11-01, by: desk-head}
```
```finding
open certain policy.yaml:1:28 the policy was last reviewed on 2027-11-01, which is no day of the past
```
```yaml
review: {every: 90d, last: 2026-07-01, by: desk-head}
```
```json record
{"reviews": {"policy": {"at": "2026-08-01T10:00:00Z", "by": "desk-head"}}}
```
```finding
open observed policy.yaml:1:28 the policy was last reviewed 112 days ago; it is reviewed every 90d
```

## Good
```yaml
review: {every: 90d, last: 2026-11-01, by: desk-head}
```
```yaml
review: {every: 90d}
```
```json record
{"reviews": {"policy": {"at": "2026-11-01T10:00:00Z", "by": "desk-head"}}}
```
```yaml
environment: live
```

## Source
GUIDE.md G41 (full-live: regular review).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import DAY_MS, Inputs, Rule, days, iso_ms

RULE = Rule(
    "PK715",
    "review-overdue",
    "medium",
    ("G41",),
    "caps fit the day they were written (G41)",
    ("policy", "record"),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the last review with the interval."""
    review = inputs.model.review
    if review is None:
        return
    last_ms = iso_ms(review.last) if review.last else None
    done = inputs.record.reviews.get("policy") if inputs.record and inputs.record.reviews else None
    done_ms = inputs.past_ms(done.at) if done else None
    observed = done_ms is not None and (last_ms is None or last_ms >= inputs.now_ms + DAY_MS or last_ms < done_ms)
    if observed:
        last_ms = done_ms
    next_step = f"look at every cap, key and contact, then: policykit review done {inputs.effective.file} --by NAME"
    if review.last is None and not observed:
        message = f"the policy is reviewed every {review.every}, and nothing says when it last was"
        yield RULE.finding(inputs.place("review.last"), message, label="no `last`", next_step=next_step)
    elif last_ms is None or last_ms >= inputs.now_ms + DAY_MS:
        message = f"the policy was last reviewed on {review.last}, which is no day of the past"
        yield RULE.finding(inputs.place("review.last"), message, label="a slip", next_step="write the day it was")
    elif inputs.now_ms - last_ms > review.every.ms:
        yield RULE.finding(
            inputs.place("review.last"),
            f"the policy was last reviewed {days(inputs.now_ms - last_ms)} ago; it is reviewed every {review.every}",
            confidence="observed" if observed else "certain",
            label="overdue",
            next_step=next_step,
        )

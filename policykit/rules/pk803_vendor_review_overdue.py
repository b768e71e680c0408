"""A vendor was not asked again in time.

## What it finds
A vendor with `review_every` whose last review (`reviewed`) is longer ago, or is not said.

## Why
Vendors are bought, breached and rebuilt; an answer of two years ago is about another company (G46).

## Bad
```yaml
vendors:
  tax-report: {asks_for: [read], ip_restricted_keys: true, activity_logs: true, revocable_at_once: true,
    second_factor: true, incidents_disclosed: true, reviewed: 2025-11-01, review_every: 365d}
```
```finding
open certain policy.yaml:3:63 vendor `tax-report` was last reviewed 385 days ago; it is reviewed every 365d
```
```yaml
vendors:
  tax-report: {asks_for: [read], ip_restricted_keys: true, activity_logs: true, revocable_at_once: true,
    second_factor: true, incidents_disclosed: true, review_every: 365d}
```
```finding
open certain policy.yaml:2:3 vendor `tax-report` is reviewed every 365d, and nothing says when it last was
```
```yaml
vendors:
  tax-report: {asks_for: [read], ip_restricted_keys: true, activity_logs: true, revocable_at_once: true,
    second_factor: true, incidents_disclosed: true, reviewed: 2026-02-31, review_every: 365d}
```
```finding
open certain policy.yaml:3:63 vendor `tax-report` was last reviewed on 2026-02-31, which is no day of the past
```

## Good
```yaml
vendors:
  tax-report: {asks_for: [read], ip_restricted_keys: true, activity_logs: true, revocable_at_once: true,
    second_factor: true, incidents_disclosed: true, reviewed: 2026-11-01, review_every: 365d}
```
```yaml
vendors:
  tax-report: {asks_for: [read], activity_logs: true}
```

## Source
GUIDE.md G46.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, days

RULE = Rule("PK803", "vendor-review-overdue", "medium", ("G46",), "an old answer is about another company (G46)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the last review of each vendor with its interval."""
    for name, vendor in (inputs.model.vendors or {}).items():
        if vendor.review_every is None:
            continue
        place = inputs.place(f"vendors.{name}.reviewed")
        last_ms = inputs.past_ms(vendor.reviewed)
        if last_ms is None and vendor.reviewed:
            yield RULE.finding(
                place,
                f"vendor `{name}` was last reviewed on {vendor.reviewed}, which is no day of the past",
                label="a slip",
                next_step="write the day it was",
            )
        elif last_ms is None:
            yield RULE.finding(
                place,
                f"vendor `{name}` is reviewed every {vendor.review_every}, and nothing says when it last was",
                label="no `reviewed`",
                next_step="ask the six questions, then write the day in `reviewed`",
            )
        elif inputs.now_ms - last_ms > vendor.review_every.ms:
            yield RULE.finding(
                place,
                f"vendor `{name}` was last reviewed {days(inputs.now_ms - last_ms)} ago; it is reviewed every"
                f" {vendor.review_every}",
                label="overdue",
                next_step="ask the six questions again, then write the day in `reviewed`",
            )

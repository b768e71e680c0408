"""A vendor that holds a key has not answered the six questions well.

## What it finds
A vendor with a question of the guide that is unanswered or answered with no: does it ask only for what it needs, take
keys bound to addresses, show activity logs, can it be cut off at once, has its dashboard a second factor, has it told
of past incidents. One that was asked (`reviewed`) and did not answer is PK801's.

## Why
The questions are asked before it gets a key; afterwards the answers come from an incident (G46).

## Bad
```yaml
vendors:
  tax-report: {asks_for: [read], activity_logs: true, revocable_at_once: true}
```
```finding
open certain policy.yaml:2:15 vendor `tax-report` has not answered: whether it takes keys bound to addresses,
  whether its dashboard has a second factor and whether it told of past incidents
```
```yaml
vendors:
  tax-report: {asks_for: [read], ip_restricted_keys: true, activity_logs: true, revocable_at_once: false,
    second_factor: true, incidents_disclosed: true}
```
```finding
open certain policy.yaml:2:100 vendor `tax-report` cannot be cut off at once
```

## Good
```yaml
vendors:
  tax-report: {asks_for: [read], ip_restricted_keys: true, activity_logs: true, revocable_at_once: true,
    second_factor: true, incidents_disclosed: true}
```

## Source
GUIDE.md G46.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, words
from policykit.rules.vendors import BAD, QUESTIONS, unanswered

RULE = Rule(
    "PK802", "vendor-unanswered", "medium", ("G46",), "what was not asked before is learned in an incident (G46)"
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Gather what is unanswered into one finding a vendor; state each bad answer."""
    for name, vendor in (inputs.model.vendors or {}).items():
        questions = unanswered(vendor)
        if questions and vendor.reviewed is None:
            yield RULE.finding(
                inputs.place(f"vendors.{name}"),
                f"vendor `{name}` has not answered: {words(questions)}",
                label=f"{len(questions)} of {len(QUESTIONS)} unanswered",
                next_step="ask before it gets a key; one that will not answer is disqualified (G47)",
            )
        for field, text in BAD.items():
            if getattr(vendor, field) is False:
                yield RULE.finding(
                    inputs.place(f"vendors.{name}.{field}"),
                    f"vendor `{name}` {text}",
                    label="answered with no",
                    next_step="take another vendor, or give it a read-only key of its own",
                )

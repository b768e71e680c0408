"""A key is bound to a third party, and no vendor of the policy holds it.

## What it finds
Live: a key that the exchange reports as one of somebody's application, which no `vendors` entry has among its `keys`.

## Why
Whoever else holds a key was never asked the guide's six questions, and is forgotten in an incident (G46, G44).

## Bad
```yaml
keys:
  reports:
    purpose: tracking
    scopes: [read]
```
```json
{"keys": [{"name": "reports", "third_party": "yes"}]}
```
```finding
open observed policy.yaml:2:3 key `reports` is a third party's at the exchange; no vendor of the policy holds it
```

## Good
```yaml
keys:
  reports:
    purpose: tracking
    scopes: [read]
vendors:
  tax-report: {keys: [reports], asks_for: [read]}
```
```json
{"keys": [{"name": "reports", "third_party": "yes"}]}
```

## Source
GUIDE.md G46, G44; Bybit, GET /v5/user/query-api `type` (exchanges.json, 2026-08).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.vendors import held_by_vendors

RULE = Rule(
    "PK806",
    "vendor-unnamed",
    "medium",
    ("G46", "G44"),
    "who holds a key and was asked nothing is forgotten in an incident (G46)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look up each key of a third party among what vendors hold."""
    if inputs.snapshot is None:
        return
    held = held_by_vendors(inputs)
    for name, _, report in inputs.reports():
        if report.third_party == "yes" and name not in held:
            yield RULE.finding(
                inputs.place(f"keys.{name}"),
                f"key `{name}` is a third party's at the exchange; no vendor of the policy holds it",
                confidence="observed",
                label="in whose hands?",
                observed=inputs.observed(report, "third_party", report.third_party),
                next_step=f"name who has it: `vendors: {{NAME: {{keys: [{name}], ...}}}}`; or revoke it",
            )

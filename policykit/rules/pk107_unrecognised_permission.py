"""A key has a permission that policykit does not understand.

## What it finds
A permission name in the exchange's key report that the adapter has no meaning for.

## Why
Exchanges add permissions and give them names of their own; one that is not understood is never taken as harmless (G08).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"keys": [{"name": "mm-exec", "unrecognised": ["enableCustodyTransfer"]}]}
```
```finding
open observed policy.yaml:4:13 key `mm-exec` has the permission `enableCustodyTransfer`, which policykit does
  not know
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"keys": [{"name": "mm-exec", "unrecognised": []}]}
```

## Source
GUIDE.md G08.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK107",
    "unrecognised-permission",
    "medium",
    ("G08",),
    "a permission that is not understood is never taken as harmless (G08)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Name each permission that the adapter could not read."""
    for name, _key, report in inputs.reports():
        place = inputs.place(f"keys.{name}.scopes")
        for permission in report.unrecognised:
            yield RULE.finding(
                place,
                f"key `{name}` has the permission `{permission[:80]}`, which policykit does not know",
                confidence="observed",
                label="not one of these",
                context=inputs.declared_at(name),
                observed=inputs.observed(report, permission[:80], True),
                next_step=f"read what it is at {inputs.key_page()} and untick it; report the name to policykit",
            )

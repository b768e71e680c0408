"""A key was not read at the exchange.

## What it finds
Live lint of a policy whose snapshot has no report of one of its keys: the exchange refused it, its secret was not
there, or the snapshot was made for other keys. No rule on that key has passed.

## Why
What could not be observed is unknown, never a pass; and a key that the exchange refuses may be revoked, expired or
bound to another address (G01, G11).

## Bad
```yaml
keys:
  hedge:
    purpose: hedging
    scopes: [read, trade.derivatives]
```
```json
{"keys": [], "errors": [{"key": "hedge", "code": "KEY_REJECTED", "message": "binance refused the key (-2015)"}]}
```
```finding
unknown policy.yaml:2:3 key `hedge` was not read at the exchange: binance refused the key (-2015)
```
```yaml
keys:
  hedge:
    purpose: hedging
    scopes: [read, trade.derivatives]
```
```json
{"keys": []}
```
```finding
unknown policy.yaml:2:3 key `hedge` was not read at the exchange: the snapshot has no report of it
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"errors": []}
```

## Source
DESIGN.md, sections 4 and 5; PITFALLS.md 20.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK108",
    "key-not-read",
    "high",
    ("G01",),
    "no live rule on this key has passed",
    ("policy", "snapshot"),
    needs_snapshot=True,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Name each key without a report, and the reason."""
    for name, code, reason in inputs.unread():
        from policykit.snapshot import ADVICE  # static lint does not load it

        yield RULE.unknown(
            inputs.place(f"keys.{name}"),
            f"key `{name}` was not read at the exchange: {reason}",
            ADVICE.get(code, "run `policykit snapshot` on the host where this key lives"),
        )

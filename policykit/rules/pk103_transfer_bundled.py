"""A bot's key can move money between accounts because its exchange bundles that with trade.

## What it finds
A key that may transfer (as its `scopes` ask, as was declared, or as the exchange reports it), on an exchange where the
permissions that a bot needs include the one to transfer (OKX, HTX). It can be waived: the exchange offers nothing
narrower.

## Why
A leaked key can move money to another account of the same owner. What keeps the damage small there is a sub-account
that holds no more than the bot needs (G05, G01).

## Bad
```yaml
exchange: okx
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"exchange": "okx", "keys": [{"name": "mm-exec", "permissions": {"transfer": "granted"}}]}
```
```finding
open observed policy.yaml:5:13 key `mm-exec` can transfer: okx keeps it from no key that trades
```

```yaml
exchange: okx
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot, transfer]
```
```finding
open certain policy.yaml:5:32 key `mm-exec` has transfer: okx keeps it from no key that trades
```

## Good
```yaml
exchange: okx
keys:
  mm-read:
    purpose: tracking
    scopes: [read]
```
```json
{"exchange": "okx", "keys": [{"name": "mm-read", "permissions": {"transfer": "denied"}}]}
```

## Source
GUIDE.md G05; DESIGN.md, section 3 (where transfer is bundled the finding is high and can be waived).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.scopes import admitted_scope, declared_scope, granted, undeclared

RULE = Rule(
    "PK103",
    "transfer-bundled",
    "high",
    ("G05", "G01"),
    "the exchange offers no key for a bot that cannot transfer (G05)",
    ("policy", "snapshot"),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at what the exchange grants, where its traits say that transfer is bundled with trade."""
    if inputs.traits is None or inputs.traits.transfer_separable is not False:
        return
    for name, place in (*declared_scope(inputs, "transfer"), *admitted_scope(inputs, "transfer")):
        yield RULE.finding(
            place,
            f"key `{name}` has transfer: {inputs.model.exchange} keeps it from no key that trades",
            label="trade brings it with it",
            context=inputs.declared_at(name),
            next_step="keep this key on a sub-account that holds only what the bot needs, then waive this there",
        )
    for name, _key, report in inputs.reports():
        state = report.permissions.get("transfer", "unknown")
        place = inputs.place(f"keys.{name}.scopes")
        if state == "granted":
            yield RULE.finding(
                place,
                f"key `{name}` can transfer: {inputs.model.exchange} keeps it from no key that trades",
                confidence="observed",
                label="trade brings transfer with it",
                context=inputs.declared_at(name),
                observed=granted(inputs, report, "transfer"),
                next_step="keep this key on a sub-account that holds only what the bot needs, then waive this there",
            )
        elif state == "unknown":
            yield undeclared(inputs, RULE, name, report, "transfer", "transfer")

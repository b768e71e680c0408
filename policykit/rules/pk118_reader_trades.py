"""A key that is only to read can trade.

## What it finds
Live: a key for tracking or market data to which the exchange grants trade, whatever its `scopes` ask for. (What they
ask for beyond the purpose is PK105's; that a key of another purpose may do more than they say is PK104's.)

## Why
Readers are handed to dashboards, tax tools and colleagues, because they can do no harm (G07).

## Bad
```yaml
keys:
  dashboard:
    purpose: tracking
    scopes: [read]
```
```json
{"keys": [{"name": "dashboard", "permissions": {"trade.spot": "granted", "trade.margin": "granted"},
  "raw": {"enableSpotAndMarginTrading": true, "enableMargin": true}}]}
```
```finding
open observed policy.yaml:3:14 key `dashboard` is for tracking and has trade.spot and trade.margin at the exchange
```

## Good
```yaml
keys:
  dashboard:
    purpose: tracking
    scopes: [read]
```
```json
{"keys": [{"name": "dashboard", "permissions": {"trade.spot": "denied"}}]}
```
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"trade.spot": "granted"}}]}
```

## Source
GUIDE.md G07 (read-only for a portfolio tracker); INTERFACE.md, "Snapshot, version 1".
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, words
from policykit.rules.pk105_purpose_scope import READS_ONLY
from policykit.rules.scopes import granted

RULE = Rule(
    "PK118",
    "reader-trades",
    "high",
    ("G07", "G06"),
    "readers are handed on because they can do no harm (G07)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for any trade that is granted to a reader."""
    for name, key, report in inputs.reports():
        trades = [s for s, said in report.permissions.items() if s.startswith("trade.") and said == "granted"]
        if key.purpose in READS_ONLY and trades:
            yield RULE.finding(
                inputs.place(f"keys.{name}.purpose"),
                f"key `{name}` is for {key.purpose} and has {words(trades)} at the exchange",
                confidence="observed",
                label="needs no more than read",
                context=inputs.declared_at(name),
                observed=granted(inputs, report, trades[0]),
                next_step=f"{inputs.key_page()} > untick {words(inputs.on_page(s) for s in trades)}; who held this key"
                " could trade with it: look at its orders",
            )

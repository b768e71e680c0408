"""A bot's key can withdraw.

## What it finds
A key whose `scopes` include `withdraw`, that has it as a person declared, or that can withdraw as the exchange reports
it. Where the exchange does not tell it is unknown, or declared, when `declared.scopes` leaves it out. Cannot be waived.

## Why
Whoever holds a key that withdraws can empty the account in one call, whatever any cap says. No bot needs it (G04).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot, withdraw]
```
```finding
open certain policy.yaml:4:32 key `mm-exec` asks for withdraw; a bot's key never has it
```
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"withdraw": "granted"}, "raw": {"enableWithdrawals": true}}]}
```
```finding
open observed policy.yaml:4:13 key `mm-exec` can withdraw; the policy allows read and trade.spot
```
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"withdraw": "unknown"}}]}
```
```finding
unknown policy.yaml:4:13 whether `mm-exec` can withdraw could not be read: the answer of GET
  /sapi/v1/account/apiRestrictions does not say
```

```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
    declared: {scopes: [read, trade.spot, withdraw], by: desk-head, at: 2026-11-20}
```
```finding
open certain policy.yaml:5:43 key `mm-exec` can withdraw, as was declared; a bot's key never has it
```
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
    declared: {scopes: [read, trade.spot], by: desk-head, at: 2026-11-20}
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"withdraw": "unknown"}}]}
```
```finding
declared policy.yaml:5:24 that `mm-exec` cannot withdraw is what desk-head declared on 2026-11-20; not verified
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"withdraw": "denied"}}]}
```

## Source
GUIDE.md G04; Binance wallet API, GET /sapi/v1/account/apiRestrictions (exchanges.json, 2026-08).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule
from policykit.rules.scopes import admitted_scope, declared_scope, granted, may, undeclared

RULE = Rule(
    "PK101",
    "withdraw-scope",
    "critical",
    ("G04",),
    "a leaked key that withdraws empties the account (G04)",
    ("policy", "snapshot"),
    waivable=False,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the scopes asked for, then at what the exchange grants."""
    for name, place in declared_scope(inputs, "withdraw"):
        yield RULE.finding(
            place,
            f"key `{name}` asks for withdraw; a bot's key never has it",
            label="withdraw",
            context=inputs.declared_at(name),
            next_step="take `withdraw` out of the scopes; withdraw by hand, with a person's key",
            fix=Fix.remove(place, "take `withdraw` out"),
        )
    for name, place in admitted_scope(inputs, "withdraw"):
        yield RULE.finding(
            place,
            f"key `{name}` can withdraw, as was declared; a bot's key never has it",
            label="on the exchange's page",
            context=inputs.declared_at(name),
            next_step=f"{inputs.key_page()} > untick {inputs.on_page('withdraw')}, then declare it anew",
        )
    for name, key, report in inputs.reports():
        state = report.permissions.get("withdraw", "unknown")
        place = inputs.place(f"keys.{name}.scopes")
        if state == "granted":
            yield RULE.finding(
                place,
                f"key `{name}` can withdraw; the policy allows {may(key)}",
                confidence="observed",
                label="this is all it may do",
                context=inputs.declared_at(name),
                observed=granted(inputs, report, "withdraw"),
                next_step=f"{inputs.key_page()} > untick {inputs.on_page('withdraw')}",
            )
        elif state == "unknown":
            yield undeclared(inputs, RULE, name, report, "withdraw", "withdraw")

"""A bot's key can move money between accounts.

## What it finds
A key whose `scopes` include `transfer`, that has it as a person declared, or that may transfer as the exchange reports
it, on an exchange where transfer is a permission of its own. Cannot be waived there; where transfer is bundled with
trade, see PK103.

## Why
Internal transfers carry money out of the account whose caps and halts this policy holds (G05).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot, transfer]
```
```finding
open certain policy.yaml:4:32 key `mm-exec` asks for transfer; a bot's key never has it
```
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"transfer": "granted"}, "raw": {"permitsUniversalTransfer": true}}]}
```
```finding
open observed policy.yaml:4:13 key `mm-exec` can transfer; the policy allows read and trade.spot
```
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"transfer": "unknown"}}]}
```
```finding
unknown policy.yaml:4:13 whether `mm-exec` can transfer could not be read: the answer of GET
  /sapi/v1/account/apiRestrictions does not say
```

```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
    declared: {scopes: [read, trade.spot, transfer], by: desk-head, at: 2026-11-20}
```
```finding
open certain policy.yaml:5:43 key `mm-exec` can transfer, as was declared; a bot's key never has it
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"transfer": "denied"}}]}
```

## Source
GUIDE.md G05; DESIGN.md, section 3; Binance wallet API, GET /sapi/v1/account/apiRestrictions (exchanges.json, 2026-08).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule
from policykit.rules.scopes import admitted_scope, declared_scope, granted, may, undeclared

RULE = Rule(
    "PK102",
    "transfer-scope",
    "critical",
    ("G05",),
    "a transfer takes money out of the account whose caps this policy holds (G05)",
    ("policy", "snapshot"),
    waivable=False,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the scopes asked for, then at what the exchange grants, unless transfer is bundled with trade."""
    if inputs.traits is not None and inputs.traits.transfer_separable is False:
        return
    for name, place in declared_scope(inputs, "transfer"):
        yield RULE.finding(
            place,
            f"key `{name}` asks for transfer; a bot's key never has it",
            label="transfer",
            context=inputs.declared_at(name),
            next_step="take `transfer` out of the scopes; move money by hand, with a person's key",
            fix=Fix.remove(place, "take `transfer` out"),
        )
    for name, place in admitted_scope(inputs, "transfer"):
        yield RULE.finding(
            place,
            f"key `{name}` can transfer, as was declared; a bot's key never has it",
            label="on the exchange's page",
            context=inputs.declared_at(name),
            next_step=f"{inputs.key_page()} > untick {inputs.on_page('transfer')}, then declare it anew",
        )
    for name, key, report in inputs.reports():
        state = report.permissions.get("transfer", "unknown")
        place = inputs.place(f"keys.{name}.scopes")
        if state == "granted":
            yield RULE.finding(
                place,
                f"key `{name}` can transfer; the policy allows {may(key)}",
                confidence="observed",
                label="this is all it may do",
                context=inputs.declared_at(name),
                observed=granted(inputs, report, "transfer"),
                next_step=f"{inputs.key_page()} > untick {inputs.on_page('transfer')}",
            )
        elif state == "unknown":
            yield undeclared(inputs, RULE, name, report, "transfer", "transfer")

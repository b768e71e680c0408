"""A key has at the exchange what an invariant forbids.

## What it finds
Live: a key with a scope that `never:` of the policy, or of what it extends, forbids (`key.trade.derivatives`), whatever
the policy says that it has. What the exchange does not tell is unknown, or declared. `withdraw` is PK101's, and
`transfer`, where it is a permission of its own, PK102's. Cannot be waived.

## Why
An invariant is proved of what the policy says; the key at the exchange is what a thief uses (G04 to G07).

## Bad
```yaml
never: [key.trade.derivatives]
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"trade.derivatives": "granted"}}]}
```
```finding
open observed policy.yaml:3:3 key `mm-exec` has trade.derivatives at the exchange, and policy.yaml:1:9 says never:
  key.trade.derivatives
```
```yaml
never: [key.key_admin]
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"key_admin": "unknown"}}]}
```
```finding
unknown policy.yaml:5:13 whether `mm-exec` can use key_admin could not be read: the answer of GET
  /sapi/v1/account/apiRestrictions does not say
```

## Good
```yaml
never: [key.trade.derivatives]
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"trade.derivatives": "denied"}}]}
```

## Source
GUIDE.md G04, G05, G06, G07; docs/invariants.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.policy.never import covers
from policykit.rules.base import Inputs, Rule
from policykit.rules.scopes import granted, undeclared

RULE = Rule(
    "PK123",
    "forbidden-scope",
    "critical",
    ("G04", "G05", "G06", "G07"),
    "what an organisation says never happens, this key can do at the exchange (G04, G05, G06, G07)",
    ("policy", "snapshot"),
    waivable=False,
    needs_snapshot=True,
)
_KEY = "key."


def check(inputs: Inputs) -> Iterator[Finding]:
    """Hold what the exchange grants against each scope that an invariant forbids."""
    separable = inputs.traits is None or inputs.traits.transfer_separable is not False
    own_rules = {"withdraw"} | ({"transfer"} if separable else set())
    for index, statement in enumerate(inputs.model.never or ()):
        scope = statement.removeprefix(_KEY)
        for name, _, report in inputs.reports():
            for held, state in report.permissions.items():
                if not statement.startswith(_KEY) or held in own_rules or not covers(scope, held):
                    continue
                if state == "granted":
                    said = inputs.effective.place(f"never.{index}")
                    yield RULE.finding(
                        inputs.place(f"keys.{name}"),
                        f"key `{name}` has {held} at the exchange, and {said} says never: {statement}",
                        confidence="observed",
                        label="held at the exchange",
                        context=(("what must never be", said),),
                        observed=granted(inputs, report, held),
                        next_step=f"{inputs.key_page()} > untick {inputs.on_page(held)}",
                    )
                elif state == "unknown":
                    yield undeclared(inputs, RULE, name, report, held, f"use {held}")

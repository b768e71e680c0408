"""A key cannot do at the exchange what its policy says it does.

## What it finds
Live: `read` or a kind of trade among a key's `scopes` that the exchange denies it. Where the exchange does not tell it
is unknown, or declared, when `declared.scopes` has it. Of `trade` without a product any kind will do.

## Why
The bot finds out at its first order; a key that is to close positions and cannot finds out when it counts (G07, G30).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"trade.spot": "denied"}}]}
```
```finding
open observed policy.yaml:4:20 key `mm-exec` has no trade.spot at the exchange; the policy says that it has
```
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade]
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"trade.spot": "unknown"},
  "unknown": {"permissions.trade.spot": "readOnly does not tell trade from transfer"}}]}
```
```finding
unknown policy.yaml:4:20 whether `mm-exec` has trade could not be read: readOnly does not tell trade from transfer
```
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
    declared: {scopes: [read, trade.spot], by: desk-head, at: 2026-11-20}
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"trade.spot": "unknown"}}]}
```
```finding
declared policy.yaml:5:24 that `mm-exec` has trade.spot is what desk-head declared on 2026-11-20; not verified
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade]
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"trade.spot": "denied", "trade.derivatives": "granted"}}]}
```

## Source
GUIDE.md G07; INTERFACE.md, "Snapshot, version 1".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.scopes import allows, not_told, of_this_key

if TYPE_CHECKING:
    from policykit.model import Key
    from policykit.snapshot import KeyReport

RULE = Rule(
    "PK119",
    "scope-missing",
    "medium",
    ("G07",),
    "a bot that cannot trade finds out at its first order, or at its exit",
    ("policy", "snapshot"),
    needs_snapshot=True,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare what the policy says of each key with what the exchange denies."""
    for name, key, report in inputs.reports():
        for index, scope in enumerate(key.scopes or ()):
            if scope == "read" or scope.startswith("trade"):
                yield from _missing(inputs, name, key, report, f"keys.{name}.scopes.{index}")


def _missing(inputs: Inputs, name: str, key: Key, report: KeyReport, path: str) -> Iterator[Finding]:
    scope = (key.scopes or ())[int(path.rpartition(".")[2])]
    kinds = [s for s in report.permissions if allows((scope,), s)]
    said = {report.permissions[s] for s in kinds}
    if "granted" in said:
        return
    declared = key.declared
    if said == {"denied"}:
        yield RULE.finding(
            inputs.place(path),
            f"key `{name}` has no {scope} at the exchange; the policy says that it has",
            confidence="observed",
            label="denied",
            context=inputs.declared_at(name),
            observed=inputs.observed(report, f"permissions.{kinds[0]}", "denied"),
            next_step=f"tick {inputs.on_page(scope)} at {inputs.key_page()}, or take `{scope}` out",
        )
    elif declared is not None and allows(declared.scopes, scope) and of_this_key(declared, report):
        yield RULE.finding(
            inputs.place(f"keys.{name}.declared.scopes"),
            f"that `{name}` has {scope} is what {declared.by} declared on {declared.at}; not verified",
            status="declared",
        )
    else:
        untold = next((s for s in kinds if report.permissions[s] == "unknown"), scope)
        yield RULE.unknown(
            inputs.place(path),
            f"whether `{name}` has {scope} could not be read: {not_told(inputs, report, untold)}",
            f"look at {inputs.key_page()}, then record it under `declared: {{scopes: ...}}`",
        )

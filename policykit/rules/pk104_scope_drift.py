"""A key may do more at the exchange than the policy says.

## What it finds
A permission that the exchange grants, or that a person declared, and that is not in the key's `scopes` (withdraw and
transfer have rules of their own, and that a key for reading can trade is PK118's). A permission that the exchange does
not tell is unknown; `declared.scopes` records what its page shows. What one box of the exchange's page grants together
with a scope that the policy allows is one finding: nobody can untick it.

## Why
The policy is what people read and approve; a key that may do more makes it untrue, and a leak costs more than
anyone agreed to (G07).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"trade.derivatives": "granted"}, "raw": {"enableFutures": true}}]}
```
```finding
open observed policy.yaml:4:13 key `mm-exec` has trade.derivatives at the exchange; the policy allows read and
  trade.spot
```
```yaml
exchange: bybit
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"exchange": "bybit", "keys": [{"name": "mm-exec", "permissions": {"trade.margin": "granted"}}]}
```
```finding
open observed policy.yaml:5:13 key `mm-exec` has trade.margin with the box that grants what the policy allows, read
  and trade.spot
```
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"key_admin": "unknown"},
  "unknown": {"permissions.key_admin": "binance does not report it"}}]}
```
```finding
unknown policy.yaml:4:13 whether `mm-exec` has key_admin could not be read: binance does not report it
```
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
    declared: {scopes: [read, trade.spot], by: desk-head, at: 2026-11-20}
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"key_admin": "unknown"}}]}
```
```finding
declared policy.yaml:5:24 that `mm-exec` has no key_admin is what desk-head declared on 2026-11-20; not verified
```

```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
    declared: {scopes: [read, trade.spot, key_admin], by: desk-head, at: 2026-11-20}
```
```finding
open certain policy.yaml:5:24 key `mm-exec` has key_admin as desk-head declared; the policy allows read and
  trade.spot
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade]
```
```json
{"keys": [{"name": "mm-exec", "permissions": {"trade.margin": "granted", "key_admin": "denied"}}]}
```

## Source
GUIDE.md G06, G07; INTERFACE.md, "Snapshot, version 1".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, words
from policykit.rules.pk105_purpose_scope import READS_ONLY
from policykit.rules.scopes import allows, granted, may, not_told, of_this_key
from policykit.traits.base import comes_with

if TYPE_CHECKING:
    from policykit.model import Key
    from policykit.snapshot import KeyReport

RULE = Rule(
    "PK104",
    "scope-drift",
    "high",
    ("G06", "G07"),
    "a key that may do more than was agreed costs more than was agreed when it leaks (G07)",
    ("policy", "snapshot"),
)

#: Scopes that PK101 to PK103 speak of.
_OWN_RULES = ("withdraw", "transfer")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare what was declared, then what is granted, with the scopes; gather what is not told into one finding."""
    for name, key in inputs.keys.items():
        yield from _declared(inputs, name, key)
    if inputs.snapshot is None:
        return
    from policykit.snapshot import SCOPES  # static lint does not load it

    for name, key, report in inputs.reports():
        place = inputs.place(f"keys.{name}.scopes")
        others = [s for s in SCOPES if s not in _OWN_RULES and not allows(key.scopes, s)]
        reads = key.purpose in READS_ONLY  # PK118 speaks of its trade
        extra = [s for s in others if report.permissions.get(s) == "granted" and not (reads and s.startswith("trade."))]
        with_it = [s for s in extra if s in comes_with(inputs.traits, key.scopes or ())]
        for scope in extra:
            if scope not in with_it:
                yield RULE.finding(
                    place,
                    f"key `{name}` has {scope} at the exchange; the policy allows {may(key)}",
                    confidence="observed",
                    label="this is all it may do",
                    context=inputs.declared_at(name),
                    observed=granted(inputs, report, scope),
                    next_step=f"{inputs.key_page()} > untick {inputs.on_page(scope)}, or agree to it in `scopes`",
                )
        if with_it:
            yield RULE.finding(
                place,
                f"key `{name}` has {words(with_it)} with the box that grants what the policy allows, {may(key)}",
                confidence="observed",
                label="this is all it may do",
                context=inputs.declared_at(name),
                observed=granted(inputs, report, with_it[0]),
                next_step=f"{inputs.model.exchange} has no narrower box: agree to {words(with_it)} in `scopes`, and"
                " name all that is traded in `risk.symbols`",
            )
        told = (key.declared.scopes if key.declared else None) or ()
        untold = [s for s in others if report.permissions.get(s, "unknown") == "unknown" and not allows(told, s)]
        if untold:
            yield _untold(inputs, name, key, report, untold)


def _declared(inputs: Inputs, name: str, key: Key) -> Iterator[Finding]:
    declared = key.declared
    seen = (declared.scopes if declared else None) or ()
    extra = [s for s in seen if s not in _OWN_RULES and not allows(key.scopes, s)]
    if declared is not None and extra:
        yield RULE.finding(
            inputs.place(f"keys.{name}.declared.scopes"),
            f"key `{name}` has {words(extra)} as {declared.by} declared; the policy allows {may(key)}",
            label="declared, and not in `scopes`",
            next_step=f"take it from the key at {inputs.key_page()}, or agree to it in `scopes`",
        )


def _untold(inputs: Inputs, name: str, key: Key, report: KeyReport, untold: list[str]) -> Finding:
    declared = key.declared
    if declared is not None and declared.scopes is not None and of_this_key(declared, report):
        by = f"{declared.by} declared on {declared.at}"
        return RULE.finding(
            inputs.place(f"keys.{name}.declared.scopes"),
            f"that `{name}` has no {words(untold)} is what {by}; not verified",
            status="declared",
        )
    reasons = dict.fromkeys(not_told(inputs, report, s) for s in untold)
    return RULE.unknown(
        inputs.place(f"keys.{name}.scopes"),
        f"whether `{name}` has {words(untold)} could not be read: {'; '.join(reasons)}",
        f"look at {inputs.key_page()}, then record it under `declared: {{scopes: ...}}`",
    )

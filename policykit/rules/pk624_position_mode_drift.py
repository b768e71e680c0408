"""The account is not in the position mode that the policy says.

## What it finds
Live: an account whose position mode at the exchange is not `account.position_mode`. Where the exchange does not tell it
is unknown. A policy that trades spot only has no such mode.

## Why
In hedge mode a sell can open a short leg beside the long one. A policy that says one_way takes it for a reduction and
lets it past every cap (G35, PITFALLS 3).

## Bad
```yaml
exchange: bybit
account: {name: main, currency: USDT, position_mode: one_way}
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.derivatives]}
```
```json
{"exchange": "bybit", "account": {"position_mode": "hedge"}}
```
```finding
open observed policy.yaml:2:54 the account is in position mode hedge; the policy says one_way
```
```yaml
exchange: bybit
account: {name: main, currency: USDT, position_mode: one_way}
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.derivatives]}
```
```json
{"exchange": "bybit", "account": {"position_mode": null, "unknown": {"position_mode": "bybit does not report it"}}}
```
```finding
unknown policy.yaml:2:54 which position mode the account is in is not known: bybit does not report it
```

## Good
```yaml
exchange: bybit
account: {name: main, currency: USDT, position_mode: hedge}
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.derivatives]}
```
```json
{"exchange": "bybit", "account": {"position_mode": "hedge"}}
```
```yaml
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.spot]}
account: {name: main, currency: USDT, position_mode: one_way}
```
```json
{"account": {"position_mode": null}}
```

## Source
GUIDE.md G35; PITFALLS.md 3 (hedge mode has two legs).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.budgets import products
from policykit.rules.holdings import evidence

RULE = Rule(
    "PK624",
    "position-mode-drift",
    "high",
    ("G35",),
    "in hedge mode a sell can open a short leg, past every cap (G35)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)

_MODES = ("one_way", "hedge")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the mode that the policy says with the account's."""
    said = inputs.model.account.position_mode
    if inputs.snapshot is None or said is None or products(inputs) == ("spot",):
        return
    mode, place = inputs.snapshot.account.get("position_mode"), inputs.place("account.position_mode")
    if mode in _MODES and mode != said:
        yield RULE.finding(
            place,
            f"the account is in position mode {mode}; the policy says {said}",
            confidence="observed",
            label="as agreed",
            observed=evidence(inputs, "position_mode", "position_mode", mode),
            next_step="set the mode at the exchange while nothing is held, or write here what is so",
        )
    elif mode not in _MODES:
        yield RULE.unknown(
            place,
            f"which position mode the account is in is not known: {inputs.not_told('position_mode')}",
            "look at the preferences of the exchange's trading page",
        )

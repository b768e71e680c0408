"""All positions together are over their cap now.

## What it finds
Live: positions whose notionals, long and short added up, are over `risk.max_gross_exposure` at the equity of the
snapshot. While they are within it, a position whose worth is not known leaves that unknown.

## Why
The sum at risk decides what one bad hour costs; it grows by every tool that trades the account (G01, G35).

## Bad
```yaml
exchange: bybit
risk:
  max_gross_exposure: 50% of equity
```
```json
{"exchange": "bybit", "account": {"equity": "10000 USDT", "positions": [
  {"symbol": "BTC/USDT:USDT", "side": "long", "quantity": "0.05", "notional": "3000", "currency": "USDT"},
  {"symbol": "ETH/USDT:USDT", "side": "short", "quantity": "1", "notional": "2500", "currency": "USDT"}]}}
```
```finding
open observed policy.yaml:3:23 all positions together are 5500 USDT; at most 5000 USDT (50% of equity)
```
```yaml
exchange: bybit
risk:
  max_gross_exposure: 50% of equity
```
```json
{"exchange": "bybit", "account": {"equity": "10000 USDT", "positions": [
  {"symbol": "BTC/USD:BTC", "side": "long", "quantity": "30", "notional": "0.05", "currency": "BTC"}]}}
```
```finding
unknown policy.yaml:3:23 whether all positions together are within their cap now is not known: BTC/USD:BTC long is
  counted in BTC
```
```yaml
exchange: bybit
risk:
  max_gross_exposure: 50% of equity
```
```json
{"exchange": "bybit", "account": {"unknown": {"positions": "bybit refused the key"}}}
```
```finding
unknown policy.yaml:3:23 whether all positions together are within their cap now is not known: bybit refused the key
```

## Good
```yaml
exchange: bybit
risk:
  max_gross_exposure: 50% of equity
```
```json
{"exchange": "bybit", "account": {"equity": "10000 USDT", "positions": [
  {"symbol": "BTC/USDT:USDT", "side": "long", "quantity": "0.05", "notional": "3000", "currency": "USDT"}]}}
```

## Source
GUIDE.md G01, G35; INTERFACE.md, "Snapshot, version 1" (account.positions).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.caps import money
from policykit.rules.holdings import evidence, judge, named, positions, several, untold

RULE = Rule(
    "PK618",
    "exposure-over-cap",
    "high",
    ("G01", "G35"),
    "the sum at risk decides what one bad hour costs (G35)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Add up what is counted in the account's currency, and name the rest."""
    bounds = inputs.model.risk.max_gross_exposure if inputs.model.risk else None
    if inputs.snapshot is None or not bounds:
        return
    place, currency = inputs.place("risk.max_gross_exposure"), inputs.model.account.currency
    held = positions(inputs)
    total = sum((p.notional for p in held if p.notional is not None and p.currency == currency), Decimal(0))
    judged = judge(inputs, total, currency, bounds)
    if judged.over:
        worth = money(total, currency)
        yield RULE.finding(
            place,
            f"all positions together are {worth}; at most {judged.over}",
            confidence="observed",
            label="the most that was agreed to",
            observed=evidence(inputs, "positions", "positions", worth),
            next_step="reduce positions by hand, or find out who opened them",
        )
        return
    without = [p.name for p in held if p.notional is None]
    elsewhere = [p for p in held if p.notional is not None and p.currency != currency]
    reason = several(
        (
            untold(inputs, "positions"),
            f"the worth of {named(without)} was not told" if without else "",
            *(f"{p.name} is counted in {p.currency}" for p in elsewhere),
            judged.why,
        )
    )
    if reason:
        yield RULE.unknown(
            place,
            f"whether all positions together are within their cap now is not known: {reason}",
            "add them up by eye on the exchange's page",
        )

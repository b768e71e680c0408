"""A position is in cross margin, and the policy says isolated.

## What it finds
Live: a position in contracts of what the policy trades that is in cross margin at the exchange, under
`account.margin_mode: isolated`. (The other way round is stricter than the policy.) A mode that the exchange does not
tell is unknown.

## Why
In cross margin one position's loss can take all that the account holds; isolated keeps it to what was put aside (G01).

## Bad
```yaml
exchange: bybit
account: {name: main, currency: USDT, margin_mode: isolated}
risk:
  symbols: ["BTC/USDT:USDT", "ETH/USDT:USDT"]
```
```json
{"exchange": "bybit", "account": {"positions": [
  {"symbol": "BTC/USDT:USDT", "side": "long", "quantity": "0.05", "margin_mode": "cross"},
  {"symbol": "ETH/USDT:USDT", "side": "long", "quantity": "1", "margin_mode": null}]}}
```
```finding
open observed policy.yaml:2:52 the position BTC/USDT:USDT is in cross margin; the policy says isolated
unknown policy.yaml:2:52 whether positions are in isolated margin is not known: that of ETH/USDT:USDT was not told
```
```yaml
exchange: bybit
account: {name: main, currency: USDT, margin_mode: isolated}
```
```json
{"exchange": "bybit", "account": {"positions": null}}
```
```finding
unknown policy.yaml:2:52 whether positions are in isolated margin is not known: the snapshot does not have it
```

## Good
```yaml
exchange: bybit
account: {name: main, currency: USDT, margin_mode: isolated}
risk:
  symbols: ["BTC/USDT:USDT"]
```
```json
{"exchange": "bybit", "account": {"positions": [
  {"symbol": "BTC/USDT:USDT", "side": "long", "quantity": "0.05", "margin_mode": "isolated"},
  {"symbol": "ETH/USDT:USDT", "side": "long", "quantity": "1", "margin_mode": "cross"}]}}
```
```yaml
exchange: bybit
account: {name: main, currency: USDT, margin_mode: cross}
```
```json
{"exchange": "bybit", "account": {"positions": [
  {"symbol": "BTC/USDT:USDT", "side": "long", "quantity": "0.05", "margin_mode": "isolated"}]}}
```

## Source
GUIDE.md G01; PITFALLS.md 28; INTERFACE.md, "Snapshot, version 1" (account.positions).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.holdings import evidence, named, number, rows, several, symbol_of, traded, untold

RULE = Rule(
    "PK625",
    "margin-mode-drift",
    "high",
    ("G01",),
    "in cross margin one position's loss can take the whole account (G01)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the margin of each position in contracts."""
    if inputs.snapshot is None or inputs.model.account.margin_mode != "isolated":
        return
    place, without = inputs.place("account.margin_mode"), []
    for index, row in enumerate(rows(inputs, "positions")):
        symbol, mode = symbol_of(row), row.get("margin_mode")
        if ":" not in symbol or not traded(inputs, symbol) or number(row.get("quantity")) == 0 or mode == "isolated":
            continue
        if mode == "cross":
            yield RULE.finding(
                place,
                f"the position {symbol} is in cross margin; the policy says isolated",
                confidence="observed",
                label="as agreed",
                observed=evidence(inputs, "positions", f"positions.{index}.margin_mode", mode),
                next_step="set the symbol to isolated margin at the exchange while nothing is held in it",
            )
        else:
            without.append(symbol)
    reason = several((untold(inputs, "positions"), f"that of {named(without)} was not told" if without else ""))
    if reason:
        yield RULE.unknown(
            place,
            f"whether positions are in isolated margin is not known: {reason}",
            "look at the margin of each symbol on the exchange's page",
        )

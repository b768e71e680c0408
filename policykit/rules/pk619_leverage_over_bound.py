"""The leverage of a position is over its bound now.

## What it finds
Live: a position in contracts of what the policy trades whose leverage at the exchange is over `risk.max_leverage`. A
leverage that the exchange does not tell is unknown.

## Why
Exchanges remember the last leverage of whoever used the account; it decides how far the market has to move until the
exchange closes the position (G01).

## Bad
```yaml
exchange: bybit
risk:
  symbols: ["BTC/USDT:USDT", "ETH/USDT:USDT"]
  max_leverage: 3
```
```json
{"exchange": "bybit", "account": {"positions": [
  {"symbol": "BTC/USDT:USDT", "side": "long", "quantity": "0.05", "leverage": "20"},
  {"symbol": "ETH/USDT:USDT", "side": "long", "quantity": "1", "leverage": null}]}}
```
```finding
open observed policy.yaml:4:17 the leverage of BTC/USDT:USDT is 20; at most 3
unknown policy.yaml:4:17 whether leverage is within its bound now is not known: that of ETH/USDT:USDT was not told
```
```yaml
exchange: bybit
risk:
  max_leverage: 3
```
```json
{"exchange": "bybit", "account": {"positions": null}}
```
```finding
unknown policy.yaml:3:17 whether leverage is within its bound now is not known: the snapshot does not have it
```

## Good
```yaml
exchange: bybit
risk:
  symbols: ["BTC/USDT:USDT"]
  max_leverage: 3
```
```json
{"exchange": "bybit", "account": {"positions": [
  {"symbol": "BTC/USDT:USDT", "side": "long", "quantity": "0.05", "leverage": "3"},
  {"symbol": "ETH/USDT:USDT", "side": "long", "quantity": "1", "leverage": "20"}]}}
```
```yaml
risk:
  max_leverage: 3
```
```json
{}
```

## Source
GUIDE.md G01; PITFALLS.md 28; INTERFACE.md, "Snapshot, version 1" (account.positions).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.holdings import evidence, named, number, rows, several, symbol_of, traded, untold
from policykit.units import plain

RULE = Rule(
    "PK619",
    "leverage-over-bound",
    "high",
    ("G01",),
    "leverage decides how soon the exchange closes the position for you (G01)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the leverage of each position in contracts with the bound."""
    most = inputs.model.risk.max_leverage if inputs.model.risk else None
    if inputs.snapshot is None or most is None:
        return
    place, without, said = inputs.place("risk.max_leverage"), [], set()
    for index, row in enumerate(rows(inputs, "positions")):
        symbol, leverage = symbol_of(row), number(row.get("leverage"))
        if not traded(inputs, symbol) or (leverage is None and ":" not in symbol) or number(row.get("quantity")) == 0:
            continue
        if leverage is None:
            without.append(symbol)
        elif leverage > most and (symbol, leverage) not in said:
            said.add((symbol, leverage))
            yield RULE.finding(
                place,
                f"the leverage of {symbol} is {plain(leverage)}; at most {plain(most)}",
                confidence="observed",
                label="the most that was agreed to",
                observed=evidence(inputs, "positions", f"positions.{index}.leverage", plain(leverage)),
                next_step=f"set it to {plain(most)} or less at the exchange",
            )
    reason = several((untold(inputs, "positions"), f"that of {named(without)} was not told" if without else ""))
    if reason:
        yield RULE.unknown(
            place,
            f"whether leverage is within its bound now is not known: {reason}",
            "look at the leverage of each symbol on the exchange's page",
        )

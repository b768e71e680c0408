"""A position is over its cap now.

## What it finds
Live: a position of what the policy trades whose notional is over `risk.max_position_notional`, at the mark and the
equity of the snapshot. The two legs of a hedge count apart; on spot all markets of an asset are one position. A
position whose worth the exchange does not tell, or that is counted in another currency than its cap, is unknown.

## Why
A cap holds the next order; what a person, another tool or an older policy opened lies there already (G35).

## Bad
```yaml
exchange: bybit
risk:
  symbols: ["BTC/USDT:USDT"]
  max_position_notional: 10% of equity
```
```json
{"exchange": "bybit", "account": {"equity": "100000 USDT", "positions": [{"symbol": "BTC/USDT:USDT", "side": "short",
  "quantity": "0.25", "notional": "15000", "currency": "USDT"}]}}
```
```finding
open observed policy.yaml:4:26 the position BTC/USDT:USDT short is 15000 USDT; at most 10000 USDT (10% of equity)
```
```yaml
exchange: bybit
risk:
  symbols: ["BTC/USDT:USDT"]
  max_position_notional: 5000 USDT
```
```json
{"exchange": "bybit", "account": {"equity": null, "positions": null,
  "unknown": {"positions": "bybit refused the key"}}}
```
```finding
unknown policy.yaml:4:26 whether positions are within their caps now is not known: bybit refused the key
```
```yaml
risk:
  symbols: ["BTC/USDT", "ETH/USDT"]
  max_position_notional: {default: 5000 USDT, BTC: 8000 USDT}
```
```json
{"account": {"equity": "20000 USDT", "balances": {"USDT": "9000", "BTC": "0.1", "ETH": "1"},
  "positions": [{"symbol": "BTC/USDT", "side": "long", "quantity": "0.1", "notional": "9000", "currency": "USDT"}]}}
```
```finding
open observed policy.yaml:3:52 the position BTC/USDT long is 9000 USDT; at most 8000 USDT
unknown policy.yaml:3:36 whether the position ETH/USDT long is within its cap now is not known: there is a balance,
  and no price of it
```

## Good
```yaml
risk:
  symbols: ["BTC/USDT"]
  max_position_notional: 10% of equity
```
```json
{"account": {"equity": "100000 USDT", "balances": {"USDT": "90000", "BTC": "0.1"},
  "positions": [{"symbol": "BTC/USDT", "side": "long", "quantity": "0.1", "notional": "10000", "currency": "USDT"}]}}
```
```yaml
risk:
  symbols: ["BTC/USDT"]
```
```json
{"account": {"equity": null, "positions": null}}
```

## Source
GUIDE.md G35; INTERFACE.md, "Snapshot, version 1" (account.positions).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.caps import money
from policykit.rules.holdings import caps_of, evidence, judge, positions, traded, untold

RULE = Rule(
    "PK617",
    "position-over-cap",
    "high",
    ("G35",),
    "a cap holds the next order, not what lies there already (G35)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)

_ALL = "risk.max_position_notional"


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare each position of what is traded with its cap; say what could not be compared."""
    risk = inputs.model.risk
    if inputs.snapshot is None or risk is None or not risk.max_position_notional:
        return
    reason = untold(inputs, "positions")
    if reason:
        message = f"whether positions are within their caps now is not known: {reason}"
        yield RULE.unknown(inputs.place(_ALL), message, "take the snapshot with a key that may read positions")
    for held in positions(inputs):
        key, bounds = caps_of(inputs, held.symbol)
        if not bounds or not traded(inputs, held.symbol):
            continue
        own = f"{_ALL}.{key}"
        place = inputs.place(own if own in inputs.effective.origins else _ALL)
        judged = judge(inputs, held.notional, held.currency, bounds) if held.notional is not None else None
        why = judged.why if judged else held.why
        if judged and held.notional is not None and judged.over:
            worth = money(held.notional, held.currency)
            yield RULE.finding(
                place,
                f"the position {held.name} is {worth}; at most {judged.over}",
                confidence="observed",
                label="the most that was agreed to",
                observed=evidence(inputs, "positions", held.path, worth),
                next_step="reduce it by hand, or find out who opened it; a guard refuses what would add to it",
            )
        elif why:
            yield RULE.unknown(
                place,
                f"whether the position {held.name} is within its cap now is not known: {why}",
                "compare it by eye on the exchange's page",
            )

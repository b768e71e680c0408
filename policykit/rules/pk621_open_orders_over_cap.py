"""More orders are out than were agreed to.

## What it finds
Live: more open orders on the account than `risk.max_open_orders`. While the orders that were listed are within it, a
list that could not be read, or a family of orders (`trigger`) that could not, leaves that unknown.

## Why
Orders that nobody counts fill all at once when the market moves; a list that grows is a bot that lost track (G34, G30).

## Bad
```yaml
risk:
  max_open_orders: 1
```
```json
{"account": {"open_orders": [{"symbol": "BTC/USDT", "side": "buy"}, {"symbol": "ETH/USDT", "side": "sell"}]}}
```
```finding
open observed policy.yaml:2:20 2 orders are open; at most 1
```
```yaml
risk:
  max_open_orders: 2
```
```json
{"account": {"open_orders": [{"symbol": "BTC/USDT", "side": "buy"}],
  "unknown": {"open_orders.trigger": "binance refused the list of conditional orders"}}}
```
```finding
unknown policy.yaml:2:20 how many orders are open is not known: binance refused the list of conditional orders
```

## Good
```yaml
risk:
  max_open_orders: 2
```
```json
{"account": {"open_orders": [{"symbol": "BTC/USDT", "side": "buy"}, {"symbol": "ETH/USDT", "side": "sell"}]}}
```

## Source
GUIDE.md G34, G30; PITFALLS.md 24 (a family that cannot be listed is unknown, never flat).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.holdings import evidence, rows, untold

RULE = Rule(
    "PK621",
    "open-orders-over-cap",
    "medium",
    ("G34", "G30"),
    "orders that nobody counts fill all at once (G34)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Count what is open."""
    most = inputs.model.risk.max_open_orders if inputs.model.risk else None
    if inputs.snapshot is None or most is None:
        return
    place, count = inputs.place("risk.max_open_orders"), len(rows(inputs, "open_orders"))
    reason = untold(inputs, "open_orders")
    if count > most:
        yield RULE.finding(
            place,
            f"{count} orders are open; at most {most}",
            confidence="observed",
            label="the most that was agreed to",
            observed=evidence(inputs, "open_orders", "open_orders", count),
            next_step="find out whose they are, and cancel those that nobody needs",
        )
    elif reason:
        yield RULE.unknown(
            place, f"how many orders are open is not known: {reason}", "count them by eye on the exchange's page"
        )

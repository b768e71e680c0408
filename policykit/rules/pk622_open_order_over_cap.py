"""An open order is over the cap on one order.

## What it finds
Live: an open order in a market of the policy's whose notional is over `risk.max_order_notional` at the equity of the
snapshot, unless it can only reduce: marked so, a sale on spot, or against a position that is at least as large. An
order whose worth the exchange does not tell (a market order in waiting, say) is unknown.

## Why
What a person, another tool or an older policy placed rests there until it fills, whatever the cap says now (G33).

## Bad
```yaml
risk:
  symbols: ["BTC/USDT"]
  max_order_notional: 1.5% of equity
```
```json
{"account": {"equity": "100000 USDT", "positions": [], "open_orders": [
  {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.05", "filled": "0", "price": "60000", "notional": "3000"}]}}
```
```finding
open observed policy.yaml:3:23 an open order to buy BTC/USDT is 3000 USDT; at most 1500 USDT (1.5% of equity)
```
```yaml
risk:
  symbols: ["BTC/USDT"]
  max_order_notional: 1500 USDT
```
```json
{"account": {"equity": "100000 USDT", "positions": [], "open_orders": [
  {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.05", "filled": "0", "price": null, "notional": null}],
  "unknown": {"open_orders.trigger": "binance refused the list of conditional orders"}}}
```
```finding
unknown policy.yaml:3:23 whether open orders are within the cap is not known: binance refused the list of conditional
  orders; the order to buy BTC/USDT has no notional
```

## Good
```yaml
exchange: bybit
risk:
  symbols: ["BTC/USDT:USDT"]
  max_order_notional: 1500 USDT
```
```json
{"exchange": "bybit", "account": {
  "positions": [{"symbol": "BTC/USDT:USDT", "side": "long", "quantity": "0.05", "notional": "3000"}],
  "open_orders": [
    {"symbol": "BTC/USDT:USDT", "side": "sell", "quantity": "0.05", "filled": "0", "notional": "3100"},
    {"symbol": "BTC/USDT:USDT", "side": "buy", "quantity": "0.02", "filled": "0", "notional": "1200"},
    {"symbol": "ETH/USDT:USDT", "side": "buy", "quantity": "9", "filled": "0", "notional": "27000"}]}}
```

## Source
GUIDE.md G33; PITFALLS.md 3 (reduce is a result, not a flag); INTERFACE.md, "Snapshot, version 1" (open_orders).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.caps import money
from policykit.rules.holdings import Row, currency_of, evidence, judge, number, rows, several, symbol_of, traded, untold

RULE = Rule(
    "PK622",
    "open-order-over-cap",
    "high",
    ("G33",),
    "what rests there fills whatever the cap says now (G33)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare each open order that may increase with the cap; gather what could not be compared."""
    bounds = inputs.model.risk.max_order_notional if inputs.model.risk else None
    if inputs.snapshot is None or not bounds:
        return
    place, why = inputs.place("risk.max_order_notional"), [untold(inputs, "open_orders")]
    for index, row in enumerate(rows(inputs, "open_orders")):
        symbol = symbol_of(row)
        if not traded(inputs, symbol) or _reduces(inputs, row):
            continue
        what = f"order to {'sell' if row.get('side') == 'sell' else 'buy'} {symbol}"
        notional, currency = number(row.get("notional")), currency_of(row)
        if notional is None or currency is None:
            why.append(f"the {what} has no notional")
            continue
        judged = judge(inputs, notional, currency, bounds)
        why.append(f"the {what}: {judged.why}" if judged.why else "")
        if judged.over:
            worth = money(notional, currency)
            yield RULE.finding(
                place,
                f"an open {what} is {worth}; at most {judged.over}",
                confidence="observed",
                label="the most that was agreed to",
                observed=evidence(inputs, "open_orders", f"open_orders.{index}.notional", worth),
                next_step="find out whose it is; cancel it, or place it anew within the cap",
            )
    reason = several(why)
    if reason:
        yield RULE.unknown(
            place,
            f"whether open orders are within the cap is not known: {reason}",
            "look at the open orders on the exchange's page",
        )


def _reduces(inputs: Inputs, row: Row) -> bool:
    """Tell whether an order can only reduce what is held, as far as the snapshot proves it."""
    side, symbol = row.get("side"), str(row["symbol"])
    if row.get("reduce_only") is True or (":" not in symbol and side == "sell"):
        return True
    live = inputs.snapshot.account if inputs.snapshot else {}
    if "hedge" in (inputs.model.account.position_mode, live.get("position_mode")):
        return False  # it may open the other leg
    left = (number(row.get("quantity")) or Decimal(0)) - (number(row.get("filled")) or Decimal(0))
    against = "long" if side == "sell" else "short"
    held = [r for r in rows(inputs, "positions") if r["symbol"] == symbol and r.get("side") == against]
    return 0 < left <= sum((number(r.get("quantity")) or Decimal(0) for r in held), Decimal(0))

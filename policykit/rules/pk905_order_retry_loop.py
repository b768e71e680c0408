"""A loop repeats an order.

## What it finds
An order, sent there or through a helper of the file, in a `try` in a loop whose `except` lets the loop go on: `for
attempt in range(3)`, `while True`, `while not done`. The loop is left on success, or the order stands in it without a
condition. Silent where the loop looks the order up (`fetch_order`, `fetch_open_orders`, ...), where the handler raises
or leaves, where only errors are caught that say that nothing was executed, and where a protected client decides.

## Why
A time-out does not say that the order did not execute. Whether it did has to be asked by its client order id before
anything is sent again (G26); after a 429 too (G32).

## Bad
```python
import ccxt

exchange = ccxt.binance()

def buy(symbol, amount):
    for attempt in range(3):
        try:
            return exchange.create_market_buy_order(symbol, amount)
        except ccxt.NetworkError:
            time.sleep(1)
```
```finding
open certain bot.py:6:20 `for attempt in range(3)` repeats `exchange.create_market_buy_order` after an error
```
```python
import ccxt

def place(exchange, amount):
    while True:
        try:
            exchange.create_market_buy_order("BTC/USDT", amount)
            break
        except Exception as error:
            print(error)
```
```finding
open likely bot.py:4:11 `while True` repeats `exchange.create_market_buy_order` after an error
```

## Good
```python
import ccxt

exchange = ccxt.binance()

def buy(symbol, amount, client_order_id):
    for attempt in range(3):
        try:
            return exchange.create_market_buy_order(symbol, amount, {"clientOrderId": client_order_id})
        except ccxt.NetworkError:
            found = exchange.fetch_order(None, symbol, {"clientOrderId": client_order_id})
            if found:
                return found
```
```python
import ccxt

exchange = ccxt.binance()
for symbol in ("BTC/USDT", "ETH/USDT"):
    try:
        exchange.create_market_buy_order(symbol, 1)
    except ccxt.InsufficientFunds:
        continue
```

## Source
GUIDE.md G26, G32, G38; PITFALLS.md 10, stories 1 and 13.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.code.orders import Sent, helpers, orders
from policykit.rules.code.retries import looped
from policykit.rules.code.tree import Call

RULE = Rule(
    "PK905",
    "order-retry-loop",
    "high",
    ("G26", "G32", "G38"),
    "an order whose answer did not come may have executed: sent again, it is a second one",
    ("source",),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the loops around each order, and around each call of a helper that sends one."""
    code = inputs.code
    seen: set[int] = set()
    direct: list[tuple[Call, Sent]] = [(o.call, o) for o in orders(code) if o.state != "protected"]
    for call, order in (*direct, *helpers(code)):
        found = looped(call)
        if found is None or id(found.node) in seen:
            continue
        seen.add(id(found.node))
        yield RULE.finding(
            code.place(found.node, order.call.method),
            f"{found.text} repeats `{order.shown}` after an error",
            confidence="certain" if found.sure and order.state == "raw" else "likely",
            label="goes on after an error",
            next_step="look the order up by its client order id before it is sent again; a protected client does that",
            context=(("the order", code.place(call.node, order.call.method)),),
        )

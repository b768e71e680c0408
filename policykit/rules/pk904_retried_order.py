"""A retry library repeats an order.

## What it finds
A function that sends an order, itself or through a helper of its file, under a decorator that repeats it when it fails
(tenacity, backoff, stamina, retrying, retry, reretry, riprova, opnieuw, aioretry, or one of its own called
`retry...`), and an order handed to such a library (`retry_call(exchange.create_order, ...)`). Silent where a protected
client or `@enforce` decides each try, where one try is asked for, and where only errors are repeated that say that
nothing was executed (`InsufficientFunds`, `InvalidNonce`, ...).

## Why
A time-out does not say that the order did not execute. Whether it did has to be asked by its client order id before
anything is sent again (G26); after a 429 too (G32).

## Bad
```python
import ccxt
from tenacity import retry, stop_after_attempt

exchange = ccxt.binance()

@retry(stop=stop_after_attempt(3))
def buy(symbol, amount):
    return exchange.create_market_buy_order(symbol, amount)
```
```finding
open certain bot.py:6:2 `retry` repeats `exchange.create_market_buy_order`: one order may be sent several times
```
```python
import ccxt
from retry.api import retry_call

exchange = ccxt.okx()
retry_call(exchange.create_order, fargs=["BTC/USDT", "market", "buy", 1], tries=3)
```
```finding
open certain bot.py:5:1 `retry_call` repeats `exchange.create_order`: one order may be sent several times
```

```python
import ccxt
from policykit import enforce
from tenacity import retry

exchange = ccxt.binance()


@enforce("order.create")
@retry
def buy(symbol, side, amount, price):
    return exchange.create_order(symbol, "limit", side, amount, price)
```
```finding
open certain bot.py:9:2 `retry` repeats `exchange.create_order`: one order may be sent several times
```

## Good
```python
import ccxt
from tenacity import retry, stop_after_attempt

exchange = ccxt.binance()

@retry(stop=stop_after_attempt(3))
def price(symbol):
    return exchange.fetch_ticker(symbol)["last"]
```
```python
import ccxt
from policykit import enforce
from tenacity import retry

exchange = ccxt.binance()

@retry
@enforce("order.create")
def buy(symbol, side, amount, price):
    return exchange.create_order(symbol, "limit", side, amount, price)
```
```python
import ccxt

exchange = ccxt.binance()

def buy_once(symbol, side, amount, price):
    return exchange.create_order(symbol, "limit", side, amount, price)
```

## Source
GUIDE.md G26, G32, G38; PITFALLS.md 10 and story 1; the libraries that `rules/code/retries.py` names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.code.orders import Sent, last_name, orders, sends
from policykit.rules.code.retries import Repeat, decorated, repeats
from policykit.rules.code.tree import Code, Scope

RULE = Rule(
    "PK904",
    "retried-order",
    "high",
    ("G26", "G32", "G38"),
    "an order whose answer did not come may have executed: sent again, it is a second one",
    ("source",),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the functions that send orders, and at what orders are handed to."""
    code = inputs.code
    if not orders(code):
        return
    for function in code.functions:
        found = decorated(function)
        order = sends(function) if found is not None else None
        if found is not None and order is not None and not _decided(order, function, found[1]):
            yield _finding(code, found[0], order)
    for repeat, order in _handed(code):
        yield _finding(code, repeat, order)


def _finding(code: Code, repeat: Repeat, order: Sent) -> Finding:
    return RULE.finding(
        code.place(repeat.node, order.call.method),
        f"{repeat.text} repeats `{order.shown}`: one order may be sent several times",
        confidence="certain" if repeat.sure and order.state == "raw" else "likely",
        label="repeats it after any error",
        next_step="look the order up by its client order id before it is sent again; a protected client does that",
        context=((("the order", code.place(order.call.node, order.call.method)),)),
    )


def _decided(order: Sent, function: Scope, at: int) -> bool:
    """Tell whether a policy decides each try: `@enforce` stands inside of what repeats."""
    scope: Scope | None = order.call.scope
    while scope is not None:
        inside = scope.decorators[at + 1 :] if scope is function else scope.decorators
        if any(last_name(d) == "enforce" for d in inside):
            return True
        scope = None if scope is function else scope.parent
    return False


def _handed(code: Code) -> Iterator[tuple[Repeat, Sent]]:
    """Yield the orders that are handed to something that repeats them, also in a lambda."""
    known = {id(o.call.node): o for o in orders(code) if o.state != "protected"}
    for call in code.calls if known else ():
        found = repeats(code, call.node)
        if found is not None:
            inside = (known.get(id(n)) for a in call.arguments for n in ast.walk(a))
            order = next((o for o in inside if o is not None), None)
            if order is not None:
                yield found, order

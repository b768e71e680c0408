"""A bot sends an order that no policy decides.

## What it finds
A call of ccxt that places or changes an order (`create_order`, `create_market_buy_order`, `createOrder`,
`edit_order`, `create_orders`, `create_order_ws`, raw `private_post_order`, ...) on a client that was not given to
`guard.protect` in this file, in a function that is not decorated with `@enforce`. A client made in the same file is
certain; one that comes from elsewhere is likely, because it may be protected there.

## Why
The policy holds what passes through it. One unprotected call goes around every cap, the kill switch and the journal,
and its time-out is what opens a second order (G26, G28).

## Bad
```python
import ccxt

exchange = ccxt.binance()
exchange.create_order("BTC/USDT", "limit", "buy", 1, 60000)
```
```finding
open certain bot.py:4:1 `exchange.create_order` sends an order that no policy decides
```
```python
def rebalance(client):
    client.createMarketSellOrder("BTC/USDT", 1)
```
```finding
open likely bot.py:2:5 `client.createMarketSellOrder` sends an order that no policy decides
```

## Good
```python
import ccxt
from policykit import Guard

guard = Guard.load("policies/mm.yaml")
exchange = guard.protect(ccxt.binance())
exchange.create_order("BTC/USDT", "limit", "buy", 1, 60000)
```
```python
import ccxt
from policykit import enforce

exchange = ccxt.binance()

@enforce("order.create")
def buy(symbol, side, amount, price):
    return exchange.create_order(symbol, "limit", side, amount, price)
```
```python
def checkout(shop):
    return shop.create_order(basket=[1, 2])
```

## Source
PITFALLS.md 18; ccxt 4.5.90, `ccxt/base/exchange.py` (the unified order methods), read in November 2026.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.code import Code, Invocation, dotted

RULE = Rule(
    "PK901",
    "unprotected-order",
    "high",
    ("G26", "G28", "G33"),
    "one call around the policy goes around every cap, the kill switch and the journal",
    ("source",),
)

_UNIFIED = re.compile(
    r"(create|edit)_?([a-z_]*_)?orders?(_with_[a-z_]+)?(_ws)?\Z"
    r"|(create|edit)([A-Z][A-Za-z]*)?Orders?(With[A-Za-z]+)?(Ws)?\Z"
)
#: Raw methods: `private_post_order`, `fapiPrivatePostOrder`, `private_post_v5_order_create`.
_RAW = re.compile(r"[a-z0-9]*_?private_?(post|put)_[a-z0-9_]*order|[a-z0-9]*[pP]rivate(Post|Put)[A-Za-z0-9]*Order")
#: Words that make a method's name an exchange's; without them and without ccxt in the file, words of an order count.
_TRADING = re.compile(r"(?i)market|limit|stop|trigger|trailing|take_?profit|_ws\Z|Ws\Z")
_ORDER_WORDS = frozenset({"buy", "sell", "limit", "market"})


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at each order call outside `@enforce` on a client that is not protected here."""
    code = inputs.code
    for call in code.calls:
        if not _sends_order(code, call) or _covered(code, call):
            continue
        shown = f"{call.receiver}.{call.method}" if call.receiver else call.method
        yield RULE.finding(
            code.place(call.node, call.method),
            f"`{shown}` sends an order that no policy decides",
            confidence="certain" if call.receiver in code.clients else "likely",
            label="not protected, not inside @enforce",
            next_step=f"give the client to `guard.protect(...)`{_elsewhere(code, call)}",
        )


def _sends_order(code: Code, call: Invocation) -> bool:
    if _RAW.match(call.method):
        return True
    if not _UNIFIED.match(call.method):
        return False
    if code.uses_ccxt or _TRADING.search(call.method):
        return True
    values = [*call.node.args, *(k.value for k in call.node.keywords)]
    return any(isinstance(v, ast.Constant) and v.value in _ORDER_WORDS for v in values)


def _covered(code: Code, call: Invocation) -> bool:
    if call.receiver in code.protected:
        return True
    function = call.node.func
    made = function.value if isinstance(function, ast.Attribute) else function
    if isinstance(made, ast.Call) and dotted(made.func).rpartition(".")[2] == "protect":
        return True
    decorators = (d for f in call.functions for d in f.decorator_list)
    return any(dotted(d.func if isinstance(d, ast.Call) else d).rpartition(".")[2] == "enforce" for d in decorators)


def _elsewhere(code: Code, call: Invocation) -> str:
    return "" if call.receiver in code.clients else "; if another file does, leave this one out of PATHS"

"""An order carries no client order id.

## What it finds
A call that places one order, on a client that no guard protects, whose arguments are in sight and name no client order
id (`clientOrderId`, `newClientOrderId`, `orderLinkId`, `clOrdId`, `clientOid`, `cl_ord_id`, ...). Silent where
arguments come from elsewhere (`**order`, a parameter `params`), and where a protected client gives the id.

## Why
After a time-out an order without an id that the bot knows cannot be told from one that was never sent (G26, G28).

## Bad
```python
import ccxt

exchange = ccxt.binance()
exchange.create_order("BTC/USDT", "limit", "buy", 1, 60000, {"timeInForce": "GTC"})
```
```finding
open certain bot.py:4:1 `exchange.create_order` sends an order without a client order id
```
```python
from pybit.unified_trading import HTTP

session = HTTP(testnet=False)
session.place_order(category="linear", symbol="BTCUSDT", side="Buy", orderType="Market", qty="1")
```
```finding
open certain bot.py:4:1 `session.place_order` sends an order without a client order id
```

## Good
```python
import ccxt

exchange = ccxt.binance()
params = {"timeInForce": "GTC"}
params["clientOrderId"] = new_id()
exchange.create_order("BTC/USDT", "limit", "buy", 1, 60000, params)
```
```python
import ccxt

exchange = ccxt.binance()

def order(symbol, amount, params):
    return exchange.create_market_order(symbol, "buy", amount, None, params)
```

## Source
GUIDE.md G26, G28; PITFALLS.md 11; the packages that `rules/code/libraries.py` names.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.code.orders import Sent, by_client, orders, others
from policykit.rules.code.tree import Scope, dotted

RULE = Rule(
    "PK906",
    "no-client-order-id",
    "medium",
    ("G28", "G26"),
    "after a time-out an order without a known id cannot be looked up",
    ("source",),
)

#: Methods that change, close or send several: their ids are elsewhere.
_OTHER = re.compile(r"(?i)edit|amend|modify|replace|close|batch|bulk|multi|orders|_list_|cancel")
#: What is given to an order as plain values; anything else in its arguments may hold an id.
_PLAIN = (ast.Constant, ast.JoinedStr, ast.BinOp, ast.UnaryOp, ast.Subscript, ast.IfExp, ast.Compare)
_MORE = re.compile(r"(?i)param|extra|option|opts|kwargs|\Adata\Z|payload|request|order|\Aargs\Z|id\Z|oid|cloid")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the orders on each client that no guard protects."""
    code = inputs.code
    bare = (o for o in orders(code) if o.state in ("raw", "likely") and not _may_have_id(o))
    for group in by_client(bare):
        first = group[0]
        more = f"; nor {'has 1 call' if len(group) == 2 else f'have {len(group) - 1} calls'} more on it"
        yield RULE.finding(
            code.place(first.call.node, first.call.method),
            f"`{first.shown}` sends an order without a client order id",
            confidence=first.confidence,
            label=f"no {_usual(first)} among its arguments{more if len(group) > 1 else ''}",
            next_step=f"give it an id of its own (`{_usual(first)}`) and keep that; a protected client does so",
            context=others(code, group),
        )


def _usual(order: Sent) -> str:
    return order.library.ids[0]


def _may_have_id(order: Sent) -> bool:
    """Tell whether an id is given, or may be: also when what is given cannot be seen."""
    call = order.call.node
    if not isinstance(call, ast.Call) or _OTHER.search(order.call.method) or not order.library.ids:
        return True
    if any(isinstance(a, ast.Starred) for a in call.args):
        return True
    given = call.args
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg in order.library.ids:
            return True
        if _MORE.search(keyword.arg):
            given = [*given, keyword.value]
    return any(_holds_id(a, order.call.scope, order.library.ids) for a in given)


def _holds_id(node: ast.expr, scope: Scope, ids: tuple[str, ...]) -> bool:
    if isinstance(node, ast.Dict):
        keys = [k.value if isinstance(k, ast.Constant) else None for k in node.keys]
        return any(k is None or k in ids for k in keys)
    name = dotted(node)
    if not name:
        return not isinstance(node, _PLAIN) and not (isinstance(node, ast.Call) and not _MORE.search(dotted(node.func)))
    if not _MORE.search(name.rpartition(".")[2]):
        return False
    given = scope.names.get(name)
    if not given or any(not isinstance(b.value, ast.Dict) for b in given):
        return True
    return any(_holds_id(b.value, scope, ids) for b in given)

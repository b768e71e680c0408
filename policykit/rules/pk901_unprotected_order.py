"""A bot sends an order that no policy decides.

## What it finds
A call that places or changes an order: the unified methods of ccxt in both spellings (`create_order`,
`createMarketBuyOrder`, `edit_order`, `create_orders`, `create_order_ws`, ...), its raw private methods, and those of
python-binance, binance-connector, pybit, okx, kucoin, krakenex, python-kraken-sdk, hyperliquid, coinbase and bitmex.
Names are followed through assignments, `self`, helpers, parameters and the other files that were given.
It is silent where the client was given to `guard.protect` and where the function, or every caller of it, is under
`@enforce`. It is certain where the client is seen to be made without protection, else likely. The calls on one client
are one finding.

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
```python
import ccxt
from policykit import Guard

exchange = ccxt.okx()
if LIVE:
    exchange = Guard.load("policies/mm.yaml").protect(exchange)
exchange.create_limit_buy_order("BTC/USDT", 1, 60000)
```
```finding
open likely bot.py:7:1 `exchange.create_limit_buy_order` sends an order that a policy decides on some ways only
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
PITFALLS.md 18; ccxt 4.5.90, `ccxt/base/exchange.py`, and the packages that `rules/code/libraries.py` names, read in
November 2026.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.code.orders import by_client, enforced, orders, others

RULE = Rule(
    "PK901",
    "unprotected-order",
    "high",
    ("G26", "G28", "G33"),
    "one call around the policy goes around every cap, the kill switch and the journal",
    ("source",),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the order calls on each client that is not protected, outside `@enforce`."""
    code = inputs.code
    open_orders = (s for s in orders(code) if s.state != "protected" and not enforced(s.call.scope))
    for group in by_client(open_orders):
        first = group[0]
        partly = first.state == "partly"
        more = f"; nor {_calls(len(group) - 1)} more on it" if len(group) > 1 else ""
        yield RULE.finding(
            code.place(first.call.node, first.call.method),
            f"`{first.shown}` sends an order that "
            + ("a policy decides on some ways only" if partly else "no policy decides"),
            confidence=first.confidence,
            label=f"{'not always ' if partly else 'not '}protected, not inside @enforce{more}",
            next_step=_next_step(first.library.name, likely=first.state == "likely"),
            context=others(code, group),
        )


def _calls(count: int) -> str:
    return "is 1 call" if count == 1 else f"are {count} calls"


def _next_step(library: str, *, likely: bool) -> str:
    if library == "ccxt":
        elsewhere = "; if another file does, give that one to lint too" if likely else ""
        return f"give the client to `guard.protect(...)`{elsewhere}"
    return f"put `@enforce` on the function that calls {library}, or trade through a protected ccxt client"

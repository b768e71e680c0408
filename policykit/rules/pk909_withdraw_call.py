"""A bot calls a method that withdraws.

## What it finds
A call of `withdraw`, of a raw private method that withdraws, or of another library's method of that kind, on a client
of an exchange.

## Why
A bot's key never has the withdraw permission (G04). Code that withdraws asks for one: what leaks then, or runs by
mistake, empties the account.

## Bad
```python
import ccxt

exchange = ccxt.kraken()
exchange.withdraw("BTC", 0.5, address)
```
```finding
open certain bot.py:4:1 `exchange.withdraw` takes assets out of the account: a bot's key never may
```
```python
import krakenex

kraken = krakenex.API()
kraken.query_private("Withdraw", {"asset": "XBT", "key": "cold", "amount": "1"})
```
```finding
open certain bot.py:4:1 `kraken.query_private` takes assets out of the account: a bot's key never may
```

## Good
```python
import ccxt

exchange = ccxt.kraken()
exchange.fetch_withdrawals("BTC")
bank.withdraw(100)
```

## Source
GUIDE.md G04; the packages that `rules/code/libraries.py` names.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.code.orders import withdrawals

RULE = Rule(
    "PK909",
    "withdraw-call",
    "high",
    ("G04",),
    "code that withdraws needs a key that can: leaked or by mistake, it empties the account",
    ("source",),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at each call that withdraws."""
    for sent in withdrawals(inputs.code):
        yield RULE.finding(
            inputs.code.place(sent.call.node, sent.call.method),
            f"`{sent.shown}` takes assets out of the account: a bot's key never may",
            confidence=sent.confidence,
            label="needs the withdraw permission",
            next_step="let a person withdraw, with a key that no bot has; take the permission from this one",
        )

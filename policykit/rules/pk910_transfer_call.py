"""A bot calls a method that transfers between accounts.

## What it finds
A call of `transfer`, of a raw private method that transfers, or of another library's method of that kind, on a client
of an exchange.

## Why
A bot's key never has internal transfer (G05): it moves assets to where another limit, or none, holds.

## Bad
```python
import ccxt

exchange = ccxt.binance()
exchange.transfer("USDT", 1000, "spot", "future")
```
```finding
open certain bot.py:4:1 `exchange.transfer` moves assets between accounts: a bot's key never may
```

## Good
```python
import ccxt

exchange = ccxt.binance()
exchange.fetch_transfers("USDT")
file.transfer("a", "b")
```

## Source
GUIDE.md G05; the packages that `rules/code/libraries.py` names.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.code.orders import transfers

RULE = Rule(
    "PK910",
    "transfer-call",
    "medium",
    ("G05",),
    "a transfer moves assets to where another limit, or none, holds",
    ("source",),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at each call that transfers."""
    for sent in transfers(inputs.code):
        yield RULE.finding(
            inputs.code.place(sent.call.node, sent.call.method),
            f"`{sent.shown}` moves assets between accounts: a bot's key never may",
            confidence=sent.confidence,
            label="needs the transfer permission",
            next_step="let a treasury job with a key of its own transfer; take the permission from this one",
        )

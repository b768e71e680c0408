"""The client library retries by itself.

## What it finds
`maxRetriesOnFailure` above 0, or set to something that is not a plain number, as an option of a ccxt client, as
an attribute, or in the params of a call.

## Why
ccxt then repeats any request whose answer did not come, orders too: with 3, one order was sent four times. Whether
the first one executed has to be asked before anything is sent again (G26, G32).

## Bad
```python
import ccxt

exchange = ccxt.binance({"options": {"maxRetriesOnFailure": 3}})
```
```finding
open certain bot.py:3:61 `maxRetriesOnFailure` is 3: one order may be sent 4 times; 0 is safe
```
```python
exchange.options["maxRetriesOnFailure"] = settings.retries
```
```finding
open likely bot.py:1:43 `maxRetriesOnFailure` may be over 0: an order may be sent more than once; 0 is safe
```
```python
import ccxt

spot = ccxt.okx({"options": {"maxRetriesOnFailure": 0}})
swap = ccxt.okx({"options": {"maxRetriesOnFailure": 1, "defaultType": "swap"}})
```
```finding
open certain bot.py:4:53 `maxRetriesOnFailure` is 1: one order may be sent 2 times; 0 is safe
```

## Good
```python
import ccxt

exchange = ccxt.binance({"options": {"maxRetriesOnFailure": 0}})
```

## Source
PITFALLS.md 18 and story 3; ccxt 4.5.90, `Exchange.fetch2`, measured in November 2026.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK902",
    "library-retries",
    "high",
    ("G26", "G32", "G38"),
    "a repeated order request is a second order when the first one executed",
    ("source",),
)

_OPTIONS = ("maxRetriesOnFailure", "max_retries_on_failure")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at each value given to the option."""
    for named in inputs.code.named:
        if named.key not in _OPTIONS:
            continue
        value = named.value.value if isinstance(named.value, ast.Constant) else ...
        if value is ...:
            message = f"`{named.key}` may be over 0: an order may be sent more than once; 0 is safe"
        elif isinstance(value, int) and value > 0:
            message = f"`{named.key}` is {int(value)}: one order may be sent {value + 1} times; 0 is safe"
        else:
            continue
        place = inputs.code.place(named.value, named.key)
        yield RULE.finding(
            place,
            message,
            confidence="likely" if value is ... else "certain",
            label="retries of the library",
            next_step="set it to 0; the protected client looks an order up before anything is sent again",
            fix=Fix.replace(place, "0", "0: no retry by the library", safe=value is not ...),
        )

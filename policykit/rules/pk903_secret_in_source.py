"""A secret stands in the bot's source.

## What it finds
A text of 16 characters or more, with letters and digits, given to a name that ccxt or a bot keeps a credential
under (`secret`, `apiKey`, `password`, `privateKey`, `API_SECRET`, ...). Inside a ccxt client it is certain, elsewhere
likely. Placeholders (`YOUR_SECRET`, `xxx`), references (`vault://...`) and look-ups in the environment are none. The
value is never shown.

## Why
Source is copied, shared and kept for ever in a repository's history; a secret in it is exposed (G15, G18).

## Bad
```python
import ccxt

exchange = ccxt.binance({"apiKey": key, "secret": "EXAMPLEexample0123456789EXAMPLEexample"})
```
```finding
open certain bot.py:3:51 `secret` holds a secret in the source
```
```python
API_SECRET = "EXAMPLEexample0123456789EXAMPLEexample"
```
```finding
open likely bot.py:1:14 `API_SECRET` holds a secret in the source
```

## Good
```python
import os
import ccxt

exchange = ccxt.binance({"apiKey": os.environ["MM_API_KEY"], "secret": os.environ["MM_API_SECRET"]})
```
```python
API_SECRET = "YOUR_API_SECRET_0123456789"
```

## Source
GUIDE.md G02, G15, G18; ccxt 4.5.90, `Exchange.requiredCredentials`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.credentials import credential, keeps

RULE = Rule(
    "PK903",
    "secret-in-source",
    "critical",
    ("G15", "G18", "G02"),
    "source is copied and its history is kept: what stands in it is exposed",
    ("source",),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at each text given to a credential's name."""
    for named in inputs.code.named:
        if keeps(named.key) and _text(named.value):
            yield RULE.finding(
                inputs.code.place(named.value, named.key),
                f"`{named.key}` holds a secret in the source",
                confidence="certain" if named.in_client else "likely",
                label="a secret",
                next_step="revoke this key at the exchange, make a new one, and load it at run time"
                " (`env://`, `vault://`)",
            )


def _text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and credential(node.value)

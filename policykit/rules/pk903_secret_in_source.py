"""A secret stands in the bot's source.

## What it finds
A text of 16 characters or more, with letters and digits, given to a name that ccxt or a bot keeps a credential
under (`secret`, `apiKey`, `password`, `privateKey`, `API_SECRET`, ...). Inside a ccxt client it is certain, elsewhere
likely. So are what a client is given by place, what stands in for a variable (`os.getenv("API_SECRET", "...")`), and a
text that is a credential by its form (a private key in PEM, tokens of Telegram, Slack, GitHub, ...). Placeholders
(`YOUR_SECRET`, `xxx`), references (`vault://...`) and look-ups in the environment are none. The value is never shown.

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
```python
from binance.client import Client

client = Client("EXAMPLEexample0123456789EXAMPLEexample", os.getenv("SECRET", "EXAMPLEexample9876543210EXAMPLE"))
```
```finding
open certain bot.py:3:17 `secret` holds a secret in the source
open likely bot.py:3:79 `SECRET` holds a secret in the source
```
```python
hook = "xoxb-EXAMPLE0123456789-abcdefghijklmnop"
```
```finding
open certain bot.py:1:8 a Slack token stands in the source
```

## Good
```python
import os
import ccxt

exchange = ccxt.binance({"apiKey": os.environ["MM_API_KEY"], "secret": os.getenv("MM_API_SECRET")})
```
```python
API_SECRET = "YOUR_API_SECRET_0123456789"
```

## Source
GUIDE.md G02, G15, G18; ccxt 4.5.90, `Exchange.requiredCredentials`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.code import flow
from policykit.rules.code.libraries import client_of
from policykit.rules.code.retries import origin
from policykit.rules.code.tree import Code, dotted
from policykit.rules.credentials import credential, keeps, known

RULE = Rule(
    "PK903",
    "secret-in-source",
    "critical",
    ("G15", "G18", "G02"),
    "source is copied and its history is kept: what stands in it is exposed",
    ("source",),
)


#: What a stand-in of a test looks like: one run repeated, a path, a value that says what it is.
_NONE = re.compile(r"(?:0x)?(.{1,20}?)\1+\Z|/(?:[a-z0-9_.{}-]+/)+[a-z0-9_.{}-]*\Z")
_WORDS = re.compile(r"(?i)secret|pass_?phrase|password|sentinel|api[-_]?key|live[-_]?key|token[-_]")
#: The name of the value of `os.environ.get("API_SECRET", "...")`, and of `Client("...", "...")`.
_LOOK_UPS = re.compile(r"(?:os\.)?(?:environ\.get|getenv)\Z")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at each text given to a credential's name, and at those that are a credential by their form."""
    code = inputs.code
    seen: set[int] = set()
    for key, value, certain in (*_named(code), *_given(code)):
        if keeps(key) and _text(value) and id(value) not in seen:
            seen.add(id(value))
            yield _finding(code, value, f"`{key}` holds a secret in the source", key, certain=certain)
    for text in code.texts:
        what = known(str(text.value)) if id(text) not in seen else ""
        if what:
            yield _finding(code, text, f"a {what} stands in the source", what, certain=True)


def _finding(code: Code, node: ast.expr, message: str, path: str, *, certain: bool) -> Finding:
    return RULE.finding(
        code.place(node, path),
        message,
        confidence="certain" if certain else "likely",
        label="a secret",
        next_step="revoke this key at the exchange, make a new one, and load it at run time (`env://`, `vault://`)",
    )


def _named(code: Code) -> Iterator[tuple[str, ast.expr, bool]]:
    for named in code.named:
        made = named.in_client
        if named.owner is not None and not made and keeps(named.key):
            made = any(a.library is not None for a in flow.of(named.owner, named.scope))
        yield named.key, named.value, made


def _given(code: Code) -> Iterator[tuple[str, ast.expr, bool]]:
    """Yield what stands in the place of a look-up, and what a client is given without a name."""
    for call in code.calls:
        given = call.node.args if isinstance(call.node, ast.Call) else []
        if _LOOK_UPS.search(dotted(call.function)) and len(given) > 1:
            name = given[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value, given[1], False
        elif client_of(origin(code, call.function)) is not None:
            for argument in given:
                yield "secret", argument, True


def _text(node: ast.expr) -> bool:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or not credential(node.value):
        return False
    return bool(known(node.value)) or not (_NONE.match(node.value) or _WORDS.search(node.value))

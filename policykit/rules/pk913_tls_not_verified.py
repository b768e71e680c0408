"""The certificate of the exchange is not checked.

## What it finds
`verify=False` for requests, httpx or a client, `session.verify = False`, `ssl=False` and `verify_ssl=False` of aiohttp,
`ssl.CERT_NONE`, `check_hostname = False`, `ssl._create_unverified_context`.

## Why
Who stands between then reads every key id and signature, and answers in the name of the exchange: prices, balances,
fills (G14 asks for TLS 1.3 in transit).

## Bad
```python
import requests

session = requests.Session()
session.verify = False
requests.get("https://api.binance.com/api/v3/time", verify=False)
```
```finding
open certain bot.py:4:18 `verify` is off: the certificate of the exchange is not checked
open certain bot.py:5:60 `verify` is off: the certificate of the exchange is not checked
```
```python
import ssl

context.verify_mode = ssl.CERT_NONE
ssl._create_default_https_context = ssl._create_unverified_context
```
```finding
open certain bot.py:3:23 `verify_mode` is off: the certificate of the exchange is not checked
open certain bot.py:4:37 `_create_default_https_context` is off: the certificate of the exchange is not checked
```

## Good
```python
import requests

requests.get("https://api.binance.com/api/v3/time", verify="ca.pem")
jwt.decode(token, verify=False)
assert context.verify_mode != ssl.CERT_NONE
```

## Source
GUIDE.md G14; requests 2.32, httpx 0.28, aiohttp 3.13, ssl of Python 3.11.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.code.tree import Code, Named, dotted

RULE = Rule(
    "PK913",
    "tls-not-verified",
    "high",
    ("G14",),
    "who stands between reads every signature and answers in the name of the exchange",
    ("source",),
)

_VERBS = re.compile(r"(?i)(?:get|post|put|patch|delete|head|options|request|send|stream|ws_connect|connect)\Z")
_MAKERS = re.compile(r"(?:Async)?Client\Z|Session\Z|TCPConnector\Z|ClientSession\Z|HTTP[A-Za-z]*\Z")
_SESSION = re.compile(r"(?i)session|client|http|exchange|\Aself\Z|\As\Z|request|\Aapi\Z")
_UNVERIFIED = re.compile(r"(?:ssl\.)?(?:CERT_NONE|_create_unverified_context)\Z")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at each value that may switch the check off, and at contexts made without it."""
    code = inputs.code
    for named in code.named:
        if _off(code, named):
            yield _finding(code, named.value, named.key)
    for call in code.calls:
        if dotted(call.function).endswith("ssl._create_unverified_context"):
            yield _finding(code, call.node, "_create_unverified_context")


def _finding(code: Code, node: ast.expr, key: str) -> Finding:
    return RULE.finding(
        code.place(node, key),
        f"`{key}` is off: the certificate of the exchange is not checked",
        label="anyone between can read and answer",
        next_step="remove it; name the certificate of a proxy of your own instead",
    )


def _off(code: Code, named: Named) -> bool:
    value = named.value
    if _UNVERIFIED.match(dotted(value)):
        return True
    if not isinstance(value, ast.Constant) or value.value is not False:
        return False
    if named.key == "check_hostname":
        return True
    if named.key == "verify_ssl":
        return isinstance(named.owner, ast.expr) or named.in_client
    if named.key not in ("verify", "ssl"):
        return False
    if named.in_client:
        return True
    last = dotted(named.owner).rpartition(".")[2]
    if isinstance(named.owner, ast.expr) and _is_call(code, named):
        calls = _VERBS.match(last) is not None and "jwt" not in dotted(named.owner)
        return _MAKERS.search(last) is not None or calls
    return named.key == "verify" and named.owner is not None and _SESSION.search(last) is not None


def _is_call(code: Code, named: Named) -> bool:
    """Tell a keyword of a call from an attribute that is set."""
    return any(c.function is named.owner for c in code.calls_of(dotted(named.owner).rpartition(".")[2]))

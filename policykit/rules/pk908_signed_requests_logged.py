"""The client writes its signed requests to the log.

## What it finds
`verbose` set to true on a client of ccxt, `log_requests` on one of pybit, `http.client`'s `debuglevel`, and in a file
that uses ccxt a root logger, or the logger of ccxt, urllib3 or aiohttp, at level DEBUG.

## Why
Each of these prints every request with its headers, its key id and its signature (G21). ccxt does so at DEBUG too.

## Bad
```python
import ccxt

exchange = ccxt.binance({"verbose": True})
exchange.verbose = True
```
```finding
open certain bot.py:3:37 `verbose` is on: every signed request is printed
open certain bot.py:4:20 `verbose` is on: every signed request is printed
```
```python
import logging
import ccxt

logging.basicConfig(level=logging.DEBUG)
```
```finding
open likely bot.py:4:27 logging at DEBUG prints every signed request of ccxt
```

## Good
```python
import logging
import ccxt

logging.basicConfig(level=logging.INFO)
exchange = ccxt.binance({"verbose": False})
parser.add_argument("-v", help="more", verbose=True)
```

## Source
GUIDE.md G21; ccxt 4.5.90, `Exchange.fetch`; pybit 5.17.0, `_http_manager.py`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.code import flow
from policykit.rules.code.libraries import imported
from policykit.rules.code.tree import Code, Named, dotted

RULE = Rule(
    "PK908",
    "signed-requests-logged",
    "high",
    ("G21", "G02"),
    "a signed request in a log holds the key's id and a signature that is good for some seconds",
    ("source",),
)

_LOGGERS = re.compile(r"(?:ccxt|urllib3|aiohttp|requests|http\.client|pybit|binance)(?:\.|\Z)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the switches of clients, and at the levels of loggers."""
    code = inputs.code
    libraries = {library.name for library in imported(set(code.imports.values()))}
    for named in code.named:
        confidence = _switch(named) if _on(named.value) else ""
        if confidence:
            yield RULE.finding(
                code.place(named.value, named.key),
                f"`{named.key}` is on: every signed request is printed",
                confidence="certain" if confidence == "certain" else "likely",
                label="prints headers and signatures",
                next_step="leave it off outside of a test with a key that can do nothing",
            )
    for node in _debug_levels(code) if "ccxt" in libraries else ():
        yield RULE.finding(
            code.place(node, "level"),
            "logging at DEBUG prints every signed request of ccxt",
            confidence="likely",
            label="the level of ccxt's own logger too",
            next_step='keep it at INFO, or set logging.getLogger("ccxt") to INFO beside it',
        )


def _on(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (1, 2)  # True is 1


def _switch(named: Named) -> str:
    """Return how sure it is that a name switches on what prints requests; nothing when it does not."""
    if named.key == "debuglevel" and "HTTP" in dotted(named.owner):
        return "certain"
    if named.key == "log_requests":
        return "certain" if named.in_client else ""
    if named.key != "verbose":
        return ""
    if named.in_client:
        return "certain"
    atoms = flow.settle(flow.of(named.owner, named.scope)) if named.owner is not None else flow.NOTHING
    if any(a.library is not None and a.library.name == "ccxt" for a in atoms):
        return "certain"
    return ""


def _debug_levels(code: Code) -> Iterator[ast.expr]:
    if any(
        c.method == "setLevel" and _logger_name(c.function) == "ccxt" and not _debug(c.arguments) for c in code.calls
    ):
        return
    for call in code.calls:
        if dotted(call.function) == "logging.basicConfig" and isinstance(call.node, ast.Call):
            yield from (k.value for k in call.node.keywords if k.arg == "level" and _debug([k.value]))
        elif call.method == "setLevel" and _debug(call.arguments):
            name = _logger_name(call.function)
            if name is not None and (name == "" or _LOGGERS.match(name)):
                yield call.arguments[0]


def _debug(arguments: list[ast.expr]) -> bool:
    first = arguments[0] if arguments else None
    return first is not None and (
        dotted(first).endswith("logging.DEBUG")
        or dotted(first) == "DEBUG"
        or (isinstance(first, ast.Constant) and first.value in ("DEBUG", 10))
    )


def _logger_name(function: ast.expr) -> str | None:
    """Return the name of the logger in `logging.getLogger(name).setLevel`; empty for the root; None for others."""
    made = function.value if isinstance(function, ast.Attribute) else None
    if not isinstance(made, ast.Call) or not dotted(made.func).endswith("getLogger"):
        return None
    if not made.args:
        return ""
    name = made.args[0]
    return str(name.value) if isinstance(name, ast.Constant) else None

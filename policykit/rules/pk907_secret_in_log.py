"""A secret is printed or logged.

## What it finds
A value whose name says that it is a secret or the id of a key (`api_secret`, `exchange.secret`, `config["password"]`),
a signed request (`exchange.last_request_headers`, `signature`, what `exchange.sign` gives) or the whole environment, as
an argument of `print`, of a logger or of a message to a chat, also inside an f-string, `%`, `format` or `json.dumps`.
Silent where it goes through a function (`mask(secret)`, `len(secret)`) or is cut (`secret[:4]`).

## Why
Logs are shipped, kept and shared; what stands in one is exposed, and has to be rotated (G02, G19, G21).

## Bad
```python
import ccxt

exchange = ccxt.binance({"secret": load()})
print(f"started with {exchange.secret}")
```
```finding
open certain bot.py:4:23 `exchange.secret` goes to print: what is logged is exposed
```
```python
log.debug("signed request: %s", signature)
```
```finding
open likely bot.py:1:33 `signature` goes to log.debug: what is logged is exposed
```
```python
print(config["password"], load()["password"])
```
```finding
open likely bot.py:1:7 `config["password"]` goes to print: what is logged is exposed
open likely bot.py:1:27 `password` goes to print: what is logged is exposed
```

## Good
```python
print(f"started with key {api_key[:4]}..., secret {'set' if api_secret else 'missing'}")
log.info("secret of %d characters at %s", len(api_secret), exchange.id)
```

## Source
GUIDE.md G02, G21; ccxt 4.5.90, `Exchange.fetch` and `Exchange.sign`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.code import flow
from policykit.rules.code.tree import Call, dotted
from policykit.rules.credentials import keeps

RULE = Rule(
    "PK907",
    "secret-in-log",
    "high",
    ("G21", "G02"),
    "logs are shipped and kept: a secret in one is exposed and has to be rotated",
    ("source",),
)

_LEVELS = frozenset(("debug", "info", "warning", "warn", "error", "critical", "exception", "log", "success", "trace"))
_LOGGER = re.compile(r"(?i)(?:\A|[._])_*(?:log|logger|logging|loguru|logs)_*\Z")
_PRINTS = frozenset(
    ("print", "pprint", "pprint.pprint", "rprint", "rich.print", "sys.stdout.write", "sys.stderr.write")
)
_CHAT = frozenset(("send_message", "sendMessage", "reply_text", "send_telegram_message", "send_telegram"))
_BOT = re.compile(r"(?i)bot|telegram|\btg\b|context|chat|update|slack|discord|message\.")
#: Functions that give back what they are given, as text.
_THROUGH = re.compile(r"(?:str|repr|dict|list|json\.dumps|pformat|pprint\.pformat)\Z")
_SIGNED = re.compile(
    r"(?:hmac_|request_)?signature\Z|signed_(?:payload|params|request|url|body|headers|query)\Z|auth_headers\Z"
)
_REQUEST = re.compile(r"last_request_(?:headers|body|url)\Z")
#: The most parts of one call's arguments that are looked at.
MAX_NODES = 400


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at what each call that prints or logs is given."""
    code = inputs.code
    for call in code.calls:
        if isinstance(call.node, ast.Call) and _prints(call):
            for node, shown in _exposed(call):
                receiver = node.value if isinstance(node, ast.Attribute) else None
                atoms = flow.of(receiver, call.scope) if receiver is not None else flow.NOTHING
                yield RULE.finding(
                    code.place(node, shown),
                    f"`{shown}` goes to {dotted(call.function) or call.method}: what is logged is exposed",
                    confidence="certain" if any(a.library is not None for a in atoms) else "likely",
                    label="secret, or part of a signed request",
                    next_step="leave it out; if it ever ran so, rotate the key",
                )


def _prints(call: Call) -> bool:
    name = dotted(call.function)
    if name in _PRINTS or (call.method in _CHAT and _BOT.search(name)):
        return True
    if call.method not in _LEVELS or not isinstance(call.function, ast.Attribute):
        return False
    receiver = call.function.value
    if isinstance(receiver, ast.Call):
        return dotted(receiver.func).endswith("getLogger")
    return _LOGGER.search(dotted(receiver)) is not None


def _exposed(call: Call) -> Iterator[tuple[ast.expr, str]]:
    """Yield (node, name) of each secret among the arguments of a call."""
    stack = list(reversed(call.arguments))
    for _ in range(MAX_NODES):
        if not stack:
            return
        node = stack.pop()
        shown = _secret(node, call)
        if shown:
            yield node, shown
        else:
            stack.extend(reversed(_inside(node)))


def _inside(node: ast.expr) -> list[ast.expr]:
    """Return the parts of an expression that end up in its text."""
    match node:
        case ast.JoinedStr(values=parts) | ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.BoolOp(values=parts):
            return parts
        case ast.FormattedValue(value=part) | ast.Starred(value=part) | ast.Await(value=part):
            return [part]
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right):
            return [left, right]
        case ast.IfExp(body=body, orelse=orelse):
            return [body, orelse]
        case ast.Dict(values=parts):
            return parts
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="format" | "join")) as call:
            return [*call.args, *(k.value for k in call.keywords)]
        case ast.Call(func=function) as call if _THROUGH.match(dotted(function)):
            return call.args
    return []


def _secret(node: ast.expr, call: Call) -> str:
    """Return the name that says that a value is a secret, as a message shows it; nothing for anything else."""
    if isinstance(node, ast.Call):
        name = dotted(node.func)
        signs = name.endswith(".sign") and any(a.library is not None for a in flow.of(_receiver(node.func), call.scope))
        return f"{name}()" if signs else ""
    if isinstance(node, ast.Subscript):
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if isinstance(key, str) and keeps(key):
            owner = dotted(node.value)
            return f'{owner}["{key}"]' if owner else key
        return ""
    name = dotted(node)
    last = name.rpartition(".")[2]
    if name == "os.environ" or keeps(last) or _SIGNED.match(last) or (_REQUEST.match(last) and "." in name):
        return name
    return ""


def _receiver(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.Attribute) else node

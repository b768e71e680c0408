"""A lost connection is made anew at once, or always after the same wait.

## What it finds
`while True` around a connection that streams (`websockets.connect`, `ws_connect`, `run_forever`, `watch_*` of ccxt) in
a `try` whose `except` lets the loop go on without a wait, or after one that never grows.

## Why
When an exchange goes down, thousands of connects in minutes get the address banned when it matters most. The wait
doubles, with a random part and a bound (G39).

## Bad
```python
async def stream(url):
    while True:
        try:
            async with websockets.connect(url) as socket:
                await read(socket)
        except Exception:
            continue
```
```finding
open certain bot.py:2:11 `websockets.connect` is tried again at once after an error; the wait must grow
```
```python
import time
import websocket

while True:
    try:
        websocket.WebSocketApp(URL, on_message=on_message).run_forever()
    except Exception as error:
        print(error)
    time.sleep(5)
```
```finding
open certain bot.py:4:7 `run_forever` is tried again always after 5 s; the wait must grow
```

## Good
```python
async def stream(url):
    delay = 1.0
    while True:
        try:
            async with websockets.connect(url) as socket:
                delay = 1.0
                await read(socket)
        except OSError:
            await asyncio.sleep(delay * (1 + random.random()))
            delay = min(delay * 2, 60)
```
```python
async def stream(url):
    async for socket in websockets.connect(url):
        await read(socket)
```

## Source
GUIDE.md G39; PITFALLS.md, story 11; websockets 15, `connect` (as an iterator it waits longer each time).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.code.libraries import CCXT, imported
from policykit.rules.code.retries import origin
from policykit.rules.code.tree import Call, Code, Scope, dotted

RULE = Rule(
    "PK911",
    "reconnect-without-backoff",
    "medium",
    ("G39", "G23"),
    "connects in a tight loop get the address banned when it matters most",
    ("source",),
)

_CONNECTS = re.compile(
    r"(?:websockets|websocket|websockets\.[a-z.]+)\.(?:connect|create_connection|WebSocketApp)\Z|.*\.(?:ws_connect|run_forever)\Z"
)
_WATCHES = re.compile(r"watch(?:_[a-z_]+|[A-Z][A-Za-z]+)\Z")
_ENDS = (ast.Raise, ast.Return, ast.Break)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at each connection inside a `try` inside an endless loop."""
    code = inputs.code
    streams = CCXT in imported(set(code.imports.values()))
    seen: set[int] = set()
    for call in code.calls:
        shown = _connects(code, call, streams=streams)
        found = _loop(call) if shown else None
        if found is None or id(found[0]) in seen:
            continue
        loop, attempt = found
        waits = _waits(loop, attempt, call.scope)
        if waits is None:
            continue
        seen.add(id(loop))
        yield RULE.finding(
            code.place(loop.test, call.method),
            f"`{shown}` is tried again {waits} after an error; the wait must grow"
            if waits == "at once"
            else f"`{shown}` is tried again {waits}; the wait must grow",
            label="goes on after an error",
            next_step="double the wait after each failure, add a random part, bound it, reset it once connected",
            context=(("the connection", code.place(call.node, call.method)),),
        )


def _connects(code: Code, call: Call, *, streams: bool) -> str:
    name = dotted(call.function)
    if _CONNECTS.match(origin(code, call.function)) or (not name and call.method in ("run_forever", "ws_connect")):
        return name if name.count(".") == 1 else call.method
    return name if streams and name and _WATCHES.match(call.method) else ""


def _loop(call: Call) -> tuple[ast.While, ast.Try] | None:
    """Return the endless loop around a call and the `try` in it; the nearest `try` that swallows counts."""
    attempt: ast.Try | None = None
    for step in reversed(call.around):
        node = step.node
        if isinstance(node, ast.Try) and step.part == "body" and attempt is None:
            attempt = node if any(_goes_on(h) for h in node.handlers) else None
        elif isinstance(node, ast.While) and step.part == "body":
            if attempt is not None:
                return node, attempt
        elif isinstance(node, ast.For | ast.AsyncFor):
            return None
    return None


def _goes_on(handler: ast.ExceptHandler) -> bool:
    return not isinstance(handler.body[-1], _ENDS)


def _waits(loop: ast.While, attempt: ast.Try, scope: Scope) -> str | None:
    """Return how the loop waits before it connects again: `at once`, `always after 5 s`; None when it may grow."""
    if not isinstance(loop.test, ast.Constant | ast.Attribute | ast.Name | ast.UnaryOp | ast.Call):
        return None
    behind = loop.body[loop.body.index(attempt) + 1 :] if attempt in loop.body else []
    handlers = [h for h in attempt.handlers if _goes_on(h)]
    nodes = [n for part in (*handlers, *attempt.finalbody, *behind) for n in ast.walk(part)]
    calls = [n for n in nodes if isinstance(n, ast.Call)]
    sleeps = [c for c in calls if dotted(c.func).rpartition(".")[2] in ("sleep", "wait", "wait_for")]
    if not sleeps:
        quiet = {
            "print",
            "close",
            "cancel",
            "clear",
            "str",
            "repr",
            "type",
            "format",
            "time",
            "now",
            "append",
            "exception",
        }
        known = all(dotted(c.func).rpartition(".")[2] in quiet or _logs(c) for c in calls)
        return "at once" if known else None
    values = [_constant(c.args[0], scope, loop) if c.args else None for c in sleeps]
    plain = [v for v in values if v is not None]
    return f"always after {plain[0]:g} s" if len(plain) == len(values) else None


def _logs(call: ast.Call) -> bool:
    return dotted(call.func).rpartition(".")[2] in ("debug", "info", "warning", "error", "critical", "log", "print_exc")


def _constant(node: ast.expr, scope: Scope, loop: ast.While) -> float | None:
    """Return the number that a wait always is; None when it may change."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    name = dotted(node)
    changed = any(isinstance(n, ast.AugAssign) and dotted(n.target) == name for n in ast.walk(loop))
    owner = next((s.own_class for s in _outward(scope) if name.startswith(f"{s.self_name}.")), None)
    if owner is not None:
        given = owner.attributes.get(name.partition(".")[2], [])
        only = given[0].value if len(given) == 1 else None
        return _constant(only, scope, loop) if isinstance(only, ast.Constant) and not changed else None
    for at in _outward(scope):
        given = at.names.get(name, []) if name and "." not in name and not changed else []
        if given:
            only = given[0].value
            return _constant(only, at, loop) if len(given) == 1 and isinstance(only, ast.Constant) else None
    return None


def _outward(scope: Scope) -> Iterator[Scope]:
    at: Scope | None = scope
    while at is not None:
        yield at
        at = at.parent

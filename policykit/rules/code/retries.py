"""What repeats a call when it fails: decorators and calls of retry libraries, and loops written by hand."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

from policykit.rules.code.tree import Call, Code, Scope, Step, dotted

#: Libraries that repeat a function: module to what in it does. Read in tenacity 9.1, backoff 2.2, stamina 25.1,
#: retrying 1.4, retry 0.9, retry2 0.9, reretry 0.11, riprova 0.3, opnieuw 3.1 and aioretry 6.3, November 2026.
_LIBRARIES = {
    "tenacity": re.compile(r"retry|(?:Async)?Retrying"),
    "backoff": re.compile(r"on_exception|on_predicate"),
    "stamina": re.compile(r"retry|retry_context|(?:Async)?RetryingCaller"),
    "retrying": re.compile(r"retry|Retrying"),
    "retry": re.compile(r"retry|retry_call"),
    "reretry": re.compile(r"retry|retry_call"),
    "riprova": re.compile(r"retry|Retrier|AsyncRetrier"),
    "opnieuw": re.compile(r"retry|retry_async"),
    "aioretry": re.compile(r"retry"),
}
#: What a decorator or helper of one's own is called.
_OWN = re.compile(
    r"(?i)(?:\A|_)(?:retry|retries|retrying|retrier|retryable)(?:_|\Z)|\A(?:with)?retr(?:y|ies|ier)|auto_?retry"
)
#: Under which keywords the number of tries is given.
_TRIES = frozenset(
    (
        "tries", "attempts", "max_tries", "max_attempts", "retries", "max_retries", "num_retries", "n_retries",
        "retry_count", "stop_max_attempt_number", "max_retry", "times", "stop",
    )
)  # fmt: skip
#: Of these, the ones that count the first try too.
_RETRIES = re.compile(r"retries|retry")
#: Errors of ccxt that say that nothing was executed (PITFALLS 10): to try again after one of them alone is safe.
_NOT_EXECUTED = frozenset(
    (
        "AuthenticationError", "PermissionDenied", "AccountNotEnabled", "AccountSuspended", "ArgumentsRequired",
        "BadRequest", "BadSymbol", "BadResponse", "InvalidNonce", "InvalidOrder", "InvalidAddress", "InsufficientFunds",
        "OrderImmediatelyFillable", "OrderNotFillable", "ContractUnavailable", "MarketClosed", "NotSupported",
    )
)  # fmt: skip
_LOOK_UP = re.compile(
    r"(?i)(?:\A|_)(?:fetch|get|query|find|look_?up|check|confirm|reconcile|recover|resolve)\w*orders?\w*\Z|open_?orders"
    r"|order_?status|reconcile|order_?exists|look_?up\w*order"
)
_TRY_NAMES = re.compile(r"(?i)attempt|retr(?:y|ies)|tries|\Atry|backoff")
#: Names of counters: a `while` on one counts its tries.
_COUNTERS = frozenset("_inIN")


class Repeat(NamedTuple):
    """What repeats a call: the node that says so, how it is called in a message, and whether that is sure."""

    node: ast.expr
    text: str
    sure: bool


def origin(code: Code, node: ast.expr) -> str:
    """Return where a name comes from, by the imports: `tenacity.retry`."""
    head, dot, rest = dotted(node).partition(".")
    return f"{code.imports.get(head, head)}{dot}{rest}"


def repeats(code: Code, node: ast.expr) -> Repeat | None:
    """Return what a decorator, or what is called, does if it repeats a function when that fails."""
    call = node if isinstance(node, ast.Call) else None
    name = call.func if call is not None else node
    if isinstance(name, ast.Call):  # @retry(...)(...)
        return repeats(code, name)
    where = origin(code, name)
    module, _, rest = where.rpartition(".")
    pattern = _LIBRARIES.get(module.partition(".")[0])
    known = pattern is not None and pattern.fullmatch(rest) is not None
    if not known and not _OWN.search(dotted(name).rpartition(".")[2]):
        return None
    if call is not None and (_once(call) or _safe_only(call)):
        return None
    return Repeat(node, f"`{dotted(name)}`", known)


def _once(call: ast.Call) -> bool:
    """Tell whether it is asked for one try, or for no second one."""
    for keyword in call.keywords:
        if keyword.arg in _TRIES:
            value: ast.expr = keyword.value
            if isinstance(value, ast.Call) and dotted(value.func).endswith("stop_after_attempt") and value.args:
                value = value.args[0]
            if isinstance(value, ast.Constant) and type(value.value) is int:
                return value.value <= (0 if _RETRIES.search(keyword.arg or "") else 1)
    return False


def _safe_only(call: ast.Call) -> bool:
    """Tell whether it repeats only after errors that say that nothing was executed."""
    for keyword in call.keywords:
        if keyword.arg in ("retry", "on", "exceptions", "retry_on_exceptions"):
            value: ast.expr = keyword.value
            if isinstance(value, ast.Call) and value.args:
                value = value.args[0]
            return _not_executed(value)
    name = dotted(call.func).rpartition(".")[2]
    return name == "on_exception" and len(call.args) > 1 and _not_executed(call.args[1])


def _not_executed(node: ast.expr | None) -> bool:
    if isinstance(node, ast.Tuple | ast.List):
        return bool(node.elts) and all(_not_executed(e) for e in node.elts)
    return node is not None and dotted(node).rpartition(".")[2] in _NOT_EXECUTED


def decorated(scope: Scope) -> tuple[Repeat, int] | None:
    """Return what repeats a function by a decorator, and its place among the decorators, the outermost first."""
    for at, decorator in enumerate(scope.decorators):
        found = repeats(scope.code, decorator)
        if found is not None:
            return found, at
    return None


def looped(call: Call) -> Repeat | None:
    """Return the loop that repeats a call when it fails, or None.

    It is one if what fails is swallowed and tried again: the loop is left on success, or the call stands in it without
    a condition. A handler that looks the order up, raises or leaves does not count, nor one for errors that say that
    nothing was executed.
    """
    for at, step in reversed(tuple(enumerate(call.around))):
        if not isinstance(step.node, ast.For | ast.AsyncFor | ast.While) or step.part != "body":
            continue
        inside = call.around[at + 1 :]
        found = _retrying(call.scope.code, step.node, inside) or _by_hand(call, step.node, inside)
        if found is not None:
            return found
    return None


def _retrying(code: Code, loop: ast.For | ast.AsyncFor | ast.While, inside: tuple[Step, ...]) -> Repeat | None:
    """`for attempt in Retrying(...): with attempt:`."""
    if isinstance(loop, ast.While) or not isinstance(loop.iter, ast.Call):
        return None
    if not any(isinstance(s.node, ast.With | ast.AsyncWith) for s in inside):
        return None
    found = repeats(code, loop.iter)
    return found if found is not None and found.sure else None


def _by_hand(call: Call, loop: ast.For | ast.AsyncFor | ast.While, inside: tuple[Step, ...]) -> Repeat | None:
    tries = [
        (n, s.node) for n, s in enumerate(inside) if isinstance(s.node, ast.Try | ast.TryStar) and s.part == "body"
    ]
    for at, attempt in tries:
        if not any(_swallows(h) for h in attempt.handlers) or _looks_up(loop):
            continue
        leaves = _leaves(loop, attempt, inside[:at])
        plain = not any(isinstance(s.node, ast.If | ast.match_case | ast.For | ast.AsyncFor) for s in inside)
        if isinstance(loop, ast.While):
            endless = isinstance(loop.test, ast.Constant) and bool(loop.test.value)
            names = [n.id for n in ast.walk(loop.test) if isinstance(n, ast.Name)]
            counted = any(name in _COUNTERS or _TRY_NAMES.search(name) for name in names)
            if leaves or (plain and (endless or counted)) or _changed(loop.test, attempt):
                return Repeat(loop.test, f"`while {ast.unparse(loop.test)[:40]}`", leaves)
        elif leaves and _counts(loop):
            return Repeat(
                loop.iter, f"`for {ast.unparse(loop.target)[:20]} in {ast.unparse(loop.iter)[:40]}`", sure=True
            )
    return None


def _counts(loop: ast.For | ast.AsyncFor) -> bool:
    """Tell whether a loop counts tries and goes through nothing: `range(3)`, `count()`, delays under such a name."""
    if isinstance(loop.iter, ast.Call) and dotted(loop.iter.func).rpartition(".")[2] in ("range", "count", "repeat"):
        return True
    return any(_TRY_NAMES.search(n.id) for n in ast.walk(loop.target) if isinstance(n, ast.Name))


def _swallows(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler lets the loop go on after an error that may have been executed."""
    if handler.type is not None and _not_executed(handler.type):
        return False
    last = handler.body[-1]
    return not isinstance(last, ast.Raise | ast.Return | ast.Break) and not _exits(last)


def _exits(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and dotted(node.value.func) in ("sys.exit", "exit", "quit", "os._exit")
    )


def _looks_up(loop: ast.For | ast.AsyncFor | ast.While) -> bool:
    """Tell whether an order is asked for anywhere in a loop: before it is sent again, as far as can be seen."""
    for node in ast.walk(loop):
        if isinstance(node, ast.Call) and _LOOK_UP.search(dotted(node.func).rpartition(".")[2] or ""):
            return True
    return False


def _leaves(loop: ast.For | ast.AsyncFor | ast.While, attempt: ast.Try | ast.TryStar, inside: tuple[Step, ...]) -> bool:
    """Tell whether success leaves the loop: by a `break` or `return` in the `try`, its `else`, or behind it."""
    if any(_ends(s) for s in (*attempt.body, *attempt.orelse)):
        return True
    return not inside and any(isinstance(s, ast.Break | ast.Return) for s in loop.body)


def _ends(node: ast.stmt) -> bool:
    """Tell whether a statement leaves the loop, itself or in a branch of it."""
    if isinstance(node, ast.Return | ast.Break):
        return True
    if isinstance(node, ast.If | ast.With | ast.AsyncWith):
        return any(_ends(s) for s in (*node.body, *getattr(node, "orelse", ())))
    return False


def _changed(test: ast.expr, attempt: ast.Try | ast.TryStar) -> bool:
    """Tell whether success changes what a loop goes on for: `done = True`."""
    names = {n.id for n in ast.walk(test) if isinstance(n, ast.Name)}
    set_here = (s for s in (*attempt.body, *attempt.orelse) if isinstance(s, ast.Assign))
    return any(names & {t.id for t in s.targets if isinstance(t, ast.Name)} for s in set_here)

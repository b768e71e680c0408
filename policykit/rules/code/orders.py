"""Which calls of a source send an order, through which library, and whether a policy decides them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from policykit.place import Place
from policykit.rules.code import flow
from policykit.rules.code.libraries import CCXT, LIBRARIES, Library, imported
from policykit.rules.code.tree import Call, Code, Scope, dotted

#: How many callers deep a function that is only called under `@enforce` is covered by it.
MAX_CALLERS = 3
#: What a withdrawal or transfer of ccxt is given at least: what, how much, where to.
MIN_MOVE = 3
#: In a file of more functions than this, only orders that stand in a loop themselves are looked at.
MAX_FUNCTIONS = 2_000
#: How many names of methods are remembered with the libraries that have them.
MAX_NAMES = 16_384
#: The most further calls that one finding points at.
MAX_OTHERS = 3

#: Names that only an exchange's client has, whatever file they stand in.
_DISTINCT = re.compile(
    r"(?:create|edit)_(?:market|limit|stop|trigger|trailing|take_profit|post_only)[a-z_]*_order[a-z_]*"
    r"|(?:create|edit)(?:Market|Limit|Stop|Trigger|Trailing|TakeProfit|PostOnly)[A-Za-z]*Order[A-Za-z]*"
    r"|futures_(?:coin_)?create_order|order_(?:market|limit)_(?:buy|sell)|[a-z0-9]*[pP]rivate[A-Za-z0-9]*(?:Post|Put)[A-Za-z]*Order"
    r"|[a-z0-9]*private_(?:post|put)_[a-z0-9_]*order|(?:create|edit)_orders?_ws|(?:create|edit)Orders?Ws\Z"
)
_ORDER_WORDS = frozenset(("buy", "sell", "limit", "market", "BUY", "SELL", "LIMIT", "MARKET"))
#: Parameters that the unified `create_order` of ccxt does not have: another `create_order` is called.
_CCXT_PARAMETERS = frozenset(
    re.findall(
        r"\S+",
        "symbol type side amount price params cost trigger_price triggerPrice stop_loss_price take_profit_price"
        " trailing_amount trailing_percent trailing_trigger_price take_profit stop_loss orders id order_id",
    )
)
#: What a client of an exchange is usually called; asked for where a method's name alone says little.
_CLIENT_NAME = re.compile(r"(?i)exchange|client|api|session|venue|ccxt|binance|bybit|kraken|okx|kucoin|bitget|gate")
_TEST_FILE = re.compile(r"(?:\A|/)(?:tests?/|test_[^/]*\Z|[^/]*_tests?\.py\Z|conftest\.py\Z)")


_Kind = Literal["orders", "withdraws", "transfers"]


class Sent(NamedTuple):
    """One call that sends something through a client of an exchange.

    - `raw`: the client is made in sight and not protected; `partly`: protected on some ways only; `likely`: it comes
      from elsewhere, or is told by the name of the method; `protected`: a guard decides.
    """

    call: Call
    library: Library
    state: Literal["raw", "partly", "likely", "protected"]

    @property
    def receiver(self) -> ast.expr | None:
        """What the method is called on."""
        return self.call.function.value if isinstance(self.call.function, ast.Attribute) else None

    @property
    def shown(self) -> str:
        """The call as a message shows it."""
        name = dotted(self.call.function)
        return name or f"(...).{self.call.method}"

    @property
    def confidence(self) -> Literal["certain", "likely"]:
        """How sure it is that this goes to an exchange without a policy."""
        return "certain" if self.state == "raw" else "likely"


def orders(code: Code) -> list[Sent]:
    """Return the calls that place or change an order."""
    if code.orders is None:
        code.orders = list(_sent(code, "orders", named=True))
    return code.orders


def withdrawals(code: Code) -> list[Sent]:
    """Return the calls that take assets out of an account."""
    return list(_sent(code, "withdraws", named=False))


def transfers(code: Code) -> list[Sent]:
    """Return the calls that move assets between accounts."""
    return list(_sent(code, "transfers", named=False))


def _sent(code: Code, kind: _Kind, *, named: bool) -> Iterator[Sent]:
    here = imported(set(code.imports.values()))
    for call in (*code.calls, *code.handed):
        candidates = _candidates(kind, _query(call) or call.method)
        if candidates and isinstance(call.function, ast.Attribute):
            found = _through(call, call.function, candidates, here, named=named)
            if found is not None:
                yield found


@lru_cache(MAX_NAMES)
def _candidates(kind: _Kind, method: str) -> tuple[Library, ...]:
    """Return the libraries that have a method of this name and kind."""
    return tuple(library for library in LIBRARIES if getattr(library, kind).match(method))


def _query(call: Call) -> str:
    """Return what a method that is told by its first argument does: `AddOrder`."""
    if isinstance(call.node, ast.Call) and call.node.args and call.method.startswith("query_private"):
        first = call.node.args[0]
        return str(first.value) if isinstance(first, ast.Constant) else ""
    return ""


def _through(
    call: Call, function: ast.Attribute, candidates: tuple[Library, ...], here: tuple[Library, ...], *, named: bool
) -> Sent | None:
    """Tell through which library a call goes, by what it is called on, else by its name and arguments."""
    atoms = flow.settle(_receiver(call, function))
    inherited = {flow.client_class(a.scope) for a in atoms if a.scope is not None}
    libraries = {a.library for a in atoms} | inherited
    known = next((library for library in candidates if library in libraries), None)
    own = any(a.scope is not None and function.attr in a.scope.parts for a in atoms if a.kind in ("instance", "client"))
    guarded = flow.PROTECTED in atoms
    if own or (known is None and any(libraries)):
        return None
    if known is not None:
        made = any(a.kind == "client" for a in atoms)
        if guarded:
            return Sent(call, known, "partly")
        return Sent(call, known, "raw" if made and flow.UNKNOWN not in atoms else "likely")
    if guarded:
        return Sent(call, CCXT, "protected") if CCXT in candidates else None
    if any(a.kind in ("instance", "class", "function", "import") for a in atoms) or not atoms:
        return None
    library = _by_name(call, function, candidates, here, named=named)
    return Sent(call, library, "likely") if library is not None else None


def _receiver(call: Call, function: ast.Attribute) -> flow.Atoms:
    """Return what a method is called on, as it is at that line where order is plain: in one function, in no loop."""
    name = dotted(function.value)
    given = call.scope.names.get(name, ()) if not _loops(call) else ()
    before = [b for b in given if b.line <= function.lineno]
    if before and len(before) < len(given):
        return flow.given(before, 1)
    return flow.of(function.value, call.scope)


def _loops(call: Call) -> bool:
    return any(isinstance(s.node, ast.For | ast.AsyncFor | ast.While) for s in call.around)


def _by_name(
    call: Call, function: ast.Attribute, candidates: tuple[Library, ...], here: tuple[Library, ...], *, named: bool
) -> Library | None:
    """Tell the library of a call on something unknown: by its imports, its name and what it is given."""
    owner = dotted(function.value)
    if (
        _TEST_FILE.search(call.scope.code.file.replace("\\", "/"))
        or owner in ("self", "cls")
        or _is_super(function.value)
    ):
        return None
    if named and not _fits_ccxt(call):
        candidates = tuple(library for library in candidates if library is not CCXT)
    local = next((library for library in here if library in candidates), None)
    if not named:
        moves = CCXT in candidates and owner.rpartition(".")[2] == "exchange" and len(call.arguments) >= MIN_MOVE
        return local if local is not None and _CLIENT_NAME.search(owner) else CCXT if moves else None
    if local is not None or not candidates:
        return local
    if _DISTINCT.match(function.attr):
        return candidates[0]
    words = any(isinstance(a, ast.Constant) and a.value in _ORDER_WORDS for a in call.arguments)
    return CCXT if words and CCXT in candidates and not here else None


def _fits_ccxt(call: Call) -> bool:
    """Tell whether a call has what the method of ccxt needs, and nothing that it does not have."""
    if not isinstance(call.node, ast.Call):
        return True
    names = {k.arg for k in call.node.keywords}
    if None in names or any(isinstance(a, ast.Starred) for a in call.node.args):
        return True
    count = len(call.node.args) + len(names)
    least = 4 if call.method in ("create_order", "createOrder", "create_order_ws", "createOrderWs") else 1
    return names <= _CCXT_PARAMETERS and count >= least


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and dotted(node.func) == "super"


def enforced(scope: Scope | None, depth: int = 0) -> bool:
    """Tell whether a function runs only under `@enforce`: its own, or that of each of its callers."""
    at = scope
    while at is not None:
        if any(last_name(d) == "enforce" for d in at.decorators):
            return True
        at = at.parent
    if scope is None or isinstance(scope.node, ast.Module | ast.ClassDef) or depth >= MAX_CALLERS:
        return False
    calls = list(flow.callers(scope))
    return bool(calls) and all(enforced(c.scope, depth + 1) for c in calls)


def by_client(sent: Iterable[Sent]) -> list[list[Sent]]:
    """Put the calls on one client together, in the order of the source: one finding says it of all."""
    groups: dict[tuple[str, str], list[Sent]] = {}
    for one in sorted(sent, key=lambda s: (s.call.node.lineno, s.call.node.col_offset)):
        name = dotted(one.receiver) if one.receiver is not None else ""
        groups.setdefault((name, one.state), []).append(one)
    return list(groups.values())


def others(code: Code, group: list[Sent]) -> tuple[tuple[str, Place], ...]:
    """Return where the other calls of a group stand, as further places of its finding."""
    return tuple(("and here", code.place(s.call.node, s.call.method)) for s in group[1 : MAX_OTHERS + 1])


def last_name(node: ast.expr) -> str:
    """Return the last part of the name of a decorator, or of what is called."""
    return dotted(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]


def sends(scope: Scope, depth: int = 0) -> Sent | None:
    """Return an order that a function sends, itself or through functions of its file; None when it sends none."""
    for order in orders(scope.code):
        if order.state != "protected" and _within(order.call.scope, scope):
            return order
    if depth < MAX_CALLERS:
        names = scope.code.function_names
        for call in scope.code.calls_in(scope):
            for atom in flow.of(call.function, scope) if call.method in names else ():
                if atom.kind == "function" and atom.scope is not None:
                    found = sends(atom.scope, depth + 1)
                    if found is not None:
                        return found
    return None


def _within(inner: Scope | None, outer: Scope) -> bool:
    while inner is not None:
        if inner is outer:
            return True
        inner = inner.parent
    return False


def helpers(code: Code) -> list[tuple[Call, Sent]]:
    """Return the calls of functions of this file that send an order which no policy decides on its own."""
    found: list[tuple[Call, Sent]] = []
    if not any(o.state != "protected" for o in orders(code)):
        return found
    for function in code.functions if len(code.functions) <= MAX_FUNCTIONS else ():
        order = sends(function)
        if order is None or enforced(order.call.scope):
            continue
        found += [(call, order) for call in flow.callers(function) if call.scope.code is code]
    return found

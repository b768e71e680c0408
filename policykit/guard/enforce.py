"""`@enforce`: a function that places orders runs only when the policy allows the order in its arguments."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from decimal import Decimal
from operator import itemgetter
from typing import Any, ParamSpec, TypeVar

from policykit.decision import Reason
from policykit.engine.case import READS
from policykit.guard.admission import CURRENT
from policykit.guard.core import Guard
from policykit.guard.steps import order_of
from policykit.order import ACTIONS, Order
from policykit.orders.intent import Intent, Outcome
from policykit.units import exact

P = ParamSpec("P")
R = TypeVar("R")
Read = Callable[[tuple[Any, ...], dict[str, Any]], Order]
Name = Callable[[Intent | None, tuple[Any, ...], dict[str, Any]], tuple[tuple[Any, ...], dict[str, Any]]]
_UNNAMED = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.VAR_KEYWORD,
)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

#: What an order's arguments may be called.
_NAMES: dict[str, tuple[str, ...]] = {
    "symbol": ("symbol", "pair", "market"),
    "side": ("side",),
    "type": ("type", "order_type", "ordertype"),
    "amount": ("amount", "quantity", "qty"),
    "price": ("price", "rate"),
    "params": ("params",),
    "client_order_id": ("client_order_id", "clientOrderId", "newClientOrderId", "orderLinkId"),
}
_NEEDED = ("symbol", "side", "amount")
_MISSING: Any = object()
#: ccxt's order states after which nothing more can fill.
_CLOSED = frozenset(("closed", "canceled", "cancelled", "expired", "rejected"))

_default: dict[str, Guard] = {}


def enforce(
    action: str = "order.create", *, guard: Guard | None = None, order: Callable[..., Order] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function ask the policy first; it runs once when the answer is yes, else `Denied` is raised.

    The order is read from the arguments `symbol`, `side`, `type` (default limit, or market without a price), `amount`,
    `price` and `client_order_id` by name; `order=` is for another signature: a function of the same arguments that
    returns an `Order`. A `client_order_id` that the caller leaves out is filled in: by it policykit looks the order up
    when its outcome is unknown. Works on functions, methods, class and static methods, and coroutine functions. Without
    `guard` the one of POLICYKIT_POLICY is loaded at the first call. A function that raises leaves its order's outcome
    unknown, unless a protected client inside knows better. At the paper stage no function that sends is called, since
    nobody can tell whether a client inside is protected: an order is simulated, and comes back as ccxt writes one; of
    other actions `Denied` is raised. Raise TypeError at decoration for what cannot work.
    """
    if action not in ACTIONS:
        raise TypeError(f'@enforce: action is "{action}"; one of {", ".join(ACTIONS)} may be')

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if isinstance(function, classmethod | staticmethod):
            return type(function)(decorate(function.__func__))
        _check(function)
        read = _given(order) if order is not None else _reader(function, action)
        name_it = _namer(function)
        wrap = _awaited if inspect.iscoroutinefunction(function) else _called
        return wrap(function, guard, action, read, name_it)  # type: ignore[no-any-return]

    return decorate


def _called(function: Callable[..., Any], guard: Guard | None, action: str, read: Read, name_it: Name | None) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        ours = guard or _default_guard()
        if ours.paper is not None and action not in READS:
            return _on_paper(ours, read(args, kwargs))
        attempt = _Attempt(ours, read(args, kwargs))
        try:
            if name_it is None:
                result = function(*args, **kwargs)
            else:
                named, by_name = name_it(attempt.admitted.intent, args, kwargs)
                result = function(*named, **by_name)
        except BaseException as error:
            attempt.raised(error)
            raise
        attempt.returned(result)
        return result

    return wrapper


def _awaited(function: Callable[..., Any], guard: Guard | None, action: str, read: Read, name_it: Name | None) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        ours = guard or _default_guard()
        if ours.paper is not None and action not in READS:
            return await asyncio.to_thread(_on_paper, ours, read(args, kwargs))
        attempt = _Attempt(ours, read(args, kwargs))
        try:
            if name_it is not None:
                args, kwargs = name_it(attempt.admitted.intent, args, kwargs)
            result = await function(*args, **kwargs)
        except BaseException as error:
            attempt.raised(error)
            raise
        attempt.returned(result)
        return result

    return wrapper


def _on_paper(guard: Guard, order: Order) -> Any:
    """Do on paper what a function would send, and do not call it. Raise Denied."""
    if order.action == "order.create":
        return guard.place(order)
    why = f"the stage is paper, and nothing like {order.action} leaves; on paper a protected client does it"
    raise guard.refuse(order, Reason("STAGE_PAPER", "stage.current", why))


class _Attempt:
    """One call of an enforced function: decided before it runs, and recorded however it ends."""

    __slots__ = ("admitted", "guard", "started_ms", "token")

    def __init__(self, guard: Guard, order: Order) -> None:
        self.guard = guard
        self.admitted = admitted = guard.decide(order, gated=False)
        self.token = CURRENT.set(admitted)
        self.started_ms = guard.clock.monotonic_ms()

    def returned(self, result: Any) -> None:
        """Take an acknowledgement, with what a ccxt-like answer says of it."""
        self._end(_returned, result)

    def raised(self, error: BaseException) -> None:
        """Take an exception: the order may be out, also when what raised is the denial of another one."""
        self._end(_raised, error)

    def _end(self, read: Callable[[Any, int], Outcome], said: Any) -> None:
        CURRENT.reset(self.token)
        guard, admitted = self.guard, self.admitted
        admitted.done = True
        try:
            if not admitted.taken and admitted.intent is not None:
                guard.settle(admitted, read(said, guard.now()), self.started_ms)
        finally:
            guard.release(admitted)


def _name(function: Callable[..., Any]) -> str:
    """Return what to call a callable by in a message: a partial and an object have no name of their own."""
    named = getattr(function, "func", function)
    return str(getattr(named, "__qualname__", type(named).__qualname__))


def _check(function: Callable[..., Any]) -> None:
    """Raise TypeError for what cannot be enforced: the permit would be over before the order is sent."""
    if inspect.isclass(function):
        raise TypeError(f"@enforce: {_name(function)} is a class; put @enforce on its method that sends")
    inner = inspect.unwrap(function)
    if any(inspect.isgeneratorfunction(f) or inspect.isasyncgenfunction(f) for f in (function, inner)):
        raise TypeError(f"@enforce: {_name(function)} is a generator; a permit cannot outlive a yield")
    unaware = inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(type(function).__call__)
    if unaware and not inspect.iscoroutinefunction(function):
        where = "put @enforce on the `async def` itself"
        raise TypeError(f"@enforce: {_name(function)} only returns the coroutine that sends; {where}")


def _given(order: Callable[..., Order]) -> Read:
    return lambda args, kwargs: order(*args, **kwargs)


def _reader(function: Callable[..., Any], action: str) -> Read:
    """Return what reads the order from the arguments of a call; say now what it cannot find."""
    parameters = list(inspect.signature(function).parameters.values())
    called = inspect.signature(function, follow_wrapped=False)  # a wrapper may add arguments of its own
    places: dict[str, tuple[int, str, Any]] = {}
    for field, names in _NAMES.items():
        for index, parameter in enumerate(parameters):
            if parameter.name in names:
                if field in places:
                    both = f"{places[field][1]} and {parameter.name}, which both read as the {field}"
                    how = "give @enforce(order=...) a function that returns the Order"
                    raise TypeError(f"@enforce: {_name(function)} has {both}; {how}")
                default = _MISSING if parameter.default is inspect.Parameter.empty else parameter.default
                places[field] = (index, parameter.name, default)
    missing = [field for field in _NEEDED if field not in places] if action == "order.create" else []
    if missing:
        raise TypeError(
            f"@enforce: {_name(function)} has no argument for {', '.join(missing)}; name them so, or give "
            "@enforce(order=...) a function that returns the Order"
        )
    count = len(parameters)
    asked = [(places.get(field, (count, field, None))) for field in _NAMES]
    # Where every argument is given by position, the fields are where they are, and those without one are the last.
    pick = itemgetter(*(index for index, _, _ in asked))
    plain = all(parameter.kind in _POSITIONAL for parameter in parameters)

    def read(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Order:
        given = len(args)
        if plain and given == count and not kwargs:
            symbol, side, kind, amount, price, params, own_id = pick((*args, None))
        else:
            called.bind(*args, **kwargs)  # a call that cannot start is a TypeError, not an order of unknown outcome
            found = (args[i] if i < given else kwargs.get(name, default) for i, name, default in asked)
            symbol, side, kind, amount, price, params, own_id = (None if f is _MISSING else f for f in found)
        if action != "order.create":
            return Order(symbol or "", action=action)
        kind = kind or ("market" if price is None else "limit")
        params = (params or {}) if own_id is None else {**(params or {}), "clientOrderId": own_id}
        return order_of(str(symbol), str(kind), str(side), amount, price, params)

    return read


def _namer(function: Callable[..., Any]) -> Name | None:
    """Return what fills in the client order id that a caller left out: by it the order is looked up.

    None where the function has no argument for one, or takes it only by position.
    """
    called = inspect.signature(function, follow_wrapped=False).parameters.values()
    anything = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in called)
    by_name = {parameter.name for parameter in called if parameter.kind not in _UNNAMED}
    for index, parameter in enumerate(inspect.signature(function).parameters.values()):
        name = parameter.name
        if name in _NAMES["client_order_id"] and (anything or name in by_name) and parameter.kind not in _UNNAMED:
            return functools.partial(_named, index, name)
    return None


def _named(
    index: int, name: str, intent: Intent | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if intent is None or intent.order.client_order_id is not None:
        return args, kwargs
    if index < len(args):
        return (*args[:index], intent.client_order_id, *args[index + 1 :]), kwargs
    return args, {**kwargs, name: intent.client_order_id}


def _default_guard() -> Guard:
    guard = _default.get("")
    if guard is None:
        guard = _default[""] = Guard.load()
    return guard


def _raised(error: BaseException, now_ms: int) -> Outcome:
    return Outcome("unknown", now_ms, error=type(error).__name__)


def _returned(result: Any, now_ms: int) -> Outcome:
    if not isinstance(result, dict):
        if inspect.isawaitable(result) or inspect.isgenerator(result):
            return Outcome("unknown", now_ms, error="RETURNED_UNFINISHED")  # what sends has not run yet
        return Outcome("acknowledged", now_ms)
    order_id, filled = result.get("id"), _known(result.get("filled"))
    # An answer that is over and does not say how much executed proves nothing: the hold stays until a look-up does.
    status = result.get("status")
    closed = filled is not None and isinstance(status, str) and status in _CLOSED
    order_id = None if order_id is None else str(order_id)
    return Outcome("acknowledged", now_ms, order_id, filled, closed, None, None, None, _known(result.get("cost")))


def _known(number: Any) -> Decimal | None:
    """Return a number that an answer says; one that cannot be read is not known."""
    try:
        return None if number is None else exact(number)
    except ValueError:
        return None

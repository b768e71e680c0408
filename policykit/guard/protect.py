"""The protected client: a ccxt client whose class was swapped in place, so isinstance and every reference keep working.

Its unified methods are those of `unified`; all others that send orders end at them, or are refused here or at the gate.
Here are the class that is swapped in, sync and async, and the names that it has to cover.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

from policykit import redact
from policykit.decision import Reason
from policykit.exchanges.base import Steps, arun, run
from policykit.exchanges.bounded import bound_trading
from policykit.guard.client_errors import ClientDenied
from policykit.guard.environment import HOSTS, check_environment
from policykit.guard.gate import Gate
from policykit.guard.loans import LOANS, loan
from policykit.guard.own import asking
from policykit.guard.steps import setting_of
from policykit.guard.stream_gate import CANCELLING, Streamed
from policykit.guard.unified import WIRES, Unified, camel
from policykit.order import Order

if TYPE_CHECKING:
    from policykit.guard.core import Guard

T = TypeVar("T")
#: Unified methods that do not end at `create_order`, what they ask for, and what to do instead.
_NO_AMEND: Final = "amends are decided one by one; use edit_order"
_NO_STREAM: Final = "an order over a websocket does not pass the gate; use create_order"
_REFUSED: Final = {
    "edit_orders": ("order.amend", _NO_AMEND),
    "create_order_ws": ("order.create", _NO_STREAM),
    "create_orders_ws": ("order.create", _NO_STREAM),
    "edit_order_ws": ("order.amend", _NO_STREAM),
}
#: Cancels that do not pass the gate: recorded, and let through as every cancel.
_STREAMED_CANCELS: Final = {
    "cancel_order_ws": "order.cancel",
    "cancel_orders_ws": "order.cancel",
    "cancel_all_orders_ws": "orders.cancel_all",
}
_ENTRANCES: Final = ("sign", "create_order", "edit_order", "cancel_order", "cancel_all_orders")
_PLAIN: Final = (
    *("create_order", "create_orders", "edit_order", "cancel_order", "cancel_all_orders"),
    *("set_leverage", "set_margin_mode", "set_position_mode"),
)


def protect(guard: Guard, client: Any) -> Any:
    """Put a client behind a guard; a client that is behind it already stays as it is."""
    bound = getattr(client, "policykit_gate", None)
    if bound is not None:
        if bound.guard is not guard:
            raise ValueError("the client is protected by another guard; make one client a guard")
        return client
    if client.id != guard.policy.model.exchange:
        raise ValueError(f"the client is for {client.id}; the policy is for {guard.policy.model.exchange}")
    check_environment(guard, client)
    shadowed = sorted({*WIRES, *_ENTRANCES} & set(client.__dict__))
    if shadowed:
        raise ValueError(f"the client's {shadowed[0]} was replaced on the object; a protected client needs its class's")
    protected = protected_class(type(client), paper=guard.paper is not None)
    quiet(client)
    bound_trading(client)
    client.__dict__["policykit_gate"] = Gate(guard)
    client.__dict__[HOSTS] = client.urls["api"]
    guard.adapter.set_validity(client, guard.validity_ms)
    guard.signer.add(client)
    client.__class__ = protected
    return client


def protected_class(cls: type[Any], *, paper: bool = False) -> type[Any]:
    """Make the protected class of a ccxt class; its clients need a `policykit_gate`. `paper`: its account is on it."""
    mixin = AsyncProtected if inspect.iscoroutinefunction(cls.fetch) else SyncProtected
    if paper:
        from policykit.guard.paper_client import paper_class

        cls = paper_class(cls, _finish if mixin is SyncProtected else _same)
    members: dict[str, Any] = {"__module__": cls.__module__}
    for name, (action, why) in _REFUSED.items():
        members[name] = _refusing(cls, name, action, why)
    for name, action in _STREAMED_CANCELS.items() if mixin is AsyncProtected else ():
        members[name] = _recording(cls, name, action)
    for name in LOANS:
        members[name] = loan(cls, name, _finish if mixin is SyncProtected else _same)
    # ccxt puts camelCase names beside its own on the class; without these they would pass `create_order` by.
    own = {name: getattr(mixin, name) for name in _PLAIN}
    members |= {camel(name): method for name, method in (own | members).items() if not name.startswith("__")}
    return type(f"Protected{cls.__name__.capitalize()}", (mixin, cls), members)


def quiet(client: Any) -> None:
    """Keep the client's own secrets out of ccxt's log, which prints every header at DEBUG (G21)."""
    for name in ("apiKey", "secret", "password", "privateKey"):
        value = getattr(client, name, None)
        if isinstance(value, str) and value:
            redact.register(value)
    logger = getattr(client, "logger", None)
    if isinstance(logger, logging.Logger) and not any(isinstance(f, redact.RedactingFilter) for f in logger.filters):
        logger.addFilter(redact.RedactingFilter())


def _refusing(cls: type[Any], name: str, action: str, why: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Refuse; in shadow mode record that, and let it through."""
        guard = self.policykit_gate.guard
        denied = guard.refuse(Order("", action=action), Reason("RAW_CALL_REFUSED", "gate", f"{name}: {why}"))
        if guard.mode != "shadow" or guard.paper is not None:
            raise ClientDenied(denied.decision, str(denied))
        return getattr(cls, name)(self, *args, **kwargs)

    return method


def _recording(cls: type[Any], name: str, action: str) -> Callable[..., Any]:
    async def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Record the cancel and send it."""
        order = self.policykit_gate.guard.decide(Order("", action=action)).decision.order
        token = CANCELLING.set(True)
        try:
            return await getattr(cls, name)(self, *args, **kwargs)
        finally:
            CANCELLING.reset(token)
            self.policykit_gate.guard.cancelled(order, f"{args} {kwargs}", "CANCEL_SENT")

    return method


class SyncProtected(Unified):
    """A sync ccxt client behind a guard."""

    async def _policykit_call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    async def _policykit_sleep(self, seconds: float) -> None:
        self.policykit_gate.guard.clock.sleep(seconds)

    async def _policykit_read(self, steps: Steps[T]) -> T:
        guard = self.policykit_gate.guard
        with asking():
            return run(guard.adapter, self, steps, guard.clock)

    def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        return _finish(self._policykit_fetch(url, method, headers, body))

    def fetch2(self, *args: Any, **kwargs: Any) -> Any:
        return _finish(self._policykit_fetch2(*args, **kwargs))

    def create_order(
        self,
        symbol: str,
        type: str,  # noqa: A002 - ccxt's name
        side: str,
        amount: Any,
        price: Any = None,
        params: Any = None,
    ) -> Any:
        return _finish(self._policykit_create(symbol, type, side, amount, price, params))

    def edit_order(
        self,
        id: str,  # noqa: A002 - ccxt's name
        symbol: str,
        type: str,  # noqa: A002 - ccxt's name
        side: str,
        amount: Any = None,
        price: Any = None,
        params: Any = None,
    ) -> Any:
        return _finish(self._policykit_amend(id, symbol, type, side, amount, price, params))

    def cancel_order(self, id: str, symbol: str | None = None, params: Any = None) -> Any:  # noqa: A002 - ccxt's name
        cancel = super().cancel_order  # type: ignore[misc]
        return _finish(self._policykit_cancel("order.cancel", symbol, cancel, id, symbol, params or {}))

    def cancel_all_orders(self, symbol: str | None = None, params: Any = None) -> Any:
        cancel = super().cancel_all_orders  # type: ignore[misc]
        return _finish(self._policykit_cancel("orders.cancel_all", symbol, cancel, symbol, params or {}))

    def create_orders(self, orders: Any, params: Any = None) -> Any:
        return _finish(self._policykit_create_all(orders, params))

    def set_leverage(self, leverage: Any, symbol: str | None = None, params: Any = None) -> Any:
        order, ours = setting_of(symbol, leverage=leverage), super().set_leverage  # type: ignore[misc]
        return _finish(self._policykit_configure(order, ours, leverage, symbol, params or {}))

    def set_margin_mode(self, marginMode: str, symbol: str | None = None, params: Any = None) -> Any:  # noqa: N803
        order, ours = setting_of(symbol, margin_mode=marginMode), super().set_margin_mode  # type: ignore[misc]
        return _finish(self._policykit_configure(order, ours, marginMode, symbol, params or {}))

    def set_position_mode(self, hedged: bool, symbol: str | None = None, params: Any = None) -> Any:
        order, ours = setting_of(symbol, hedged=hedged), super().set_position_mode  # type: ignore[misc]
        return _finish(self._policykit_configure(order, ours, hedged, symbol, params or {}))


class AsyncProtected(Streamed, Unified):
    """An async ccxt client behind a guard."""

    async def _policykit_call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    async def _policykit_sleep(self, seconds: float) -> None:
        await self.policykit_gate.guard.clock.asleep(seconds)

    async def _policykit_read(self, steps: Steps[T]) -> T:
        guard = self.policykit_gate.guard
        with asking():
            return await arun(guard.adapter, self, steps, guard.clock)

    async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        return await self._policykit_fetch(url, method, headers, body)

    async def fetch2(self, *args: Any, **kwargs: Any) -> Any:
        return await self._policykit_fetch2(*args, **kwargs)

    async def create_order(
        self,
        symbol: str,
        type: str,  # noqa: A002 - ccxt's name
        side: str,
        amount: Any,
        price: Any = None,
        params: Any = None,
    ) -> Any:
        return await self._policykit_create(symbol, type, side, amount, price, params)

    async def edit_order(
        self,
        id: str,  # noqa: A002 - ccxt's name
        symbol: str,
        type: str,  # noqa: A002 - ccxt's name
        side: str,
        amount: Any = None,
        price: Any = None,
        params: Any = None,
    ) -> Any:
        return await self._policykit_amend(id, symbol, type, side, amount, price, params)

    async def cancel_order(self, id: str, symbol: str | None = None, params: Any = None) -> Any:  # noqa: A002
        cancel = super().cancel_order  # type: ignore[misc]
        return await self._policykit_cancel("order.cancel", symbol, cancel, id, symbol, params or {})

    async def cancel_all_orders(self, symbol: str | None = None, params: Any = None) -> Any:
        cancel = super().cancel_all_orders  # type: ignore[misc]
        return await self._policykit_cancel("orders.cancel_all", symbol, cancel, symbol, params or {})

    async def create_orders(self, orders: Any, params: Any = None) -> Any:
        return await self._policykit_create_all(orders, params)

    async def set_leverage(self, leverage: Any, symbol: str | None = None, params: Any = None) -> Any:
        order, ours = setting_of(symbol, leverage=leverage), super().set_leverage  # type: ignore[misc]
        return await self._policykit_configure(order, ours, leverage, symbol, params or {})

    async def set_margin_mode(self, marginMode: str, symbol: str | None = None, params: Any = None) -> Any:  # noqa: N803
        order, ours = setting_of(symbol, margin_mode=marginMode), super().set_margin_mode  # type: ignore[misc]
        return await self._policykit_configure(order, ours, marginMode, symbol, params or {})

    async def set_position_mode(self, hedged: bool, symbol: str | None = None, params: Any = None) -> Any:
        order, ours = setting_of(symbol, hedged=hedged), super().set_position_mode  # type: ignore[misc]
        return await self._policykit_configure(order, ours, hedged, symbol, params or {})


def _same(coroutine: T) -> T:
    return coroutine


def _finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of a sync client to its end: nothing that it awaits ever waits."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value


__all__ = ["AsyncProtected", "SyncProtected", "check_environment", "protect", "protected_class", "quiet"]

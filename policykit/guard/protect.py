"""The protected client: a ccxt client whose class was swapped in place, so isinstance and every reference keep working.

`create_order` decides and brings the order to its end (`steps`), `fetch` is the gate, cancels are recorded. All other
unified methods that send orders end at these, or are refused at the gate.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from policykit.errors import Denied
from policykit.exchanges.base import CallFailed, arun, run
from policykit.guard.admission import CURRENT
from policykit.guard.client_errors import ClientDenied
from policykit.guard.gate import ANSWER, Gate, Ticket
from policykit.guard.steps import Placement, order_of
from policykit.order import Order
from policykit.orders.life import Answer, Decide, LookUp, Record, Send, Wait

if TYPE_CHECKING:
    from policykit.guard.core import Guard


def protect(guard: Guard, client: Any) -> Any:
    """Put a client behind a guard; a client that is behind it already stays as it is."""
    bound = client.__dict__.get("policykit_gate")
    if bound is not None:
        if bound.guard is not guard:
            raise ValueError("the client is protected by another guard; make one client a guard")
        return client
    if client.id != guard.policy.model.exchange:
        raise ValueError(f"the client is for {client.id}; the policy is for {guard.policy.model.exchange}")
    mixin = AsyncProtected if inspect.iscoroutinefunction(client.fetch) else SyncProtected
    cls = type(client)
    client.__dict__["policykit_gate"] = Gate(guard)
    guard.adapter.set_validity(client, guard.validity_ms)
    client.__class__ = type(f"Protected{cls.__name__.capitalize()}", (mixin, cls), {"__module__": cls.__module__})
    return client


class _Protected:
    """What both kinds share."""

    policykit_gate: Gate

    def on_rest_response(
        self, code: Any, reason: Any, url: Any, method: Any, headers: Any, body: Any, *rest: Any
    ) -> Any:
        seen = ANSWER.get()
        if seen is not None:
            seen.update(status=code, headers=headers, body=body)
        return super().on_rest_response(code, reason, url, method, headers, body, *rest)  # type: ignore[misc]

    def _policykit_send(self, placement: Placement, step: Send, params: dict[str, Any]) -> dict[str, Any]:
        order = placement.order
        given = {k: v for k, v in params.items() if k not in ("clientOrderId", "newClientOrderId")}
        return {**given, **placement.guard.adapter.order_params(order, step.intent.client_order_id)}

    def _policykit_parse(self, symbol: str) -> Any:
        return lambda raw: self.parse_order(raw, self.market(symbol))  # type: ignore[attr-defined]

    def _policykit_cancel(self, action: str, symbol: str | None) -> Any:
        try:
            return self.policykit_gate.guard.decide(Order(symbol or "", action=action))
        except Denied as denied:
            raise ClientDenied(denied.decision, str(denied)) from None


class SyncProtected(_Protected):
    """A sync ccxt client behind a guard."""

    def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        gate = self.policykit_gate
        ticket = gate.enter(method, url, headers, body)
        try:
            while (wait_ms := gate.wait_ms(ticket)) > 0:
                gate.guard.clock.sleep(wait_ms / 1000)
            reply = super().fetch(url, method, headers, body)  # type: ignore[misc]
        except BaseException as error:  # noqa: BLE001 - cancelled is an outcome too
            raise gate.failed(ticket, error) from None
        gate.replied(ticket, reply)
        return reply

    def create_order(
        self,
        symbol: str,
        type: str,  # noqa: A002 - ccxt's name
        side: str,
        amount: Any,
        price: Any = None,
        params: Any = None,
    ) -> Any:
        self.load_markets()  # type: ignore[attr-defined]
        params = dict(params or {})
        placement = Placement(self.policykit_gate.guard, order_of(symbol, type, side, amount, price, params))
        steps = placement.steps()
        try:
            step = next(steps)
            while True:
                step = steps.send(self._policykit_do(placement, step, (type, side, amount, price, params)))
        except StopIteration as end:
            return placement.result(end.value, self._policykit_parse(symbol))
        finally:
            placement.guard.release(placement.admitted)

    def _policykit_do(self, placement: Placement, step: Any, arguments: tuple[Any, ...]) -> Answer:
        if isinstance(step, Decide):
            return placement.decide(step)
        if isinstance(step, Record):
            return placement.record(step)
        if isinstance(step, Wait):
            placement.guard.clock.sleep(max(0, step.until_ms - placement.now()) / 1000)
            return placement.answer()
        if isinstance(step, LookUp):
            return self._policykit_look_up(placement, step)
        kind, side, amount, price, params = arguments
        token = CURRENT.set(placement.admitted)
        try:
            full = self._policykit_send(placement, step, params)
            reply = super().create_order(placement.order.symbol, kind, side, amount, price, full)  # type: ignore[misc]
            return placement.sent(None, reply)
        except Exception as error:  # noqa: BLE001 - the gate knows what became of it
            return placement.sent(error, None)
        except BaseException:
            placement.interrupted()
            raise
        finally:
            CURRENT.reset(token)

    def _policykit_look_up(self, placement: Placement, step: LookUp) -> Answer:
        guard, sent = placement.guard, placement.now()
        try:
            found = run(guard.adapter, self, placement.find(step.intent), guard.clock)
        except CallFailed as failed:
            return placement.looked_up(sent, None, asked=False, retry_after_ms=failed.failure.retry_after_ms)
        return placement.looked_up(sent, found, asked=True, retry_after_ms=None)

    def cancel_order(self, id: str, symbol: str | None = None, params: Any = None) -> Any:  # noqa: A002
        token = CURRENT.set(self._policykit_cancel("order.cancel", symbol))
        try:
            return super().cancel_order(id, symbol, params or {})  # type: ignore[misc]
        finally:
            CURRENT.reset(token)

    def cancel_all_orders(self, symbol: str | None = None, params: Any = None) -> Any:
        token = CURRENT.set(self._policykit_cancel("orders.cancel_all", symbol))
        try:
            return super().cancel_all_orders(symbol, params or {})  # type: ignore[misc]
        finally:
            CURRENT.reset(token)


class AsyncProtected(_Protected):
    """An async ccxt client behind a guard."""

    async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        gate = self.policykit_gate
        ticket = gate.enter(method, url, headers, body)
        try:
            while (wait_ms := gate.wait_ms(ticket)) > 0:
                await gate.guard.clock.asleep(wait_ms / 1000)
            reply = await super().fetch(url, method, headers, body)  # type: ignore[misc]
        except BaseException as error:  # noqa: BLE001 - cancelled is an outcome too
            raise gate.failed(ticket, error) from None
        gate.replied(ticket, reply)
        return reply

    async def create_order(
        self,
        symbol: str,
        type: str,  # noqa: A002 - ccxt's name
        side: str,
        amount: Any,
        price: Any = None,
        params: Any = None,
    ) -> Any:
        await self.load_markets()  # type: ignore[attr-defined]
        params = dict(params or {})
        placement = Placement(self.policykit_gate.guard, order_of(symbol, type, side, amount, price, params))
        steps = placement.steps()
        try:
            step = next(steps)
            while True:
                step = steps.send(await self._policykit_do(placement, step, (type, side, amount, price, params)))
        except StopIteration as end:
            return placement.result(end.value, self._policykit_parse(symbol))
        finally:
            placement.guard.release(placement.admitted)

    async def _policykit_do(self, placement: Placement, step: Any, arguments: tuple[Any, ...]) -> Answer:
        if isinstance(step, Decide):
            return placement.decide(step)
        if isinstance(step, Record):
            return placement.record(step)
        if isinstance(step, Wait):
            await placement.guard.clock.asleep(max(0, step.until_ms - placement.now()) / 1000)
            return placement.answer()
        if isinstance(step, LookUp):
            return await self._policykit_look_up(placement, step)
        kind, side, amount, price, params = arguments
        token = CURRENT.set(placement.admitted)
        try:
            full = self._policykit_send(placement, step, params)
            reply = await super().create_order(placement.order.symbol, kind, side, amount, price, full)  # type: ignore[misc]
            return placement.sent(None, reply)
        except Exception as error:  # noqa: BLE001 - the gate knows what became of it
            return placement.sent(error, None)
        except BaseException:
            placement.interrupted()
            raise
        finally:
            CURRENT.reset(token)

    async def _policykit_look_up(self, placement: Placement, step: LookUp) -> Answer:
        guard, sent = placement.guard, placement.now()
        try:
            found = await arun(guard.adapter, self, placement.find(step.intent), guard.clock)
        except CallFailed as failed:
            return placement.looked_up(sent, None, asked=False, retry_after_ms=failed.failure.retry_after_ms)
        return placement.looked_up(sent, found, asked=True, retry_after_ms=None)

    async def cancel_order(self, id: str, symbol: str | None = None, params: Any = None) -> Any:  # noqa: A002
        token = CURRENT.set(self._policykit_cancel("order.cancel", symbol))
        try:
            return await super().cancel_order(id, symbol, params or {})  # type: ignore[misc]
        finally:
            CURRENT.reset(token)

    async def cancel_all_orders(self, symbol: str | None = None, params: Any = None) -> Any:
        token = CURRENT.set(self._policykit_cancel("orders.cancel_all", symbol))
        try:
            return await super().cancel_all_orders(symbol, params or {})  # type: ignore[misc]
        finally:
            CURRENT.reset(token)


__all__ = ["AsyncProtected", "SyncProtected", "Ticket", "protect"]

"""The unified methods of a protected client, as coroutines over three things to do: call, sleep, read.

`create_order` decides and brings the order to its end (`steps`), `fetch` is the gate, cancels are recorded. Written
once: for a sync client (`protect`) the three are done at once and nothing here ever waits.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from policykit.errors import Denied
from policykit.exchanges.base import CallFailed, Steps
from policykit.guard.admission import CURRENT, Admitted
from policykit.guard.amending import Amendment
from policykit.guard.batch import Batch, Wish
from policykit.guard.client_errors import ClientRefused, ReadWaits, SignAgain
from policykit.guard.environment import hold_environment
from policykit.guard.gate import ANSWER, MAX_WAITS, Gate
from policykit.guard.pricing import prices
from policykit.guard.reading import AGAIN, ReadFailed
from policykit.guard.signer import RLock
from policykit.guard.steps import OWN_IDS, Placement, order_of
from policykit.order import Order
from policykit.orders.intent import Intent
from policykit.orders.life import Answer, Decide, LookUp, Record, Send, Suspect, Wait
from policykit.redact import scrub

#: Methods through which every request goes; one put on the object itself may pass the gate by.
WIRES: Final = ("fetch", "fetch2", "request")


def _replaced(client: Any) -> bool:
    """Tell whether something was put on the object since that may send without the gate."""
    return not client.__dict__.keys().isdisjoint(WIRES)


def camel(name: str) -> str:
    """Return ccxt's other name of a method: `createOrder` beside `create_order`."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


class Unified:
    """What the sync and the async client share; `_policykit_call`, `_policykit_sleep`, `_policykit_read` are theirs."""

    policykit_gate: Gate
    policykit_signing: RLock
    _policykit_call: Callable[..., Coroutine[Any, Any, Any]]
    _policykit_sleep: Callable[[float], Coroutine[Any, Any, None]]
    _policykit_read: Callable[[Steps[Any]], Coroutine[Any, Any, Any]]

    def sign(self, *args: Any, **kwargs: Any) -> Any:
        """Sign with one key: its id and its secret are never replaced in between (`signer`)."""
        with self.policykit_signing:
            return super().sign(*args, **kwargs)  # type: ignore[misc]

    def log(self, *args: Any) -> None:
        """Print what ccxt prints with `verbose`, the headers of every request, without what is secret in it (G21)."""
        super().log(*(scrub(str(one)) for one in args))  # type: ignore[misc]

    def on_rest_response(
        self, code: Any, reason: Any, url: Any, method: Any, headers: Any, body: Any, *rest: Any
    ) -> Any:
        seen = ANSWER.get()
        if seen is not None:
            seen.update(status=code, headers=headers, body=body)
        return super().on_rest_response(code, reason, url, method, headers, body, *rest)  # type: ignore[misc]

    async def _policykit_fetch(self, url: str, method: str, headers: Any, body: Any) -> Any:
        gate = self.policykit_gate
        hold_environment(gate.guard, self)
        ticket = gate.enter(method, url, headers, body)
        failed: BaseException | None = None
        try:
            for _ in range(MAX_WAITS):
                wait_ms = gate.wait_ms(ticket)
                if wait_ms <= 0:
                    break
                await self._policykit_sleep(wait_ms / 1000)
                if ticket.call.kind == "read":
                    raise SignAgain("policykit: the read waited for its budget and must be signed again; send it anew")
            else:
                raise ReadWaits(f"policykit: others took the budget {MAX_WAITS} times; read later")
            reply = await self._policykit_call(super().fetch, url, method, headers, body)  # type: ignore[misc]
        except BaseException as error:  # noqa: BLE001 - cancelled is an outcome too
            failed = gate.failed(ticket, error)
        if ticket.late and gate.resync.due():
            with suppress(CallFailed):  # then the next refusal asks again
                await self._policykit_read(gate.resync.measure(self))
        if failed is not None:  # raised out here, so that it has no context: a foreign error's text is not ours
            raise failed
        gate.replied(ticket, reply)
        return reply

    async def _policykit_fetch2(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await self._policykit_signed(*args, **kwargs)
        except ReadFailed as first:
            failed = first
        try:
            return await self._policykit_again(failed, *args, **kwargs)
        except ReadFailed as last:
            failed = last
        raise failed.error

    async def _policykit_again(self, failed: ReadFailed, *args: Any, **kwargs: Any) -> Any:
        """Try a read again that failed once, as `retry.data` says; that one counts."""
        done = [failed]

        async def attempt() -> Any:
            if done:
                raise done.pop()
            return await self._policykit_signed(*args, **kwargs)

        return await self.policykit_gate.reads.loop(self._policykit_sleep, failed.started_ms)(attempt)

    async def _policykit_signed(self, *args: Any, **kwargs: Any) -> Any:
        """Let ccxt sign and send; a read that waited for its budget is signed anew."""
        token, waits = AGAIN.set(True), 0
        try:
            while True:
                try:
                    return await self._policykit_call(super().fetch2, *args, **kwargs)  # type: ignore[misc]
                except SignAgain:
                    waits += 1
                    if waits >= MAX_WAITS:
                        raise
        finally:
            AGAIN.reset(token)

    async def _policykit_create(self, symbol: str, kind: str, side: str, amount: Any, price: Any, params: Any) -> Any:
        await self._policykit_call(self.load_markets)  # type: ignore[attr-defined]
        await self._policykit_priced((symbol,))
        order, arguments = self._policykit_wish(symbol, kind, side, amount, price, params)
        await self._policykit_armed(order)
        return await self._policykit_place(Placement(self.policykit_gate.guard, order), arguments)

    async def _policykit_amend(
        self, ident: Any, symbol: Any, kind: Any, side: Any, amount: Any, price: Any, params: Any
    ) -> Any:
        await self._policykit_call(self.load_markets)  # type: ignore[attr-defined]
        await self._policykit_priced((symbol,))
        guard, params = self.policykit_gate.guard, dict(params or {})
        amount, price = self._policykit_rounded(symbol, amount, price)
        placement = Amendment.of(guard, ident, (symbol, kind, side), amount, price, params)
        order = placement.order
        return await self._policykit_place(placement, (order.type, order.side, order.quantity, order.price, {}))

    async def _policykit_priced(self, symbols: tuple[Any, ...]) -> None:
        """Read the first price of a market that the policy does not name; without one an increase is denied."""
        guard = self.policykit_gate.guard
        new = tuple(symbol for symbol in symbols if guard.wanted.add(guard.policy, symbol))
        if new:
            with suppress(Exception):  # what cannot be read is not known
                seen = await self._policykit_read(prices(guard, self, new))
                guard.take_in(seen)

    async def _policykit_armed(self, order: Order) -> None:
        """Arm the dead man's switch before the first entry of a market; where it cannot be, the entry is denied."""
        dead_man = self.policykit_gate.guard.dead_man
        if dead_man.arming(order):
            with suppress(CallFailed):  # said there
                await self._policykit_read(dead_man.arm(order.symbol))

    def _policykit_wish(self, symbol: str, kind: str, side: str, amount: Any, price: Any, params: Any) -> Wish:
        """Return the order that is meant, and the arguments to send it with."""
        params = dict(params or {})
        if CURRENT.get() is None:
            amount, price = self._policykit_rounded(symbol, amount, price)
        return Wish(order_of(symbol, kind, side, amount, price, params), (kind, side, amount, price, params))

    async def _policykit_place(self, placement: Placement, arguments: tuple[Any, ...]) -> Any:
        if placement.guard.mode == "shadow":
            return await self._policykit_shadow(placement, arguments)
        try:
            placement.start()
            await self._policykit_go(placement, arguments)
            return self._policykit_result(placement)
        finally:
            placement.guard.release(placement.admitted)

    async def _policykit_go(
        self, placement: Placement, arguments: tuple[Any, ...], *, until: tuple[type, ...] = ()
    ) -> None:
        """Do the steps to the end, or until one of a kind."""
        while placement.step is not None and not isinstance(placement.step, until):
            placement.take(await self._policykit_do(placement, placement.step, arguments))

    def _policykit_result(self, placement: Placement) -> Any:
        assert placement.end is not None
        market = self.market(placement.order.symbol)  # type: ignore[attr-defined]
        return placement.result(placement.end, lambda raw: self.parse_order(raw, market))  # type: ignore[attr-defined]

    async def _policykit_create_all(self, orders: Any, params: Any) -> list[Any]:
        """Admit all or none, send one by one, then look up what is unknown."""
        await self._policykit_call(self.load_markets)  # type: ignore[attr-defined]
        wishes = [
            self._policykit_wish(
                one.get("symbol") or "",
                one.get("type"),
                one.get("side"),
                one.get("amount"),
                one.get("price"),
                {**(params or {}), **(one.get("params") or {})},
            )
            for one in orders
        ]
        if not wishes:
            return []
        await self._policykit_priced(tuple(one.get("symbol") for one in orders))
        for wish in wishes:
            await self._policykit_armed(wish.order)
        batch = Batch.admit(self.policykit_gate.guard, wishes)
        if batch.guard.mode == "shadow":
            ours = super().create_orders  # type: ignore[misc]
            return await self._policykit_under(batch.one_write(), ours, orders, params or {})  # type: ignore[no-any-return]
        try:
            for member in batch.sends():
                with batch.noting(member):
                    member.placement.start()
                    await self._policykit_go(member.placement, member.arguments, until=(LookUp,))
            for member in batch.unknown():
                with batch.noting(member):
                    await self._policykit_go(member.placement, member.arguments)
        finally:
            batch.over()
        return batch.told(self._policykit_result, self.safe_order)  # type: ignore[attr-defined]

    def _policykit_rounded(self, symbol: str, amount: Any, price: Any) -> tuple[Any, Any]:
        """Return amount and price as ccxt will write them, so that what is decided is what is sent."""
        try:
            amount = amount if amount is None else self.amount_to_precision(symbol, amount)  # type: ignore[attr-defined]
            price = price if price is None else self.price_to_precision(symbol, price)  # type: ignore[attr-defined]
        except Exception:  # noqa: BLE001 - what ccxt cannot round the engine judges as it is, or ccxt refuses unsent
            return amount, price
        return amount, price

    async def _policykit_do(self, placement: Placement, step: Any, arguments: tuple[Any, ...]) -> Answer:
        if isinstance(step, Decide):
            return placement.decide(step)
        if isinstance(step, Record):
            return placement.record(step)
        if isinstance(step, Wait):
            await self._policykit_sleep(max(0, step.until_ms - placement.now()) / 1000)
            return placement.answer()
        if isinstance(step, LookUp | Suspect):
            return await self._policykit_look_up(placement, step.intent)
        assert isinstance(step, Send)
        return await self._policykit_send(placement, step.intent.client_order_id, arguments)

    async def _policykit_shadow(self, placement: Placement, arguments: tuple[Any, ...]) -> Any:
        """Send once whatever the policy says, and return or raise what came of it; recovery settles the rest."""
        try:
            placement.decide(Decide(None))
            await self._policykit_send(placement, placement.client_order_id, arguments)
            if placement.error is not None:
                raise placement.error
            return placement.reply
        finally:
            placement.guard.release(placement.admitted)

    async def _policykit_send(self, placement: Placement, client_id: str | None, arguments: tuple[Any, ...]) -> Answer:
        kind, side, amount, price, params = arguments
        if placement.order.price is None:
            price = None
        token = CURRENT.set(placement.admitted)
        try:
            if isinstance(placement, Amendment):
                edit = super().edit_order  # type: ignore[misc]
                return placement.sent(None, await self._policykit_call(edit, *placement.arguments(client_id)))
            full = params
            if client_id is not None:
                given = {k: v for k, v in params.items() if k not in OWN_IDS}
                full = given | placement.guard.adapter.order_params(placement.order, client_id)
            create = super().create_order  # type: ignore[misc]
            reply = await self._policykit_call(create, placement.order.symbol, kind, side, amount, price, full)
            return placement.sent(None, reply)
        except Exception as error:  # noqa: BLE001 - the gate knows what became of it
            return placement.sent(error, None, around=_replaced(self))
        except BaseException:
            placement.ended(around=_replaced(self))
            raise
        finally:
            CURRENT.reset(token)

    async def _policykit_look_up(self, placement: Placement, intent: Intent) -> Answer:
        sent = placement.now()
        try:
            found = await self._policykit_read(placement.find(intent))
        except CallFailed as failed:
            return placement.looked_up(sent, None, asked=False, retry_after_ms=failed.failure.retry_after_ms)
        except Exception:  # noqa: BLE001 - an adapter that fails has asked nothing
            return placement.looked_up(sent, None, asked=False, retry_after_ms=None)
        return placement.looked_up(sent, found, asked=True, retry_after_ms=None)

    async def _policykit_configure(self, order: Order, method: Any, *arguments: Any) -> Any:
        """Make one setting of the account under a decision of its own."""
        try:
            admitted = self.policykit_gate.guard.decide(order)
        except Denied as denied:
            raise ClientRefused(denied.decision, str(denied)) from None
        return await self._policykit_under(admitted, method, *arguments)

    async def _policykit_cancel(self, action: str, symbol: str | None, method: Any, *arguments: Any) -> Any:
        return await self._policykit_under(self._policykit_admit(action, symbol), method, *arguments)

    async def _policykit_under(self, admitted: Admitted, method: Any, *arguments: Any) -> Any:
        """Call one of ccxt's own methods under a decision that was made."""
        token = CURRENT.set(admitted)
        try:
            return await self._policykit_call(method, *arguments)
        finally:
            CURRENT.reset(token)

    def _policykit_admit(self, action: str, symbol: str | None) -> Admitted:
        outer = CURRENT.get()
        if outer is not None and outer.decision.action == action and not (outer.taken or outer.done):
            outer.taken = True  # INVARIANT I17: the decision that `@enforce` made is this attempt's
            return outer
        return self.policykit_gate.guard.decide(Order(symbol or "", action=action))

"""The private stream: what the exchange tells of the account's own orders counts at once, before any poll.

What is told is cumulative, so that it may come twice, late, or before the answer to the order itself (PITFALLS 6). What
the order is for is not: of that the answer to an amend tells, and the list of open orders.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from policykit.errors import StoreUnavailable
from policykit.exchanges.base import OrderState
from policykit.guard.settings import reconnect_plan
from policykit.guard.wire import ASKING
from policykit.units import exact

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: How often the connection is pinged, seconds, and how long nothing may come: own orders are silent for hours, and a
#: server that lives answers pings (RFC 6455, 5.5.3). ccxt alone takes up to six minutes to miss a dead one on Binance.
PING_S: Final = 10.0
SILENCE_MS: Final = 30_000
#: ccxt's order states after which nothing more can fill.
_OVER: Final = frozenset(("closed", "canceled", "cancelled", "expired", "rejected"))

_log = logging.getLogger("policykit.guard")


class Private:
    """The account's own orders by a ccxt.pro client, for as long as `async with` lasts; made by `Guard.private_stream`.

    While it is not whole, increases are denied, and every round of maintenance asks for everything.
    """

    def __init__(self, guard: Guard, client: Any, params: dict[str, Any]) -> None:
        self.name = " ".join(("orders", *(str(value) for value in params.values())))
        self.line = guard.streams.line(self.name, SILENCE_MS)
        self._guard = guard
        self._client = guard.protect(client)
        self._params = params
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._guard.streams.need(self.name, self.line, private=True)
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._ping())]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._guard.streams.drop(self.name)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self) -> None:
        """Ask for orders for ever; whatever goes wrong ends the connection, and the next one is made in its time."""
        ASKING.set(self)
        failures, streams = 0, self._guard.streams
        while True:
            try:
                orders = await self._client.watch_orders(params=self._params)
                failures = 0
                for order in orders:
                    self._take(order)
            except Exception as error:  # noqa: BLE001 - the stream must live; the text is not ours
                failures += 1
                _log.warning("stream %s: %s", self.name, type(error).__name__)
                self._hang_up(error)
                wait_ms = reconnect_plan(self._guard.policy).wait_ms(failures, streams.chance())
                await self._guard.clock.asleep(wait_ms / 1000)

    def _take(self, order: Any) -> None:
        """Take in what one message says of an order; one that does not say enough is read by the next poll."""
        state = sighting(order)
        if state is not None:
            with suppress(StoreUnavailable):  # the next poll tells it again
                self._guard.saw(state, late=True)

    def _connections(self) -> list[Any]:
        wires = ((one, vars(one).get("policykit_wire")) for one in tuple((self._client.clients or {}).values()))
        return [one for one, wire in wires if wire is not None and wire.asker is self]

    def _hang_up(self, error: BaseException) -> None:
        """End the connection, also one that is open but serves nothing (a subscription that was refused)."""
        for connection in self._connections():
            if not connection.closed():
                connection.on_error(error)

    async def _ping(self) -> None:
        """Ask whether the other side lives, and end a connection that is silent all the same."""
        clock = self._guard.clock
        while True:
            await clock.asleep(PING_S)
            left_ms = self.line.silent_in_ms(clock.monotonic_ms())
            if left_ms is not None and left_ms <= 0:
                self._hang_up(TimeoutError())
            for connection in self._connections():
                with suppress(Exception):  # a connection that cannot be pinged is silent
                    await connection.connection.ping()


def sighting(order: Any) -> OrderState | None:
    """Read an order as ccxt writes it; None where it does not say enough to count it."""
    try:
        symbol, status, cost = order["symbol"], str(order["status"]), order.get("cost")
        return OrderState(
            str(order["id"]),
            str(order["clientOrderId"]),
            symbol,
            order["side"],
            exact(order["amount"]),
            exact(order["filled"]),
            status in _OVER,
            status,
            {},
            None if cost is None or ":" in symbol else exact(cost),  # of contracts ccxt's cost is in other units
        )
    except (KeyError, TypeError, ValueError):
        return None

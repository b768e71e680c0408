"""Try each allowed order type and each error path in a sandbox, through the real guard (G41).

Whatever becomes of it stands in the journal as any order's does: the evidence is those rows, not this list.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple

from policykit.errors import Denied, OutcomeUnknown, PolicykitError
from policykit.exchanges.answers import losing_answers
from policykit.guard import Guard
from policykit.operate.stages.needs import AS_SANDBOX, types_of
from policykit.order import Order
from policykit.orders.intent import Intent
from policykit.units import plain

#: How far from the price an order rests, and how far over it one is that fills at once.
AWAY: Final = Decimal("0.02")
OVER: Final = Decimal("0.002")
#: How much more than the least that the exchange takes is ordered.
ROOM: Final = Decimal("1.5")
#: How many times the least is more than any policy of a sandbox may allow.
MUCH: Final = 100_000
_STOPS: Final = ("stop", "take_profit")


class Step(NamedTuple):
    """One thing that was tried: whether it came out as it should, and what came of it."""

    name: str
    ok: bool
    words: str


class NoSandbox(PolicykitError):
    """A policy that is not of a sandbox: nothing is tried where money is at stake."""


def exercise(guard: Guard, client: Any, symbol: str) -> Iterator[Step]:
    """Yield what came of each step. Raise NoSandbox; whatever a step meets is its result, and the next goes on."""
    _of_sandbox(guard)
    trying = _Tried(guard, client, symbol)
    types = types_of(guard.policy)
    at_once = "market" if "market" in types else "limit" if "limit" in types else types[0]
    yield trying.step("an order over the policy's caps is denied", trying.denied)
    yield trying.step("an order that the exchange refuses", trying.rejected)
    yield trying.step(f"{at_once}: bought at once", lambda: trying.filled("buy", at_once))
    for kind in types:
        if kind != at_once:
            yield trying.step(f"{kind}: placed and cancelled", partial(trying.rested, kind))
    if guard.adapter.amending(Order(symbol, "buy", "limit")) is not None and "limit" in types:
        yield trying.step("limit: placed, amended and cancelled", trying.amended)
    yield trying.step(f"{at_once}: the answer is lost, and looked up", lambda: trying.lost(at_once))
    yield trying.step(f"{at_once}: sold again", lambda: trying.filled("sell", at_once))
    yield trying.step("none of its own orders is left open", trying.cleared)


def tried(guard: Guard, symbol: str) -> Iterator[Step]:
    """Yield what came of each step, with a client of the guard's own while its maintenance runs. Raise NoSandbox."""
    _of_sandbox(guard)
    with guard:
        yield from exercise(guard, guard.own_client(), symbol)


def _of_sandbox(guard: Guard) -> None:
    if guard.policy.model.environment != "sandbox":
        raise NoSandbox(f"{guard.policy.file}: environment is live, and real orders are sent: exercise it {AS_SANDBOX}")


class _Tried:
    """The steps, on one symbol."""

    def __init__(self, guard: Guard, client: Any, symbol: str) -> None:
        self.guard, self.client, self.symbol = guard, client, symbol
        self._began_ms = guard.now()
        client.load_markets()
        self.market = client.market(symbol)
        self._bought = Decimal(0)

    def step(self, name: str, run: Callable[[], str]) -> Step:
        """Run one step; what it raises is what came of it."""
        try:
            return Step(name, True, run())
        except _Failed as failed:
            return Step(name, False, str(failed))
        except Exception as error:  # noqa: BLE001  # an exchange can answer anything; it is said, and the next step goes on
            return Step(name, False, f"{type(error).__name__}: {' '.join(str(error).split())}"[:300])

    # ---- the steps

    def denied(self) -> str:
        """Ask for what no policy allows."""
        order = Order(self.symbol, "buy", "limit", self._quantity() * MUCH, self._price(-AWAY))
        try:
            self.guard.place(order, self.client)
        except Denied as denied:
            return ", ".join(reason.code for reason in denied.decision.reasons)
        raise _Failed("it was sent; set risk.max_order_notional")

    def rejected(self) -> str:
        """Ask for so little that only the exchange refuses it; of contracts, reduce a position that there is not."""
        least = Decimal(str(self.market["limits"]["amount"]["min"] or self.market["precision"]["amount"]))
        exits = bool(self.market.get("contract"))
        order = Order(self.symbol, "buy", "limit", least, self._price(-AWAY))
        if exits:
            order = Order(self.symbol, "sell", "limit", self._quantity(), self._price(AWAY), reduce_only=True)
        try:
            placed = self._place(order)
        except Denied as denied:
            raise _Failed(f"the policy denied it: {denied}") from None
        except OutcomeUnknown:
            raise
        except Exception as error:  # noqa: BLE001  # ccxt's classes, which this room does not know
            return type(error).__name__
        self._cancel(placed)
        raise _Failed("the exchange took it")

    def filled(self, side: Any, kind: str) -> str:
        """Buy, or sell what was bought."""
        quantity = self._quantity() if side == "buy" else self._held()
        price = None if kind == "market" else self._price(OVER if side == "buy" else -OVER)
        exits = side == "sell" and bool(self.market.get("contract"))
        done = self._place(Order(self.symbol, side, kind, quantity, price, reduce_only=exits))
        return f"{plain(quantity)} {self.market['base']}, {done.get('status') or 'taken'}"

    def rested(self, kind: str) -> str:
        """Place an order that rests, and cancel it."""
        if kind.startswith("trailing"):  # an Order does not hold a trailing distance
            amount, params = plain(self._quantity()), {"trailingPercent": plain(AWAY * 100)}
            self._cancel(self.client.create_order(self.symbol, kind, "buy", amount, None, params), conditional=True)
            return "taken and cancelled"
        stop = self._price(AWAY) if any(word in kind for word in _STOPS) else None
        price = None if kind.endswith("market") or kind in _STOPS else self._price(-AWAY if stop is None else AWAY)
        placed = self._place(Order(self.symbol, "buy", kind, self._quantity(), price, stop_price=stop))
        self._cancel(placed, conditional=stop is not None)
        return "taken and cancelled"

    def amended(self) -> str:
        """Move an order that rests, and cancel it."""
        placed = self._place(Order(self.symbol, "buy", "limit", self._quantity(), self._price(-AWAY)))
        moved = self.client.edit_order(
            placed["id"], self.symbol, "limit", "buy", plain(self._quantity()), plain(self._price(-AWAY * 2))
        )
        self._cancel(moved)
        return "moved and cancelled"

    def lost(self, kind: str) -> str:
        """Send an order whose answer never comes."""
        price = None if kind == "market" else self._price(OVER)
        order = Order(self.symbol, "buy", kind, self._quantity(), price)
        with losing_answers(self.client):
            done = self._place(order)
        return f"found: {done.get('status') or 'taken'}"

    def cleared(self) -> str:
        """See that no order that was placed here is left; those of others are counted and left alone."""
        placed = [intent for intent in self.guard.store.intents(self.guard.account) if self._own(intent)]
        ours = {name for intent in placed for name in (intent.order_id, intent.client_order_id) if name}
        cancelled = others = 0
        for conditional in (False, True) if self.market.get("contract") else (False,):
            for order in self.client.fetch_open_orders(self.symbol, params=self._family(conditional)):
                if ours.isdisjoint((order["id"], order.get("clientOrderId"))):
                    others += 1
                    continue
                self._cancel(order, conditional=conditional)
                cancelled += 1
        return f"{cancelled} cancelled" + (
            f"; {others} open orders of others on {self.symbol} left alone" * bool(others)
        )

    def _own(self, intent: Intent) -> bool:
        """Tell whether this exercise placed an order: a bot that trades here is another process, or was earlier."""
        here = (intent.bot, intent.host, intent.pid) == (self.guard.bot, self.guard.host, os.getpid())
        return here and intent.decided_ms >= self._began_ms

    # ---- what they need

    def _place(self, order: Order) -> Any:
        done = self.guard.place(order, self.client)
        if order.side == "buy" and done.get("status") == "closed":
            self._bought += order.quantity or 0
        return done

    def _family(self, conditional: bool) -> dict[str, Any]:
        """Return ccxt's params for orders that wait for a price: of contracts they are a family of their own."""
        return {"trigger": True} if conditional and self.market.get("contract") else {}

    def _cancel(self, placed: Any, *, conditional: bool = False) -> None:
        self.client.cancel_order(placed["id"], self.symbol, self._family(conditional))
        with suppress(Exception):  # so that the next step finds its outcome; if not now, the next round does
            self.guard.maintain()

    def _price(self, away: Decimal) -> Decimal:
        ticker = self.client.fetch_ticker(self.symbol)
        price = Decimal(str(ticker["last"] or ticker["ask"])) * (1 + away)
        return Decimal(self.client.price_to_precision(self.symbol, plain(price)))

    def _quantity(self) -> Decimal:
        """Return a little more than the least that the exchange takes."""
        limits, price = self.market["limits"], self._price(-AWAY * 2)
        least = Decimal(str(limits["amount"]["min"] or 0)) * self._size()
        worth = Decimal(str((limits.get("cost") or {}).get("min") or 0))
        need = max(least, worth / price) * ROOM / self._size()
        step = Decimal(str(self.market["precision"]["amount"] or "0.00000001"))
        return max((need // step + 1) * step, step)

    def _size(self) -> Decimal:
        return Decimal(str(self.market.get("contractSize") or 1))

    def _held(self) -> Decimal:
        """Return what was bought here, as far as it is there: a fee may have been taken out of it."""
        free = Decimal(str(self.client.fetch_balance().get(self.market["base"], {}).get("free") or 0))
        wanted = self._bought or self._quantity()
        if free and not self.market.get("contract"):
            wanted = min(wanted, free)
        return Decimal(self.client.amount_to_precision(self.symbol, plain(wanted)))


class _Failed(Exception):
    """A step that did not come out as it should; the message says how."""


def symbol_of(guard: Guard) -> str:
    """Return the first symbol that the policy names. Raise PolicykitError where it has patterns only."""
    risk = guard.policy.model.risk
    for symbol in (risk.symbols if risk else None) or ():
        if not set(symbol) & set("*?![]"):
            return symbol
    raise PolicykitError(f"{guard.policy.file}: risk.symbols names no symbol in full; give --symbol BTC/USDT")

"""Broken worlds: one in which answers are damaged round after round, and what must hold whatever a bot meets there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import ccxt

from policykit.errors import Denied
from policykit.guard import Guard
from policykit.guard.resolve import resolve
from policykit.orders.intent import Intent
from policykit.orders.life import UNDECIDED
from tests.guard.bots import Bot, bot
from tests.guard.contracts import SWAP
from tests.guard.contracts import policy as contract_policy
from tests.guard.test_bybit import BYBIT
from tests.guard.world import SYMBOL, World, policy_text, world

EXCHANGES = ("binance", "binanceusdm", "bybit")
#: Where an answer is damaged, and what else goes wrong in that round, so that it is asked for.
LOST = {"at": "order", "do": "lost_reply", "when": [1]}
LATE = {"at": "order", "do": "lag", "when": [1], "seconds": 8}
PLACES: dict[str, tuple[dict[str, Any], ...]] = {
    "order": ({"at": "order", "when": [1]},),
    "unsent": ({"at": "order", "when": [1], "executed": False},),
    "lookup": (LOST, {"at": "lookup", "ratio": 1.0}),
    "account": (LOST, LATE, {"at": "account", "ratio": 1.0}),
    "market": (LOST, LATE, {"at": "market", "ratio": 1.0}),
    "cancel": ({"at": "cancel", "when": [1]},),
}
#: Lies that could be true: with its numbers below zero an account is short, or owes.
PLAUSIBLE = {("binanceusdm", "account", "negative"), ("bybit", "account", "negative")}
#: What is bought in each round, what is sold in the middle of it, and what is held from the start.
SIZE, EXIT, HELD = 0.01, 0.002, Decimal("0.1")


def faults(place: str, how: str) -> list[dict[str, Any]]:
    """Return what strikes in a round."""
    return [rule if "do" in rule else rule | {"do": "broken", "how": how} for rule in PLACES[place]]


class Venue(NamedTuple):
    """What differs between the exchanges: how a world of it starts, and what is traded there."""

    symbol: str
    setup: dict[str, Any]
    config: dict[str, Any]


def venue(exchange: str, cap: str) -> Venue:
    """Return what a test of an exchange needs; a caller is kept 1 s. `cap` is of the position."""
    config: dict[str, Any] = {"timeout": 3_000}
    if exchange == "binanceusdm":
        setup: dict[str, Any] = {"margin": {"USDT": 20_000}, "grants": {"read", "trade.derivatives"}}
        symbol, text = SWAP, contract_policy(exchange, position=cap)
    else:
        setup = {"balances": {"USDT": Decimal(90_000), "BTC": HELD}}
        symbol, text = SYMBOL, BYBIT if exchange == "bybit" else policy_text()
        config |= {"options": {"fetchMarkets": {"types": ["spot"]}}} if exchange == "bybit" else {}
    text = (
        text.replace("10% of equity", cap)
        .replace("max_open_orders: 20", "max_open_orders: 200")
        .replace("30s}", "30s, wait: 1s}")
    )
    return Venue(symbol, {"text": text, "dialect": exchange, **setup}, config)


class Met(NamedTuple):
    """How a call ended: the answer, or the error."""

    answer: Any = None
    error: Exception | None = None


def meet(call: Callable[[], Any]) -> Met:
    """Call as a bot does, which catches ccxt's classes; anything else goes through and fails the test."""
    try:
        return Met(call())
    except ccxt.BaseError as error:
        return Met(error=error)


class Broken:
    """A world, a guard and a bot in it; `told` is all that the bot was told in errors."""

    def __init__(self, world: World, guard: Guard, client: Bot, symbol: str) -> None:
        self.world, self.guard, self.client, self.symbol = world, guard, client, symbol
        self.told: list[str] = []

    @property
    def sent(self) -> list[tuple[str, Decimal]]:
        """Return the orders that the exchange accepted."""
        return self.world.sent

    def trade(self, side: str, amount: float, price: float | None = None) -> Met:
        """Send one order; what sells a contract says that it only reduces, for facts may be too old to tell."""
        kind = "market" if price is None else "limit"
        params = {"reduceOnly": True} if side == "sell" and ":" in self.symbol else {}
        return self._meet(lambda: self.client.create_order(self.symbol, kind, side, amount, price, params))

    def _meet(self, call: Callable[[], Any]) -> Met:
        met = meet(call)
        if met.error is not None:
            self.told += [str(met.error), repr(met.error), repr(met.error.__cause__), repr(met.error.__context__)]
        return met

    def later(self, seconds: float, rounds: int = 1) -> None:
        """Let time pass, and the guard look."""
        for _ in range(rounds):
            self.world.clock.advance(seconds)
            self.guard.maintain()

    # ---- one round

    def round(self, place: str, how: str) -> None:
        """Break answers, let a bot decide twice and leave, heal the world, and hold what must hold at each moment."""
        if place == "cancel":
            self._cancel(how)
        else:
            self._buy(place, how)
        self.later(10, 2)
        legitimate = self.trade("buy", 0.001, 50_000)
        assert legitimate.error is None, f"a legitimate order does not pass after all has healed: {legitimate.error}"
        self.client.cancel_order(legitimate.answer["id"], self.symbol)
        assert self.guard.store.verify()[1] is None

    def _buy(self, place: str, how: str) -> None:
        before = len(self.sent)
        self.world.sim.strike(*faults(place, how))
        first = self.trade("buy", SIZE)
        if first.error is not None:
            if isinstance(first.error, ccxt.NetworkError):  # a bot sends it again: nothing may have been sent
                assert not any(intent.state in UNDECIDED for intent in self.ours().values()), (
                    "a bot would send it again"
                )
            self.later(5)
            again = self.trade("buy", SIZE)  # PITFALLS 13: the next signal
            assert again.error is None or isinstance(again.error, Denied | ccxt.BaseError)
        left = self.trade("sell", EXIT)
        assert left.error is None, f"an exit does not pass: {left.error}"
        bought = [quantity for side, quantity in self.sent[before:] if side == "buy"]
        assert len(bought) <= 1, "bought twice"
        self._counted()
        self.world.sim.strike()
        self.later(61, 2)
        bought = [quantity for side, quantity in self.sent[before:] if side == "buy"]
        assert len(bought) == 1 or (place == "unsent" and len(bought) == 0), "bought after all"
        self._settled()
        if bought:
            assert self.trade("sell", SIZE - EXIT).error is None

    def _cancel(self, how: str) -> None:
        resting = self.trade("buy", 0.001, 50_000).answer
        self.world.sim.strike(*faults("cancel", how))
        self._meet(lambda: self.client.cancel_order(resting["id"], self.symbol))
        self._counted()
        self.world.sim.strike()
        self.later(61, 2)
        self._settled()

    # ---- what must hold

    def ours(self) -> dict[str, Intent]:
        """Return all intents by client order id."""
        return {intent.client_order_id: intent for intent in self.guard.store.intents(open_only=False)}

    def _counted(self) -> None:
        """Whatever was executed is in the journal, and counted: open, or with the quantity that filled."""
        known = self.ours()
        for order in self.sent_orders():
            intent = known[order.client_order_id]
            assert intent.open or intent.filled == self._filled(order.client_order_id), (intent.state, intent.error)
        assert all(intent.error for intent in known.values() if intent.state == "unknown"), "unknown without a reason"

    def settle(self) -> None:
        """Resolve what only a person can."""
        for intent in self.ours().values():
            if intent.state in UNDECIDED:
                assert intent.error, "unknown without a reason"
                executed = {order.client_order_id for order in self.sent_orders()}
                assert intent.client_order_id not in executed, "what was executed is found"
                self._resolve(intent)

    def _settled(self) -> None:
        """After healing every intent is settled as the exchange has it; what never was may wait for a person."""
        executed = {order.client_order_id for order in self.sent_orders()}
        for name, intent in self.ours().items():
            if name in executed:
                assert intent.state not in UNDECIDED, (intent.state, intent.error)
                assert intent.filled == self._filled(name)
            elif intent.open:
                assert (intent.state, bool(intent.error)) == ("unknown", True)
                self._resolve(intent)

    def _resolve(self, intent: Intent) -> None:
        """Say as a person does that nothing came of an order."""
        store, now = self.guard.store, self.guard.now()
        assert resolve(store, intent.id, "absent", None, by="desk-head", why="looked", now_ms=now) is None

    def sent_orders(self) -> list[Any]:
        """Return what the exchange accepted, whole."""
        return self.world.sim.truth.executed

    def _filled(self, client_order_id: str) -> Decimal:
        """Return how much of an order really filled: market orders do at once, and no limit is ever reached."""
        (order,) = (one for one in self.sent_orders() if one.client_order_id == client_order_id)
        return order.quantity if "MARKET" in order.type.upper() else Decimal(0)


@contextmanager
def broken(folder: Path, exchange: str, kind: str, cap: str = "15000 USDT") -> Iterator[Broken]:
    """Start a world on an exchange, and a bot in it."""
    where = venue(exchange, cap)
    with world(folder, **where.setup) as started:
        if exchange == "binanceusdm":
            started.sim.hold(where.symbol, HELD, entry=60_000)
        guard = started.guard()
        with bot(started, kind, guard, **where.config) as client:
            client.load_markets()
            made = Broken(started, guard, client, where.symbol)
            assert made.trade("sell", EXIT).error is None  # ccxt asks once what kind of account it is
            yield made

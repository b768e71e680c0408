"""A small exchange and the wire to it, for proofs about `orders` only: its own code, no part of policykit's sim.

Everything happens on one heap of events in one thread, from one seed. Times are the exchange's own clock, in ms from 0;
each bot's clock differs by its skew. What is adversarial here is the timing: a late request arrives at the very last
moment at which it is still let in, waits the whole processing time, and shows only after the whole lag.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

from policykit.traits.base import Family

CLIENT_TIMEOUT_MS = 2_000
QUANTITY = Decimal(10)
RETRY_AFTER_MS = {"429": 1_000, "418": 8_000}
FAULTS = (
    "drop_request",
    "drop_reply",
    "late",
    "late",
    "slow_engine",
    "reset_before",
    "reset_after",
    "429",
    "418",
    "5xx",
    "5xx_executed",
    "duplicate_reply",
)


@dataclass(frozen=True)
class Setting:
    """How an exchange behaves. `dedupe`: among which orders a client order id is unique.

    `ahead_ms`: a signing time this far ahead of the exchange's clock is refused (Binance: 1 s). `family`: what is known
    of it where that is less than how it behaves, as in the real traits; None: all of it.
    """

    name: str
    dedupe: str = "open"
    lag_ms: int = 800
    processing_ms: int = 10_000
    expires: bool = True
    validity_ms: int = 5_000
    bound_ms: int = 500
    ahead_ms: int = 1_000
    faults: float = 0.35
    family: Family | None = None


class Seen(NamedTuple):
    """What a look-up shows."""

    order_id: str
    client_order_id: str
    symbol: str
    side: Any
    quantity: Decimal
    filled: Decimal
    closed: bool
    cost: Decimal | None = None
    price: Decimal | None = None


@dataclass(slots=True)
class Request:
    """One signed order on its way. `wish` is what the bot means once, whatever ids and intents it takes.

    `look`: which of the bot's looks at its signal sent it.
    """

    wish: str
    client_order_id: str
    symbol: str
    side: str
    signed_ms: int
    validity_ms: int
    reply: str | None = None
    reply_seen: Seen | None = None
    waiter: Callable[[], None] | None = None
    answers: bool = True
    look: int = 0


@dataclass(slots=True)
class Booked:
    """One executed order: `first` fills at once, `total` by the time it is closed."""

    number: int
    request: Request
    at_ms: int
    visible_ms: int
    closes_ms: int
    first: Decimal
    total: Decimal

    def seen(self, now: int) -> Seen:
        """Show the order as it is at a moment."""
        closed = now >= self.closes_ms
        r = self.request
        filled = self.total if closed else self.first
        return Seen(f"x{self.number}", r.client_order_id, r.symbol, r.side, QUANTITY, filled, closed)


@dataclass
class World:
    """The clock and the heap."""

    seed: int
    now: int = 1_000_000
    events: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def at(self, when: int, what: Callable[..., None], *args: Any) -> None:
        """Let something happen at a moment."""
        self.count += 1
        heapq.heappush(self.events, (max(when, self.now), self.count, what, args))

    def run(self, done: Callable[[], bool] = lambda: False) -> None:
        """Let everything happen, in order, until `done` or until nothing is left."""
        events = self.events
        while events and not done():
            when, _, what, args = heapq.heappop(events)
            self.now = when
            what(*args)


class Venue:
    """The exchange: lets requests in, matches them, remembers who was told to wait."""

    def __init__(self, world: World, setting: Setting) -> None:
        self.world, self.setting = world, setting
        self.book: dict[str, list[Booked]] = {}
        self.open: dict[int, Booked] = {}
        self.orders: list[Booked] = []
        self.banned_until = 0
        #: Requests sent too early, after somebody had heard the exchange say when to come back.
        self.disobeyed = 0
        self.sends = 0

    # ---- the wire

    def submit(self, request: Request) -> Request:
        """Send an order, with whatever happens to it on the way."""
        world, now = self.world, self.world.now
        self.sends += 1
        self.disobeyed += now < self.banned_until
        fault = world.random.choice(FAULTS) if world.random.random() < self.setting.faults else ""
        if fault in RETRY_AFTER_MS:
            self._answer(request, now + 10, fault)
        elif fault == "drop_request":
            pass
        elif fault == "reset_before":
            self._answer(request, now + 10, "reset")
        elif fault == "5xx":
            self._answer(request, now + 10, "5xx")
        else:
            self._deliver(request, fault)
        return request

    def _deliver(self, request: Request, fault: str) -> None:
        now, setting = self.world.now, self.setting
        transit, engine = 5, 1
        if fault == "late":
            last = request.signed_ms + request.validity_ms - now if setting.expires else 60_000
            transit = max(5, self.world.random.choice((200, 2_500, last - 1, last)))
            engine = self.world.random.choice((1, 50, setting.processing_ms // 2, setting.processing_ms))
        elif fault == "slow_engine":
            engine = setting.processing_ms
        elif fault:
            request.answers = False
            if fault != "drop_reply":
                text = {"duplicate_reply": "duplicate", "reset_after": "reset", "5xx_executed": "5xx"}[fault]
                self._answer(request, now + 20, text)
        self.world.at(now + transit, self._gate, request, min(engine, setting.processing_ms))

    def _answer(self, request: Request, when: int, text: str) -> None:
        request.answers = False
        self.world.at(when, _reply, request, text, None)

    # ---- the exchange

    def _gate(self, request: Request, engine_ms: int) -> None:
        now = self.world.now
        if self.setting.expires and not (
            request.signed_ms < now + self.setting.ahead_ms and now - request.signed_ms <= request.validity_ms
        ):
            if request.answers:
                _reply(request, "stale", None)
            return
        self.world.at(now + engine_ms, self._match, request)

    def _match(self, request: Request) -> None:
        now, setting, random = self.world.now, self.setting, self.world.random
        before = self.book.get(request.client_order_id, ())
        taken = {"forever": bool(before), "open": any(o.closes_ms > now for o in before), "none": False}
        if taken[setting.dedupe]:
            if request.answers:
                _reply(request, "duplicate", None)
            return
        lag = random.choice((0, setting.lag_ms)) if request.answers else setting.lag_ms
        kind = random.random()
        first, total, rest = QUANTITY, QUANTITY, 0
        if kind > 0.7:
            first, total, rest = Decimal(random.randrange(10)), Decimal(10), random.randrange(1, 20_000)
        if kind > 0.9:
            total = first
        order = Booked(len(self.orders) + 1, request, now, now + lag, now + rest, first, total)
        self.orders.append(order)
        self.open[order.number] = order
        self.book.setdefault(request.client_order_id, []).append(order)
        if request.answers:
            _reply(request, "ok", order.seen(now))

    def look_up(self, client_order_id: str) -> Seen | None:
        """Answer a look-up by client order id."""
        now = self.world.now
        self.disobeyed += now < self.banned_until
        for order in self.book.get(client_order_id, ()):
            if order.visible_ms <= now:
                return order.seen(now)
        return None

    def listed(self) -> list[Seen]:
        """List the open orders that show."""
        now = self.world.now
        for number in [n for n, order in self.open.items() if order.closes_ms <= now]:
            del self.open[number]
        return [order.seen(now) for order in self.open.values() if order.visible_ms <= now]

    def heard(self, answer: str) -> None:
        """Count from here on who comes back too early: the answer with the Retry-After was read and remembered."""
        self.banned_until = max(self.banned_until, self.world.now + RETRY_AFTER_MS[answer])

    # ---- the truth, for the proofs

    def executions(self) -> dict[str, list[int]]:
        """Return for each wish which look sent each of its executed orders."""
        out: dict[str, list[int]] = {}
        for order in self.orders:
            out.setdefault(order.request.wish, []).append(order.request.look)
        return out


def _reply(request: Request, text: str, seen: Seen | None) -> None:
    if request.reply is None:
        request.reply, request.reply_seen = text, seen
        if request.waiter is not None:
            request.waiter()

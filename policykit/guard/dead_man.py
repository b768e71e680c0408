"""The dead man's switch: the exchange's own timer, armed while this guard's entries are out, taken off when none is.

Armed before the first entry of a market is sent, refreshed by the maintenance loop, taken off at an orderly end. A
guard that stops refreshing (killed, hung, cut off) leaves a timer that cancels its entries. It cancels every order in
its scope, exits too, and closes nothing (PITFALLS 19); where it is not armed, increases are denied.
"""

from __future__ import annotations

import logging
import math
import threading
from typing import TYPE_CHECKING, Any, Final

from policykit.errors import PolicykitError, StoreUnavailable
from policykit.exchanges.base import CallFailed, Steps, run
from policykit.guard.own import asking
from policykit.model import DeadManSwitch
from policykit.order import Order
from policykit.orders.intent import Intent
from policykit.traits.base import DeadManSwitch as Timer
from policykit.traits.base import countdown, product_of, unarmable

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: The reason of a denial for want of it.
UNARMED: Final = "DEAD_MAN_UNARMED"
#: A timer that a decision asked after stays armed so long, ms: its entry may not be in the store yet.
IN_USE_MS: Final = 2_000


class DeadMan:
    """The timers of one guard. Thread-safe; times are of the guard's monotonic clock, ms."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._lock = threading.Lock()
        #: When each timer was last armed, by the symbol that it was armed with.
        self._armed: dict[str, float] = {}
        #: When it was last asked after for a decision, by the same.
        self._used: dict[str, float] = {}
        #: Why arming failed, by symbol, since it last was.
        self._failed: dict[str, str] = {}
        #: Markets whose entries were denied for want of it, where no client of ours arms it in time (`@enforce`): it
        #: stays armed there.
        self._wanted: set[str] = set()
        #: Markets of which was said that exits are in its scope.
        self._warned: set[str] = set()

    @property
    def armed(self) -> frozenset[str]:
        """The symbols with which its timers were armed."""
        return frozenset(self._armed)

    @property
    def asked(self) -> DeadManSwitch | None:
        """What the policy asks for; None as well where the exchange has none, of which the engine denies increases."""
        guard = self._guard
        said = guard.policy.model.dead_man_switch
        if said is None or guard.mode == "shadow" or unarmable(guard.traits, guard.traits.products, said.timeout.ms):
            return None
        return said

    @property
    def every_s(self) -> float:
        """How often it must be looked after, seconds; infinity where it is not asked for."""
        said = self.asked
        return math.inf if said is None else min(said.refresh.ms, said.timeout.ms / 2) / 1000

    # ---- for decisions

    def problem(self, symbol: str) -> tuple[str, str] | None:
        """Return why increases on a market are denied: the policy asks for the switch, and it is not armed there."""
        said = self.asked
        if said is None or not symbol or product_of(symbol) not in self._guard.traits.products:
            return None
        key = self._key(symbol)
        armed, why = self._armed.get(key), self._failed.get(key)
        self._used[key] = self._now()
        if why is None and armed is not None and self._now() < armed + said.timeout.ms:
            return None
        if why is None:
            why = "it is not armed yet" if armed is None else "it was not refreshed in time"
        return UNARMED, f"the dead man's switch of {symbol} (dead_man_switch): {why}"

    def wants(self, symbol: str) -> None:
        """Have the maintenance loop arm it: an increase was denied for want of it."""
        self._wanted.add(symbol)

    def arming(self, order: Order) -> bool:
        """Tell whether the timer must be armed before this order is sent."""
        exits = order.reduce_only or order.close_position
        return not exits and self.problem(order.symbol) is not None

    # ---- for the exchange

    def arm(self, symbol: str) -> Steps[None]:
        """Arm the timer of a market, or refresh it. Raise CallFailed: then increases there are denied."""
        guard, said, timer = self._guard, self.asked, self._timer(symbol)
        if said is None or timer is None:
            return
        exchange_ms = guard.now() - (guard.facts().skew_ms or 0)
        number = countdown(timer, said.timeout.ms, exchange_ms)
        assert number is not None  # `asked` says so
        key, began = self._key(symbol), self._now()
        fired = key in self._armed and began > self._armed[key] + said.timeout.ms
        try:
            with asking(timer.call):
                yield from guard.adapter.countdown(symbol, number)
        except CallFailed as failed:
            if key not in self._failed:
                self._say(logging.ERROR, symbol, "failed", f"it could not be armed, so increases are denied: {failed}")
            self._failed[key] = f"it could not be armed: {failed}"
            raise
        with self._lock:
            new = key not in self._armed
            self._armed[key] = began
            self._failed.pop(key, None)
        if fired:
            self._say(logging.ERROR, symbol, "fired", "it was not refreshed in time: what was open there is cancelled")
        if new or fired:
            self._say(logging.INFO, symbol, "armed", f"{said.timeout} without this guard, and entries are cancelled")

    def tend(self, client: Any) -> None:
        """Arm where this guard's entries are out, refresh what is due, take off what guards no entry any more.

        While the store is down what is armed stays so: entries may be out that cannot be looked up.
        """
        if self.asked is None:
            self._take_off(client, [])
            return
        kept = self._wanted | {one for one in self.armed if self._now() < self._used.get(one, 0) + IN_USE_MS}
        out: list[Intent] = []
        try:
            out = [intent for intent in self._guard.store.intents(self._guard.account) if intent.open]
        except StoreUnavailable:
            kept = kept | self.armed
        mine = {i.order.symbol for i in out if not i.reduces and i.bot == self._guard.bot}
        for symbol in sorted(mine | kept):
            if self._due(symbol):
                self._ask(client, symbol)
            self._warn(symbol, out)
        self._take_off(client, [i.order.symbol for i in out if not i.reduces] + sorted(kept))

    def release(self, client: Any) -> None:
        """Take every timer off, since this guard ends in order; one over another bot's entries is left to that bot."""
        bot = self._guard.bot
        out = self._guard.store.intents(self._guard.account)
        self._take_off(client, [i.order.symbol for i in out if i.open and not i.reduces and i.bot != bot])

    def _take_off(self, client: Any, kept: list[str]) -> None:
        guarded = {self._key(symbol) for symbol in kept}
        for symbol in sorted(self.armed - guarded):
            timer = self._timer(symbol)
            assert timer is not None
            assert timer.off is not None  # else it would not have been armed
            with self._lock:
                self._armed.pop(symbol, None)
            try:
                with asking(timer.call):
                    run(
                        self._guard.adapter, client, self._guard.adapter.countdown(symbol, timer.off), self._guard.clock
                    )
            except CallFailed as failed:
                self._say(logging.WARNING, symbol, "failed", f"it could not be taken off, and will fire: {failed}")
            else:
                self._say(logging.INFO, symbol, "disarmed", "no entry of this guard is out")

    def _ask(self, client: Any, symbol: str) -> None:
        try:
            run(self._guard.adapter, client, self.arm(symbol), self._guard.clock)
        except PolicykitError:
            return  # said, and tried again in the next round

    # ---- inside

    def _due(self, symbol: str) -> bool:
        armed = self._armed.get(self._key(symbol))
        return armed is None or self._key(symbol) in self._failed or self._now() >= armed + self.every_s * 1000

    def _now(self) -> float:
        return self._guard.clock.monotonic_ms()

    def _timer(self, symbol: str) -> Timer | None:
        product = self._guard.traits.products.get(product_of(symbol))
        return None if product is None else product.dead_man_switch

    def _key(self, symbol: str) -> str:
        """Return what one timer is kept by: its symbol, or where it is the account's the first that armed it."""
        timer = self._timer(symbol)
        if timer is not None and timer.scope == "symbol":
            return symbol
        return next(iter(self._armed), symbol)

    def _warn(self, symbol: str, out: list[Intent]) -> None:
        """Say once of a market that exits rest where the timer cancels."""
        exits = [i for i in out if i.reduces and self._key(i.order.symbol) == self._key(symbol)]
        if exits and symbol not in self._warned and self._key(symbol) in self._armed:
            self._warned.add(symbol)
            why = f"{len(exits)} exits rest there too (stops, take-profits): it may cancel them with the entries"
            self._say(logging.WARNING, symbol, "cancels_exits", why)

    def _say(self, level: int, symbol: str, state: str, why: str) -> None:
        self._guard.telemetry.dead_man(level, symbol, state, why)

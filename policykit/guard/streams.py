"""The streams of one guard: when one may connect, which ones the bot trades by, and what is wrong with those.

Back-off and gaps are of this process; connects are counted in the store, for every process. A sibling bot that has a
stream of its own is neither stopped nor helped by this one.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from policykit.engine.facts import Facts
from policykit.errors import Denied, StoreUnavailable
from policykit.guard.settings import reconnect_plan
from policykit.order import Order
from policykit.orders.life import not_before_ms
from policykit.orders.line import Line
from policykit.telemetry import names

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: The most streams that one guard remembers; a stream beyond it takes the place of the one that is oldest.
MAX_LINES: Final = 1_000
#: A denied connect is asked for again after this at the earliest, ms: chance may make a wait of nothing.
ASK_AGAIN_MS: Final = 100
#: How often open orders are asked for while private streams tell of them, ms.
LIST_EVERY_MS: Final = 30_000
#: Answers to a handshake after which the address must not connect for a while.
_TOO_MANY: Final = (418, 429)
#: A part of an address that is longer may be a listen key.
_LONGEST_PART: Final = 24

_log = logging.getLogger("policykit.guard")


def place_of(url: str) -> str:
    """Return where a connection goes: the address without what may be secret in it (listen keys, queries)."""
    parts = urlsplit(url)
    path = "/".join(part if len(part) <= _LONGEST_PART else "*" for part in parts.path.split("/"))
    return parts.netloc.rpartition("@")[2] + path


def secrets_of(url: str) -> list[str]:
    """Return what `place_of` leaves out of an address."""
    parts = urlsplit(url)
    said = [value for _, value in parse_qsl(parts.query)]
    all_parts = (parts.netloc.rpartition("@")[0], parts.query, *said, *parts.path.split("/"))
    return [part for part in all_parts if part and part not in place_of(url)]


class Streams:
    """Every stream of a guard, by name. `chance` gives random numbers; not the global ones, which a bot may seed."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.chance = SystemRandom().random
        self._lines: dict[str, Line] = {}
        #: The streams that the bot trades by now.
        self.needed: dict[str, Line] = {}
        self._said: dict[str, str] = {}
        #: The streams that were there once: what comes again was away.
        self._came_before: set[str] = set()
        self._private: set[str] = set()
        self._listed = 0.0

    def line(self, name: str, silence_ms: int | None = None) -> Line:
        """Return the life of a stream, which outlives its connections and whoever reads it: so do its waits."""
        line = self._lines.get(name)
        if line is None:
            while len(self._lines) >= MAX_LINES:
                self._came_before.discard(gone := next(iter(self._lines)))
                self._lines.pop(gone)
            line = self._lines[name] = Line(self.guard.clock.monotonic_ms())
        line.silence_ms = silence_ms
        return line

    def need(self, name: str, line: Line, *, private: bool = False) -> None:
        """Deny increases from here on while this stream is not whole. Raise ValueError for a name that is taken.

        `private`: it tells of the account's own orders.
        """
        if name in self.needed:
            raise ValueError(f"stream {name} is open already in this guard; give each stream a name of its own")
        self.needed[name] = line
        if private:
            self._private.add(name)

    def drop(self, name: str) -> None:
        """Say that the bot does not trade by a stream any more."""
        self.needed.pop(name, None)
        self._private.discard(name)
        self.guard.telemetry.gauge(names.M_STREAM_GAP, 0.0, self._labels(name))

    # PITFALLS 26: what a stream tells need not be asked for as often; it is still asked for.
    def lists_orders(self) -> bool:
        """Tell whether this round asks for open orders: each does, unless private streams of all products are whole."""
        now, lines = self.guard.clock.monotonic_ms(), [self.needed[name] for name in tuple(self._private)]
        told = len(lines) >= len(self.guard.traits.products) and all(
            not line.stale(now) and line.back_utc_ms is None for line in lines
        )
        if told and now - self._listed < LIST_EVERY_MS:
            return False
        self._listed = now
        return True

    # ---- connects

    def admit(self, name: str, line: Line) -> float:
        """Return for how long a connect must wait, ms; 0: it is admitted and counted, once."""
        wait = line.wait_ms(self.guard.clock.monotonic_ms())
        if wait > 0:
            return wait
        try:
            self.guard.decide(Order("", type=name, action="stream.connect"))
        except Denied as denied:
            self.lost(name, line, "; ".join(reason.message for reason in denied.decision.reasons))
            return max(ASK_AGAIN_MS, line.wait_ms(self.guard.clock.monotonic_ms()))
        return 0.0

    def opened(self, name: str, line: Line) -> None:
        """Say that a stream is connected and subscribed."""
        clock = self.guard.clock
        up = line.silence_ms is None
        line.opened(clock.monotonic_ms(), clock.now_ms())
        if up:
            self._came(name, line)

    def heard(self, name: str, line: Line) -> None:
        """Take a sign of life of a stream."""
        clock = self.guard.clock
        if line.heard(clock.monotonic_ms(), clock.now_ms()):
            self._came(name, line)

    def _came(self, name: str, line: Line) -> None:
        self._said.pop(name, None)
        if name in self.needed and name in self._came_before:
            self.guard.reconcile()  # what was said meanwhile is lost: the account is compared before the next increase
        self._came_before.add(name)
        gap_ms = round(line.gap)
        _log.info("stream %s is there; nothing was heard for %.1f s", name, gap_ms / 1000)
        with suppress(StoreUnavailable):
            body = {"stream": name, "account": self.guard.account, "bot": self.guard.bot, "gap_ms": gap_ms}
            self.guard.store.event("stream", body, self.guard.now())
        self.guard.telemetry.gauge(names.M_STREAM_GAP, line.gap / 1000, self._labels(name))

    def lost(self, name: str, line: Line, why: str | BaseException) -> None:
        """Say that a stream's connection ended, or that a connect failed or was denied; the next one waits."""
        if isinstance(why, BaseException):
            self._refused(why)
            why = type(why).__name__  # the text of a foreign error can hold anything
        now = self.guard.clock.monotonic_ms()
        line.lost(now, reconnect_plan(self.guard.policy), self.chance())
        if self._said.get(name) != why:
            self._said[name] = why
            _log.warning("stream %s is down: %s; next try in %.1f s", name, why, line.wait_ms(now) / 1000)

    # INVARIANT I7: what the exchange says to one handshake, every process of the store obeys.
    def _refused(self, error: BaseException) -> None:
        """Remember a ban that the answer to a handshake tells of (429, 418)."""
        guard, answer = self.guard, _answer(error)
        if answer is None or answer[0] not in _TOO_MANY:
            return
        try:
            after_ms = int(float(answer[1].get("Retry-After")) * 1000)
        except (TypeError, ValueError):
            after_ms = guard.traits.ban_ms or reconnect_plan(guard.policy).max_ms
        guard.banned(not_before_ms(guard.now(), after_ms, guard.clock_bound_ms))

    # ---- what is wrong

    # INVARIANT I12: what a stream did not say is unknown, and denies increases until the account was read anew.
    def problems(self, facts: Facts) -> tuple[tuple[str, str], ...]:
        """Return why this bot may not increase now, by the streams that it trades by: (reason code, message)."""
        now = self.guard.clock.monotonic_ms()
        found = ((name, line, line.stale(now)) for name, line in tuple(self.needed.items()))
        return tuple(
            _stale(name, line, now) if stale else _gap(name, line)
            for name, line, stale in found
            if stale or not line.read(facts.positions_as_of_ms)
        )

    def tell(self) -> None:
        """Set the gauges of the gaps of streams that the bot trades by."""
        now = self.guard.clock.monotonic_ms()
        for name, line in tuple(self.needed.items()):
            self.guard.telemetry.gauge(names.M_STREAM_GAP, line.gap_ms(now) / 1000, self._labels(name))

    def _labels(self, name: str) -> dict[str, str]:
        guard = self.guard
        account = guard.policy.model.account.name
        return {names.EXCHANGE: guard.traits.id, names.ACCOUNT: account, names.BOT: guard.bot, names.STREAM: name}


def _stale(name: str, line: Line, now: float) -> tuple[str, str]:
    if line.connected is None:
        return "STREAM_STALE", f"stream {name} is not connected, for {line.gap_ms(now) / 1000:.1f} s"
    bound = f", over its bound of {line.silence_ms / 1000:g} s" if line.silence_ms else ""
    return "STREAM_STALE", f"stream {name} said nothing for {line.gap_ms(now) / 1000:.1f} s{bound}"


def _gap(name: str, line: Line) -> tuple[str, str]:
    return "STREAM_GAP", f"stream {name} came back after {line.gap / 1000:.1f} s, and the account was not read since"


def _answer(error: BaseException) -> tuple[int, Any] | None:
    """Return status and headers of the answer to a handshake, as `websockets`, aiohttp and ccxt's errors keep them."""
    inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else error
    answer = getattr(inner, "response", inner)
    status = getattr(answer, "status_code", getattr(answer, "status", None))
    headers = getattr(answer, "headers", None)
    return (status, headers or {}) if isinstance(status, int) else None

"""The websockets of the simulated exchange: who is connected, what is pushed to whom, and what goes wrong with it.

    with Sim(clock=SimClock(), faults=[{"at": "user", "do": "cut", "when": [4]}]) as sim:
        client = sim.client(pro=True)               # stock ccxt.pro, its websockets pointed here as well
        url = f"{sim.ws_url}/@/stream.binance.com/ws/btcusdt@bookTicker"     # for websockets.sync.client.connect(url)
        sim.streams.wait(to="btcusdt@bookTicker")   # until one listens (wall time, bounded); to="user": to the account
        sim.clock.advance(0.5)                      # prices are pushed at each step of 0.5 s of the exchange's clock
        sim.streams.drop()                          # break every connection; drop(1001) closes them with that code
        sim.streams.silence()                       # nothing comes any more, not even pongs, and they stay open
        sim.streams.refuse(503)                     # new ones are refused so, until refuse(None)
        assert sim.truth.most_connects(300) <= 50   # tries to connect, refused ones too; truth.connects has each

Websockets are on the port of the REST interface: `ws_url` is `url` with the scheme `ws`, and the exchange's own host
and path follow as `/@/HOST/PATH`; `policykit.testing.point` and `--endpoint` write them so. What happens to the account
is pushed before the answer to the request that caused it leaves, so that a fill on the stream comes before its REST
acknowledgement; `{at: user, do: hold, seconds: 2}` turns that around. A first message follows a new subscription to
prices at once. An address opens at most `LimitSizes.connects_5m` in five minutes. The rules for `connect`, `stream`
and `user` are those of `sim.faults`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from policykit.clock import Clock
from policykit.sim import sockets
from policykit.sim.dialects.base import Listener, Reply, Request, Speech, Told
from policykit.sim.exchange import Exchange, Outcome
from policykit.sim.faults import Fault
from policykit.sim.limits import Refusal
from policykit.sim.market import STEP_MS

#: "A single connection is only valid for 24 hours" (web-socket-streams.md, General WSS information, 2023-12-04).
LIFE_MS: Final = 86_400_000
#: How often the exchange sends a ping frame (the same page, of 2025: "every 20 seconds").
PING_MS: Final = 20_000
#: How long `wait` waits at most unless told otherwise, wall seconds.
WAIT_S: Final = 10.0
_GONE: Final = 1001
_MISSING: Final = "Websockets are spoken with the library `websockets`: pip install 'policykit-trading[streams]'"


@dataclass(slots=True, eq=False)
class _Session:
    """One open connection; `kept` is the message that a fault lets arrive after the next one, by its point."""

    listener: Listener
    socket: sockets.Socket
    opened_ms: int
    pinged_ms: int
    kept: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection that may open: what it listens to, and how a fault ends it."""

    listener: Listener
    fault: Fault | None


class Streams:
    """The websockets of one exchange. Thread-safe."""

    def __init__(
        self,
        speech: Speech | None,
        exchange: Exchange,
        clock: Clock,
        later: Callable[[float, Callable[[int], None]], None],
    ) -> None:
        """`later(seconds, fn)` runs `fn(now_ms)` once so many seconds of the exchange's clock have passed."""
        self._speech = speech
        self._exchange = exchange
        self._clock = clock
        self._later = later
        self._sessions: list[_Session] = []
        self._changed = threading.Condition(exchange.lock)
        self._ticking = False
        self._refusing: int | None = None
        exchange.world.venue.on_report = self.tell
        exchange.world.linear.on_report = self.tell

    # -- for tests ----------------------------------------------------------------------------------------------

    @property
    def open(self) -> int:
        """How many websockets are open."""
        with self._changed:
            return len(self._sessions)

    @property
    def example(self) -> str | None:
        """A market stream to open, behind `ws_url`; None: this exchange's websockets are not spoken."""
        return None if self._speech is None else f"/@/{self._speech.example}"

    def wait(self, count: int = 1, *, to: str | None = None, timeout_s: float = WAIT_S) -> None:
        """Wait until so many websockets are open, or listen to a stream (`btcusdt@bookTicker`), or to the account
        (`user`). With 0: until there is none. Raise TimeoutError after `timeout_s` of wall time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._reached(count, to), timeout_s):
                what = f" to {to}" if to else ""
                raise TimeoutError(
                    f"sim: {self._listening(to)} websockets{what} after {timeout_s:g} s; {count} awaited"
                )

    def drop(self, code: int | None = None) -> int:
        """End every open websocket: without a closing frame, or with this closing code; return how many there were."""
        with self._changed:
            for session in self._sessions:
                session.socket.cut() if code is None else session.socket.close(code)
            return len(self._sessions)

    def silence(self) -> int:
        """Send nothing more on the websockets that are open, not even pongs; return how many there are."""
        with self._changed:
            for session in self._sessions:
                session.socket.silence()
            return len(self._sessions)

    def refuse(self, status: int | None) -> None:
        """Refuse new websockets with an HTTP status, or open them again with None."""
        self._refusing = status

    # -- opening ------------------------------------------------------------------------------------------------

    def opening(self, request: Request) -> Outcome | Opened:
        """Answer an opening handshake: with what refuses it, or with what the connection listens to."""
        now_ms = self._clock.now_ms()
        with self._changed:
            answer = self._judge(request, now_ms)
            status = 101 if isinstance(answer, Opened) else answer.reply.status if answer.reply is not None else 0
            self._exchange.truth.connects.append((now_ms, request.address, status))
            return answer

    def _judge(self, request: Request, now_ms: int) -> Outcome | Opened:
        exchange, fault = self._exchange, self._exchange.choose("connect", now_ms)
        limits = exchange.world.limits
        refusal = limits.connect(request.address, now_ms)
        if fault is not None and fault.do == "drop":
            return Outcome(None, fault.after, fault.stall)
        if fault is not None and fault.do == "garbage":
            return Outcome(Reply(fault.status, "<html><body>Bad Gateway</body></html>"))
        if refusal is None and fault is not None and fault.do == "throttle":
            refusal = Refusal(429, round(fault.seconds))
        elif refusal is None and fault is not None and fault.do == "ban":
            refusal = limits.ban(request.address, now_ms, round(fault.seconds * 1000))
        if refusal is not None:
            if refusal.until_ms is not None:
                exchange.truth.note_ban(now_ms, refusal.until_ms)
            return Outcome(exchange.dialect.refused(refusal, limits.sizes.connects_5m))
        if self._refusing is not None:
            return Outcome(Reply(self._refusing, "<html><body>Service Unavailable</body></html>"))
        if self._speech is None or not sockets.available():
            return Outcome(Reply(501, _MISSING if self._speech else "This exchange's websockets are not spoken here."))
        answer = self._speech.opened(exchange.world, request, now_ms)
        return Outcome(answer) if isinstance(answer, Reply) else Opened(answer, fault)

    def run(self, opened: Opened, socket: sockets.Socket) -> None:
        """Serve one open connection until it ends."""
        now_ms, fault = self._clock.now_ms(), opened.fault
        session = _Session(opened.listener, socket, now_ms, now_ms)
        with self._changed:
            self._sessions.append(session)
            if fault is not None:
                self._later(fault.after, lambda _: _end(session, fault))
            self._tick_next(now_ms)  # before anything is said: who hears it may move the clock at once
            self._say_fresh(session, opened.listener.streams, now_ms)
            self._changed.notify_all()
        try:
            socket.run(lambda text: self._hear(session, text))
        finally:
            with self._changed:
                self._sessions.remove(session)
                self._changed.notify_all()

    # -- saying -------------------------------------------------------------------------------------------------

    def tell(self, told: Told) -> None:
        """Tell who listens to the account what happened. The caller holds the exchange's lock."""
        if self._speech is None:
            return
        for session in list(self._sessions):
            for message in self._speech.user(self._exchange.world, session.listener, told):
                self._push(session, "user", message)

    def _hear(self, session: _Session, text: str) -> None:
        assert self._speech is not None
        now_ms = self._clock.now_ms()
        with self._changed:
            before = list(session.listener.streams)
            for answer in self._speech.heard(self._exchange.world, session.listener, text, now_ms):
                session.socket.send(_text(answer))
            fresh = [name for name in session.listener.streams if name not in before]
            self._say_fresh(session, fresh, now_ms)
            self._changed.notify_all()

    def _say_fresh(self, session: _Session, fresh: list[str], now_ms: int) -> None:
        assert self._speech is not None
        if fresh:
            for message in self._speech.market(self._exchange.world, session.listener, now_ms, fresh):
                self._push(session, "stream", message)

    def _push(self, session: _Session, point: str, message: Any) -> None:
        """Send a message, unless a fault does something else to it."""
        fault, text, send = self._exchange.choose(point, self._clock.now_ms()), _text(message), session.socket.send
        if fault is not None and fault.do in ("cut", "close", "silent"):
            _end(session, fault)
        elif fault is not None and fault.do == "hold":
            self._later(fault.seconds, lambda _: send(text))
        elif fault is not None and fault.do == "swap":
            session.kept[point] = text
        elif fault is None or fault.do != "lose":
            send(text)
            if fault is not None and fault.do == "twice":
                send(text)
            if point in session.kept:
                send(session.kept.pop(point))

    # -- time ---------------------------------------------------------------------------------------------------

    def _tick_next(self, now_ms: int) -> None:
        if not self._ticking and self._sessions:
            self._ticking = True
            self._later((STEP_MS - now_ms % STEP_MS) / 1000, self._tick)

    def _tick(self, now_ms: int) -> None:
        """Let the market meet what rests, push prices, and end what is over by its time."""
        assert self._speech is not None
        with self._changed:
            world = self._exchange.world
            world.venue.settle(now_ms)
            world.linear.settle(now_ms)
            for session in list(self._sessions):
                for message in self._speech.market(world, session.listener, now_ms):
                    self._push(session, "stream", message)
                for message in self._speech.expired(world, session.listener, now_ms):
                    self._push(session, "user", message)
                if now_ms - session.pinged_ms >= PING_MS:
                    session.pinged_ms = now_ms
                    session.socket.ping()
                if now_ms - session.opened_ms >= LIFE_MS:
                    session.socket.close(_GONE)
            self._ticking = False
            self._tick_next(now_ms)

    # -- inside -------------------------------------------------------------------------------------------------

    def _reached(self, count: int, to: str | None) -> bool:
        found = self._listening(to)
        return found >= count if count else not found

    def _listening(self, to: str | None) -> int:
        return sum(
            to is None or to in one.listener.streams or (to == "user" and bool(one.listener.user))
            for one in self._sessions
        )


def _end(session: _Session, fault: Fault) -> None:
    if fault.do == "cut":
        session.socket.cut()
    elif fault.do == "close":
        session.socket.close(fault.code)
    else:
        session.socket.silence()


def _text(message: Any) -> str:
    return json.dumps(message, separators=(",", ":"))

"""Bots in processes of their own: real processes, stock ccxt, HTTP; only their clock is quicker than the machine's.

Each process is forked from a server that has imported everything, so that one costs some 50 ms.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import signal
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import ccxt
import requests

from policykit.engine.checks import all_checks
from policykit.errors import Denied, OutcomeUnknown
from policykit.guard import Guard
from policykit.orders.intent import FINAL
from policykit.sim.truth import Truth
from policykit.store.valkey import ValkeyStore
from policykit.testing import point
from tests.guard.world import SYMBOL, World

SERVER: Final = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "tests.guard.processes",
        *("policykit.store.sqlite", "policykit.exchanges.binance", "opentelemetry.metrics"),
        *("policykit.guard.protect", "policykit.guard.maintenance", "policykit.model.enforced"),
    ]
)
all_checks()
#: 2026-11-21T10:00:00Z.
START_MS: Final = 1_795_255_200_000
#: A bot looks at its signal again after so long, s of its clock, and lets go of it after so many looks.
AGAIN_S: Final = 5.0
LOOKS: Final = 40
#: A bot without policykit gives up after so many tries.
BARE_TRIES: Final = 5
SIZE: Final = Decimal("0.005")
EXECUTED: Final = frozenset(("acknowledged", "found", "settled"))


class QuickClock:
    """A clock that all processes of a test share: the machine's, so many times as quick, and what was skipped.

    `rate`: how quick. With `skips` a wait moves everybody's time on instead of being waited for: one process at a time.
    """

    def __init__(self, file: Path, rate: float = 1.0, *, skips: bool = False) -> None:
        if not file.exists():
            file.write_bytes(struct.pack("dd", time.monotonic(), 0.0))
        self.file, self.rate, self.skips = file, rate, skips
        with file.open("r+b") as opened:
            self._shared = mmap.mmap(opened.fileno(), 16)

    def _passed_ms(self) -> float:
        began, skipped_ms = struct.unpack("dd", self._shared[:])
        return (time.monotonic() - began) * 1000 * self.rate + float(skipped_ms)

    def now_ms(self) -> int:
        return START_MS + int(self._passed_ms())

    def monotonic_ms(self) -> float:
        return self._passed_ms()

    def sleep(self, seconds: float) -> None:
        if self.skips:
            began, skipped_ms = struct.unpack("dd", self._shared[:])
            self._shared[:] = struct.pack("dd", began, skipped_ms + seconds * 1000)
        elif seconds > 0:
            threading.Event().wait(seconds / self.rate)

    async def asleep(self, seconds: float) -> None:
        raise NotImplementedError("these bots are sync")


class Place(NamedTuple):
    """Where a bot trades, as its process is told it."""

    url: str
    policy: str
    store: str
    environment: Mapping[str, str]
    clock: tuple[Path, float, bool]

    @classmethod
    def of(cls, world: World, store: str | None = None) -> Place:
        """Return the place of a world whose clock is quick."""
        clock = world.clock
        kept = {name: text for name, text in os.environ.items() if name.startswith(("MM_", "XDG_"))}
        where = (clock.file, clock.rate, clock.skips)
        return cls(world.sim.url, str(world.policy), store or world.store, kept, where)

    def client(self, clock: QuickClock) -> Any:
        """Make a stock ccxt client that signs by the clock."""

        class Binance(ccxt.binance):  # type: ignore[misc, name-defined]
            def milliseconds(self) -> int:
                return clock.now_ms()

        key = {"apiKey": self.environment["MM_EXEC_API_KEY"], "secret": self.environment["MM_EXEC_API_SECRET"]}
        client = point(Binance(key), self.url)
        client.enableRateLimit = False
        return client

    def guard(self, clock: QuickClock) -> Guard:
        """Load the guard as a bot does."""
        store: Any = self.store
        if self.store.startswith("valkey://"):  # whose own clock is the machine's
            store = ValkeyStore(self.store, server_time=False)
        guard = Guard.load(self.policy, store=store, clock=clock, testing=True)
        guard.endpoint = self.url
        return guard

    def arrive(self) -> QuickClock:
        """Take on the environment, in a new process, and return its clock."""
        os.environ.update(self.environment)
        file, rate, skips = self.clock
        return QuickClock(file, rate, skips=skips)


def in_process(target: Callable[..., None], *args: Any) -> Any:
    """Start a process."""
    process = SERVER.Process(target=target, args=args, daemon=True)
    process.start()
    return process


# ---- a bot that is killed


class Points:
    """The moments at which it matters that a process dies: before and after each write to the store and each request.

    They are counted from the first one named `first`. At the moment numbered `kill_at` the process kills itself with
    signal 9, and leaves the moment's name beside the store; -1: never.
    """

    def __init__(self, place: Place, kill_at: int, first: str = "") -> None:
        self.kill_at, self.passed, self.first = kill_at, 0, first
        self.note = deaths_of(place)

    def at(self, name: str) -> None:
        if not self.passed and not name.endswith(self.first):
            return
        if self.passed == self.kill_at:
            with self.note.open("a") as note:
                note.write(f"{name}\n")
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed += 1

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.at(f"before {name}")
            answer = function(*args, **kwargs)
            self.at(f"after {name}")
            return answer

        return call


class Watched:
    """A store whose writes are such moments."""

    WRITES = ("reserve", "outcome", "renew", "observe", "lease", "event", "ban")

    def __init__(self, real: Any, points: Points) -> None:
        self.real = real
        for name in self.WRITES:
            self.__dict__[name] = points.around(name, getattr(real, name))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def deaths_of(place: Place) -> Path:
    """Return the file with the names of the moments at which processes of this place died."""
    return Path(place.policy).with_suffix(".deaths")


def live(place: Place, prices: tuple[int, ...], kill_at: int, first: str) -> None:
    """Be a bot: start, recover, and bring each wish (one price, one order) to its end, looking into the store."""
    clock = place.arrive()
    points = Points(place, kill_at, first)
    guard, reader, client = place.guard(clock), place.client(clock), place.client(clock)
    reader.load_markets()
    client.set_markets(reader.markets)
    guard.store = Watched(guard.store, points)  # type: ignore[assignment]
    watch_the_wire(points)
    guard.protect(client)
    guard.maintain(reader)
    for price in prices:
        for _ in range(LOOKS):
            if wished(guard, price):
                break
            with suppress(Denied, OutcomeUnknown, ccxt.BaseError):
                client.create_order(SYMBOL, "limit", "buy", SIZE, price)
                break
            clock.sleep(AGAIN_S)
            guard.maintain(reader)
    os._exit(0)


def live_bare(place: Place, prices: tuple[int, ...], kill_at: int, first: str) -> None:
    """Be the same bot without policykit: it looks at its open orders before it sends, and after an error."""
    clock = place.arrive()
    client = place.client(clock)
    client.load_markets()
    watch_the_wire(Points(place, kill_at, first))
    for price in prices:
        for _ in range(LOOKS):
            with suppress(ccxt.BaseError):
                if any(order["price"] == price for order in client.fetch_open_orders(SYMBOL)):
                    break
                client.create_order(SYMBOL, "limit", "buy", SIZE, price)
                break
            clock.sleep(0.5)
    os._exit(0)


def watch_the_wire(points: Points) -> None:
    """Make each request of this process such a moment."""
    send = requests.Session.send

    def watched(self: Any, request: Any, **more: Any) -> Any:
        return points.around(f"{request.method} request", send)(self, request, **more)

    requests.Session.send = watched  # type: ignore[method-assign]


def untrue(guard: Guard, truth: Truth) -> list[str]:
    """Return the intents of which the store believes what the exchange knows better, once nothing is on its way."""
    executed = truth.per_client_order_id()
    return [
        f"{i.client_order_id} is {i.state}, and executed {executed[i.client_order_id]} times"
        for i in guard.store.intents(open_only=False)
        if i.state not in (EXECUTED if executed[i.client_order_id] else FINAL - {"settled"})
    ]


def wished(guard: Guard, price: int) -> bool:
    """Tell whether the store knows an order of this price that executed."""
    known = guard.store.intents(guard.account, open_only=False)
    return any(intent.order.price == price and intent.state in EXECUTED for intent in known)


# ---- bots that trade side by side


def trade(place: Place, prices: tuple[int, ...], gate: Any, said: Any) -> None:
    """Be one of several bots: each wish is tried until it is done, or denied for a cap; say what became of each."""
    clock = place.arrive()
    guard, reader, client = place.guard(clock), place.client(clock), place.client(clock)
    reader.load_markets()
    client.set_markets(reader.markets)
    guard.protect(client)
    gate.wait()
    said.put([_bring(guard, reader, client, clock, price) for price in prices])


def _bring(guard: Guard, reader: Any, client: Any, clock: QuickClock, price: int) -> str:
    for _ in range(LOOKS):
        if wished(guard, price):
            return "found"
        try:
            client.fetch_tickers()
            client.create_order(SYMBOL, "limit", "buy", SIZE, price)
            return "sent"
        except Denied as denied:
            code = denied.decision.reasons[0].code
            if code == "RISK_POSITION":
                return code
        except (OutcomeUnknown, ccxt.BaseError):
            pass
        clock.sleep(AGAIN_S)
        guard.maintain(reader)
    return "given up"


def trade_bare(place: Place, prices: tuple[int, ...], gate: Any, said: Any) -> None:
    """Be the same bot without policykit: after an error it waits, looks whether its order is there, and sends again."""
    clock = place.arrive()
    client = place.client(clock)
    client.load_markets()
    gate.wait()
    said.put([_bring_bare(client, clock, price) for price in prices])


def _bring_bare(client: Any, clock: QuickClock, price: int) -> str:
    for _ in range(BARE_TRIES):
        try:
            client.fetch_tickers()
            if any(order["price"] == price for order in client.fetch_open_orders(SYMBOL)):
                return "found"
            client.create_order(SYMBOL, "limit", "buy", SIZE, price)
            return "sent"
        except ccxt.OperationFailed:
            clock.sleep(0.5)
    return "given up"

"""Many bots on one valkey: what real stores send is recorded, bot by bot, and sent again over a connection for each.

So the server does exactly the work of that many bots, and the bots' own work, which runs on other machines in a fleet,
is not in the way. Each request is followed by a PING: its answer is the end of the request's.
"""

from __future__ import annotations

import heapq
import random
import selectors
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bench.store import ORDER
from policykit.decision import Decision, Hold
from policykit.orders.ids import new_id
from policykit.orders.intent import Intent, Outcome
from policykit.store import Grant, Observation, Store
from policykit.store.leases import Leases
from policykit.store.valkey import ValkeyStore
from tests.store.servers import ValkeyServer

#: Reads of the exchange that a bot makes for each order: each uses the shared rate budget.
READS = 8
#: More than all bots together use: what is measured is work, not denials.
ROOMY = 10**15
#: No permit ends between the recording and its being sent again: another bot would find a silent order.
FAR_MS = 10**9
#: A leased slice is this part of the budget: all bots together must find one.
PARTS = 10_000
#: No bot of a bench waits longer for an answer.
PATIENCE_S = 30.0
PING = b"*1\r\n$4\r\nPING\r\n"
_END = b"+PONG\r\n"
_OK = b"+ok "


def account_of(bot: int, accounts: int) -> str:
    """Return the account that a bot trades on."""
    return f"binance/a{bot % accounts}"


def live(store: Store, account: str, use: Callable[..., Grant] | None = None) -> None:
    """Live one order: reads, facts, the reservation, its acknowledgement, its end without a fill."""
    now = int(time.time() * 1_000)
    budget = (Hold("binance@fra-1|request-weight|60000|fixed", 4, ROOMY, "window", "b", 60_000, True),)
    for _ in range(READS):
        if not (use or store.use)(budget, now).granted:
            raise RuntimeError("bench: the store must grant")
    generation = store.facts(account, "bot", ORDER.symbol).generation
    holds = (
        Hold(f"{account}|open_orders", 1, ROOMY, "sum", "risk.max_open_orders"),
        Hold(f"{account}|orders|60000", 1, ROOMY, "window", "risk.max_orders", 60_000),
        Hold("binance@fra-1|request-weight|60000|fixed", 1, ROOMY, "window", "b", 60_000, True),
        Hold(f"{account}|position|BTC", 10**6, ROOMY, "position", "risk.max_position_notional"),
        Hold(f"{account}|unknown|{ORDER.symbol}|buy", 0, 0, "clear", "orders.unknown"),
    )
    name = new_id()
    decision = Decision(name, "allow", "enforce", "order.create", ORDER, "mm", "sha256:3f9a01c2d4e5", "mm-1", now)
    intent = Intent(
        name, account, ORDER, f"pk{name}", "order", holds, False, "mm-1", "host", 1, now, now + FAR_MS, 5_000
    )
    if not store.reserve(decision, intent, holds, generation, now).granted:
        raise RuntimeError("bench: the store must grant")
    store.outcome(name, Outcome("acknowledged", now, "12345678"))
    store.outcome(name, Outcome("settled", now, closed=True))


def known(store: Store, account: str) -> None:
    """Give an account the facts that every decision stands on."""
    now = int(time.time() * 1_000)
    facts = {"equity": Decimal(100_000), "positions": {"BTC": Decimal(1)}, "marks": {ORDER.symbol: Decimal(60_000)}}
    store.observe(account, Observation(now, now, **facts, units={"BTC": Decimal(60_000)}, skew_ms=3), now)  # type: ignore[arg-type]


class _Anywhere(ValkeyStore):
    """A store whose requests ask for no sequence of the server's: they may be sent to an earlier state of it."""

    _least = property(lambda self: 0, lambda self, value: None)  # type: ignore[assignment]


class Recording(NamedTuple):
    """What each bot sent for one order, request by request, and the store that it was sent to."""

    bots: list[list[bytes]]
    #: Every key as it was before: name, content.
    before: list[tuple[bytes, bytes]]


def record(server: ValkeyServer, folder: Path, bots: int, accounts: int, *, leased: bool) -> Recording:
    """Let so many bots live one order each, and keep what their stores sent; each has a store of its own."""
    client = server.client()
    client.flushall()
    client.close()
    setting_up = ValkeyStore(server.uri(), folder / "journal.db")
    for account in range(accounts):
        known(setting_up, account_of(account, accounts))
    setting_up.close()
    before, recorded = _keys(server), []
    for bot in range(bots):
        store = ValkeyStore(server.uri(), folder / "journal.db")
        store._journal._ready().execute("PRAGMA synchronous=OFF")  # the hosts' disks are not what is measured
        store.__class__ = _Anywhere
        sent: list[bytes] = []
        ask = store._server.ask

        def kept(*commands: bytes, _ask: Any = ask, _sent: list[bytes] = sent) -> list[Any]:
            _sent.append(b"".join(commands) + PING)
            answers: list[Any] = _ask(*commands)
            return answers

        store._server.ask = kept  # type: ignore[method-assign]
        live(store, account_of(bot, accounts), _user(store, leased=leased))
        recorded.append(sent)
        store.close()
    return Recording(recorded, before)


def _user(store: ValkeyStore, *, leased: bool) -> Callable[..., Grant]:
    """Return what counts a bot's reads: through slices as they are in the middle of a busy window, or one by one."""
    if leased:
        return partial(Leases(PARTS, first=PARTS).use, store.used_at)
    return lambda holds, now_ms: store.used_at(holds, now_ms)[0]


def _keys(server: ValkeyServer) -> list[tuple[bytes, bytes]]:
    import valkey

    with valkey.Valkey(port=server.port) as raw:
        return [(key, raw.dump(key)) for key in raw.scan_iter(count=10_000)]


def reset(server: ValkeyServer, recording: Recording) -> None:
    """Set the server back to what it was before the recording."""
    import valkey

    with valkey.Valkey(port=server.port) as raw:
        raw.flushall()
        for key, content in recording.before:
            raw.restore(key, 0, content)


class Load(NamedTuple):
    """What a load did: requests and orders a second; the seconds of each request, from the moment it was due."""

    requests_per_s: float
    orders_per_s: float
    #: Of one core of the server, for each request: what a crowded machine does not change.
    server_s: float
    seconds: list[float]

    @property
    def order_s(self) -> float:
        """Return the seconds of one core of the server for an order."""
        return self.server_s * self.requests_per_s / self.orders_per_s

    def at(self, part: float) -> float:
        """Return the time under which a part of the requests stayed."""
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(part * len(self.seconds)))]


class _Link:
    """One connection, and the lives that are still to be sent over it, each with the moment it is due."""

    def __init__(self, port: int, lives: Iterator[tuple[float, list[bytes]]]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lives = lives
        self._requests: Iterator[bytes] = iter(())
        self._request, self._answer = b"", b""
        self.due = self.sent = 0.0

    def take(self) -> bool:
        """Take the next life; False when there is none."""
        self.due, requests = next(self._lives, (0.0, []))
        self._requests = iter(requests)
        return bool(requests)

    def send(self, since: float) -> bool:
        """Send the next request of this life; False when there is none."""
        request = next(self._requests, None)
        if request is None:
            return False
        self._request, self._answer, self.sent = request, b"", since
        self.socket.sendall(request)
        return True

    def answered(self) -> bool:
        """Take in what has come; True when it is the whole answer, which must be a good one."""
        self._answer += self.socket.recv(1 << 16)
        if not self._answer.endswith(_END):
            return False
        if self._answer.startswith(b"-") or (b"EVALSHA" in self._request and _OK not in self._answer):
            raise RuntimeError(f"bench: the server refused: {self._answer[:200]!r}")
        return True


def load(server: ValkeyServer, lives: Sequence[list[bytes]], links: int, *, orders_per_s: float = 0) -> Load:
    """Send every life, over so many connections: each as soon as the one before it on its link is over.

    Or, with `orders_per_s`, at moments drawn at random: the seconds of a request then run from when it was due, so that
    a server which falls behind shows.
    """
    chance, moment = random.Random(5), time.perf_counter() + (1.0 if orders_per_s else 0.0)
    dues: list[float] = []
    for _ in lives:
        moment += chance.expovariate(orders_per_s) if orders_per_s else 0.0
        dues.append(moment)
    with ExitStack() as stack:
        chooser = stack.enter_context(selectors.DefaultSelector())
        every = [
            _Link(server.port, zip(dues[index::links], lives[index::links], strict=True)) for index in range(links)
        ]
        for index, link in enumerate(every):
            stack.enter_context(link.socket)
            chooser.register(link.socket, selectors.EVENT_READ, index)
        idle = [(link.due, index) for index, link in enumerate(every) if link.take()]
        heapq.heapify(idle)
        seconds: list[float] = []
        started, left, worked = time.perf_counter(), len(lives), _worked(server)
        while left:
            now = time.perf_counter()
            while idle and idle[0][0] <= now:
                due, index = heapq.heappop(idle)
                every[index].send(due if orders_per_s else now)
            ready = chooser.select(max(0.0, idle[0][0] - now) if idle else PATIENCE_S)
            if not ready and not idle:
                raise RuntimeError("bench: the server does not answer")
            for key, _ in ready:
                link = every[key.data]
                if not link.answered():
                    continue
                now = time.perf_counter()
                seconds.append(now - link.sent)
                if not link.send(now):
                    left -= 1
                    if link.take():
                        heapq.heappush(idle, (link.due, key.data))
        spent = time.perf_counter() - (dues[0] if orders_per_s else started)
        worked = _worked(server) - worked
    return Load(len(seconds) / spent, len(lives) / spent, worked / len(seconds), seconds)


def _worked(server: ValkeyServer) -> float:
    """Return the seconds of a core that the server has used."""
    client = server.client()
    said = client.info("cpu")
    client.close()
    return float(said["used_cpu_user"]) + float(said["used_cpu_sys"])

"""1,000 bots on one valkey: how much it does, how long they wait, and where that bends; sqlite and memory beside it.

`python -m bench scale` prints the table of docs/scale.md and its rows. Everything is beside a PING of the same run: the
middle answer to one connection that does nothing else. A bot lives one order: eight reads that use a shared rate
budget, then facts, reservation, acknowledgement and end. Each is a request or two; most reads of leased budgets, none.
"""

from __future__ import annotations

import gc
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench._bots import PING, Load, account_of, known, live, load, record, reset
from bench._harness import Row
from policykit.store import Store
from policykit.store.memory import MemoryStore
from policykit.store.sqlite import SqliteStore
from tests.store.servers import ValkeyServer

BOTS = 1_000
CROWDS = (1, 10, 100, BOTS)
#: Orders of one measurement: few bots are measured on fewer.
ORDERS = {1: 150, 10: 300, 100: 500, BOTS: BOTS}
ACCOUNTS = 100
#: Parts of what the server can do at most that 1,000 bots ask of it.
LOADS = (0.25, 0.5, 0.75, 0.9)
#: Processes on one sqlite file, and the orders of each.
PROCESSES, EACH = (1, 8), 40
#: On few and crowded cores one of them may be kept out for longer than a bot would wait.
PATIENCE_MS = 60_000
FORK = multiprocessing.get_context("fork")
#: SPEED has no goals for these: they are bounds that a regression breaks.
WORK_GOAL, FLAT_GOAL, WAIT_GOAL, LEASED_GOAL = 12.0, 2.0, 60.0, 1.3
SQLITE_GOAL, SHARED_GOAL, MEMORY_GOAL = 2_000.0, 0.3, 60.0


class Way(NamedTuple):
    """How the bots share: accounts, leased budgets, and when the server syncs its file."""

    name: str
    accounts: int
    leased: bool
    sync: str = "everysec"


#: Requests of nothing but a PING, so many a bot as an order has: what connections, kernel and bench cost themselves.
PINGS = 13
WAYS = (
    Way("one account", 1, False),
    Way(f"{ACCOUNTS} accounts", ACCOUNTS, False),
    Way("one account, leased budgets", 1, True),
    Way(f"{ACCOUNTS} accounts, leased budgets", ACCOUNTS, True),
    Way(f"{ACCOUNTS} accounts, leased, synced before each answer", ACCOUNTS, True, "always"),
)
TITLE = f"{'':52} {'bots':>5} {'requests':>9} {'orders':>8} {'work':>6} {'median':>8} {'p99':>8}"


class Valkey:
    """The measurements on one server; `unit` is a PING's seconds, `work` its server's."""

    def __init__(self, folder: Path) -> None:
        settings = ("--appendonly", "yes", "--appendfsync", "everysec")
        self.folder, self.server = folder, ValkeyServer(folder / "server", *settings)
        alone = load(self.server, [[PING] * 20] * 200, 1)
        self.unit, self.work = alone.at(0.5), alone.server_s
        self.found: dict[tuple[str, float], Load] = {}

    def measure(self) -> Iterator[str]:
        """Measure everything; yield the lines of the table."""
        for bots in CROWDS:
            yield self._line("PING alone", bots, load(self.server, [[PING] * PINGS] * ORDERS[bots], bots))
        recording, recorded = None, None
        for way in WAYS:
            if recording is None or recorded != way[1:3]:
                recording = record(self.server, self.folder, BOTS, way.accounts, leased=way.leased)
                recorded = way[1:3]
            self._sync(way.sync)
            for bots in CROWDS:
                reset(self.server, recording)
                yield self._line(way.name, bots, load(self.server, recording.bots[: ORDERS[bots]], bots))
            most = self.found[way.name, BOTS].orders_per_s
            for part in LOADS if way.accounts > 1 and way.leased else ():
                reset(self.server, recording)
                yield self._line(way.name, part, load(self.server, recording.bots, BOTS, orders_per_s=part * most))

    def _sync(self, when: str) -> None:
        client = self.server.client()
        client.config_set("appendfsync", when)
        client.close()

    def _line(self, way: str, crowd: float, done: Load) -> str:
        self.found[way, crowd] = done
        bots = str(crowd) if crowd >= 1 else f"{crowd:.0%}"
        rates = f"{done.requests_per_s * self.unit:9.3f} {done.orders_per_s * self.unit:8.4f}"
        waits = f"{done.at(0.5) / self.unit:8.1f} {done.at(0.99) / self.unit:8.1f}"
        return f"{way:52} {bots:>5} {rates} {done.server_s / self.work:6.1f} {waits}"


def _work(path: Path, orders: int, ready: Any, go: Any) -> None:
    store = SqliteStore(path, busy_ms=PATIENCE_MS)
    ready.release()
    go.wait()
    for _ in range(orders):
        live(store, account_of(0, 1))


def shared(folder: Path, processes: int) -> float:
    """Return orders a second of so many processes together on one sqlite file."""
    path = folder / f"{processes}.db"
    store = SqliteStore(path)
    known(store, account_of(0, 1))
    ready, go = FORK.Semaphore(0), FORK.Event()
    workers = [FORK.Process(target=_work, args=(path, EACH, ready, go)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.acquire()
    started = time.perf_counter()
    go.set()
    for worker in workers:
        worker.join()
        if worker.exitcode != 0:
            raise RuntimeError("bench: a process on the sqlite store failed")
    spent = time.perf_counter() - started
    store.close()
    return processes * EACH / spent


def alone(store: Store, orders: int) -> float:
    """Return the seconds of an order's life in one process."""
    known(store, account_of(0, 1))
    live(store, account_of(0, 1))
    gc.collect()
    gc.disable()  # what the measurements before it left is not its work
    try:
        started = time.perf_counter()
        for _ in range(orders):
            live(store, account_of(0, 1))
        return (time.perf_counter() - started) / orders
    finally:
        gc.enable()


def rows() -> list[Row]:
    """Print the table, and return the rows that stand for it."""
    here = Path(__file__).parent / "out"
    here.mkdir(exist_ok=True)  # on the disk of the project: a temporary folder may be in memory
    with tempfile.TemporaryDirectory(dir=here) as name:
        folder = Path(name)
        bench = Valkey(folder)
        try:
            print(f"requests and orders in the time of a PING, work and waits in PINGs\n{TITLE}")
            for line in bench.measure():
                print(line, flush=True)
        finally:
            bench.server.kill()
        one, many = (shared(folder, processes) for processes in PROCESSES)
        memory = alone(MemoryStore(), 300)
    unit, found = bench.unit, bench.found
    plain, leased = (found[WAYS[number].name, BOTS] for number in (1, 3))
    few, half = found[WAYS[3].name, 10], found[WAYS[3].name, 0.5]
    note = f"a PING takes {unit * 1e6:.0f} us"
    waits = f"p99 {half.at(0.99) / unit:.0f} x; the bots' side shares its cores with the server here"
    return [
        Row(
            "valkey, 1,000 bots: the server's work for a request",
            *(WORK_GOAL, leased.server_s / bench.work, "x PING's", leased.server_s, note),
        ),
        Row(
            "valkey, 1,000 bots: the server's work beside that of 10",
            *(FLAT_GOAL, leased.server_s / few.server_s, "x 10 bots'", leased.server_s),
        ),
        Row(
            "valkey, 1,000 bots at half of its load: middle wait",
            *(WAIT_GOAL, half.at(0.5) / unit, "x PING", half.at(0.5), waits),
        ),
        Row(
            "valkey: work saved by leased rate budgets, for an order",
            *(LEASED_GOAL, plain.order_s / leased.order_s, "x with them", plain.order_s, ""),
            at_least=True,
        ),
        Row("sqlite FULL: an order's life", SQLITE_GOAL, 1 / one / unit, "x PING", 1 / one),
        Row(
            "sqlite FULL: orders of 8 processes on one file",
            *(SHARED_GOAL, many / one, "x 1 process'", 1 / many, ""),
            at_least=True,
        ),
        Row("memory: an order's life", MEMORY_GOAL, memory / unit, "x PING", memory),
    ]

"""An order's reservation with its intent, in SQLite at FULL and in memory: beside a bare insert of the same bytes."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

from bench._harness import Row, interleave, row
from policykit.decision import Decision, Hold
from policykit.order import Order
from policykit.orders.ids import new_id
from policykit.orders.intent import Intent
from policykit.store import Store
from policykit.store.memory import MemoryStore
from policykit.store.sqlite import SqliteStore

GOAL = 1.3  # SPEED: intent row and reservation in one transaction
MEMORY_GOAL = 0.1  # the same steps without a disk: what they cost beside the one sync that cannot be saved
THREADS = 8
THREADS_GOAL = 0.7  # rows of threads that wait share a sync (store/groups.py): beside a sync each
NOW_MS = 1_795_255_200_000
STEP_MS = 500  # two orders a second: what a rolling window of a minute holds is what a busy bot has in it
FAR_MS = NOW_MS + 10**9  # no permit ends while the bench runs, or the next order would wait for a look-up
ACCOUNT = "binance/main"
MOST = 30_000  # orders of one run: its rounds of 50 ms and the calibration take some thousands
ROUNDS = 25  # a checkpoint of SQLite falls into some rounds and not into others
#: The holds of the canonical policy: two caps, two windows, a position, and that nothing is unknown.
HOLDS = (
    Hold(f"{ACCOUNT}|open_orders", 1, 10**12, "sum", "risk.max_open_orders"),
    Hold(f"{ACCOUNT}|orders|60000", 1, 10**12, "window", "risk.max_orders", 60_000),
    Hold("binance@fra-1|request-weight|60000|fixed", 1, 10**12, "window", "rate_budgets.request-weight", 60_000, True),
    Hold(f"{ACCOUNT}|position|BTC", 10**6, 10**24, "position", "risk.max_position_notional"),
    Hold(f"{ACCOUNT}|unknown|BTC/USDT|buy", 0, 0, "clear", "orders.unknown"),
)
ORDER = Order("BTC/USDT", "buy", "limit", Decimal("0.01"), Decimal(60000))


def ours(store: Store) -> Callable[[], object]:
    """Return a call that reserves one new order; the orders are made beforehand, as a guard has them."""
    orders = [made(NOW_MS + tick * STEP_MS) for tick in range(MOST)]
    reserve, take = store.reserve, iter(orders).__next__

    def one() -> object:
        decision, intent = take()
        grant = reserve(decision, intent, HOLDS, 0, decision.at_ms)
        assert grant.granted
        return grant

    return one


def made(now: int) -> tuple[Decision, Intent]:
    """Return an order that was allowed, and its intent."""
    name = new_id()
    decision = Decision(name, "allow", "enforce", "order.create", ORDER, "mm", "sha256:3f9a01c2d4e5", "mm-1", now)
    return decision, Intent(
        name, ACCOUNT, ORDER, f"pk{name}", "order", HOLDS, False, "mm-1", "host", 1, now, FAR_MS, 5_000
    )


def bare(path: Path, columns: tuple[object, ...]) -> Callable[[], object]:
    """Return a call that inserts the same bytes and does nothing else."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE journal (seq INTEGER PRIMARY KEY, at_ms INTEGER, kind TEXT, body TEXT, hash TEXT)")
    return lambda: connection.execute("INSERT INTO journal (at_ms, kind, body, hash) VALUES (?,?,?,?)", columns)


def threads(store: Store) -> Callable[[], object]:
    """Return a call that has THREADS threads reserve an order each, and waits for all of them."""
    one, pool = ours(store), ThreadPoolExecutor(THREADS)

    def all_of_them() -> object:
        return [found.result() for found in [pool.submit(one) for _ in range(THREADS)]]

    return all_of_them


class Alone(SqliteStore):
    """The same store where each row has a sync of its own."""

    def _joined(self) -> bool:
        return False


def rows() -> list[Row]:
    """Return SPEED's row of the sqlite store, one of threads that share syncs, and one of the memory store."""
    here = Path(__file__).parent / "out"
    here.mkdir(exist_ok=True)  # on the disk of the project: a temporary folder may be in memory
    with tempfile.TemporaryDirectory(dir=here) as folder:
        reserve = ours(SqliteStore(Path(folder) / "ours.db"))
        reserve()
        with sqlite3.connect(Path(folder) / "ours.db") as read:
            columns = read.execute("SELECT at_ms, kind, body, hash FROM journal WHERE kind = 'decision'").fetchone()
        insert = bare(Path(folder) / "bare.db", columns)
        figures = interleave({"ours": reserve, "bare FULL insert": insert}, rounds=ROUNDS)
        many = interleave(
            {
                "together": threads(SqliteStore(Path(folder) / "together.db")),
                "one by one": threads(Alone(Path(folder) / "alone.db")),
            },
            rounds=ROUNDS,
        )
        light = interleave({"memory": ours(MemoryStore()), "bare FULL insert": insert}, budget_s=0.01)
    note = f"one row of {sum(len(str(column)) for column in columns)} bytes, {len(HOLDS)} holds"
    return [
        row("reserve with intent, sqlite FULL", figures, "ours", "bare FULL insert", GOAL, note=note),
        row("eight threads reserve, sqlite FULL", many, "together", "one by one", THREADS_GOAL),
        row("reserve with intent, memory", light, "memory", "bare FULL insert", MEMORY_GOAL),
    ]

"""Rotate a key under load: 100 orders a second over HTTP, sync and async, and no order fails or is left unknown.

The exchange is a process of its own. Orders go on while the guard goes over to the successor, while what was signed
before is on its way, and after the old key was deleted. The control replaces id and secret one after the other, as a
bot would that asks its secrets manager for each: orders between the two are refused.

    .venv/bin/python .ci/verify/rotation.py [orders a second]
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from policykit.exchanges.credentials import signs_with
from policykit.guard import Guard
from policykit.testing import LimitSizes, Sim, point

POLICY = """\
policykit: 1
name: mm
owner: desk-a
exchange: binance
account: {name: main, currency: USDT, max_age: 30s, egress: fra-1}
environment: live
keys:
  mm-exec: {purpose: execution, secret: "env://MM_LOAD", scopes: [read, trade.spot]}
clock: {max_skew: 2s, request_validity: 5s}
rate_budgets:
  request-weight: {limit: 1000000, per: 1m, window: fixed, shared_by: ip, use_at_most: 90%, keep_for_exits: 10%}
risk:
  symbols: ["BTC/USDT"]
  order_types: [market]
  max_order_notional: 1500 USDT
  max_position_notional: 90% of equity
  max_orders: {limit: 1000000, per: 1m}
kill_switch: {cancel: entries, wait: 1s, rearm: {by: [desk-head], reason_required: true}}
"""
SYMBOL, ACCOUNT = "BTC/USDT", "binance/main"
#: Threads, or tasks, that send; and how long the load runs before the change and after the deletion, seconds.
LANES, SPAN_S = 8, 4.0
#: Event loops of the async case, each with a client and its part of the tasks.
LOOPS = 4
#: How long the old key may be in use after the change at most, seconds: an answer's bound, the validity, two rounds.
OVER_S = 60.0


def exchange(pipe: Any) -> None:
    """Be the exchange until the pipe closes; make keys and end them as told."""
    roomy = LimitSizes(weight_1m=10**8, orders_10s=10**7, orders_1d=10**8, sapi_1m=10**8)
    balances = {"USDT": 10_000_000, "BTC": 10}
    with Sim(seed=1, limits=roomy, balances=balances, amplitude=0) as sim:
        keys = {"old": sim.main_key}
        pipe.send((sim.url, sim.key, sim.secret))
        while (word := pipe.recv()) != "stop":
            if word == "new":
                keys["new"] = sim.grant_key(0)
                pipe.send((keys["new"].key, keys["new"].secret))
            elif word == "delete":
                keys["old"].revoked = True
                pipe.send(None)
        pipe.send(len(sim.truth.executed))


class Load:
    """Orders at a rate, from several lanes, and what became of them."""

    def __init__(self, rate: float) -> None:
        self.rate, self.stop = rate, threading.Event()
        self.signed: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.sent, self._lock, self._started = 0, threading.Lock(), time.monotonic()

    def due(self) -> tuple[int, float]:
        """Take the number of the next order, and how long to wait for its moment, s."""
        with self._lock:
            number, self.sent = self.sent, self.sent + 1
        return number, self._started + number / self.rate - time.monotonic()

    def lane(self, client: Any) -> None:
        """Send until told to stop."""
        while not self.stop.is_set():
            number, wait_s = self.due()
            if wait_s > 0:
                time.sleep(wait_s)
            self.signed[signs_with(client)] += 1
            try:
                client.create_order(SYMBOL, "market", "sell" if number % 2 else "buy", 0.001)
            except Exception as error:  # noqa: BLE001 - counted
                self.failed[f"{type(error).__name__}: {str(error)[:90]}"] += 1

    async def alane(self, client: Any) -> None:
        """The same of an async client."""
        while not self.stop.is_set():
            number, wait_s = self.due()
            await asyncio.sleep(max(0.0, wait_s))
            self.signed[signs_with(client)] += 1
            try:
                await client.create_order(SYMBOL, "market", "sell" if number % 2 else "buy", 0.001)
            except Exception as error:  # noqa: BLE001 - counted
                self.failed[f"{type(error).__name__}: {str(error)[:90]}"] += 1

    @property
    def reached(self) -> float:
        """Return the rate that was reached, orders a second."""
        return self.sent / (time.monotonic() - self._started)


def client(url: str, key: str, secret: str, asynchronous: bool) -> Any:
    """Make a bot's stock client."""
    import ccxt
    import ccxt.async_support

    made = (ccxt.async_support if asynchronous else ccxt).binance(
        {"apiKey": key, "secret": secret, "enableRateLimit": False}
    )
    return point(made, url)


def drive(
    load: Load, url: str, key: str, secret: str, guard: Guard, asynchronous: bool
) -> tuple[list[Any], Callable[[], None]]:
    """Start the lanes; return their clients, and what ends them."""
    if not asynchronous:
        clients = [guard.protect(client(url, key, secret, False)) for _ in range(LANES)]
        for one in clients:
            one.load_markets()
        pool = ThreadPoolExecutor(LANES)
        work = [pool.submit(load.lane, one) for one in clients]
        return clients, lambda: ([one.result() for one in work], pool.shutdown())[1]
    made: list[Any] = []
    ready = threading.Barrier(LOOPS + 1)

    async def run() -> None:
        one = guard.protect(client(url, key, secret, True))
        await one.load_markets()
        made.append(one)
        await asyncio.to_thread(ready.wait)
        try:
            await asyncio.gather(*(load.alane(one) for _ in range(LANES // LOOPS)))
        finally:
            await one.close()

    threads = [threading.Thread(target=lambda: asyncio.run(run())) for _ in range(LOOPS)]
    for thread in threads:
        thread.start()
    ready.wait()
    return made, lambda: [thread.join() for thread in threads] and None


def piecemeal(clients: list[Any], key: str, secret: str) -> None:
    """Replace id and secret one after the other: the control."""
    for one in clients:
        one.apiKey = key
        time.sleep(0.05)
        one.secret = secret


def once(rate: float, *, asynchronous: bool, control: bool) -> bool:
    """Rotate once under load; say what came of it, and whether it is what it has to be."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=exchange, args=(theirs,), daemon=True)
    process.start()
    url, key, secret = ours.recv()
    os.environ.update(MM_LOAD_API_KEY=key, MM_LOAD_API_SECRET=secret)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        file = Path(folder, "mm.yaml")
        file.write_text(POLICY, encoding="utf-8")
        guard = Guard.load(file, store=f"sqlite:///{folder}/store.db", testing=True, endpoint=url)
        with guard:
            load = Load(rate)
            clients, end = drive(load, url, key, secret, guard, asynchronous)
            time.sleep(SPAN_S)
            old = guard.signer.key_id
            ours.send("new")
            new_key, new_secret = ours.recv()
            turned = time.monotonic()
            if control:
                piecemeal(clients, new_key, new_secret)
                new = signs_with(clients[0])
            else:
                os.environ.update(MM_LOAD_API_KEY=new_key, MM_LOAD_API_SECRET=new_secret)
                new = signs_with(client(url, new_key, new_secret, False))
                row = {"state": "swapping", "active": new, "retiring": old}
                guard.store.keep(ACCOUNT, "rotation", "mm-exec", row, guard.now())
                while guard.in_force.info().signer != new and time.monotonic() - turned < OVER_S:
                    time.sleep(0.2)
                ours.send("delete")
                ours.recv()
            over_s = time.monotonic() - turned
            time.sleep(SPAN_S)
            load.stop.set()
            reached = load.reached
            end()
        unknown = sum(one.state == "unknown" for one in guard.store.intents(ACCOUNT, open_only=False))
    ours.send("stop")
    executed = ours.recv()
    process.join()
    failed = sum(load.failed.values())
    name = f"{'async' if asynchronous else 'sync'}{', control' if control else ''}"
    print(
        f"{name}: {load.sent} orders at {reached:.0f}/s, {load.signed[old]} begun with the old key and"
        f" {load.signed[new]} with the new, {failed} failed, {unknown} unknown, {executed} executed,"
        f" old key let go after {over_s:.0f} s"
    )
    for words, count in load.failed.most_common(3):
        print(f"    {count} x {words}")
    if control:
        return failed > 0
    return failed == unknown == 0 and min(load.signed[old], load.signed[new]) > 0 and executed == load.sent


def main() -> int:
    """Run every case; 1 where one is not as it has to be."""
    rate = float(sys.argv[1]) if len(sys.argv) > 1 else 100.0
    results = [
        once(rate, asynchronous=asynchronous, control=control)
        for asynchronous in (False, True)
        for control in (False, True)
    ]
    print("rotation under load:", "as it has to be" if all(results) else f"WRONG {results}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())

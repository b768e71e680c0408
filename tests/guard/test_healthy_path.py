"""What an order costs that meets no trouble: a decision, one durable row before it is sent, one request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests

from policykit.order import Order
from policykit.store.sqlite import SqliteStore
from policykit.testing import SimClock
from tests.guard.world import SYMBOL, World, policy_text
from tests.store.disk import Disk

BUY = (SYMBOL, "limit", "buy", 0.001, 50_000)
WISH = Order(SYMBOL, "buy", "limit", Decimal("0.001"), Decimal(50_000))
ORDER = "POST /api/v3/order"
Start = Callable[..., World]


class Counting(SimClock):
    """A clock that counts who waits."""

    sleeps = 0

    def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        super().sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        self.sleeps += 1
        await super().asleep(seconds)


@dataclass
class Cost:
    """What one order cost: requests by route, waits, journal rows and syncs of the disk, before the send and in all."""

    routes: dict[str, int] = field(default_factory=dict)
    sleeps: int = 0
    rows: list[str] = field(default_factory=list)
    rows_before: list[str] = field(default_factory=list)
    syncs: int = 0
    syncs_before: int = 0


class Bench:
    """A guard on a disk that counts, and its world."""

    def __init__(self, start: Start, folder: Path, *faults: dict[str, Any]) -> None:
        self.clock, self.disk = Counting(), Disk()
        self.world = start(*faults, clock=self.clock, text=policy_text(weight=900_000))
        self.guard = self.world.guard(store=SqliteStore(folder / "store.db", make=self.disk.connect))
        self._seq = 0

    def rows(self) -> list[str]:
        """Return the kinds of the rows since the last call of `start`."""
        return [row.kind for row in self.guard.store.rows(self._seq, 10_000)]

    def begin(self) -> Cost:
        """Start counting."""
        self._seq = max(row.seq for row in self.guard.store.rows(0, 100_000))
        self._routes, self._sleeps, self._syncs = (
            self.world.sim.truth.by_route.copy(),
            self.clock.sleeps,
            self.disk.syncs,
        )
        return Cost()

    def sending(self, cost: Cost) -> None:
        """Note what there is when the first byte leaves."""
        cost.rows_before, cost.syncs_before = self.rows(), self.disk.syncs - self._syncs

    def end(self, cost: Cost) -> Cost:
        """Stop counting."""
        cost.routes = dict(self.world.sim.truth.by_route - self._routes)
        cost.sleeps, cost.syncs, cost.rows = (
            self.clock.sleeps - self._sleeps,
            self.disk.syncs - self._syncs,
            self.rows(),
        )
        return cost


@pytest.fixture
def bench(start: Start, folder: Path) -> Bench:
    """Give a guard whose disk and clock count."""
    return Bench(start, folder)


HEALTHY = Cost({ORDER: 1}, 0, ["decision", "outcome"], ["decision"], 2, 1)


@contextmanager
def watching(bench: Bench, cost: Cost, owner: Any, method: str) -> Iterator[None]:
    """Note what there is when a request leaves."""
    real = getattr(owner, method)

    def watched(*args: Any, **more: Any) -> Any:
        bench.sending(cost)
        return real(*args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, method, watched)
        yield


@pytest.mark.parametrize("way", ["create_order", "place"])
def test_an_order_costs_a_decision_one_durable_row_and_one_request(bench: Bench, way: str) -> None:
    """No look-up, no read, no sleep: the intent is synced once before the send, the outcome is a row after it."""
    client = bench.world.protected(bench.guard)

    def send() -> Any:
        return client.create_order(*BUY) if way == "create_order" else bench.guard.place(WISH, client)

    send()
    cost = bench.begin()
    with watching(bench, cost, requests.Session, "send"):
        assert send()["status"] == "open"
    assert bench.end(cost) == HEALTHY


async def test_async_an_order_costs_the_same_and_holds_the_loop_for_one_write_at_most(bench: Bench) -> None:
    """The same cost; and no step of the event loop syncs the disk more than once."""
    at_once: list[int] = []
    real = asyncio.Handle._run

    def run(handle: asyncio.Handle) -> None:
        before = bench.disk.syncs
        real(handle)
        at_once.append(bench.disk.syncs - before)

    async with bench.world.sim.client(async_=True) as client:
        bench.guard.protect(client)
        await client.create_order(*BUY)
        cost = bench.begin()
        with watching(bench, cost, aiohttp.ClientSession, "_request"), pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio.Handle, "_run", run)
            made = await asyncio.create_task(client.create_order(*BUY))
    assert (made["status"], bench.end(cost)) == ("open", HEALTHY)
    assert sorted(at_once)[-3:] == [0, 1, 1]


def test_control_an_answer_that_is_lost_costs_look_ups_and_waits(start: Start, folder: Path) -> None:
    """The count can fail: with its reply lost and shown late, an order costs look-ups, sleeps and rows."""
    faults = (
        {"at": "order", "do": "lost_reply", "when": [2]},
        {"at": "order", "do": "lag", "when": [2], "seconds": 3},
    )
    bench = Bench(start, folder, *faults)
    client = bench.world.protected(bench.guard)
    client.create_order(*BUY)
    cost = bench.begin()
    assert client.create_order(*BUY)["status"] == "open"
    cost = bench.end(cost)
    assert cost.routes[ORDER] == 1
    assert sum(cost.routes.values()) > 2
    assert cost.sleeps > 0
    assert {"decision", "outcome", "lookup"} <= set(cost.rows)

"""What a protected client adds to an order that meets no trouble, and for how long it holds an event loop."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import requests

from bench._harness import Row, interleave
from bench.guard import ROOMY
from bench.store import ours
from policykit.guard import Guard
from policykit.order import Order
from policykit.orders.intent import Outcome
from policykit.store.sqlite import SqliteStore
from policykit.testing import LimitSizes, Sim

#: The healthy path costs the decision, its row, the outcome's row, and what carries the order there and back.
GOAL = 1.5
#: The loop is held for one journal write, and the decision before it.
BLOCK_GOAL = 1.5
ROUNDS = 25
ROOM = LimitSizes(weight_1m=1_000_000, orders_10s=100_000)
BUY = ("BTC/USDT", "limit", "buy", "0.001", "50000")
ORDER = Order("BTC/USDT", "buy", "limit", Decimal("0.001"), Decimal(50_000))


class FromMemory(requests.adapters.BaseAdapter):
    """Answers an order at once: closed without a fill, so that nothing piles up."""

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        body = request.body or ""
        asked = dict(parse_qsl(body.decode() if isinstance(body, bytes) else body))
        made = {name: asked[name] for name in ("symbol", "side", "type", "price", "timeInForce")}
        made |= {"orderId": 1, "clientOrderId": asked["newClientOrderId"], "transactTime": int(asked["timestamp"])}
        made |= {"origQty": asked["quantity"], "executedQty": "0", "cummulativeQuoteQty": "0", "status": "CANCELED"}
        answer = requests.Response()
        answer.status_code, answer._content, answer.request, answer.url = 200, json.dumps(made).encode(), request, ""
        return answer

    def close(self) -> None:
        """Nothing is open."""


def fresh(guard: Guard) -> None:
    """Tell the guard new facts."""
    money = {"equity": "100000 USDT", "net_transfers": "0 USDT"}
    guard.observe(**money, positions={"BTC/USDT": "0.1"}, marks={"BTC/USDT": "60000"}, skew_ms=12)  # type: ignore[arg-type]


def sync_row(sim: Sim, guard: Guard) -> Row:
    """Measure the sync client: protected, bare, and the decision with its two rows alone."""
    bare, protected = sim.client(), sim.client()
    for client in (bare, protected):
        client.load_markets()
        client.session.mount("http://", FromMemory())
    guard.protect(protected)

    def rows_alone() -> None:
        admitted = guard.decide(ORDER)
        guard.settle(admitted, Outcome("settled", guard.now(), "1", Decimal(0), closed=True))
        guard.release(admitted)

    fresh(guard)
    figures = interleave(
        {
            "protected": lambda: protected.create_order(*BUY),
            "bare": lambda: bare.create_order(*BUY),
            "rows": rows_alone,
            "facts": lambda: fresh(guard),
        },
        rounds=ROUNDS,
    )
    added = [a - b for a, b in zip(figures["protected"], figures["bare"], strict=True)]
    ratio = statistics.median(a / b for a, b in zip(added, figures["rows"], strict=True))
    note = f"{statistics.median(figures['protected']) / statistics.median(figures['bare']):.1f} x a bare create_order"
    return Row(
        "create_order, sqlite FULL: what protection adds",
        GOAL,
        ratio,
        "x the decision and its two rows",
        statistics.median(added),
        note,
    )


@contextmanager
def longest(blocks: list[float]) -> Iterator[None]:
    """Keep how long each step of the event loop took, seconds."""
    real = asyncio.Handle._run

    def run(handle: asyncio.Handle) -> None:
        started = time.perf_counter_ns()
        real(handle)
        blocks.append((time.perf_counter_ns() - started) / 1e9)

    asyncio.Handle._run = run  # type: ignore[method-assign]
    try:
        yield
    finally:
        asyncio.Handle._run = real  # type: ignore[method-assign]


async def block(send: Callable[..., Awaitable[Any]]) -> float:
    """Return the longest step of the loop while an order is sent."""
    blocks: list[float] = []
    with longest(blocks):
        await asyncio.create_task(send(*BUY))  # type: ignore[arg-type]
    return max(blocks)


async def async_row(sim: Sim, other: Sim, guard: Guard, write: Callable[[], object]) -> Row:
    """Measure the async client: the longest step of the loop, protected and bare, beside one journal write.

    The bare one has an exchange of its own: what others spend of an address is written down when an answer tells of it.
    """
    figures: dict[str, list[float]] = {"protected": [], "bare": [], "write": []}
    async with other.client(async_=True) as bare, sim.client(async_=True) as protected:
        for client in (bare, protected):
            await client.load_markets()
        guard.protect(protected)
        for _ in range(4 * ROUNDS):
            fresh(guard)
            figures["protected"].append(await block(protected.create_order))
            figures["bare"].append(await block(bare.create_order))
            started = time.perf_counter_ns()
            write()
            figures["write"].append((time.perf_counter_ns() - started) / 1e9)
    medians = {name: statistics.median(values) for name, values in figures.items()}
    added = medians["protected"] - medians["bare"]
    return Row(
        "async create_order, sqlite FULL: what it adds to the longest block",
        BLOCK_GOAL,
        added / medians["write"],
        "x one journal write",
        added,
    )


def rows() -> list[Row]:
    """Return the rows of the healthy path."""
    here = Path(__file__).parent / "out"
    here.mkdir(exist_ok=True)  # on the disk of the project: a temporary folder may be in memory
    with tempfile.TemporaryDirectory(dir=here) as name, Sim(limits=ROOM) as sim, Sim(limits=ROOM) as other:
        policy, folder = Path(name) / "policy.yaml", Path(name)
        policy.write_text(json.dumps(ROOMY))

        def guard(file: str) -> Guard:
            return Guard.load(policy, store=SqliteStore(folder / file), testing=True)

        first = sync_row(sim, guard("sync.db"))
        write = ours(SqliteStore(folder / "write.db"))
        return [first, asyncio.run(async_row(sim, other, guard("async.db"), write))]

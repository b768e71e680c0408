"""`@enforce` around a function, against a hand-written chain of the same checks: memory store, then SQLite."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from bench._harness import Row, interleave, row
from bench.engine import POLICY, hand
from policykit.guard import Guard, enforce
from policykit.store import Observation
from policykit.store.memory import MemoryStore

GOAL = 5.0
ASYNC_GOAL = 1.5
#: A policy whose windows and caps a bench does not fill.
ROOMY: dict[str, Any] = {
    **POLICY,
    "keys": {"bot": {"purpose": "execution", "scopes": ["read", "trade.spot"]}},
    "rate_budgets": {"request-weight": {**POLICY["rate_budgets"]["request-weight"], "limit": 900_000_000}},
    "risk": {**POLICY["risk"], "max_orders": {"limit": 900_000_000, "per": "1m"}, "max_open_orders": 900_000_000},
}


class Quiet(MemoryStore):
    """A memory store that forgets its journal rows when new facts come, so that millions of calls fit in it."""

    def observe(self, account: str, seen: Observation, now_ms: int) -> None:
        self._queue.clear()
        super().observe(account, seen, now_ms)


def rows() -> list[Row]:
    """Return SPEED's rows about `@enforce`."""
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.yaml"
        policy.write_text(json.dumps(ROOMY))
        return _rows(Guard.load(policy, store=Quiet(), testing=True))


def _rows(guard: Guard) -> list[Row]:
    def refresh() -> None:
        guard.observe(
            equity="100000 USDT",
            positions={"BTC/USDT": "0.1"},
            marks={"BTC/USDT": "60000"},
            net_transfers="0 USDT",
            skew_ms=12,
        )

    @enforce("order.create", guard=guard)
    def buy(symbol: str, side: str, amount: str, price: str) -> dict[str, str]:
        return FILLED

    @enforce("order.create", guard=guard)
    async def abuy(symbol: str, side: str, amount: str, price: str) -> dict[str, str]:
        return FILLED

    loop = asyncio.new_event_loop()
    plain = ("BTC/USDT", "buy", "limit", 0.01, 59_000.0)
    count = 0

    def sync() -> None:
        nonlocal count
        count += 1
        if count % 200 == 0:
            refresh()
        buy("BTC/USDT", "buy", "0.0001", "59000")

    async def many(n: int) -> None:
        for _ in range(n):
            await abuy("BTC/USDT", "buy", "0.0001", "59000")

    def hundred_async() -> None:
        refresh()
        loop.run_until_complete(many(100))

    def hundred_sync() -> None:
        refresh()
        for _ in range(100):
            buy("BTC/USDT", "buy", "0.0001", "59000")

    refresh()
    sync()
    figures = interleave(
        {
            "hand": lambda: hand(plain, 0.1, (3, 10, 100), 3_000),
            "enforce": sync,
            "async": hundred_async,
            "sync": hundred_sync,
        }
    )
    loop.close()
    return [
        row("@enforce, memory store, all checks + reservation + row", figures, "enforce", "hand", GOAL),
        row("the same, async", figures, "async", "sync", ASYNC_GOAL),
    ]


#: What the function returns: an order that the exchange closed without a fill, so that nothing piles up.
FILLED = {"id": "1", "status": "canceled", "filled": "0"}

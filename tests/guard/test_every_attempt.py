"""I17 in every way in which an attempt can end, with telemetry well, broken, full: one attempt, one row, one span."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import ccxt
import pytest
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from bench.send import FromMemory
from policykit.errors import PolicykitError
from policykit.guard import Guard, enforce
from policykit.orders.intent import Outcome
from policykit.telemetry import Telemetry, names
from policykit.telemetry.relay import Relay
from policykit.telemetry.setup import Collector
from policykit.telemetry.tail import every
from tests.guard.world import SYMBOL, World, policy_text

ROOMY = policy_text(open=10**9, orders=10**9, position="900% of equity", weight=10**9)
#: Attempts between two looks at the orders whose outcome nobody knows.
SETTLE_EVERY = 40


class Broken(SpanProcessor):
    """A processor that raises wherever it is called."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        raise RuntimeError("on_start")

    def on_end(self, span: Any) -> None:
        raise RuntimeError("on_end")


def ways(guard: Guard, client: Any) -> list[Callable[[], Any]]:
    """Return attempts that end in every way; each is one attempt, and some are awaited."""

    @enforce("order.create", guard=guard)
    def sent(symbol: str, side: str, amount: float, price: float) -> Any:
        return client.create_order(symbol, "limit", side, amount, price)

    @enforce("order.create", guard=guard)
    def refused(symbol: str, side: str, amount: float, price: float) -> Any:
        return client.create_order(symbol, "limit", side, amount, price, {"icebergQty": "0.0001"})

    @enforce("order.create", guard=guard)
    def fails_after(symbol: str, side: str, amount: float, price: float) -> Any:
        client.create_order(symbol, "limit", side, amount, price)
        raise ZeroDivisionError("the bot's own")

    @enforce("order.create", guard=guard)
    def fails(symbol: str, side: str, amount: float, price: float) -> Any:
        raise TimeoutError("no answer")

    @enforce("order.create", guard=guard)
    async def later(symbol: str, side: str, amount: float, price: float) -> Any:
        await asyncio.sleep(0)
        return {"id": "2", "filled": 0, "status": "canceled"}

    @enforce("order.create", guard=guard)
    async def never(symbol: str, side: str, amount: float, price: float) -> None:
        await asyncio.Event().wait()

    async def cancelled() -> None:
        task = asyncio.ensure_future(never(SYMBOL, "sell", 0.0001, 60_000))
        await asyncio.sleep(0)
        task.cancel()
        await task

    return [
        lambda: sent(SYMBOL, "buy", 0.0001, 59_000),
        lambda: sent(SYMBOL, "buy", 9, 59_000),
        lambda: sent("DOGE/USDT", "buy", "a lot", 1),
        lambda: refused(SYMBOL, "buy", 0.0001, 59_000),
        lambda: fails_after(SYMBOL, "buy", 0.0001, 59_000),
        lambda: client.create_order(SYMBOL, "limit", "buy", 0.0001, 59_000),
        lambda: client.private_post_order({"symbol": "BTCUSDT"}),
        lambda: fails(SYMBOL, "sell", 0.0001, 61_000),
        lambda: later(SYMBOL, "buy", 0.0001, 59_000),
        cancelled,
    ]


async def run(guard: Guard, attempts: list[Callable[[], Any]], count: int) -> Counter[str]:
    """Make the attempts, one after the other; return how they ended."""
    ended: Counter[str] = Counter()
    for number, attempt in zip(range(count), itertools.cycle(attempts)):
        if number % SETTLE_EVERY == 0:
            for intent in guard.store.intents():
                guard.store.outcome(intent.id, Outcome("absent", guard.now(), closed=True))
        try:
            result = attempt()
            if asyncio.iscoroutine(result):
                await result
            ended["well"] += 1
        except (PolicykitError, ccxt.BaseError, TimeoutError, ZeroDivisionError, asyncio.CancelledError) as error:
            ended[type(error).__name__] += 1
    return ended


@pytest.mark.parametrize("exporter", ["well", "broken", "full"])
def test_I17_one_attempt_is_one_row_and_one_span_in_every_way(
    start: Callable[..., World], tier: Callable[[int, int], int], exporter: str
) -> None:
    """@enforce around a protected client, cancelled, the bot's own error, raw calls: ids of rows and spans are 1:1."""
    world = start(text=ROOMY)
    guard = world.guard(store="memory:")
    client = world.sim.client()
    client.load_markets()
    client.session.mount("http://", FromMemory())
    guard.protect(client)
    collector, provider = Collector(10**7), TracerProvider()
    for processor in (collector, *([Broken()] if exporter == "broken" else [])):
        provider.add_span_processor(processor)
    relay = Relay(deferred=exporter == "full", limit=100)
    guard.telemetry = telemetry = Telemetry(tracer_provider=provider, relay=relay)
    if exporter == "full":
        assert relay._draining.acquire(timeout=1)  # its thread is held up in an exporter
    count = tier(700, 34_000)
    ended = asyncio.run(run(guard, ways(guard, client), count))
    rows = [(row.body["decision"]["id"], row.seq) for row in every(guard.store) if row.kind == "decision"]
    assert len(rows) == len({ident for ident, _ in rows}) == count
    assert sum(value for value, _ in telemetry.counters.series(names.M_DECISIONS)) == count
    kinds = {"well", "ClientDenied", "Denied", "TimeoutError", "ZeroDivisionError", "CancelledError"}
    assert set(ended) == kinds
    assert min(ended.values()) >= count // 10
    if exporter == "full":
        relay._draining.release()
    with suppress(RuntimeError):
        telemetry.flush()
    spans = [s for s in collector.spans if s.name.startswith(names.DECIDE)]
    made = [(s.attributes[names.DECISION_ID], s.attributes[names.JOURNAL_SEQ]) for s in spans]  # type: ignore[index]
    if exporter == "well":
        assert made == rows
        assert telemetry.relay.failures == 0
    elif exporter == "broken":
        assert telemetry.relay.failures >= count
    else:
        assert made == rows[: len(made)]
        assert 0 < len(made) <= 100
        assert telemetry.relay.dropped >= count - 100

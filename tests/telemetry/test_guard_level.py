"""One attempt, one decision, one row, one span: through `@enforce`, for every way in which a call can end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context, trace

from policykit.errors import Denied
from policykit.guard import Guard, enforce
from policykit.sim import SimClock
from policykit.store import Observation, open_store
from policykit.telemetry import names
from policykit.telemetry.tail import every
from tests.telemetry.test_order_path import DECISIONS, Raising

POLICY = """\
policykit: 1
name: mm
owner: desk-a
exchange: binance
account: {name: main, currency: USDT, max_age: 1d}
environment: sandbox
keys:
  mm-exec:
    purpose: execution
    secret: env://MM
    scopes: [read, trade.spot]
clock: {max_skew: 500ms, request_validity: 5s}
risk:
  symbols: ["BTC/USDT"]
  order_types: [limit]
  max_order_notional: 1000 USDT
"""


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    """Return a guard on a memory store that knows all it needs."""
    path = tmp_path / "mm.yaml"
    path.write_text(POLICY, encoding="utf-8")
    made = Guard.load(path, store=open_store("memory:"), clock=SimClock(), testing=True)
    made.recovered = True
    made.observe(equity="100000 USDT", positions={}, marks={"BTC/USDT": "60000"}, net_transfers="0 USDT")
    made.store.observe(made.account, Observation(made.now(), made.now(), skew_ms=3), made.now())
    return made


def _ways(guard: Guard) -> list[Callable[[int], Any]]:
    """Return attempts that end well, are denied, raise, are awaited, and are cancelled; each is one attempt."""

    @enforce("order.create", guard=guard)
    def well(symbol: str, side: str, amount: str, price: str) -> dict[str, Any]:
        return {"id": "1", "filled": amount, "status": "closed"}

    @enforce("order.create", guard=guard)
    def broken(symbol: str, side: str, amount: str, price: str) -> None:
        raise TimeoutError("no answer")

    @enforce("order.create", guard=guard)
    async def later(symbol: str, side: str, amount: str, price: str) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"id": "2", "filled": amount, "status": "closed"}

    @enforce("order.create", guard=guard)
    async def never(symbol: str, side: str, amount: str, price: str) -> None:
        await asyncio.Event().wait()

    async def cancelled(number: int) -> None:
        task = asyncio.ensure_future(never("BTC/USDT", "sell", "0.001", "60000"))
        await asyncio.sleep(0)
        task.cancel()
        await task

    async def awaited(number: int) -> None:
        await later("BTC/USDT", "buy", "0.001", "60000")

    return [
        lambda n: well("BTC/USDT", "buy", "0.001", "60000"),
        lambda n: well("BTC/USDT", "buy", "1", "60000"),
        lambda n: well("DOGE/USDT", "buy", "1", "60000"),
        awaited,
        lambda n: broken("BTC/USDT", "sell", "0.001", "60000"),
        cancelled,
    ]


@pytest.mark.parametrize("exporter", ["well", "raising"])
def test_I17_one_attempt_is_one_decision_one_row_one_span(
    guard: Guard, make: Callable[..., Any], exporter: str
) -> None:
    """2,000 attempts through `@enforce`, sync and async, allowed, denied, raising, cancelled: ids are equal 1:1:1."""
    telemetry, seen = make(*([Raising()] if exporter == "raising" else []), deferred=True)
    guard.telemetry = telemetry
    ways, denied = _ways(guard), 0

    async def run() -> None:
        nonlocal denied
        for number in range(DECISIONS):
            try:
                result = ways[number % len(ways)](number)
                if asyncio.iscoroutine(result):
                    await result
            except Denied:
                denied += 1
            except (TimeoutError, asyncio.CancelledError):
                pass

    asyncio.run(run())
    telemetry.flush()
    rows = [(r.body["decision"]["id"], r.seq) for r in every(guard.store) if r.kind == "decision"]
    assert len(rows) == DECISIONS
    if exporter == "well":
        spans = [s for s in seen.spans if s.name.startswith(names.DECIDE)]
        assert [(s.attributes[names.DECISION_ID], s.attributes[names.JOURNAL_SEQ]) for s in spans] == rows
        assert sum(s.attributes[names.OUTCOME] == "deny" for s in spans) == denied
    else:
        assert telemetry.relay.failures >= DECISIONS
    # Two of the six ways are against the policy; a sale without a known outcome is no bar to buys.
    assert DECISIONS // 3 - 1 <= denied <= DECISIONS // 3 + 1


def test_a_row_says_in_which_trace_it_was_asked_for(guard: Guard, make: Callable[..., Any]) -> None:
    """The caller's span is in the row, allowed or denied, and is the span's parent; without one neither is."""
    telemetry, seen = make()
    guard.telemetry = telemetry
    buy = enforce("order.create", guard=guard)(_closed)
    outer = trace.SpanContext(0x0AF7651916CD43DD8448EB211C80319C, 0x00AD6B7169203331, True, trace.TraceFlags(1))
    token = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(outer)))
    try:
        buy("BTC/USDT", "buy", "0.001", "60000")
        with pytest.raises(Denied) as denied:
            buy("DOGE/USDT", "buy", "1", "60000")
    finally:
        context.detach(token)
    buy("BTC/USDT", "buy", "0.001", "60000")
    said = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "00ad6b7169203331"}
    rows = [r.body.get("trace") for r in every(guard.store) if r.kind == "decision"]
    assert rows == [said, said, None]
    assert denied.value.decision.trace == (outer.trace_id, outer.span_id)
    parents = [s.parent and s.parent.span_id for s in seen.spans if s.name.startswith(names.DECIDE)]
    assert parents == [outer.span_id, outer.span_id, None]


def test_a_context_without_a_span_is_no_trace_and_a_broken_one_denies_nothing(
    guard: Guard, make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Baggage alone is no trace; a context that raises is counted as telemetry's failure, and the order goes on."""
    telemetry, _ = make()
    guard.telemetry = telemetry
    buy = enforce("order.create", guard=guard)(_closed)
    token = context.attach(context.set_value("baggage", "x"))
    try:
        buy("BTC/USDT", "buy", "0.001", "60000")
    finally:
        context.detach(token)

    def broken() -> None:
        raise RuntimeError("no context")

    monkeypatch.setattr(telemetry, "_current", broken)
    buy("BTC/USDT", "buy", "0.001", "60000")
    assert [r.body.get("trace") for r in every(guard.store) if r.kind == "decision"] == [None, None]
    assert telemetry.relay.failures > 0


def _closed(symbol: str, side: str, amount: str, price: str) -> dict[str, Any]:
    return {"id": "1", "filled": amount, "status": "closed"}

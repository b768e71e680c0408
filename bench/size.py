"""What a decision costs with many symbols and many open orders, and what they take of memory: memory store."""

from __future__ import annotations

import gc
import json
import tempfile
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path

from bench._harness import Row, interleave, row
from bench.guard import ROOMY, Quiet
from bench.store import ACCOUNT, made
from policykit.decision import Decision
from policykit.engine import compile_policy
from policykit.engine.engine import Engine
from policykit.guard import Guard
from policykit.order import Order
from policykit.orders.ids import new_id
from policykit.orders.intent import Intent, Outcome
from policykit.policy import load_text
from policykit.store import Observation
from policykit.traits import load

GOAL = 1.3
FEW, MANY = 10, 10_000
#: Memory has no goal in SPEED; these are bounds that a leak breaks: a guard, and what 1,000 symbols add to it.
GUARD_MB, SYMBOLS_MB = 1.0, 5.0
NOW_MS = 1_795_255_200_000
POLICY = json.dumps({**ROOMY, "risk": {**ROOMY["risk"], "symbols": ["*"]}})


def _order(symbol: str) -> Order:
    return Order(symbol, "buy", "limit", Decimal("0.0001"), Decimal(59_000))


def _observed(symbols: int) -> Observation:
    names = ["BTC", *(f"A{number}" for number in range(symbols - 1))]
    return Observation(
        NOW_MS,
        NOW_MS,
        equity=Decimal(1_000_000_000),
        net_transfers=Decimal(0),
        positions={name: Decimal("0.001") for name in names},
        marks={f"{name}/USDT": Decimal(60_000) for name in names},
        skew_ms=12,
        day_start_ms=NOW_MS - NOW_MS % 86_400_000,
    )


def decider(symbols: int, opened: int) -> Callable[[], object]:
    """Return a whole decision (facts, assess, reserve, outcome) beside so many symbols and open orders."""
    engine: Engine = compile_policy(load_text(POLICY), load("binance"))
    store = Quiet()
    store.observe(ACCOUNT, _observed(symbols), NOW_MS)
    order, numbers = _order("BTC/USDT"), count()

    def reserve() -> Intent:
        facts = store.facts(ACCOUNT, "bot", "BTC/USDT")
        found = engine.assess(facts, order, NOW_MS)
        if found.reasons:
            raise RuntimeError(f"bench: {found.reasons[0].message}")
        name = new_id()
        decision = Decision(name, "allow", "enforce", "order.create", order, "mm", "sha256:0", "bot", NOW_MS)
        intent = replace(BLANK, id=name, client_order_id=f"pk{next(numbers)}", holds=found.holds, order=order)
        if not store.reserve(decision, intent, found.holds, facts.generation, NOW_MS).granted:
            raise RuntimeError("bench: the store must grant")
        return intent

    for _ in range(opened):
        store.outcome(reserve().id, Outcome("acknowledged", NOW_MS))

    def one() -> object:
        return store.outcome(reserve().id, Outcome("acknowledged", NOW_MS, filled=Decimal(0), closed=True))

    return one


#: An intent, to be filled in.
BLANK = made(NOW_MS)[1]


def _grown(make: Callable[[], object]) -> float:
    """Return the MB that something keeps; it is made once before, so that imports and caches do not count."""
    make()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = make()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    del kept
    return grown / 1e6


def _guard(path: Path, symbols: int) -> Callable[[], Guard]:
    def make() -> Guard:
        guard = Guard.load(path, store=Quiet(), testing=True)
        guard.store.observe(ACCOUNT, _observed(symbols), NOW_MS)
        facts = guard.store.facts(ACCOUNT, "bot")
        for name in facts.marks:
            guard.engine.assess(facts, _order(name), NOW_MS)
        return guard

    return make


def rows() -> list[Row]:
    """Return the rows of SPEED that are about size."""
    figures = interleave(
        {
            "10": decider(FEW, FEW),
            "symbols": decider(MANY, FEW),
            "open orders": decider(FEW, MANY),
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.yaml"
        policy = {**ROOMY, "risk": {**ROOMY["risk"], "symbols": ["*"]}}
        path.write_text(json.dumps(policy))
        few, many = _grown(_guard(path, 1)), _grown(_guard(path, 1_001))
    note = "an order of each symbol was assessed, so each has its express lane"
    return [
        row("a decision with 10,000 symbols, memory store", figures, "symbols", "10", GOAL),
        row("a decision with 10,000 open orders, memory store", figures, "open orders", "10", GOAL),
        Row("memory of a guard", GUARD_MB, few, "MB", 0.0, "policy, engine, empty memory store"),
        Row("memory of 1,000 symbols", SYMBOLS_MB, many - few, "MB", 0.0, note),
    ]

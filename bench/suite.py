"""`policykit test` of 200 tests: beside the assessments of its orders alone, each on facts that are new."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench._harness import Row, interleave

TESTS = 200
POLICY: dict[str, Any] = {
    "policykit": 1,
    "name": "mm",
    "exchange": "binance",
    "account": {"name": "main", "currency": "USDT", "max_age": "10s"},
    "risk": {
        "symbols": ["BTC/USDT", "ETH/USDT"],
        "order_types": ["limit", "market"],
        "max_order_notional": "1.5% of equity",
        "max_position_notional": "10% of equity",
        "max_open_orders": 20,
        "max_orders": {"limit": 30, "per": "1m"},
        "daily_loss": {"limit": "3% of equity", "on_breach": "reduce_only"},
    },
}
ORDER = {"symbol": "BTC/USDT", "side": "buy", "type": "limit", "price": "60000"}


def suite() -> dict[str, Any]:
    """Return a test file: one step each, a row of fills in every fourth."""
    tests: list[dict[str, Any]] = []
    for number in range(TESTS):
        small = {"order": {**ORDER, "quantity": "0.01"}}
        large = {"order": {**ORDER, "quantity": "0.03"}, "expect": {"deny": ["RISK_ORDER_NOTIONAL"]}}
        filled = {"steps": [{**small, "then": "filled"}, {"after": "61s", **small}, large]}
        tests.append({"name": f"test {number}", **(filled if number % 4 == 0 else large if number % 4 == 1 else small)})
    given = {"equity": "100000 USDT", "marks": {"BTC/USDT": "60000", "ETH/USDT": "3000"}}
    return {"policykit_test": 1, "now": "2026-11-21T10:00:00Z", "given": given, "tests": tests}


def alone(suite: Any, policy: Any) -> Callable[[], object]:
    """Return what assesses the suite's orders, each on facts that are new: they move between two orders."""
    from policykit.proofs.suite.load import prepare
    from policykit.proofs.suite.trader import Trader

    given = prepare(suite, policy)
    trader = Trader(policy, "", "bot")
    first = suite.tests[0].steps[0]
    trader.at(first, given[0, 0])
    orders = [step.order for test in suite.tests for step in test.steps]
    engine, facts, now_ms = trader.engine, trader.facts(), trader.now_ms()

    def assess() -> object:
        return [engine.assess(replace(facts), order, now_ms) for order in orders]

    return assess


def rows() -> list[Row]:
    """Return the row of a policy's own tests."""
    from policykit.proofs.suite import load_suite, run

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "mm.yaml").write_text(json.dumps(POLICY), encoding="utf-8")
        file = Path(folder) / "mm.test.yaml"
        file.write_text(json.dumps(suite()), encoding="utf-8")
        read, policy = load_suite(str(file))
    decisions = run(read, policy).decisions
    seconds = interleave({"run": lambda: run(read, policy), "alone": alone(read, policy)}, budget_s=0.3)
    took, beside = statistics.median(seconds["run"]), statistics.median(seconds["alone"])
    note = f"{TESTS / took:,.0f} tests, {decisions / took:,.0f} decisions a second; each test has an account of its own"
    what, unit = f"policykit test of {TESTS} tests", "its orders assessed, nothing else"
    return [Row(what, 5.0, took / beside, unit, took, note)]

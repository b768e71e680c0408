"""Test files for the tests of the runner: the canonical policy beside a suite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from policykit.proofs.suite import Outcome, load_suite, run
from tests.engine.worlds import CANONICAL, changed

GIVEN: dict[str, Any] = {
    "equity": "100000 USDT",
    "marks": {"BTC/USDT": "60000", "ETH/USDT": "3000"},
}


def buy(quantity: str = "0.01", **more: Any) -> dict[str, Any]:
    """Return a limit buy at the mark."""
    return {"symbol": "BTC/USDT", "side": "buy", "type": "limit", "quantity": quantity, "price": "60000", **more}


def sell(quantity: str = "0.01", **more: Any) -> dict[str, Any]:
    """Return a limit sell at the mark."""
    return buy(quantity, side="sell", **more)


def write(folder: Path, tests: list[dict[str, Any]], changes: dict[str, Any] | None = None, **more: Any) -> Path:
    """Write a policy and its test file; return that."""
    (folder / "mm.yaml").write_text(json.dumps(changed(changes or {}), indent=1))
    said = {"policykit_test": 1, "now": "2026-11-21T10:00:00Z", "given": GIVEN, **more, "tests": tests}
    path = folder / "mm.test.yaml"
    path.write_text(json.dumps(said, indent=1))
    return path


def ran(folder: Path, *steps: dict[str, Any], changes: dict[str, Any] | None = None, **more: Any) -> Outcome:
    """Run one test of these steps."""
    return run(*load_suite(str(write(folder, [{"name": "one", "steps": list(steps)}], changes, **more))))


def why(outcome: Outcome) -> str:
    """Return what was, where the first test failed; empty: it passed."""
    failed = outcome.failed
    failure = failed[0].failure if failed else None
    return "" if failure is None else failure.was


assert CANONICAL

"""What it costs a decision to look whether a file, a signal or a trigger halts it: `@enforce` with and without."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from bench._harness import Row, interleave, row
from bench.guard import FILLED, ROOMY, Quiet
from policykit.guard import Guard, enforce

#: A decision may take so many times as long with the look; three files are looked for, twenty times a second.
GOAL = 1.05


def rows() -> list[Row]:
    """Return the row about looking for a halt."""
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.yaml"
        switch = {"file": "STOP", "triggers": {"stale_data": "1h", "rejects": {"limit": 9, "per": "1m"}}}
        policy.write_text(json.dumps(ROOMY | {"kill_switch": switch}))
        looking, blind = (Guard.load(policy, store=Quiet(), testing=True) for _ in range(2))
        blind.cords.due = lambda: False  # type: ignore[method-assign]
        figures = interleave({"with": _buyer(looking), "without": _buyer(blind)}, rounds=21)
        return [row("@enforce that looks for kill files", figures, "with", "without", GOAL)]


def _buyer(guard: Guard):  # type: ignore[no-untyped-def]
    @enforce("order.create", guard=guard)
    def buy(symbol: str, side: str, amount: str, price: str) -> dict[str, str]:
        return FILLED

    count = 0

    def call() -> None:
        nonlocal count
        if count % 200 == 0:
            guard.observe(
                equity="100000 USDT",
                positions={"BTC/USDT": "0.1"},
                marks={"BTC/USDT": "60000"},
                net_transfers="0 USDT",
                skew_ms=12,
            )
        count += 1
        buy("BTC/USDT", "buy", "0.0001", "59000")

    return call

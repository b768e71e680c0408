"""A bot of its own process whose collector is broken: `python -m tests.telemetry.broken_exporter COUNT`.

It decides COUNT times through a guard whose spans go out by POLICYKIT_OTLP, and as often through one without export, in
blocks by turns; then it writes what it decided, what each took, what was dropped, and when it was done, and ends.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from policykit.errors import Denied
from policykit.guard import Guard, enforce
from policykit.sim import SimClock
from policykit.store import Observation, open_store
from policykit.telemetry import Telemetry, names
from tests.telemetry.test_guard_level import POLICY

#: A wish that is allowed and two that are not.
WISHES = (("BTC/USDT", "buy", "0.001", "60000"), ("BTC/USDT", "buy", "1", "60000"), ("DOGE/USDT", "buy", "1", "60000"))
#: Decisions of a block. Each has a p99 of its own, and the median of the differences counts: a noisy machine's
#: worst moments are in few blocks.
BLOCK = 300
#: Every so many decisions the bot rests for a millisecond, as one that waits for a tick does.
BURST = 8


def guard_of(folder: Path) -> Any:
    """Return a function that a guard of its own enforces, and the guard."""
    path = folder / "mm.yaml"
    path.write_text(POLICY, encoding="utf-8")
    guard = Guard.load(path, store=open_store("memory:"), clock=SimClock(), testing=True)
    guard.recovered = True
    guard.observe(equity="100000000 USDT", positions={}, marks={"BTC/USDT": "60000"}, net_transfers="0 USDT")
    guard.store.observe(guard.account, Observation(guard.now(), guard.now(), skew_ms=3), guard.now())

    @enforce("order.create", guard=guard)
    def send(symbol: str, side: str, amount: str, price: str) -> dict[str, Any]:
        return {"id": "1", "filled": "0", "status": "canceled"}

    return guard, send


def decide(send: Any, wish: tuple[str, ...]) -> tuple[str, int]:
    """Return what came of a wish, and what it took, ns."""
    started = time.perf_counter_ns()
    try:
        send(*wish)
        said = "sent"
    except Denied as denied:
        said = denied.decision.reasons[0].code
    return said, time.perf_counter_ns() - started


def main(count: int) -> None:
    """Run, and write one line of JSON."""
    if os.environ.get("BROKEN") == "dns":
        hang = threading.Event()
        socket.getaddrinfo = lambda *_, **__: hang.wait(60) and []  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as name:
        exporting, send = guard_of(Path(name))
        alone, send_alone = guard_of(Path(name))
        alone.telemetry = Telemetry(tracer_provider=_nowhere())
        took: dict[str, list[int]] = {"exporting": [], "alone": []}
        said: dict[str, list[str]] = {"exporting": [], "alone": []}
        pause = threading.Event()
        telemetry = exporting.telemetry
        for start in range(0, count, BLOCK):
            for which, function in (("exporting", send), ("alone", send_alone)):
                spent = []
                for number in range(start, start + BLOCK):
                    outcome, ns = decide(function, WISHES[number % len(WISHES)])
                    said[which].append(outcome)
                    spent.append(ns)
                    if number % BURST == 0:
                        pause.wait(0.001)
                took[which].append(sorted(spent)[BLOCK * 99 // 100])
                telemetry.flush()  # what follows has nothing of this block behind it
        later = sorted(a - b for a, b in zip(took["exporting"], took["alone"], strict=True))
        p99 = {which: sorted(blocks)[len(blocks) // 2] for which, blocks in took.items()}
        rows = sum(row.kind == "decision" for row in exporting.store.rows(0, 10**9))
        told = {
            "p99_ns": p99,
            "later_ns": later[len(later) // 2],
            "same": said["exporting"] == said["alone"],
            "decided": len(said["exporting"]),
            "rows": rows,
            "failures": telemetry.relay.failures,
            "dropped": telemetry.counters.series(names.M_DROPPED)[0][0],
        }
    print(json.dumps({**told, "done": time.monotonic()}), flush=True)


def _nowhere() -> Any:
    from opentelemetry.trace import NoOpTracerProvider

    return NoOpTracerProvider()


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""Story 8: a cap of 1,000, ten orders of 300 from two processes at once."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.clock import SystemClock
from policykit.errors import Denied
from policykit.order import Order
from tests.guard.bots import KINDS
from tests.guard.world import SYMBOL, World, policy_text

#: Facts are read once, before the processes start; the test ends long before they are too old.
TEXT = policy_text(position="1000 USDT").replace("max_age: 10s", "max_age: 1h")
SIZE = Decimal("0.005")


def two_processes(world: World, top: Path, mode: str) -> Counter[str]:
    """Let two processes send five orders each at the same moment; return what became of them."""
    command = [sys.executable, "-m", "tests.stories.trader", world.sim.url, "5", mode, str(world.policy), world.store]
    pipe = subprocess.PIPE
    running = [subprocess.Popen(command, cwd=top, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    said: Counter[str] = Counter()
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in running:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in running:
            said.update(process.communicate(timeout=60)[0].split())
    finally:
        for process in running:
            process.kill()
            process.wait()
    return said


@pytest.mark.parametrize("kind", ["", "-async"], ids=KINDS)
def test_bare_three_thousand_are_out(start: Callable[..., World], top: Path, kind: str) -> None:
    """Control: two processes know nothing of each other, and all ten orders are sent."""
    world = start(clock=SystemClock())
    assert two_processes(world, top, f"bare{kind}") == {"sent": 10}
    assert sum(quantity for _, quantity in world.sent) * 60_000 == 3_000


@pytest.mark.parametrize("kind", ["", "-async"], ids=KINDS)
def test_with_policykit_three_pass(start: Callable[..., World], top: Path, kind: str) -> None:
    """One store, one cap: three orders of both processes together are sent, seven are denied for it."""
    world = start(clock=SystemClock(), text=TEXT)
    guard = world.guard()
    assert two_processes(world, top, f"guarded{kind}") == {"sent": 3, "RISK_POSITION": 7}
    assert world.sent == [("buy", SIZE)] * 3
    assert guard.store.verify()[1] is None


def test_a_crash_in_between_leaks_nothing_for_ever(start: Callable[..., World]) -> None:
    """A process that dies between reserving and sending keeps its share only until a new one proved that none came."""
    world = start(text=TEXT)
    dying = world.guard()
    dying.decide(Order(SYMBOL, "buy", "limit", Decimal("0.015"), Decimal(60_000)))
    dying.release(_only(dying))
    dying.store.close()
    again = world.guard()
    client = world.protected(again)
    with pytest.raises(Denied) as denied:
        client.create_order(SYMBOL, "limit", "buy", 0.005, 60_000)
    assert "RISK_POSITION" in [reason.code for reason in denied.value.decision.reasons]
    world.clock.advance(60)
    again.maintain()
    assert again.store.intents() == []
    assert client.create_order(SYMBOL, "limit", "buy", 0.015, 60_000)["amount"] == 0.015


def _only(guard: Any) -> Any:
    """Return what the process that dies would have waited for: its death forgets that, in a test somebody must."""
    from policykit.guard.admission import Admitted

    (intent,) = guard.store.intents()
    return Admitted(None, intent, None, 0)  # type: ignore[arg-type]


def test_a_legitimate_order_passes(start: Callable[..., World]) -> None:
    """Below the cap an order passes, and a cancelled one gives its share back."""
    world = start(text=TEXT)
    client = world.protected()
    first = client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
    with pytest.raises(Denied):
        client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
    client.cancel_order(first["id"], SYMBOL)
    assert client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)["status"] == "open"

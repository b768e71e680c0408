"""I5 over HTTP: a process dies at each step of an order; the next guard settles it before its first increase."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from policykit.errors import Denied, StoreUnavailable
from policykit.guard import Guard
from policykit.guard.admission import CURRENT, DRIVING
from policykit.order import Order
from tests.guard.world import SYMBOL, World, kinds, policy_text

BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)
#: How long after the crash the next process starts, s: the lease of the account has run out, the fence not always.
LATER = (21.0, 35.0, 60.0, 300.0, 3_600.0)


class Died(BaseException):
    """The process ends here: nothing after it runs."""


def die(*_: Any, **__: Any) -> Any:
    """End."""
    raise Died


class Dead:
    """The store of a process that died: nothing more is written to it."""

    def __init__(self, real: Any) -> None:
        self.close, self.epoch = real.close, "of the dead"

    def __getattr__(self, name: str) -> Any:
        raise StoreUnavailable("this process is dead")


def after_reserve(guard: Guard, client: Any) -> None:
    """Die between the reservation and the gate."""
    client.load_markets()

    def enter(*_: Any) -> Any:
        guard.store = Dead(guard.store)  # type: ignore[assignment]
        raise Died

    client.policykit_gate.enter = enter
    client.create_order(*BUY)


def at_the_gate(guard: Guard, client: Any) -> None:
    """Die behind the gate, before a byte has left."""
    client.load_markets()
    real = client.policykit_gate.enter

    def enter(method: str, *rest: Any) -> Any:
        ticket = real(method, *rest)
        if method == "POST":
            raise Died
        return ticket

    client.policykit_gate.enter = enter
    client.create_order(*BUY)


def after_send(guard: Guard, client: Any) -> None:
    """Die when the exchange has the order, before its outcome is written."""
    client.load_markets()
    client.policykit_gate.replied = die
    client.create_order(*BUY)


def after_unknown(guard: Guard, client: Any) -> None:
    """Die when the outcome was written as unknown, before the first look-up."""
    client.load_markets()
    client.policykit_gate.failed = _failed(client.policykit_gate.failed)
    client.create_order(*BUY)


def _failed(real: Any) -> Any:
    def failed(ticket: Any, error: BaseException) -> BaseException:
        real(ticket, error)
        return Died()

    return failed


def after_found(guard: Guard, client: Any) -> None:
    """Die when the look-up found the order, before that is written."""
    client.load_markets()
    guard.conclude = die  # type: ignore[method-assign]
    guard.settle = lambda admitted, outcome, started=None: _keep(guard, admitted, outcome)  # type: ignore[method-assign]
    client.create_order(*BUY)


def _keep(guard: Guard, admitted: Any, outcome: Any) -> None:
    admitted.intent = guard.store.outcome(admitted.intent.id, outcome)


def before_resend(guard: Guard, client: Any) -> None:
    """Die when the order was proved absent, before it is decided on again."""
    client.load_markets()
    real = guard.decide

    def decide(order: Order, **more: Any) -> Any:
        if more.get("replaces"):
            raise Died
        return real(order, **more)

    guard.decide = decide  # type: ignore[method-assign]
    client.create_order(*BUY)


LOST = {"at": "order", "do": "lost_reply", "when": [1]}
DROPPED = {"at": "order", "do": "drop", "when": [1]}
LATE = {"at": "order", "do": "late", "when": [1], "wire": 2.0, "delay": 1.0, "processing": 8.0}
#: step, the fault that leads to it, and whether the exchange has the order in the end.
STEPS: list[tuple[Callable[[Guard, Any], None], tuple[dict[str, Any], ...], bool]] = [
    (after_reserve, (), False),
    (at_the_gate, (), False),
    (after_send, (), True),
    (after_unknown, (LOST,), True),
    (after_unknown, (DROPPED,), False),
    (after_unknown, (LATE,), True),
    (after_found, (LOST,), True),
    (before_resend, (DROPPED,), False),
]


def crash(world: World, step: Callable[[Guard, Any], None]) -> None:
    """Run one process until it dies at a step; what it knew is gone."""
    guard = world.guard()
    client = world.protected(guard)
    DRIVING.clear()
    with pytest.raises(Died):
        step(guard, client)
    DRIVING.clear()
    CURRENT.set(None)
    guard.store.close()


@pytest.mark.parametrize("number", range(len(STEPS)), ids=[f"{s[0].__name__}-{n}" for n, s in enumerate(STEPS)])
def test_I5_every_open_intent_is_settled_before_the_first_increase(
    start: Callable[..., World], number: int, tier: Callable[[int, int], int]
) -> None:
    """Whatever the step and however late the restart: denied until looked up, then found or absent, nothing re-sent."""
    step, faults, executed = STEPS[number]
    for seed in range(tier(5, 1_000)):
        world = start(*faults)
        crash(world, step)
        world.clock.advance(LATER[seed % len(LATER)] + seed // len(LATER))
        sent = list(world.sent)
        again = world.guard(ready=False)
        client = world.protected(again)
        settled = step is before_resend
        if not settled:
            with pytest.raises(Denied) as denied:
                client.create_order(*BUY)
            assert "RECOVERY_PENDING" in [reason.code for reason in denied.value.decision.reasons]
        again.maintain(world.sim.client())
        states = [intent.state for intent in again.store.intents(open_only=False)]
        assert states == (["found"] if executed else ["absent"]), (step, seed)
        assert world.sent == sent
        rows = kinds(again)
        again.maintain()
        again.maintain()
        assert kinds(again) == rows
        assert client.create_order(*BUY)["status"] == "open"
        assert len(world.sent) == executed + 1
        again.store.close()
        world.sim.close()


def test_I5_before_the_fence_it_stays_unknown_and_increases_wait(start: Callable[..., World]) -> None:
    """A restart before the fence: the look-up proves nothing, entries there are denied; a later round settles it."""
    world = start(DROPPED)
    guard = world.guard()
    client = world.protected(guard)
    with pytest.raises(Died):
        after_unknown(guard, client)
    DRIVING.clear()
    CURRENT.set(None)
    world.clock.advance(2)
    guard.maintain()
    fresh = world.protected(guard)
    with pytest.raises(Denied) as denied:
        fresh.create_order(*BUY)
    assert denied.value.decision.reasons[0].code == "ORDER_OUTCOME_PENDING"
    world.clock.advance(16)
    guard.maintain()
    assert guard.store.intents() == []
    assert world.protected(guard).create_order(*BUY)["status"] == "open"


def test_I5_an_exchange_that_cannot_be_asked_settles_nothing(start: Callable[..., World]) -> None:
    """Look-ups that fail leave the intent as it is and the guard unrecovered; a kill meanwhile changes nothing."""
    once = policy_text().replace("retry:", "retry:\n  data: {attempts: 1}", 1)
    world = start(LOST, {"at": "lookup", "do": "drop", "when": [1]}, text=once)
    crash(world, after_unknown)
    world.clock.advance(60)
    again = world.guard()
    assert not again.recovered
    assert again.store.intents()[0].state == "unknown"
    again.maintain()
    assert again.recovered
    assert again.store.intents()[0].state == "found"


def test_control_a_guard_that_skips_recovery_buys_twice(start: Callable[..., World]) -> None:
    """The check can fail: a guard that takes itself for recovered, on a store that lost the intent, buys again."""
    world = start(LOST)
    crash(world, after_unknown)
    world.clock.advance(60)
    naive = world.guard(store="memory:")
    assert world.protected(naive).create_order(*BUY)["status"] == "open"
    assert world.sent == [("buy", Decimal("0.01"))] * 2


CRASHING = """
import os, sys
from policykit.guard import Guard
from policykit.testing import point
import ccxt
url, policy, store, step = sys.argv[1:]
client = point(ccxt.binance({"apiKey": os.environ["MM_EXEC_API_KEY"], "secret": os.environ["MM_EXEC_API_SECRET"]}), url)
client.enableRateLimit = False
guard = Guard.load(policy, store=store, testing=True)
guard.protect(client)
client.load_markets()
setattr(client.policykit_gate, step, lambda *a: os._exit(9))
client.create_order("BTC/USDT", "limit", "buy", 0.01, 59000)
"""


@pytest.mark.parametrize(("step", "executed"), [("enter", False), ("replied", True)])
def test_I5_a_process_that_is_killed_leaves_its_intent(
    start: Callable[..., World], top: Path, step: str, executed: bool
) -> None:
    """os._exit in a real process: its intent is in the file, and the next process takes it up and settles it."""
    from policykit.clock import SystemClock

    world = start(clock=SystemClock(), text=policy_text().replace("max_age: 10s", "max_age: 1h"))
    guard = world.guard()
    script = [sys.executable, "-c", CRASHING, world.sim.url, str(world.policy), world.store, step]
    assert subprocess.run(script, cwd=top, env=dict(os.environ), timeout=60, check=False).returncode == 9
    assert len(world.sent) == executed
    (intent,) = guard.abandoned()
    assert (intent.state, intent.pid != os.getpid()) == ("intended", True)
    guard.maintain()
    assert guard.store.intents()[0].state == ("found" if executed else "unknown")
    if not executed:
        with pytest.raises(Denied):
            world.protected(guard).create_order(SYMBOL, "limit", "buy", 0.2, 59_000)
    with pytest.raises(ccxt.OrderNotFound):
        world.protected(guard).cancel_order("77", SYMBOL)


def test_I5_an_interrupted_decision_is_taken_up_by_the_same_process(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after the reservation and before the send, and the program goes on: nobody sends it, and it is settled."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    with monkeypatch.context() as patched:
        patched.setattr(guard.telemetry, "record", die)
        with pytest.raises(Died):
            client.create_order(*BUY)
    (intent,) = guard.store.intents()
    assert (intent.state, intent.id in DRIVING) == ("intended", True)
    world.clock.advance(20)
    guard.maintain()
    assert [one.state for one in guard.store.intents()] == ["intended"]  # who drives it may still be at it
    world.clock.advance(20)
    guard.maintain()
    assert guard.store.intents() == []
    assert client.create_order(*BUY)["status"] == "open"
    assert world.sent == [("buy", Decimal("0.01"))]
    DRIVING.discard(intent.id)


def test_a_forked_child_drives_nothing_of_its_parents() -> None:
    """It would leave to a dead parent what nobody brings to an end."""
    DRIVING.add("of the parent")
    try:
        child = os.fork()
        if child == 0:
            os._exit(len(DRIVING))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert "of the parent" in DRIVING
    finally:
        DRIVING.discard("of the parent")

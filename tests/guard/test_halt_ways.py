"""I15 for each way of tripping: real processes trade, one thing halts them, no entry leaves, exits go on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

import policykit
from policykit.clock import SystemClock
from policykit.guard import Guard
from policykit.guard.cords import LOOK_EVERY_MS
from policykit.guard.halt import ON_THE_WIRE_MS
from policykit.store import SEND_WITHIN_MS
from tests.guard import test_halt
from tests.guard.test_halt import TEXT, _roomy, sides, traders, until
from tests.guard.world import SYMBOL, World

WAYS = TEXT.replace("cancel: entries,", "cancel: entries, file: STOP, triggers: {rejects: {limit: 1, per: 1m}},")
#: What the processes do beside trading: a signal halts them.
HEARS = test_halt.TRADER.replace('print("ready"', 'import signal; guard.halt_on(signal.SIGUSR1)\nprint("ready"')


def by_file(world: World, guard: Guard, processes: list[Any]) -> None:
    """Make the policy's file."""
    (world.policy.parent / "STOP").touch()


def by_signal(world: World, guard: Guard, processes: list[Any]) -> None:
    """Send one of the processes a signal: it halts the account, so all of them."""
    os.kill(processes[-1].pid, signal.SIGUSR1)


def by_call(world: World, guard: Guard, processes: list[Any]) -> None:
    """Call the library."""
    policykit.kill(by="watchdog", why="a call", policies=[str(world.policy)], store=world.store, endpoint=world.sim.url)


def by_environment(world: World, guard: Guard, processes: list[Any]) -> None:
    """Start another bot of the account with the variable set."""
    os.environ["POLICYKIT_HALT"] = "moving hosts"
    try:
        world.guard(ready=False)
    finally:
        del os.environ["POLICYKIT_HALT"]


def by_trigger(world: World, guard: Guard, processes: list[Any]) -> None:
    """Have the exchange refuse one order too many."""
    client = world.protected(guard)
    for _ in range(2):
        with pytest.raises(ccxt.BadRequest):
            client.create_order(SYMBOL, "limit", "buy", 0.00002, 59_000)


def test_I15_each_way_of_tripping_halts_every_process(
    start: Callable[..., World], top: Path, tier: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No buy is executed once a permit's time is over after the trip; sales are; and after a resume both are again."""
    monkeypatch.setattr(test_halt, "TRADER", HEARS)
    held = {"USDT": Decimal(90_000), "BTC": Decimal(1)}
    world = start(clock=SystemClock(), text=WAYS, balances=held, limits=_roomy())
    guard = world.guard()
    with traders(world, top, 2, "guarded") as processes:
        for way in (by_file, by_signal, by_call, by_environment, by_trigger) * tier(1, 100):
            began = len(world.sim.truth.executed)
            until(lambda began=began: "buy" in sides(world, began))  # type: ignore[misc]
            way(world, guard, processes)
            guard.clock.sleep((LOOK_EVERY_MS + SEND_WITHIN_MS + ON_THE_WIRE_MS + 50) / 1000)
            halted = len(world.sim.truth.executed)
            until(lambda halted=halted: sides(world, halted).count("sell") >= 2)  # type: ignore[misc]
            assert "buy" not in sides(world, halted), way.__name__
            assert guard.store.halts(), way.__name__
            (world.policy.parent / "STOP").unlink(missing_ok=True)
            guard.store.resume("all", "desk-head", "next", guard.now())

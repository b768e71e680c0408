"""I15: after a halt returned no increasing order leaves any process of the store; exits and cancels pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.clock import SystemClock
from policykit.guard import Guard, enforce
from policykit.guard import halt as halting
from policykit.guard.halt import cancel_entries, on_their_way, wait_for_sends
from policykit.orders.intent import Outcome
from tests.guard.world import SYMBOL, World, policy_text

#: A test of processes: facts are read by the test itself, now and then.
TEXT = policy_text(open=9_000_000, orders=9_000_000, weight=900_000_000, position="90000 USDT").replace(
    "max_age: 10s", "max_age: 1h"
)
#: Wall seconds that a test waits for a process to trade before it says that it does not.
PATIENCE_S = 30.0

TRADER = """
import os, sys
import ccxt
from policykit.errors import Denied
from policykit.guard import Guard
from policykit.guard.core import Guard as G
from policykit.testing import point
url, policy, store, naive = sys.argv[1:]
client = point(ccxt.binance({"apiKey": os.environ["MM_EXEC_API_KEY"], "secret": os.environ["MM_EXEC_API_SECRET"]}), url)
client.enableRateLimit = False
guard = Guard.load(policy, store=store, testing=True)
guard.protect(client)
client.load_markets()
real = client.sign
def slow(path, api="public", method="GET", *rest, **more):
    # ccxt's throttler, as it stands between the decision and the gate; every seventh order waits past its permit
    slow.count += 1
    if method == "POST":
        guard.clock.sleep(DAWDLE if naive == "naive" or slow.count % 7 == 0 else 0.004 * (slow.count % 4))
    return real(path, api, method, *rest, **more)
slow.count = 0
DAWDLE = 0.9 if naive == "naive" else 0.28
type(client).sign = lambda self, *a, **k: slow(*a, **k)
if naive == "naive":
    client.policykit_gate._permit = lambda call, admitted: None
print("ready", flush=True)
last = None
while True:
    for side, price in (("buy", 40_000), ("sell", 90_000)):
        try:
            made = client.create_order("BTC/USDT", "limit", side, 0.0002, price)
            client.cancel_order(made["id"], "BTC/USDT")
        except Denied as denied:
            guard.clock.sleep(0.002)
        except ccxt.BaseError as error:
            print(type(error).__name__, str(error)[:200], flush=True)
"""


@contextmanager
def traders(world: World, top: Path, count: int, kind: str) -> Iterator[list[Any]]:
    """Run processes that buy, sell and cancel as fast as they can, until the end of the block."""
    command = [sys.executable, "-c", TRADER, world.sim.url, str(world.policy), world.store, kind]
    running = [
        subprocess.Popen(command, cwd=top, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        for _ in range(count)
    ]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield running
    finally:
        for process in running:
            process.kill()
        for process in running:
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def until(done: Callable[[], bool]) -> None:
    """Wait until the processes did something; an event of another process cannot be waited for otherwise."""
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline, "the traders do nothing"
        time.sleep(0.001)


def sides(world: World, start: int) -> list[str]:
    """Return the sides of what the exchange accepted since, in its own order."""
    return [order.side for order in world.sim.truth.executed[start:]]


def flips(world: World, guard: Guard, count: int) -> tuple[list[str], int, int]:
    """Halt and resume; return which entries followed a halt that had returned, and what passed in halts and outside."""
    after: list[str] = []
    exits = entries = 0
    for number in range(count):
        began = len(world.sim.truth.executed)
        until(lambda began=began: "buy" in sides(world, began))  # type: ignore[misc]
        entries += sides(world, began).count("buy")
        _, unsent = guard.store.halt("all", "HALTED", "desk", "flip", guard.now())
        wait_for_sends(guard.store, guard.clock, unsent)
        halted = len(world.sim.truth.executed)
        if number % 10 == 0:
            until(lambda halted=halted: len(sides(world, halted)) >= 2)  # type: ignore[misc]
        else:
            guard.clock.sleep(0.02)
        during = sides(world, halted)
        after += [side for side in during if side == "buy"]
        exits += during.count("sell")
        guard.store.resume("all", "desk-head", "flip", guard.now())
    return after, exits, entries


def test_I15_halted_means_halted(start: Callable[..., World], top: Path, tier: Callable[[int, int], int]) -> None:
    """Processes trade through protected clients while a store is halted and resumed: no buy after a halt returned."""
    world = start(
        clock=SystemClock(), text=TEXT, balances={"USDT": Decimal(90_000), "BTC": Decimal(1)}, limits=_roomy()
    )
    guard = world.guard()
    with traders(world, top, tier(3, 8), "guarded"):
        after, exits, entries = flips(world, guard, tier(50, 1_000))
    assert after == []
    assert exits >= 5
    assert entries >= 50
    assert guard.store.verify()[1] is None


def test_I15_control_without_the_permit_check_orders_follow_the_halt(start: Callable[..., World], top: Path) -> None:
    """The check can fail: with the gate's permit patched out, an order that dawdled is executed after the halt."""
    world = start(
        clock=SystemClock(), text=TEXT, balances={"USDT": Decimal(90_000), "BTC": Decimal(1)}, limits=_roomy()
    )
    guard = world.guard()
    with traders(world, top, 2, "naive"):
        late: list[str] = []
        for _ in range(10):
            began = len(world.sim.truth.executed)
            until(lambda began=began: "buy" in sides(world, began))  # type: ignore[misc]
            guard.clock.sleep(1.3)  # the sale that follows has dawdled, the next purchase is in the middle of it
            guard.store.halt("all", "HALTED", "desk", "flip", guard.now())
            guard.clock.sleep(0.3)
            halted = len(world.sim.truth.executed)
            guard.clock.sleep(0.7)
            late += [side for side in sides(world, halted) if side == "buy"]
            guard.store.resume("all", "desk-head", "flip", guard.now())
            if late:
                break
    assert "buy" in late


def test_I15_a_freeze_blocks_exits_too(start: Callable[..., World], top: Path) -> None:
    """While frozen neither buys nor sells are executed, by any process; after resume both are."""
    world = start(
        clock=SystemClock(), text=TEXT, balances={"USDT": Decimal(90_000), "BTC": Decimal(1)}, limits=_roomy()
    )
    guard = world.guard()
    with traders(world, top, 2, "guarded"):
        until(lambda: {"buy", "sell"} <= set(sides(world, 0)))
        _, unsent = guard.store.halt("all", "HALTED", "desk", "leak", guard.now(), freeze=True)
        wait_for_sends(guard.store, guard.clock, unsent)
        frozen = len(world.sim.truth.executed)
        guard.clock.sleep(0.3)
        assert sides(world, frozen) == []
        guard.store.resume("all", "desk-head", "mended", guard.now())
        until(lambda: {"buy", "sell"} <= set(sides(world, frozen)))


def _roomy() -> Any:
    from policykit.testing import LimitSizes

    return LimitSizes(weight_1m=10**9, orders_10s=10**9, orders_1d=10**9, sapi_1m=10**9)


def test_a_halt_names_the_function_that_sends_without_a_gate(start: Callable[..., World]) -> None:
    """@enforce around a function of its own: the halt waits kill_switch.wait for it, then names it."""
    world = start()
    guard = world.guard()
    named: list[Any] = []

    @enforce("order.create", guard=guard)
    def slow(symbol: str, side: str, amount: float, price: float) -> dict[str, Any]:
        _, unsent = guard.store.halt("all", "HALTED", "desk", "stop", guard.now())
        began = guard.clock.monotonic_ms()
        named.append([intent.order.symbol for intent in wait_for_sends(guard.store, guard.clock, unsent, 1_000)])
        named.append(guard.clock.monotonic_ms() - began)
        return {"id": "1", "status": "open"}

    slow(SYMBOL, "buy", 0.001, 59_000)
    assert named[0] == [SYMBOL]
    assert 1_000 < named[1] < 1_100


def test_a_halt_waits_no_longer_than_it_must(start: Callable[..., World]) -> None:
    """Nothing is out: it returns at once. One permit is out: at most its time and the wire's; reported: at once."""
    from policykit.order import Order

    world = start()
    guard = world.guard()
    _, unsent = guard.store.halt("bot:none", "HALTED", "desk", "stop", guard.now())
    began = guard.clock.monotonic_ms()
    assert wait_for_sends(guard.store, guard.clock, unsent) == []
    assert guard.clock.monotonic_ms() == began
    admitted = guard.decide(Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000)))
    _, unsent = guard.store.halt("all", "HALTED", "desk", "stop", guard.now())
    assert [intent.id for intent in unsent] == [admitted.decision.id]
    assert wait_for_sends(guard.store, guard.clock, unsent) == []
    assert 500 < guard.clock.monotonic_ms() - began <= 600
    guard.settle(admitted, Outcome("rejected", guard.now()))
    began = guard.clock.monotonic_ms()
    assert wait_for_sends(guard.store, guard.clock, unsent) == []
    assert guard.clock.monotonic_ms() == began


def test_what_cannot_be_cancelled_is_told(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancel that fails, a list that fails, and a book that never empties are named; nothing counts as flat."""
    world = start({"at": "cancel", "do": "unknown", "when": list(range(1, 12)), "executed": False})
    guard = world.guard()
    client = world.protected(guard)
    made = client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
    report = cancel_entries(guard, client)
    assert report.cancelled == []
    assert [text.partition(":")[0] for text in report.failed] == [made["clientOrderId"]]
    monkeypatch.setattr(halting, "_cancel_each", lambda *_: [])
    assert cancel_entries(guard, client).failed == ["1 entries are still listed after 10 rounds"]
    world.sim.close()
    assert cancel_entries(guard, client).failed[0].startswith("spot.order: open orders cannot be listed: ")
    assert on_their_way(guard) == []


def test_cancel_all_takes_exits_too(start: Callable[..., World]) -> None:
    """`kill_switch.cancel: all` leaves nothing in the book; the usual `entries` keeps what can only reduce."""
    world = start(balances={"USDT": Decimal(90_000), "BTC": Decimal(1)}, text=policy_text(position="90000 USDT"))
    guard = world.guard()
    client = world.protected(guard)
    buy = client.create_order(SYMBOL, "limit", "buy", 0.001, 59_000)
    sell = client.create_order(SYMBOL, "limit", "sell", 0.001, 69_000)
    report = cancel_entries(guard, client)
    assert (report.cancelled, report.kept) == ([buy["clientOrderId"]], [sell["clientOrderId"]])
    world.policy.write_text(policy_text(position="90000 USDT").replace("cancel: entries", "cancel: all"))
    everything = world.guard()
    report = cancel_entries(everything, world.protected(everything))
    assert (report.cancelled, report.kept) == ([sell["clientOrderId"]], [])
    assert json.dumps(client.fetch_open_orders(SYMBOL)) == "[]"

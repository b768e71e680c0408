"""Story 5: the kill switch fires while three tasks are inside create_order, held up in ccxt's own throttler."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.errors import Denied, OutcomeUnknown
from policykit.guard.kill import Killed, kill
from policykit.testing import Sim
from tests.guard.world import SYMBOL, World, kinds, policy_text

PRICES = (59_000, 58_900, 58_800)


class Held:
    """ccxt's throttler, holding every order until it is opened; it tells when so many are inside."""

    def __init__(self, client: Any, count: int) -> None:
        self.inside = threading.Semaphore(0)
        self.open = threading.Event()
        self.count = count
        client.enableRateLimit = True
        client.throttle = self.asynchronous if hasattr(client, "open") else self.wait

    def wait(self, cost: float) -> None:
        self.inside.release()
        assert self.open.wait(20)

    async def asynchronous(self, cost: float) -> None:
        self.inside.release()
        while not self.open.is_set():  # noqa: ASYNC110 - a thread sets it
            await asyncio.sleep(0)

    def until_all_are_inside(self) -> None:
        for _ in range(self.count):
            assert self.inside.acquire(timeout=20)


def stop(world: World, guard: Any, **more: Any) -> Killed:
    """Do what `policykit kill --scope all` does."""
    said = {"scope": "all", "by": "desk", "why": "runaway", "freeze": False, "endpoint": world.sim.url} | more
    return kill(guard.store, world.clock, files=[str(world.policy)], **said)


def send_three(client: Any, before: Callable[[], bool]) -> tuple[list[threading.Thread], list[BaseException]]:
    """Start three threads that look at a flag and then buy."""
    errors: list[BaseException] = []

    def buy(price: int) -> None:
        try:
            if not before():
                client.create_order(SYMBOL, "limit", "buy", 0.001, price)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=buy, args=(price,)) for price in PRICES]
    for thread in threads:
        thread.start()
    return threads, errors


def test_bare_three_orders_follow_the_halt(start: Callable[..., World]) -> None:
    """Control: a flag that each task reads before it sends is read too early; all three orders are out after it."""
    world = start()
    client = world.sim.client()
    client.load_markets()
    held, halted = Held(client, 3), threading.Event()
    threads, errors = send_three(client, halted.is_set)
    held.until_all_are_inside()
    halted.set()
    assert world.sent == []
    held.open.set()
    for thread in threads:
        thread.join(20)
    assert errors == []
    assert len(world.sent) == 3


def test_with_policykit_none_follows_and_entries_are_cancelled(start: Callable[..., World]) -> None:
    """After kill returned nothing is sent: permits ran out, the trading state moved; what was open is cancelled."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    early = client.create_order(SYMBOL, "limit", "buy", 0.001, 57_000)
    held = Held(client, 3)
    threads, errors = send_three(client, lambda: False)
    held.until_all_are_inside()
    result = stop(world, guard)
    before = len(world.sent)
    held.open.set()
    for thread in threads:
        thread.join(20)
    assert len(world.sent) == before == 1
    assert [type(error).__mro__[1] for error in errors] == [Denied] * 3
    assert {error.decision.reasons[0].code for error in errors if isinstance(error, Denied)} == {"PERMIT_EXPIRED"}
    assert result.accounts[0].cancelled == [early["clientOrderId"]]
    assert kinds(guard).count("not_sent") == 3
    client.enableRateLimit = False
    assert client.fetch_open_orders(SYMBOL) == []


def test_the_halt_outlives_a_restart_and_a_reduction_passes(start: Callable[..., World]) -> None:
    """Latched: a new process denies too, sells still pass, and only a named resume lets an entry through again."""
    world = start(balances={"USDT": Decimal(99_400), "BTC": Decimal("0.01")})
    guard = world.guard()
    assert stop(world, guard).complete
    guard.store.close()
    again = world.guard()
    client = world.protected(again)
    with pytest.raises(Denied, match=r"trading is halted by desk at 2026-11-21T10:00:00\.000Z for all: runaway"):
        client.create_order(SYMBOL, "limit", "buy", 0.001, 59_000)
    assert client.create_order(SYMBOL, "market", "sell", 0.005)["status"] == "closed"
    again.store.resume("all", "desk-head", "mended", again.now())
    assert client.create_order(SYMBOL, "limit", "buy", 0.001, 59_000)["status"] == "open"


def test_a_frozen_account_sends_no_reduction_either(start: Callable[..., World]) -> None:
    """`kill --freeze` (a suspected compromise) blocks sales as well, and says so; cancels pass."""
    world = start(balances={"USDT": Decimal(99_400), "BTC": Decimal("0.01")})
    guard = world.guard()
    client = world.protected(guard)
    kept = client.create_order(SYMBOL, "limit", "sell", 0.001, 61_000)
    assert stop(world, guard, freeze=True).accounts[0].kept == [kept["clientOrderId"]]
    with pytest.raises(Denied, match="trading is frozen"):
        client.create_order(SYMBOL, "market", "sell", 0.005)
    assert client.cancel_order(kept["id"], SYMBOL)["status"] == "canceled"
    assert [side for side, _ in world.sent] == ["sell"]


def test_an_order_that_arrives_late_is_cancelled(start: Callable[..., World]) -> None:
    """An order on its way when the switch fired is pending, waited for, cancelled on arrival; then all is flat."""
    text = policy_text().replace("expires_after: 30s", "expires_after: 30s, wait: 1s")
    world = start({"at": "order", "do": "late", "when": [1], "wire": 3.0, "processing": 1.0}, text=text)
    guard = world.guard()
    client = world.protected(guard)
    with pytest.raises(OutcomeUnknown):
        client.create_order(SYMBOL, "limit", "buy", 0.001, 59_000)
    assert world.sent == []
    result = stop(world, guard)
    assert world.sent == [("buy", Decimal("0.001"))]
    assert len(result.accounts[0].cancelled) == 1
    assert result.complete
    assert client.fetch_open_orders(SYMBOL) == []


async def _tasks(sim: Sim, client: Any, halt: Callable[[], Any]) -> tuple[int, list[Any]]:
    await client.load_markets()
    held = Held(client, 3)
    tasks = [asyncio.create_task(client.create_order(SYMBOL, "limit", "buy", 0.001, price)) for price in PRICES]
    while held.inside._value < 3:  # noqa: ASYNC110 - threads wait for it too
        await asyncio.sleep(0)
    halt()
    before = len(sim.truth.executed)
    held.open.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return len(sim.truth.executed) - before, results


async def test_async_tasks_inside_create_order(start: Callable[..., World]) -> None:
    """Three tasks of one loop: bare all three orders follow the halt, behind the policy none."""
    bare, world = start(), start()
    async with bare.sim.client(async_=True) as client:
        assert (await _tasks(bare.sim, client, lambda: None))[0] == 3
    guard = world.guard()
    async with world.sim.client(async_=True) as client:
        sent, results = await _tasks(world.sim, guard.protect(client), lambda: stop(world, guard))
    assert sent == 0
    assert [isinstance(result, Denied) for result in results] == [True] * 3

"""A permit that is over sends nothing: what a function left behind, what was refused before, what was not decided."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from policykit.errors import Denied
from policykit.guard import enforce
from policykit.guard.admission import CURRENT
from tests.guard.world import SYMBOL, World, kinds, policy_text

BUY = (SYMBOL, "buy", 0.001, 59_000)


def wire() -> dict[str, Any]:
    """Return the admitted order as a raw request that differs in nothing from what was decided."""
    admitted = CURRENT.get()
    assert admitted is not None
    assert admitted.intent is not None
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001"}
    return order | {"price": "59000", "newClientOrderId": admitted.intent.client_order_id}


def test_control_a_raw_call_inside_the_function_is_sent(start: Callable[..., World]) -> None:
    """The request that the tests below see refused is the one that was decided, as long as its function runs."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)

    @enforce("order.create", guard=guard)
    def buy(symbol: str, side: str, amount: float, price: float) -> Any:
        return client.private_post_order(wire())

    buy(*BUY)
    assert len(world.sent) == 1


async def test_I15_a_task_left_behind_sends_no_raw_order_after_a_halt(start: Callable[..., World]) -> None:
    """The halt did not wait for it, since its function had returned."""
    world = start()
    guard = world.guard()
    left: list[asyncio.Task[Any]] = []
    halted = asyncio.Event()
    async with world.sim.client(async_=True) as client:
        guard.protect(client)

        async def later() -> Any:
            await halted.wait()
            return await client.private_post_order(wire())

        @enforce("order.create", guard=guard)
        async def buy(symbol: str, side: str, amount: float, price: float) -> None:
            left.append(asyncio.create_task(later()))

        await buy(*BUY)
        guard.halt("all", "HALTED", "desk", "stop")
        halted.set()
        with pytest.raises(Denied, match="a raw call that the policy did not decide"):
            await left[0]
    assert world.sent == []


def test_I15_a_thread_left_behind_sends_no_raw_order_after_a_halt(start: Callable[..., World]) -> None:
    """As `asyncio.to_thread` runs it: in a copy of the function's context."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    halted, refused = threading.Event(), []

    def later() -> None:
        halted.wait(30)
        try:
            client.private_post_order(wire())
        except Denied as error:
            refused.append(error)

    @enforce("order.create", guard=guard)
    def buy(symbol: str, side: str, amount: float, price: float) -> threading.Thread:
        thread = threading.Thread(target=contextvars.copy_context().run, args=(later,))
        thread.start()
        return thread

    thread = buy(*BUY)
    guard.halt("all", "HALTED", "desk", "stop")
    halted.set()
    thread.join()
    assert len(refused) == 1
    assert world.sent == []


def test_I8_an_order_refused_at_the_gate_is_not_sent_raw_after_it(start: Callable[..., World]) -> None:
    """What was held for it was given back with the refusal, though its permit has not run out."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)

    @enforce("order.create", guard=guard)
    def buy(symbol: str, side: str, amount: float, price: float) -> None:
        with pytest.raises(Denied, match="icebergQty is set"):
            client.create_order(symbol, "limit", side, amount, price, {"icebergQty": "0.0001"})
        client.private_post_order(wire())

    with pytest.raises(Denied, match="a raw call that the policy did not decide"):
        buy(*BUY)
    assert kinds(guard) == ["decision allow", "renew", "not_sent", "decision deny"]
    assert world.sent == []


def test_raw_cancels_inside_one_function_all_pass(start: Callable[..., World]) -> None:
    """Cancels always pass: each after the first is a decision of its own, also when the first one failed."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    ids = [client.create_order(SYMBOL, "limit", "buy", 0.001, 50_000)["id"] for _ in range(2)]

    @enforce("order.cancel", guard=guard)
    def cancel(symbol: str) -> None:
        with pytest.raises(Exception, match="Unknown order"):
            client.private_delete_order({"symbol": "BTCUSDT", "orderId": "999999"})
        for order_id in ids:
            client.private_delete_order({"symbol": "BTCUSDT", "orderId": order_id})

    cancel(SYMBOL)
    assert client.fetch_open_orders(SYMBOL) == []


def test_the_self_trade_prevention_that_was_decided_is_the_one_that_is_sent(start: Callable[..., World]) -> None:
    """Neither params that override it nor an inner call without it get an order out that the policy would deny."""
    limits = policy_text().replace("  max_open_orders", "  self_trade_prevention: [expire_taker]\n  max_open_orders")
    world = start(text=limits)
    guard = world.guard()
    client = world.protected(guard)
    order = (SYMBOL, "limit", "buy", 0.001, 59_000)
    decided = {"selfTradePrevention": "expire_taker"}

    @enforce("order.create", guard=guard)
    def buy(symbol: str, side: str, amount: float, price: float, params: dict[str, Any]) -> Any:
        return client.create_order(symbol, "limit", side, amount, price)

    with pytest.raises(Denied, match="the self-trade prevention is NONE, decided was expire_taker"):
        client.create_order(*order, decided | {"selfTradePreventionMode": "NONE"})
    with pytest.raises(Denied, match="the self-trade prevention is None, decided was expire_taker"):
        buy(*BUY, decided)
    assert world.sent == []
    client.create_order(*order, decided)
    assert len(world.sent) == 1


@pytest.mark.parametrize("answers", [True, False])
def test_I9_an_order_that_went_around_the_gate_is_looked_up(start: Callable[..., World], answers: bool) -> None:
    """A transport put on the client later sends by itself: that the gate saw nothing proves nothing."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    plain = world.sim.client()

    def fetch(*args: Any) -> Any:
        reply = plain.fetch(*args)
        if not answers and args[1] == "POST":
            raise ccxt.NetworkError("reset")
        return reply

    client.fetch = fetch
    assert client.create_order(SYMBOL, "limit", "buy", 0.001, 59_000)["status"] == "open"
    assert kinds(guard)[:2] == ["decision allow", "unknown"]
    (intent,) = guard.store.intents()
    assert intent.state == "found"
    assert len(world.sent) == 1

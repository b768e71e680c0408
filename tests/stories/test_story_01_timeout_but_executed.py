"""Story 1: the exchange executes an order and drops the reply."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt

from tests.guard.world import SYMBOL, World, kinds

LOST = {"at": "order", "do": "lost_reply", "when": [1]}
ONE = ("buy", Decimal("0.01"))


def naive(client: Any) -> Any:
    """Buy once, as many bots do: a network error is a reason to try again."""
    for _ in range(3):
        try:
            return client.create_order(SYMBOL, "market", "buy", 0.01)
        except ccxt.NetworkError:
            continue
    raise AssertionError("three network errors")


async def naive_async(client: Any) -> Any:
    """Do the same in a coroutine."""
    for _ in range(3):
        try:
            return await client.create_order(SYMBOL, "market", "buy", 0.01)
        except ccxt.NetworkError:
            continue
    raise AssertionError("three network errors")


def test_bare_the_order_fills_twice(start: Callable[..., World]) -> None:
    """Control: without policykit the retry is a second fill."""
    world = start(LOST)
    naive(world.sim.client())
    assert world.sent == [ONE, ONE]
    assert world.sim.truth.duplicates() == 1


def test_with_policykit_it_is_looked_up_and_fills_once(start: Callable[..., World]) -> None:
    """The outcome is unknown, the reservation is kept, the order is found, and the bot gets it; nothing is re-sent."""
    world = start(LOST)
    guard = world.guard()
    order = naive(world.protected(guard))
    assert world.sent == [ONE]
    assert (order["status"], order["filled"], order["side"]) == ("closed", 0.01, "buy")
    assert kinds(guard) == ["decision allow", "unknown", "settled"]
    assert guard.facts().positions["BTC"].high >= Decimal("0.00999")


def test_a_legitimate_order_passes_after_it(start: Callable[..., World]) -> None:
    """The next order, and a sale of what was bought, are sent at once."""
    world = start(LOST)
    client = world.protected()
    naive(client)
    assert client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)["status"] == "open"
    assert client.create_order(SYMBOL, "market", "sell", 0.005)["status"] == "closed"
    assert [side for side, _ in world.sent] == ["buy", "buy", "sell"]


async def test_async_the_same_bare_and_behind_the_policy(start: Callable[..., World]) -> None:
    """An async client has the same story: two fills bare, one behind the policy, and the next order passes."""
    bare, world = start(LOST), start(LOST)
    async with bare.sim.client(async_=True) as client:
        await naive_async(client)
    assert bare.sent == [ONE, ONE]
    async with world.sim.client(async_=True) as client:
        world.guard().protect(client)
        assert (await naive_async(client))["filled"] == 0.01
        assert world.sent == [ONE]
        assert (await client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000))["status"] == "open"

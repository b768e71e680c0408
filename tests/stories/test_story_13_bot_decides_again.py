"""Story 13: after an order of unknown outcome the bot's next signal, 5 s later, is a new order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit.errors import Denied, OutcomeUnknown
from tests.guard.bots import Bot
from tests.guard.world import SYMBOL, World, kinds, policy_text

#: Executed, the reply lost, and not to be seen in look-ups for 8 s.
FAULTS = (
    {"at": "order", "do": "lost_reply", "when": [1]},
    {"at": "order", "do": "lag", "when": [1], "seconds": 8},
)
ONE = ("buy", Decimal("0.01"))
BRIEF = policy_text().replace("expires_after: 30s", "expires_after: 30s, wait: 1s")


def signal(client: Any) -> Any:
    """Follow one signal: a bot that looks whether its order is there before it buys, and gives up on an error."""
    if client.fetch_open_orders(SYMBOL) or client.fetch_my_trades(SYMBOL):
        return None
    try:
        return client.create_order(SYMBOL, "limit", "buy", 0.01, 61_000)
    except ccxt.NetworkError:
        return None


def test_bare_the_position_is_doubled(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """Control: nothing is to be seen of the first order yet, so the second signal buys again."""
    world = start(*FAULTS)
    client = trading(world)
    signal(client)
    world.clock.advance(5)
    signal(client)
    assert world.sent == [ONE, ONE]


def test_with_policykit_the_first_order_is_found_and_returned(
    start: Callable[..., World], trading: Callable[..., Bot]
) -> None:
    """By default the call itself waits until the order is found, and returns it: there is no second signal."""
    world = start(*FAULTS)
    guard = world.guard()
    began = world.clock.now_ms()
    order = signal(trading(world, guard))
    assert (order["filled"], order["status"]) == (0.01, "closed")
    assert 8_000 <= world.clock.now_ms() - began <= 17_000
    assert world.sent == [ONE]
    assert kinds(guard)[:3] == ["decision allow", "unknown", "lookup"]
    assert kinds(guard)[-1] == "settled"


def test_with_policykit_a_second_signal_is_denied_until_the_first_is_settled(
    start: Callable[..., World], trading: Callable[..., Bot]
) -> None:
    """A bot that would not wait is told OutcomeUnknown; its next signal is denied, exits pass, and then it is found."""
    world = start(*FAULTS, text=BRIEF, balances={"USDT": Decimal(99_000), "BTC": Decimal("0.01")})
    guard = world.guard()
    client = trading(world, guard)
    with pytest.raises(OutcomeUnknown) as unknown:
        signal(client)
    assert not isinstance(unknown.value, ccxt.NetworkError)
    world.clock.advance(5)
    guard.maintain()
    with pytest.raises(Denied) as denied:
        signal(client)
    assert [reason.code for reason in denied.value.decision.reasons] == ["ORDER_OUTCOME_PENDING"]
    assert client.create_order(SYMBOL, "limit", "sell", 0.005, 62_000)["status"] == "open"
    world.clock.advance(4)
    guard.maintain()
    assert guard.store.intent(unknown.value.intent).state == "settled"  # type: ignore[union-attr]
    assert [side for side, _ in world.sent] == ["buy", "sell"]


def test_a_legitimate_order_passes_once_it_is_settled(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """On another symbol at once, on this one after the first was found."""
    world = start(*FAULTS, text=BRIEF)
    guard = world.guard()
    client = trading(world, guard)
    with pytest.raises(OutcomeUnknown):
        signal(client)
    guard.maintain()
    assert client.create_order("ETH/USDT", "limit", "buy", 0.1, 1_000)["symbol"] == "ETH/USDT"
    world.clock.advance(9)
    guard.maintain()
    assert client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)["status"] == "open"


async def test_async_a_second_task_is_denied_while_the_first_is_looked_up(start: Callable[..., World]) -> None:
    """Two tasks of one loop: bare both buy; behind the policy the second is denied and the first gets its order."""
    bare, world = start(*FAULTS), start(*FAULTS)

    async def both(client: Any, clock: Any, unknown: Callable[[], Any]) -> list[Any]:
        await client.load_markets()
        first = asyncio.create_task(client.create_order(SYMBOL, "limit", "buy", 0.01, 61_000))
        while not (unknown() or first.done()):  # noqa: ASYNC110 - the store has no event
            await asyncio.sleep(0)
        await clock.asleep(5)
        second = client.create_order(SYMBOL, "limit", "buy", 0.01, 61_000)
        return await asyncio.gather(first, second, return_exceptions=True)

    async with bare.sim.client(async_=True) as client:
        await both(client, bare.clock, lambda: False)
    async with world.sim.client(async_=True) as client:
        guard = world.guard()

        def unknown() -> bool:
            return any(intent.state == "unknown" for intent in guard.store.intents())

        first, again = await both(guard.protect(client), world.clock, unknown)
    assert (bare.sent, world.sent) == ([ONE, ONE], [ONE])
    assert first["filled"] == 0.01
    assert isinstance(again, Denied)
    assert again.decision.reasons[0].code == "ORDER_OUTCOME_PENDING"

"""Two amends of one order at once: whichever arrives last, what is held is at least what can be open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest

from policykit import Denied, OutcomeUnknown
from tests.guard.contracts import ETH, SWAP, contracts, policy
from tests.guard.world import World

Start = Callable[..., World]
#: The first amend (the second order that the exchange gets) arrives 4 s late, and nobody waits so long for it.
LATE = {"at": "order", "do": "late", "when": [2], "wire": 4}


def late(start: Start) -> World:
    """Start a world with 12,000 USDT of gross exposure; a caller is kept 1 s."""
    text = policy(position="30000 USDT", more="  max_gross_exposure: 12000 USDT\n")
    return contracts(start, LATE, text=text.replace("expires_after: 30s", "expires_after: 30s, wait: 1s"))


def test_while_an_amend_may_still_arrive_a_smaller_one_frees_nothing(start: Start) -> None:
    """0.18 BTC to 0.19, unknown, then to 0.01: 9,000 of ETH passed besides, and the first one came after all."""
    world = late(start)
    guard = world.guard()
    client = guard.protect(world.sim.client())
    made = client.create_order(SWAP, "limit", "buy", 0.18, 59_000)
    with pytest.raises(OutcomeUnknown):
        client.edit_order(made["id"], SWAP, "limit", "buy", 0.19, 59_000)
    with pytest.raises(Denied) as denied:
        client.edit_order(made["id"], SWAP, "limit", "buy", 0.01, 59_000)
    assert [reason.code for reason in denied.value.decision.reasons] == ["ORDER_OUTCOME_PENDING"]
    with pytest.raises(Denied):
        client.create_order(ETH, "limit", "buy", 3, 3_000)
    world.clock.advance(10)
    client.fetch_time()
    assert [order.quantity for order in world.sim.linear.book.orders] == [Decimal("0.19")]
    client.cancel_order(made["id"], SWAP)  # the way out, at any time
    guard.maintain()
    assert guard.store.intents() == []
    assert client.create_order(ETH, "limit", "buy", 3, 3_000)


async def test_of_two_amends_at_the_same_time_one_passes(start: Start) -> None:
    """Two tasks of one bot."""
    world = contracts(start)
    guard = world.guard()
    async with world.sim.client(async_=True) as bare:
        client = guard.protect(bare)
        made = await client.create_order(SWAP, "limit", "buy", 0.1, 59_000)
        edits = [client.edit_order(made["id"], SWAP, "limit", "buy", size, 59_000) for size in (0.12, 0.01)]
        ended = await asyncio.gather(*edits, return_exceptions=True)
    assert sorted(isinstance(one, Denied) for one in ended) == [False, True]
    assert len(guard.store.intents()) == 1

"""A private stream goes over to a key's successor as well: it connects anew, and logs in with the successor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from policykit.guard import Guard
from tests.guard.test_private import live, moving
from tests.guard.test_signer import put, told
from tests.guard.test_streams import codes, reconnecting, round_of
from tests.guard.world import SYMBOL, World


def test_a_private_stream_connects_anew_with_the_successor(start: Callable[..., World]) -> None:
    """When the old key is deleted, its user stream is gone; the bot's own is that of the successor, and tells fills."""
    world = start(text=reconnecting())
    guard = world.guard()
    old, new = world.sim.main_key, world.sim.grant_key(0)

    def opened() -> int:
        return int(world.sim.truth.summary()["connects"]["opened"])

    async def bot(client: Any, guard: Guard) -> None:
        round_of(guard)
        before = opened()
        put(new)
        told(guard, new, old)
        guard.signer.follow()
        await asyncio.to_thread(guard.signer.wait)
        assert client.apiKey == new.key
        old.revoked = True
        line = guard.streams.needed["orders"]
        await moving(world, lambda: opened() > before and not line.stale(world.clock.monotonic_ms()))
        assert opened() > before
        round_of(guard)
        assert codes(guard) == []
        await client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
        world.sim.pin(SYMBOL, 58_000)
        world.clock.advance(0.6)
        await moving(world, lambda: guard.facts().positions["BTC"].high == Decimal("0.01"))

    asyncio.run(live(world, guard, bot))

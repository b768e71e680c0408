"""Story 3: ccxt itself retries (`maxRetriesOnFailure`), under every reply lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from tests.guard.world import SYMBOL, World, kinds

LOST = {"at": "order", "do": "lost_reply", "when": [1, 2, 3]}


def retrying(client: Any) -> Any:
    """Set what a tutorial recommends."""
    client.options["maxRetriesOnFailure"] = 3
    return client


def test_bare_one_order_is_sent_four_times(start: Callable[..., World]) -> None:
    """Control: without policykit the client sends the order four times, and each one executes."""
    world = start(LOST)
    retrying(world.sim.client()).create_order(SYMBOL, "market", "buy", 0.01)
    assert len(world.sent) == 4
    assert world.sim.truth.by_route["POST /api/v3/order"] == 4


def test_with_policykit_it_is_sent_once(start: Callable[..., World]) -> None:
    """The gate gives ccxt's own retries the first error again; the order is found and returned."""
    world = start(LOST)
    guard = world.guard()
    order = retrying(world.protected(guard)).create_order(SYMBOL, "market", "buy", 0.01)
    assert order["filled"] == 0.01
    assert len(world.sent) == 1
    assert world.sim.truth.by_route["POST /api/v3/order"] == 1
    assert kinds(guard) == ["decision allow", "unknown", "settled"]


def test_a_legitimate_order_passes_and_reads_are_still_retried(start: Callable[..., World]) -> None:
    """What may be repeated is repeated: a read survives two cut connections, and an order passes."""
    world = start({"at": "lookup", "do": "drop", "when": [1, 2]})
    client = retrying(world.protected())
    assert client.fetch_open_orders(SYMBOL) == []
    assert client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)["status"] == "open"


async def test_async_it_is_sent_once_too(start: Callable[..., World]) -> None:
    """The async client's retry loop meets the same gate; bare, it sends four times."""
    bare, world = start(LOST), start(LOST)
    async with bare.sim.client(async_=True) as client:
        await retrying(client).create_order(SYMBOL, "market", "buy", 0.01)
    async with world.sim.client(async_=True) as client:
        world.guard().protect(retrying(client))
        await client.create_order(SYMBOL, "market", "buy", 0.01)
    assert (len(bare.sent), len(world.sent)) == (4, 1)


def test_a_rejected_order_is_not_sent_again(start: Callable[..., World]) -> None:
    """A 429 is no reason to send an order again either: the error comes back as ccxt's own class, after one send."""
    world = start({"at": "order", "do": "throttle", "when": [1], "seconds": 1})
    client = retrying(world.protected())
    with pytest.raises(ccxt.DDoSProtection):
        client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
    assert world.sim.truth.by_route["POST /api/v3/order"] == 1

"""Story 9: an entry fills in part, the bot cancels the rest, sells what it got at a loss, and buys again."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.errors import Denied
from tests.guard.bots import Bot
from tests.guard.world import SYMBOL, World, policy_text

#: Every other order of the first ten, the entries, gets 78 % at first.
PARTIAL = {"at": "order", "do": "partial", "when": [1, 3, 5, 7, 9], "share": 0.78}
TEXT = policy_text().replace(
    "risk:\n", "risk:\n  partial_fills: {min_fill_to_act: 10%, max_reentries: 3, cooldown: 60s}\n"
)
#: It crosses the book, so it fills at once; the fee is taken in coin.
ENTRY = (SYMBOL, "limit", "buy", 0.02, 60_100)
GOT = 0.0155


def loop(world: World, client: Any, rounds: int = 5) -> None:
    """Want all or nothing: where less came cancel the rest, sell that, and start anew."""
    for _ in range(rounds):
        bought = client.create_order(*ENTRY)
        if bought["remaining"] == 0:
            return
        client.cancel_order(bought["id"], SYMBOL)
        client.create_order(SYMBOL, "market", "sell", GOT)
        world.clock.advance(2)


def test_bare_it_goes_round_and_round(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """Control: five times in ten seconds it buys, gets 78 %, and sells that at a loss."""
    world = start(PARTIAL)
    loop(world, trading(world))
    assert [side for side, _ in world.sent] == ["buy", "sell"] * 5
    left = trading(world).fetch_balance()["USDT"]["total"] + float(world.sim.position("BTC")) * 60_000
    assert left < 100_000


def test_with_policykit_the_second_entry_waits(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """What filled counts, the rest is given back with its cancel, the sale passes; the next entry must wait."""
    world = start(PARTIAL, text=TEXT)
    guard = world.guard()
    with pytest.raises(Denied) as denied:
        loop(world, trading(world, guard))
    assert [reason.code for reason in denied.value.decision.reasons] == ["PARTIAL_COOLDOWN"]
    assert world.sent == [("buy", Decimal("0.02")), ("sell", Decimal("0.0155"))]
    assert guard.store.intents() == []
    assert guard.facts().positions["BTC"].open_buys == 0


def test_a_legitimate_order_passes(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """Another symbol never waited; after the wait an entry that fills wholly ends it."""
    world = start(PARTIAL, text=TEXT)
    guard = world.guard()
    client = trading(world, guard)
    with pytest.raises(Denied):
        loop(world, client)
    assert client.create_order("ETH/USDT", "limit", "buy", 0.1, 1_000)["status"] == "open"
    world.clock.advance(61)
    guard.maintain()
    assert client.create_order(*ENTRY)["status"] == "closed"
    assert client.create_order(*ENTRY)["side"] == "buy"

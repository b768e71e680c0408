"""Story 4: four bots share one address and its allowance; what is spent on looking is missing when one must leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.guard.bots import Bot
from tests.guard.world import SYMBOL, World

BOTS = 4
#: Every look at all tickers costs 80 of 6,000 a minute (rest-api.md), so 30 of each bot are 9,600.
LOOKS = 30
HELD = {"USDT": Decimal(94_000), "BTC": Decimal("0.1")}
EXIT = (SYMBOL, "market", "sell", 0.1)


def look(clients: list[Any]) -> Iterator[Exception]:
    """Let every bot look at the market in turn, as bots do that know nothing of each other; yield what they met."""
    for _ in range(LOOKS):
        for client in clients:
            try:
                client.fetch_tickers()
            except ccxt.NetworkError as error:
                yield error


def test_bare_the_address_is_banned_and_nobody_can_leave(
    start: Callable[..., World], trading: Callable[..., Bot]
) -> None:
    """Control: 429s that each bot takes for its own, then a 418; the exit is refused, and the position stays."""
    world = start(balances=HELD)
    clients = [trading(world) for _ in range(BOTS)]
    met = list(look(clients))
    assert world.sim.truth.throttled > 0
    assert world.sim.truth.bans > 0
    assert len(met) > 40
    with pytest.raises(ccxt.DDoSProtection):
        clients[0].create_order(*EXIT)
    assert world.sim.position("BTC") == Decimal("0.1")


def test_with_policykit_one_budget_is_shared_and_exits_keep_their_reserve(
    start: Callable[..., World], trading: Callable[..., Bot]
) -> None:
    """Four guards of one store: no 429, no ban, and the exit leaves in the very minute that is spent on looking."""
    world = start(balances=HELD)
    clients = [trading(world, world.guard()) for _ in range(BOTS)]
    for client in clients:
        client.load_markets()
    world.clock.advance(60 - world.clock.now_ms() / 1000 % 60)
    minute = world.clock.now_ms() // 60_000
    told = {str(error).partition(":")[0] for error in look(clients)}
    assert told == {"policykit"}
    assert (world.sim.truth.throttled, world.sim.truth.bans) == (0, 0)
    assert clients[0].create_order(*EXIT)["status"] == "closed"
    assert world.clock.now_ms() // 60_000 == minute
    assert world.sim.position("BTC") == 0


def test_a_legitimate_read_and_entry_pass_in_the_next_minute(
    start: Callable[..., World], trading: Callable[..., Bot]
) -> None:
    """The allowance is there again: what waited is done, whoever spent it before."""
    world = start(balances=HELD)
    guards = [world.guard() for _ in range(BOTS)]
    clients = [trading(world, guard) for guard in guards]
    assert list(look(clients))
    world.clock.advance(60)
    guards[0].maintain()
    assert SYMBOL in clients[0].fetch_tickers()
    assert clients[1].create_order(SYMBOL, "limit", "buy", 0.01, 59_000)["status"] == "open"

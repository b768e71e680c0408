"""Story 2: a market order fills at once, its reply is lost, and queries lag three seconds behind."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit.errors import Denied
from tests.guard.bots import Bot
from tests.guard.world import SYMBOL, World, kinds, policy_text

FAULTS = (
    {"at": "order", "do": "lost_reply", "when": [1]},
    {"at": "order", "do": "lag", "when": [1], "seconds": 3},
)
ONE = ("buy", Decimal("0.01"))


def careful(client: Any) -> Any:
    """Buy once, as a careful bot does: after a network error it asks for the order, its fills and the balance."""
    for _ in range(3):
        try:
            return client.create_order(SYMBOL, "market", "buy", 0.01)
        except ccxt.NetworkError:
            if client.fetch_orders(SYMBOL) or client.fetch_my_trades(SYMBOL):
                return None
    raise AssertionError("three network errors")


def test_bare_it_is_bought_again(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """Control: neither orders nor fills show anything yet, so the bot that looked buys a second time."""
    world = start(*FAULTS)
    careful(trading(world))
    assert world.sent == [ONE, ONE]
    assert world.sim.position("BTC") > Decimal("0.0199")


def test_with_policykit_it_is_asked_for_until_it_shows(
    start: Callable[..., World], trading: Callable[..., Bot]
) -> None:
    """Missing proves nothing before the fence: the order is looked up until it is found, and returned; one fill."""
    world = start(*FAULTS)
    guard = world.guard()
    began = world.clock.now_ms()
    order = careful(trading(world, guard))
    assert (order["status"], order["filled"]) == ("closed", 0.01)
    assert 3_000 <= world.clock.now_ms() - began < 16_000
    assert world.sent == [ONE]
    assert kinds(guard)[:2] == ["decision allow", "unknown"]
    assert "lookup" in kinds(guard)
    assert "absent" not in kinds(guard)


def test_what_is_not_visible_yet_counts_at_once(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """While it is unknown it is held against the cap as if it had filled, and no other entry passes on that side."""
    world = start(*FAULTS, text=policy_text().replace("expires_after: 30s", "expires_after: 30s, wait: 1s"))
    guard = world.guard()
    client = trading(world, guard)
    with pytest.raises(ccxt.BaseError, match="its outcome is unknown"):
        client.create_order(SYMBOL, "market", "buy", 0.01)
    assert guard.facts().positions["BTC"].open_buys == Decimal("0.01")
    with pytest.raises(Denied) as denied:
        client.create_order(SYMBOL, "market", "buy", 0.01)
    assert [reason.code for reason in denied.value.decision.reasons] == ["ORDER_OUTCOME_PENDING"]


def test_a_legitimate_order_passes_once_it_showed(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """The next buy, and a sale of what was bought."""
    world = start(*FAULTS)
    client = trading(world, world.guard())
    careful(client)
    assert client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)["status"] == "open"
    assert client.create_order(SYMBOL, "market", "sell", 0.005)["status"] == "closed"

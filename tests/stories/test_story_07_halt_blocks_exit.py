"""Story 7: exposure is 124 % of its cap, and the risk halt must not block the way out."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit.errors import Denied
from tests.guard.bots import Bot
from tests.guard.world import PRICE, SYMBOL, World, policy_text

#: 0.2 BTC at 60,000 is 12,000 of a cap of 9,680: 124 %.
HELD = {"USDT": Decimal(88_000), "BTC": Decimal("0.2")}
CAP = Decimal(9_680)
TEXT = policy_text(position="9680 USDT")


class NaiveRisk:
    """A hand-written risk manager as it is often seen: over the cap, no order is allowed at all."""

    def __init__(self, client: Any, held: Decimal) -> None:
        self.client = client
        self.held = held

    def create_order(self, symbol: str, kind: str, side: str, amount: float) -> Any:
        if self.held * PRICE > CAP:
            raise PermissionError(f"risk: {side} refused, exposure is over the cap")
        return self.client.create_order(symbol, kind, side, amount)


def test_bare_the_exit_is_refused(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """Control: a halt that counts every order refuses the stop-loss, and the position stays."""
    world = start(balances=HELD)
    with pytest.raises(PermissionError, match="sell refused"):
        NaiveRisk(trading(world), world.sim.position("BTC")).create_order(SYMBOL, "market", "sell", 0.2)
    assert world.sent == []
    assert world.sim.position("BTC") * PRICE / CAP > Decimal("1.23")


@pytest.mark.parametrize("state", ["over the cap", "REDUCING", "HALTED"])
def test_with_policykit_the_exit_passes_and_an_entry_does_not(
    start: Callable[..., World], trading: Callable[..., Bot], state: str
) -> None:
    """Over the cap, in REDUCING and in HALTED: a buy is denied, a sale of what is held is sent."""
    world = start(balances=HELD, text=TEXT)
    guard = world.guard()
    if state != "over the cap":
        guard.halt("all", state, "desk", "drill")
    client = trading(world, guard)
    with pytest.raises(Denied) as denied:
        client.create_order(SYMBOL, "limit", "buy", 0.001, 60_000)
    codes = [reason.code for reason in denied.value.decision.reasons]
    assert codes[0] == {"REDUCING": "TRADING_REDUCING", "HALTED": "TRADING_HALTED"}.get(state, "RISK_POSITION")
    assert client.create_order(SYMBOL, "market", "sell", 0.2)["status"] == "closed"
    assert world.sent == [("sell", Decimal("0.2"))]
    assert world.sim.position("BTC") == 0


def test_an_exit_beyond_what_is_held_is_the_exchange_s_to_refuse(
    start: Callable[..., World], trading: Callable[..., Bot]
) -> None:
    """The policy keeps no exit back; spot itself forbids to sell more than there is, in ccxt's own class."""
    world = start(balances=HELD, text=TEXT)
    client = trading(world, world.guard())
    client.create_order(SYMBOL, "limit", "sell", 0.2, 61_000)
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(SYMBOL, "limit", "sell", 0.2, 61_000)
    assert world.sent == [("sell", Decimal("0.2"))]


def test_a_legitimate_order_passes_below_the_cap(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """Once the position is small enough again, an entry is sent."""
    world = start(balances=HELD, text=TEXT)
    guard = world.guard()
    client = trading(world, guard)
    client.create_order(SYMBOL, "market", "sell", 0.1)
    world.clock.advance(8)
    guard.maintain()
    assert client.create_order(SYMBOL, "limit", "buy", 0.01, 60_000)["side"] == "buy"

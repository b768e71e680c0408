"""Story 6: a withdrawal trips the loss limit, a deposit hides a loss, and a better price re-arms it by itself."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.guard import Guard
from tests.guard.bots import Bot
from tests.guard.world import PRICE, SYMBOL, World, policy_text

#: 1 BTC at 60,000 and 40,000 USDT: equity 100,000, of which 3 % may be lost in a day.
HELD = {"USDT": Decimal(40_000), "BTC": Decimal(1)}
LIMIT = Decimal(3_000)
TEXT = policy_text(position="200% of equity")
BUY = (SYMBOL, "limit", "buy", 0.001, 40_000)
SCOPE = "account:binance/main"


class NaiveLoss:
    """A daily-loss limit as it is often written: what equity fell by is the loss, looked at anew each time."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.base = self.equity()

    def equity(self) -> Decimal:
        balance = self.client.fetch_balance()["total"]
        price = Decimal(str(self.client.fetch_ticker(SYMBOL)["last"]))
        return Decimal(str(balance["USDT"])) + Decimal(str(balance["BTC"])) * price

    def buy(self) -> None:
        if self.base - self.equity() >= LIMIT:
            raise PermissionError("the day's loss is reached")
        self.client.create_order(*BUY)


def later(world: World, guard: Guard, price: Decimal = PRICE) -> None:
    """Let the price be another, time pass, and the guard look, until a transfer shows in balance and history alike."""
    world.sim.pin(SYMBOL, price)
    for _ in range(4):
        world.clock.advance(3)
        guard.maintain()


def codes(client: Any) -> list[str]:
    """Return why an entry is denied."""
    with pytest.raises(Denied) as denied:
        client.create_order(*BUY)
    return [reason.code for reason in denied.value.decision.reasons]


def test_bare_it_trips_on_a_withdrawal_and_hides_behind_a_deposit(
    start: Callable[..., World], trading: Callable[..., Bot]
) -> None:
    """Control: 5,000 taken out are no loss and stop it; 3,500 lost are one, and 5,000 paid in hide them."""
    world = start(balances=HELD)
    bot = NaiveLoss(trading(world))
    world.sim.withdraw("USDT", 5_000)
    with pytest.raises(PermissionError):
        bot.buy()
    world.sim.deposit("USDT", 10_000)
    world.sim.pin(SYMBOL, PRICE - 3_500)
    bot.buy()
    assert len(world.sent) == 1


def test_bare_it_re_arms_itself(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """Control: the price comes back for a moment, and the bot that was stopped buys on."""
    world = start(balances=HELD)
    bot = NaiveLoss(trading(world))
    world.sim.pin(SYMBOL, PRICE - 3_500)
    with pytest.raises(PermissionError):
        bot.buy()
    world.sim.pin(SYMBOL, PRICE)
    bot.buy()
    assert len(world.sent) == 1


def test_with_policykit_transfers_are_neither_loss_nor_gain(
    start: Callable[..., World], trading: Callable[..., Bot]
) -> None:
    """5,000 taken out stop nothing; 10,000 paid in hide nothing of the 3,500 that are lost afterwards."""
    world = start(balances=HELD, text=TEXT)
    guard = world.guard()
    client = trading(world, guard)
    world.sim.withdraw("USDT", 5_000)
    later(world, guard)
    assert client.create_order(*BUY)["status"] == "open"
    world.sim.deposit("USDT", 10_000)
    later(world, guard, PRICE - 3_500)
    with pytest.raises(Denied) as denied:
        client.create_order(*BUY)
    assert (denied.value.decision.reasons[0].code, denied.value.decision.reasons[0].observed) == ("DAILY_LOSS", "3500")


def test_with_policykit_only_a_named_person_re_arms(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """Tripped stays tripped when the price is back; a person with a reason lifts it, and the journal has both."""
    world = start(balances=HELD, text=TEXT)
    guard = world.guard()
    client = trading(world, guard)
    later(world, guard, PRICE - 3_500)
    assert codes(client) == ["DAILY_LOSS"]
    for _ in range(3):
        later(world, guard)
        assert codes(client) == ["TRADING_REDUCING"]
    assert guard.store.resume(SCOPE, "desk-head", "a thin book, looked into", guard.now()) == 1
    (row,) = (row for row in guard.store.rows(0, 1_000) if row.kind == "resume")
    assert (row.body["by"], row.body["why"]) == ("desk-head", "a thin book, looked into")
    assert client.create_order(*BUY)["status"] == "open"


def test_a_legitimate_exit_passes_while_it_is_tripped(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """Tripped is REDUCING: what is held can be sold."""
    world = start(balances=HELD, text=TEXT)
    guard = world.guard()
    client = trading(world, guard)
    later(world, guard, PRICE - 3_500)
    assert codes(client) == ["DAILY_LOSS"]
    assert client.create_order(SYMBOL, "market", "sell", 0.5)["status"] == "closed"

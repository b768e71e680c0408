"""Story 10: a restart forgets the day's start, the halt and what was reserved."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.errors import Denied, OutcomeUnknown
from policykit.guard import Guard
from tests.guard.bots import Bot
from tests.guard.world import PRICE, SYMBOL, World, policy_text

#: 1 BTC at 60,000 and 40,000 USDT: equity 100,000, of which 3 % may be lost in a day.
HELD = {"USDT": Decimal(40_000), "BTC": Decimal(1)}
LIMIT = Decimal(3_000)
ROOMY = policy_text(position="200% of equity")


class NaiveLoss:
    """A daily-loss limit kept in memory: what equity was when the process started is the day's start."""

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
        self.client.create_order(SYMBOL, "limit", "buy", 0.001, 40_000)


def restarted(world: World, guard: Guard) -> Guard:
    """End a process and start it anew, on the same store, when its lease of the account has run out."""
    world.clock.advance(21)
    guard.store.close()
    return world.guard()


def fall(world: World, loss: int) -> None:
    """Let the price fall so that so much of the day's start is lost."""
    world.sim.pin(SYMBOL, PRICE - loss)
    world.clock.advance(6)


def test_bare_the_loss_is_twice_the_limit(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """Control: after each restart the loss counts from nothing again, so 5,000 are lost and the bot still buys."""
    world = start(balances=HELD)
    NaiveLoss(trading(world)).buy()
    fall(world, 2_500)
    NaiveLoss(trading(world)).buy()
    fall(world, 5_000)
    NaiveLoss(trading(world)).buy()
    assert len(world.sent) == 3


def test_with_policykit_the_day_starts_once(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """The day's start is in the store: 2,500 lost before a restart and 600 after it are 3,100, and that trips."""
    world = start(balances=HELD, text=ROOMY)
    guard = world.guard()
    fall(world, 2_500)
    guard = restarted(world, guard)
    assert guard.facts().day_base == (Decimal(100_000), 1_795_219_200_000)
    client = trading(world, guard)
    client.create_order(SYMBOL, "limit", "buy", 0.001, 40_000)
    fall(world, 3_100)
    guard.maintain()
    with pytest.raises(Denied) as denied:
        client.create_order(SYMBOL, "limit", "buy", 0.001, 40_000)
    assert denied.value.decision.reasons[0].code == "DAILY_LOSS"
    assert denied.value.decision.reasons[0].observed == "3100"


def test_a_loss_trip_latches_over_restart_and_recovery_of_the_price(
    start: Callable[..., World], trading: Callable[..., Bot]
) -> None:
    """Tripped is tripped: neither a new process nor a better price lifts it, only a person does; sales pass."""
    world = start(balances=HELD, text=ROOMY)
    guard = world.guard()
    fall(world, 3_100)
    guard.maintain()
    with pytest.raises(Denied):
        trading(world, guard).create_order(SYMBOL, "limit", "buy", 0.001, 40_000)
    world.sim.pin(SYMBOL, PRICE)
    guard = restarted(world, guard)
    client = trading(world, guard)
    (halt,) = guard.store.halts()
    assert (halt.scope, halt.state, halt.by, halt.latched) == (
        "account:binance/main",
        "REDUCING",
        "risk.daily_loss",
        True,
    )
    with pytest.raises(Denied) as denied:
        client.create_order(SYMBOL, "limit", "buy", 0.001, 40_000)
    assert [reason.code for reason in denied.value.decision.reasons] == ["TRADING_REDUCING"]
    assert client.create_order(SYMBOL, "market", "sell", 0.01)["status"] == "closed"
    guard.store.resume("account:binance/main", "desk-head", "looked into it", guard.now())
    guard.maintain()
    assert client.create_order(SYMBOL, "limit", "buy", 0.001, 40_000)["status"] == "open"


def test_reservations_outlive_a_restart(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """What is open still counts in the new process: the position cap is not there a second time."""
    world = start()
    guard = world.guard()
    client = trading(world, guard)
    for _ in range(6):
        client.create_order(SYMBOL, "limit", "buy", 0.025, 59_000)
    guard = restarted(world, guard)
    client = trading(world, guard)
    with pytest.raises(Denied) as denied:
        client.create_order(SYMBOL, "limit", "buy", 0.025, 59_000)
    assert denied.value.decision.reasons[0].code == "RISK_POSITION"
    assert len(world.sent) == 6


def test_trading_waits_for_reconciliation(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """A new process knows its open intents before anything, and denies entries until they were looked up."""
    lag = {"at": "order", "do": "lag", "when": [1], "seconds": 3}
    brief = policy_text().replace("expires_after: 30s", "expires_after: 30s, wait: 1s")
    world = start({"at": "order", "do": "lost_reply", "when": [1]}, lag, text=brief)
    guard = world.guard()
    with pytest.raises(OutcomeUnknown):
        trading(world, guard).create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
    guard.store.close()
    world.clock.advance(21)
    again = world.guard(ready=False)
    client = trading(world, again)
    with pytest.raises(Denied) as denied:
        client.create_order(SYMBOL, "limit", "buy", 0.01, 58_000)
    assert denied.value.decision.reasons[0].code == "RECOVERY_PENDING"
    again.maintain(world.sim.client())
    assert client.create_order(SYMBOL, "limit", "buy", 0.01, 58_000)["status"] == "open"
    assert len(world.sent) == 2


def test_a_new_day_takes_a_new_start(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """At 00:00 UTC yesterday's loss is over: the next round takes the new base, and an entry passes."""
    world = start(balances=HELD, text=ROOMY)
    guard = world.guard()
    fall(world, 2_500)
    guard.maintain()
    world.clock.advance(14 * 3_600)
    client = trading(world, guard)
    with pytest.raises(Denied) as denied:
        client.create_order(SYMBOL, "limit", "buy", 0.001, 40_000)
    assert "DAY_BASE_MISSING" in [reason.code for reason in denied.value.decision.reasons]
    guard.maintain()
    assert guard.facts().day_base == (Decimal(97_500), 1_795_305_600_000)
    assert client.create_order(SYMBOL, "limit", "buy", 0.001, 40_000)["status"] == "open"

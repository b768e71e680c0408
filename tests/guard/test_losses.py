"""Limits on losses behind a guard: from what the exchange says to the denial, the halt, and over restarts."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.engine.facts import Fact
from policykit.errors import Denied
from policykit.guard import Guard
from tests.guard.world import PRICE, SYMBOL, World, policy_text

D = Decimal
Start = Callable[..., World]
DAY_S = 86_400
#: The simulated run starts on a Saturday at ten.
SATURDAY = 1_795_219_200_000
MONDAY = SATURDAY + 2 * DAY_S * 1000
HELD = {"USDT": D(40_000), "BTC": D(1)}
ENTRY = (SYMBOL, "limit", "buy", 0.001, 40_000)
EXIT = (SYMBOL, "limit", "sell", 0.001, 90_000)
SCOPE = "account:binance/main"


def limited(*lines: str, daily: bool = False) -> str:
    """Return a policy with these lines under `risk`."""
    text = policy_text(position="200% of equity", order="5000 USDT")
    head, tail = text.split("  daily_loss:")
    kept = f"  daily_loss:{tail}" if daily else tail.partition("\n")[2]
    return head + "".join(f"  {line}\n" for line in lines) + kept


def begin(start: Start, *lines: str, **more: Any) -> tuple[World, Guard, Any]:
    """Start an exchange that holds one coin and its worth in money: 100,000; a guard, a client behind it."""
    world = start(text=limited(*lines, **more), balances=HELD)
    guard = world.guard()
    return world, guard, world.protected(guard)


def later(world: World, guard: Guard, seconds: float, price: int | None = None) -> None:
    """Let time pass, the price move, and the guard look."""
    world.clock.advance(seconds)
    if price is not None:
        world.sim.pin(SYMBOL, price)
    guard.maintain()


def refused(client: Any, order: tuple[Any, ...] = ENTRY) -> list[str]:
    """Return the codes of a denial."""
    with pytest.raises(Denied) as caught:
        client.create_order(*order)
    return [reason.code for reason in caught.value.decision.reasons]


def halted(guard: Guard) -> list[tuple[str, str, str]]:
    """Return scope, state and cause of every halt."""
    return [(halt.scope, halt.state, halt.by) for halt in guard.store.halts()]


def test_a_weeks_loss_halts_over_days_and_a_restart(start: Start) -> None:
    """4,000 on Saturday and 1,100 on Sunday are 5,100 of 5,000: halted, also for the next process; exits pass."""
    world, guard, client = begin(start, "weekly_loss: {limit: 5000 USDT}")
    assert guard.facts().week_base == Fact(D(100_000), MONDAY - 7 * DAY_S * 1000)
    later(world, guard, 60, 56_000)
    client.create_order(*ENTRY)
    later(world, guard, DAY_S)
    assert guard.facts().day_base == Fact(D(96_000), SATURDAY + DAY_S * 1000)
    client.create_order(*ENTRY)
    later(world, guard, 5, 54_900)
    assert refused(client) == ["WEEKLY_LOSS"]
    assert halted(guard) == [(SCOPE, "HALTED", "risk.weekly_loss")]
    client.create_order(*EXIT)
    again = world.guard()
    assert refused(world.protected(again)) == ["TRADING_HALTED", "WEEKLY_LOSS"]
    world.protected(again).create_order(*EXIT)


def test_a_week_ends_and_the_next_starts_anew(start: Start) -> None:
    """On Monday, in a new process, the loss counts from what equity is then; what came in on Sunday is no profit."""
    world, guard, client = begin(start, "weekly_loss: {limit: 5000 USDT, on_breach: deny}")
    later(world, guard, 60, 55_000)
    assert refused(client) == ["WEEKLY_LOSS"]
    world.clock.advance(DAY_S)
    world.sim.deposit("USDT", 3_000)
    later(world, guard, 60)
    assert guard.facts().week_transfers == 0
    assert refused(client) == ["WEEKLY_LOSS"]
    guard.store.close()
    world.clock.advance(DAY_S)
    again = world.guard()
    facts = again.facts()
    assert facts.week_base == facts.day_base == Fact(D(98_000), MONDAY)
    assert (facts.week_transfers, facts.net_transfers and facts.net_transfers.value) == (0, 0)
    world.protected(again).create_order(*ENTRY)


def test_what_came_in_on_an_earlier_day_of_the_week_is_no_profit(start: Start) -> None:
    """10,000 come in on Saturday, 5,000 are lost on Sunday: the deposit is carried over and hides none of it."""
    world, guard, client = begin(start, "weekly_loss: {limit: 5000 USDT}")
    world.clock.advance(10)
    world.sim.deposit("USDT", 10_000)
    later(world, guard, 5)
    later(world, guard, 5)
    world.clock.advance(DAY_S)
    world.sim.withdraw("USDT", 1_000)
    later(world, guard, 60)
    facts = guard.facts()
    assert (facts.week_transfers, facts.net_transfers and facts.net_transfers.value) == (10_000, -1_000)
    client.create_order(*ENTRY)
    later(world, guard, 60, 55_000)
    assert refused(client) == ["WEEKLY_LOSS"]
    assert guard.store.halts()[0].why.startswith("the week's loss 5,000.00 USDT has reached")


def test_a_day_that_began_unseen_waits_for_what_was_carried(start: Start) -> None:
    """While the exchange does not tell what was transferred before, no day begins: increases wait, exits do not."""
    text = limited("weekly_loss: {limit: 5000 USDT}").replace("retry:", "retry:\n  data: {attempts: 1}", 1)
    for lost in range(45, 51):  # one of these requests is the look at the day before
        world = start({"at": "account", "do": "unknown", "when": [lost]}, text=text, balances=HELD)
        guard = world.guard()
        client = world.protected(guard)
        world.clock.advance(DAY_S)
        before = dict(world.sim.truth.by_route)
        guard.maintain()
        asked = {name: n - before.get(name, 0) for name, n in world.sim.truth.by_route.items()}
        day = guard.facts().day_base
        assert day is not None
        if len(world.sim.truth.faults) == 1 and asked["GET /sapi/v1/capital/deposit/hisrec"] == 3:
            break
    assert day.as_of_ms == SATURDAY
    assert "DAY_BASE_MISSING" in refused(client)
    client.create_order(*EXIT)
    later(world, guard, 5)
    client.create_order(*ENTRY)


def test_a_drawdown_counts_from_the_highest_that_was_seen(start: Start) -> None:
    """From 105,000, with 20,000 brought in, 10 % are 10,500; lifting the halt starts from what is left."""
    world, guard, client = begin(start, "max_drawdown: {limit: 10% of equity}", daily=False)
    later(world, guard, 5, 65_000)
    world.sim.deposit("USDT", 20_000)
    for _ in range(3):
        later(world, guard, 30)
    assert guard.facts().peak == Fact(D(105_000), guard.facts().peak.as_of_ms)  # type: ignore[union-attr]
    later(world, guard, 30, 54_501)
    client.create_order(*ENTRY)
    later(world, guard, DAY_S)
    assert guard.facts().peak.value == 125_000  # type: ignore[union-attr]
    client.create_order(*ENTRY)
    later(world, guard, 5, 52_500)
    assert refused(client) == ["DRAWDOWN"]
    assert halted(guard) == [(SCOPE, "HALTED", "risk.max_drawdown")]
    again = world.guard()
    assert guard.facts().peak == again.facts().peak
    guard.store.resume(SCOPE, "desk-head", "seen", guard.now())
    assert refused(world.protected(again)) == ["PEAK_MISSING"]
    guard.maintain()
    world.protected(again).create_order(*ENTRY)


def test_three_losing_trades_reduce(start: Start) -> None:
    """Each bought high and sold low; after the third entries stop until a person resumes, after each they wait."""
    world, guard, client = begin(start, "consecutive_losses: {limit: 3, cooldown: 1m}")
    for trade in range(3):
        world.sim.pin(SYMBOL, PRICE)
        later(world, guard, 8)
        client.create_order(SYMBOL, "market", "buy", 0.01)
        later(world, guard, 8, 59_000)
        client.create_order(SYMBOL, "market", "sell", 0.01)
        later(world, guard, 1)
        assert refused(client) == (["LOSS_COOLDOWN"] if trade < 2 else ["LOSS_STREAK"])
        later(world, guard, 60)
    assert halted(guard) == [(SCOPE, "REDUCING", "risk.consecutive_losses")]
    assert refused(world.protected(world.guard())) == ["TRADING_REDUCING", "LOSS_STREAK"]
    client.create_order(*EXIT)
    guard.store.resume(SCOPE, "desk-head", "seen", guard.now())
    client.create_order(*ENTRY)


def test_a_trade_that_is_won_ends_the_streak(start: Start) -> None:
    """Two are lost, one is won, two are lost: never three in a row."""
    world, guard, client = begin(start, "consecutive_losses: {limit: 3}")
    for price in (59_000, 59_000, 61_000, 59_000, 59_000):
        world.sim.pin(SYMBOL, PRICE)
        later(world, guard, 8)
        client.create_order(SYMBOL, "market", "buy", 0.01)
        later(world, guard, 8, price)
        client.create_order(SYMBOL, "market", "sell", 0.01)
    streak = guard.facts().streak
    assert streak is not None
    assert (streak.losses, halted(guard)) == (2, [])
    world.sim.pin(SYMBOL, PRICE)
    later(world, guard, 8)
    client.create_order(*ENTRY)


def test_a_deposit_that_was_credited_after_midnight_is_no_profit(start: Start) -> None:
    """Sent at ten to midnight and credited at ten past: it is today's, and hides nothing of a loss."""
    world, guard, client = begin(start, daily=True)
    world.clock.advance(14 * 3_600 + 600)
    guard.maintain()
    world.sim.deposit("USDT", 3_000, confirmed_in_s=1_200)
    for _ in range(3):
        later(world, guard, 5)
    facts = guard.facts()
    assert (facts.day_base, facts.net_transfers and facts.net_transfers.value) == (
        Fact(D(100_000), SATURDAY + DAY_S * 1000),
        3_000,
    )
    later(world, guard, 60, 57_000)
    assert refused(client) == ["DAILY_LOSS"]


@pytest.mark.parametrize("seconds", [0, 2])
def test_a_deposit_in_the_middle_of_the_first_round_waits(start: Start, seconds: int) -> None:
    """Whether equity held it already is not known: no base is taken from it, and the next round knows."""
    world = start(text=limited(daily=True), balances=HELD)
    world.sim.deposit("USDT", 10_000)
    world.clock.advance(seconds)
    guard = world.guard()
    assert (guard.facts().equity, guard.facts().day_base) == (None, None)
    later(world, guard, 3)
    facts = guard.facts()
    assert (facts.day_base and facts.day_base.value, facts.net_transfers and facts.net_transfers.value) == (
        100_000,
        10_000,
    )
    world.protected(guard).create_order(*ENTRY)

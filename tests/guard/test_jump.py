"""Equity that moved for no reason that is known is unknown: no trip, no head-room; a moving market is none."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.guard import Guard
from tests.guard.contracts import SWAP, contracts
from tests.guard.test_reconcile import text
from tests.guard.world import SYMBOL, World, policy_text

BUY = (SYMBOL, "limit", "buy", 0.001, 50_000)


def later(w: World, guard: Guard, seconds: int = 5) -> None:
    """Let some time pass, and a round of maintenance."""
    w.clock.advance(seconds)
    guard.maintain()


def codes(client: Any, *order: Any) -> list[str]:
    """Return the codes for which an increase is denied; none when it passes."""
    try:
        client.create_order(*(order or BUY))
    except Denied as denied:
        return [reason.code for reason in denied.decision.reasons]
    return []


@pytest.mark.parametrize("amount", [-20_000, 20_000])
def test_a_jump_is_no_loss_and_no_head_room(start: Callable[..., World], amount: int) -> None:
    """Equity stays what it was, increases are denied with the reason, nothing trips, and it ends with its cause."""
    w = start()
    guard = w.guard()
    client = w.protected(guard)
    before = guard.facts().equity
    assert before is not None
    w.sim.venue.balances["USDT"].free += amount
    later(w, guard)
    facts = guard.facts()
    assert facts.equity is not None
    assert facts.equity.value == before.value
    assert codes(client)[0] == "EQUITY_UNEXPLAINED"
    assert guard.store.halts() == []
    assert "20,000.00 USDT of that is explained by no mark, fill or transfer" in facts.store_problem[1]  # type: ignore[index]
    w.sim.venue.balances["USDT"].free -= amount
    later(w, guard)
    assert codes(client) == []


def test_a_restart_forgets_no_jump(start: Callable[..., World]) -> None:
    """The next process holds what it reads against the last that the store has; accepted by name it is taken."""
    w = start()
    guard = w.guard()
    w.sim.venue.balances["USDT"].free += 20_000
    later(w, guard)
    again = w.guard(ready=False)
    later(w, again, 30)  # the lease of the one that went is over
    assert codes(w.protected(again))[0] == "EQUITY_UNEXPLAINED"
    now = w.clock.now_ms()
    again.store.reconcile(again.account, {"accepted_ms": now}, now)
    later(w, again)
    assert again.facts().equity.value == 120_000  # type: ignore[union-attr]
    assert codes(w.protected(again)) == []


def test_deposits_prices_and_fills_are_no_jump(start: Callable[..., World]) -> None:
    """A deposit of a fifth, a price that halves, a purchase of half of it all: equity is taken in."""
    w = start(
        text=policy_text(order="60000 USDT", position="100000 USDT", breach="deny"),
        balances={"USDT": 100_000, "BTC": 1},
    )
    guard = w.guard()
    client = w.protected(guard)
    w.sim.deposit("USDT", 20_000)
    later(w, guard)
    later(w, guard)
    assert guard.facts().equity.value == 180_000  # type: ignore[union-attr]
    client.create_order(SYMBOL, "market", "buy", 0.5)
    later(w, guard)
    assert guard.account_problem is None
    w.sim.pin(SYMBOL, 30_000)
    later(w, guard)
    assert guard.account_problem is None
    assert guard.facts().equity.value == Decimal(135000) - Decimal(3) - Decimal("0.0005") * 30_000  # type: ignore[union-attr]


def test_transfers_of_contracts_are_asked_for_where_no_limit_does(start: Callable[..., World]) -> None:
    """Without a limit on losses nobody reads transfers: a jump does, and then it is none."""
    w = contracts(start)
    guard = w.guard()
    w.sim.transfer(SWAP, -5_000)
    later(w, guard)
    assert guard.facts().equity.value == 15_000  # type: ignore[union-attr]
    w.sim.add_margin("USDT", 5_000)
    later(w, guard)
    assert guard.account_problem is not None
    assert guard.account_problem[0] == "EQUITY_UNEXPLAINED"


@pytest.mark.parametrize("product", ["spot", "swap"])
def test_hours_of_a_moving_market_raise_no_alarm(
    start: Callable[..., World], product: str, tier: Callable[[int, int], int]
) -> None:
    """A bot that buys and sells on a path of 1 % amplitude, with fees and funding: no drift, no jump, no denial."""
    if product == "spot":
        w = start(text=text(order="9000 USDT", position="60000 USDT"), amplitude=0.03)
        symbol, size = SYMBOL, 0.1
    else:
        from tests.guard.contracts import policy
        from tests.guard.test_reconcile import SECTION

        w = contracts(start, text=policy(position="60000 USDT") + f"{SECTION}, on_breach: halt}}\n")
        symbol, size = SWAP, 0.1
    w.sim.pin("BTC/USDT", None)
    guard = w.guard()
    client = w.protected(guard)
    alarms: list[object] = []
    for turn in range(tier(8, 200)):
        side = "buy" if turn % 4 < 2 else "sell"
        client.create_order(symbol, "market", side, size * (1 if side == "buy" else 0.99))
        for seconds in (6, 3_590):
            later(w, guard, seconds)
            alarms += [guard.account_problem] if guard.account_problem else []
            alarms += guard.facts().drift
    assert alarms == []
    assert guard.store.halts() == []

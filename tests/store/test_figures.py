"""What losses are counted from, over every back-end alike: day, week, peak, and trades from flat to flat."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.engine.facts import NO_STREAK, Fact, Facts, Streak
from policykit.orders.intent import Outcome
from policykit.store import Observation
from policykit.store.backed import LedgerStore
from policykit.store.trades import RUNNING, Trade, Trades
from tests.store.made import ACCOUNT, BTC, NOW, hold_position, reserve
from tests.store.test_conformance import Again

D = Decimal
DAY_MS = 86_400_000
#: A Monday.
MONDAY = NOW - NOW % DAY_MS + 3 * DAY_MS


def seen(store: LedgerStore, at: int, equity: str | None, transfers: str | None = "0", **more: Any) -> Facts:
    """Observe equity and the running day's transfers of a week that starts on a Monday; return the facts after it."""
    start = {"day_start_ms": at - at % DAY_MS, "week_start_ms": MONDAY + (at - MONDAY) // (7 * DAY_MS) * 7 * DAY_MS}
    numbers = [None if number is None else D(number) for number in (equity, transfers)]
    store.observe(ACCOUNT, Observation(at, at + 5, numbers[0], numbers[1], **start | more), at)
    return store.facts(ACCOUNT, "bot")


def test_a_week_carries_the_transfers_of_its_days(store: LedgerStore, reopened: Again) -> None:
    """Base 1,000; 50 came in on Monday, 30 went out on Tuesday, 7 came in on Wednesday: what carried over adds up."""
    first = seen(store, MONDAY + 10, "1000")
    assert (first.week_base, first.week_transfers) == (Fact(D(1_000), MONDAY), D(0))
    seen(store, MONDAY + 20, "1050", "50")
    tuesday = seen(store, MONDAY + DAY_MS, "1055", carried_transfers=D(50))
    assert (tuesday.day_base, tuesday.net_transfers) == (Fact(D(1_055), MONDAY + DAY_MS), Fact(D(0), MONDAY + DAY_MS))
    assert (tuesday.week_base, tuesday.week_transfers) == (Fact(D(1_000), MONDAY), D(50))
    seen(store, MONDAY + DAY_MS + 9, "1025", "-30")
    wednesday = seen(store, MONDAY + 2 * DAY_MS, "1032", "7", carried_transfers=D(-30))
    for facts in (wednesday, store.facts(ACCOUNT, "bot"), reopened(store).facts(ACCOUNT, "bot")):
        assert (facts.week_base, facts.week_transfers) == (Fact(D(1_000), MONDAY), D(20))
        assert facts.day_base == Fact(D(1_025), MONDAY + 2 * DAY_MS)


def test_a_new_week_starts_from_its_first_equity(store: LedgerStore) -> None:
    """What came in earlier on its first day is not in its base, since it counts from the day's start on."""
    seen(store, MONDAY - DAY_MS, "1000")
    new = seen(store, MONDAY + 7, "1300", "200", carried_transfers=D(0))
    assert (new.week_base, new.week_transfers) == (Fact(D(1_100), MONDAY), D(0))
    assert new.day_base == Fact(D(1_100), MONDAY)
    again = seen(store, MONDAY + 8, "900", "200")
    assert again.week_base == new.week_base


def test_no_day_begins_before_what_carries_over_was_read(store: LedgerStore) -> None:
    """A week in another frame than its transfers would be head-room: the old day stands, and the new week waits."""
    seen(store, MONDAY - DAY_MS, "1000")
    waits = seen(store, MONDAY + 7, "1300", "200")
    assert (waits.day_base, waits.week_base) == (Fact(D(1_000), MONDAY - DAY_MS), Fact(D(1_000), MONDAY - 7 * DAY_MS))
    begun = seen(store, MONDAY + 8, "1300", "200", carried_transfers=D(100))
    assert (begun.day_base, begun.week_base) == (Fact(D(1_100), MONDAY), Fact(D(1_100), MONDAY))
    assert begun.week_transfers == 0


def test_a_day_without_week_or_peak_needs_nothing_carried(store: LedgerStore) -> None:
    """Where only the day is limited it begins by itself, and neither week nor peak is kept."""
    seen(store, MONDAY, "1000", week_start_ms=0)
    facts = seen(store, MONDAY + DAY_MS, "900", week_start_ms=0)
    assert (facts.day_base, facts.week_base, facts.peak) == (Fact(D(900), MONDAY + DAY_MS), None, None)


def test_the_peak_is_the_highest_without_what_was_brought_in(store: LedgerStore, reopened: Again) -> None:
    """1,000, then 1,300 of which 200 were brought in: 1,100. It stays when equity falls, over days and restarts."""
    assert seen(store, MONDAY, "1000").peak == Fact(D(1_000), MONDAY)
    assert seen(store, MONDAY + 1, "1300", "200").peak == Fact(D(1_100), MONDAY + 1)
    assert seen(store, MONDAY + 2, "900", "200").peak == Fact(D(1_100), MONDAY + 1)
    rolled = seen(store, MONDAY + DAY_MS, "950", carried_transfers=D(200))
    assert rolled.peak == reopened(store).facts(ACCOUNT, "bot").peak == Fact(D(1_300), MONDAY + 1)
    # 1,300 + 0 today - 950: the fall is 350, as it was 1,100 + 200 - 950 in the frame of the day before.
    assert seen(store, MONDAY + DAY_MS + 1, "950", week_start_ms=0).peak == rolled.peak


@pytest.mark.parametrize(
    ("equity", "transfers", "more"),
    [("2000", None, {}), (None, "0", {}), ("2000", "0", {"day_start_ms": MONDAY - DAY_MS})],
)
def test_a_peak_is_of_numbers_read_together(
    store: LedgerStore, equity: str | None, transfers: str | None, more: dict[str, int]
) -> None:
    """Equity alone, transfers alone, or transfers of another day than the one that is kept raise no peak."""
    seen(store, MONDAY, "1000")
    assert seen(store, MONDAY + 1, equity, transfers, **more).peak == Fact(D(1_000), MONDAY)


def test_who_lifts_the_drawdowns_halt_starts_a_new_peak(store: LedgerStore) -> None:
    """Only of the account whose limit set the halt, and only by lifting that one."""
    scope = f"account:{ACCOUNT}"
    seen(store, MONDAY, "1000")
    for by in ("ops", "risk.daily_loss"):
        store.halt(scope, "HALTED", by, "test", MONDAY + 1)
        store.resume(scope, "head", "over", MONDAY + 2)
        assert store.facts(ACCOUNT, "bot").peak == Fact(D(1_000), MONDAY)
    store.halt("account:binance/other", "HALTED", "risk.max_drawdown", "test", MONDAY + 1)
    store.resume("all", "head", "over", MONDAY + 2)
    assert store.facts(ACCOUNT, "bot").peak == Fact(D(1_000), MONDAY)
    store.halt(scope, "HALTED", "risk.max_drawdown", "test", MONDAY + 3)
    store.resume(scope, "head", "over", MONDAY + 4)
    assert store.facts(ACCOUNT, "bot").peak is None
    rolled = seen(store, MONDAY + DAY_MS, "600", carried_transfers=D(-5))
    assert (rolled.peak, rolled.week_transfers) == (Fact(D(600), MONDAY + DAY_MS), D(-5))


# ---- trades

Fill = Callable[..., Facts]


@pytest.fixture
def fill(store: LedgerStore) -> Fill:
    """Give what reserves an order and reports it filled at a price; the facts after it come back."""
    store.announce(ACCOUNT, "USDT", {"name": "mm", "trades": True}, NOW)
    now = iter(range(NOW, NOW + 10_000, 10))

    def done(side: str, quantity: str, price: str | None, **more: Any) -> Facts:
        at, signed = next(now), BTC if side == "buy" else -BTC
        intent, _ = reserve(store, hold_position(signed, 2**53 - 1), side=side, now=at, **more)
        cost = None if price is None else D(quantity) * D(price)
        store.outcome(intent.id, Outcome("settled", at + 1, filled=D(quantity), cost=cost, closed=True))
        return store.facts(ACCOUNT, "bot")

    return done


def test_losing_trades_are_counted_until_one_is_won(fill: Fill, store: LedgerStore, reopened: Again) -> None:
    """Bought at 100 and sold at 99: lost. At 100 and 100: the fees are lost. A short from 100 to 90 is won."""
    fill("buy", "1", "100")
    assert fill("sell", "1", "99").streak == Streak(1, NOW + 11)
    fill("buy", "1", "100")
    assert fill("sell", "1", "100").streak == Streak(2, NOW + 31)
    assert reopened(store).facts(ACCOUNT, "bot").streak == Streak(2, NOW + 31)
    fill("sell", "1", "100")
    assert fill("buy", "1", "90").streak == NO_STREAK
    fill("sell", "1", "100")
    assert fill("buy", "1", "100.01").streak == Streak(1, NOW + 71)


def test_a_trade_is_from_flat_to_flat(fill: Fill) -> None:
    """Several buys and sells are one trade; a hundredth that is left over of fees in coin ends it all the same."""
    fill("buy", "0.5", "100")
    fill("buy", "0.5", "110")
    assert fill("sell", "0.98", "106").streak == NO_STREAK
    # 0.98 x 106 = 103.88 came in for 105 that went out.
    assert fill("sell", "0.01", "106").streak == Streak(1, NOW + 31)


def test_what_closes_one_trade_and_opens_the_next_is_shared_out(fill: Fill) -> None:
    """1 is held from 100; 3 are sold at 90: lost 10. The short of 2 from 90 is bought back at 80: won."""
    fill("buy", "1", "100")
    assert fill("sell", "3", "90").streak == Streak(1, NOW + 11)
    assert fill("buy", "2", "80").streak == NO_STREAK
    fill("buy", "1", "100")
    fill("sell", "3", None)
    assert fill("buy", "2", "80").streak == Streak(2, NOW + 51)
    fill("buy", "1", "100")
    assert fill("sell", "3", "101").streak == NO_STREAK
    assert fill("buy", "2", "102").streak == Streak(1, NOW + 81)


def test_an_unknown_cost_is_a_loss(fill: Fill) -> None:
    """Nobody told what one fill cost: nothing proves that the trade was won."""
    fill("buy", "1", None)
    assert fill("sell", "1", "1000").streak == Streak(1, NOW + 11)


def test_what_closes_no_trade_of_ours_is_none(fill: Fill, store: LedgerStore) -> None:
    """An exit from what was there before starts no trade; what is flat at the exchange ends one without a verdict."""
    fill("sell", "1", "100", reduces=True)
    assert fill("buy", "1", "200").streak == NO_STREAK
    flat = Observation(NOW + 9_000, NOW + 9_001, positions={})
    store.observe(ACCOUNT, flat, NOW + 9_001)
    assert fill("sell", "1", "100", reduces=True).streak == NO_STREAK


def test_a_flat_position_ends_no_trade_while_our_order_is_out(fill: Fill, store: LedgerStore) -> None:
    """The fill that made it flat is reported later, and tells that the trade was lost."""
    fill("buy", "1", "100")
    intent, _ = reserve(store, hold_position(-BTC, 2**53 - 1), side="sell", now=NOW + 20, reduces=True)
    store.observe(ACCOUNT, Observation(NOW + 9_000, NOW + 9_001, positions={}), NOW + 9_001)
    store.outcome(intent.id, Outcome("settled", NOW + 9_002, filled=D(1), cost=D(50), closed=True))
    assert store.facts(ACCOUNT, "bot").streak == Streak(1, NOW + 9_002)


def test_trades_are_counted_where_a_policy_asks(store: LedgerStore) -> None:
    """Without one nothing is: the streak is not known, rather than none."""
    store.announce(ACCOUNT, "USDT", {"name": "mm"}, NOW)
    intent, _ = reserve(store, hold_position(BTC, BTC))
    store.outcome(intent.id, Outcome("settled", NOW, filled=D(1), cost=D(1), closed=True))
    assert store.facts(ACCOUNT, "bot").streak is None


def test_who_lifts_the_streaks_halt_starts_it_anew(fill: Fill, store: LedgerStore) -> None:
    """A second announcement does not; lifting the halt that it set does."""
    fill("buy", "1", "100")
    fill("sell", "1", "99")
    store.announce(ACCOUNT, "USDT", {"name": "mm", "trades": True}, NOW)
    assert store.facts(ACCOUNT, "bot").streak == Streak(1, NOW + 11)
    store.halt(f"account:{ACCOUNT}", "REDUCING", "risk.consecutive_losses", "test", NOW)
    store.resume("all", "head", "over", NOW)
    assert store.facts(ACCOUNT, "bot").streak == NO_STREAK


def test_running_trades_are_bounded() -> None:
    """Beyond so many the oldest is forgotten; a checkpoint of them reads back as they were."""
    trades = Trades()
    for number in range(RUNNING + 1):
        trades.fill(f"A{number}", D(1), D(number) if number % 2 else None, NOW)
    assert len(trades.running) == RUNNING
    assert "A0" not in trades.running
    assert trades.running["A1"] == Trade(D(1), D(1), D(-1))
    again = Trades()
    again.load(trades.dump())
    assert (again.running, again.streak) == (trades.running, trades.streak)

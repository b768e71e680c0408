"""The checks of losses: each number by hand, each edge, what is not known, and that exits pass."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from policykit.decision import Assessment
from policykit.engine.facts import Fact, Facts, Streak
from tests.engine.worlds import DAY, NOW, codes, engine, facts, order

D = Decimal
MONDAY = DAY - 5 * 86_400_000  # NOW is a Saturday
WEEK: dict[str, Any] = {"risk.daily_loss": None, "risk.weekly_loss": {"limit": "3000 USDT"}}
PEAK: dict[str, Any] = {"risk.daily_loss": None, "risk.max_drawdown": {"limit": "10% of equity"}}
STREAK: dict[str, Any] = {"risk.daily_loss": None, "risk.consecutive_losses": {"limit": 3, "cooldown": "1m"}}
#: Equity is 100,000.00; the week began at 101,000; 500 came in before today and 1,499.99 went out today.
KNOWN = facts(
    week_base=Fact(D(101_000), MONDAY),
    week_transfers=D(500),
    net_transfers=Fact(D("1499.99"), NOW - 3_000),
    peak=Fact(D(109_500), NOW - 90_000),
    streak=Streak(2, NOW - 60_000),
)


def judged(changes: dict[str, Any], now: int = NOW, **known: Any) -> Assessment:
    """Return what becomes of an entry; assert that an exit passes whatever is known."""
    made, seen = engine(changes), facts(**{name: getattr(KNOWN, name) for name in LOSSES} | known)
    assert made.assess(seen, order(side="sell"), now).reasons == ()
    return made.assess(seen, order(), now)


WEEKS = "(2% of equity 101,000.00 USDT at the week's start)"
HIGHEST = "(10% of equity 109,500.00 USDT at its highest)"
LOSSES = ("week_base", "week_transfers", "net_transfers", "peak", "streak")


def texts(assessment: Assessment) -> list[tuple[str, str]]:
    """Return codes and messages."""
    return [(reason.code, reason.message) for reason in assessment.reasons]


def test_the_weeks_loss_trips_at_its_limit() -> None:
    """101,000 + 500 + 1,499.99 - 100,000 = 2,999.99 is under 3,000; one cent more has reached it, and so has more."""
    assert judged(WEEK).reasons == ()
    at = judged(WEEK, net_transfers=Fact(D(1_500), NOW))
    assert texts(at) == [("WEEKLY_LOSS", "the week's loss 3,000.00 USDT has reached weekly_loss 3,000.00 USDT")]
    (reason,) = at.reasons
    assert (reason.observed, reason.limit, reason.unit, reason.on_breach) == ("3000", "3000", "USDT", "halt")
    assert codes(judged(WEEK, net_transfers=Fact(D("1500.01"), NOW))) == ["WEEKLY_LOSS"]


def test_bounds_of_the_week_are_all_applied() -> None:
    """A share is of the week's first equity: 2 % of 101,000; an amount of another currency goes over its mark."""
    limit = {"limit": ["2% of equity", "0.05 BTC", "5000 USDT"], "on_breach": "reduce_only"}
    found = judged({**WEEK, "risk.weekly_loss": limit})
    assert texts(found) == [
        (
            "WEEKLY_LOSS",
            f"the week's loss 2,999.99 USDT has reached weekly_loss 2,020.00 USDT {WEEKS}",
        ),
    ]
    assert [reason.on_breach for reason in found.reasons] == ["reduce_only"]
    dear = {"limit": "0.05 BTC"}
    marks = {"BTC/USDT": Fact(D(59_999), NOW)}
    assert texts(judged({**WEEK, "risk.weekly_loss": dear}, marks=marks)) == [
        ("WEEKLY_LOSS", "the week's loss 2,999.99 USDT has reached weekly_loss 2,999.95 USDT (0.05 BTC)")
    ]
    assert codes(judged({**WEEK, "risk.weekly_loss": {"limit": "1 GBP"}})) == ["PRICE_MISSING"]


def test_deposits_are_no_profit_and_withdrawals_no_loss() -> None:
    """10,000 came in and equity is as before: 10,000 were lost. 1,000 went out and equity is that much lower: none."""
    assert codes(judged(WEEK, week_transfers=D(10_000), net_transfers=Fact(D(0), NOW))) == ["WEEKLY_LOSS"]
    out = Fact(D(-1_000), NOW)
    assert judged(WEEK, week_transfers=D(0), net_transfers=out, equity=Fact(D(97_001), NOW)).reasons == ()
    assert judged(PEAK, net_transfers=Fact(D(-9_500), NOW)).reasons == ()
    assert codes(judged(PEAK, net_transfers=Fact(D(10_000), NOW))) == ["DRAWDOWN"]


MISSING: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    (WEEK, {"week_base": None}, "WEEK_BASE_MISSING", "equity at the start of this week was not observed"),
    (
        WEEK,
        {"week_base": Fact(D(101_000), MONDAY - 604_800_000)},
        "WEEK_BASE_MISSING",
        "equity at the start of this week was not observed",
    ),
    (
        WEEK,
        {"week_base": Fact(D(101_000), NOW + 501)},
        "WEEK_BASE_MISSING",
        "equity at the start of this week was not observed",
    ),
    (WEEK, {"day_base": None}, "DAY_BASE_MISSING", "equity at the start of this day was not observed"),
    (
        WEEK,
        {"week_transfers": None},
        "FACTS_MISSING",
        "transfers of this week's earlier days were not observed",
    ),
    (WEEK, {"net_transfers": None}, "FACTS_MISSING", "transfers since the start of this day were not observed"),
    (
        WEEK,
        {"week_transfers": D("NaN")},
        "FACTS_MISSING",
        "the base of the loss or the transfers since are no numbers",
    ),
    (PEAK, {"peak": None}, "PEAK_MISSING", "the highest equity was not observed"),
    (PEAK, {"day_base": None}, "DAY_BASE_MISSING", "equity at the start of this day was not observed"),
    (
        PEAK,
        {"day_base": Fact(D(100_500), DAY - 86_400_000)},
        "DAY_BASE_MISSING",
        "equity at the start of this day was not observed",
    ),
    (PEAK, {"net_transfers": None}, "FACTS_MISSING", "transfers since the start of this day were not observed"),
    (
        PEAK,
        {"peak": Fact(D("Infinity"), NOW)},
        "FACTS_MISSING",
        "the base of the loss or the transfers since are no numbers",
    ),
    (STREAK, {"streak": None}, "FACTS_MISSING", "losing trades are not counted yet"),
]


@pytest.mark.parametrize(("changes", "known", "code", "message"), MISSING)
def test_what_is_not_known_denies(changes: dict[str, Any], known: dict[str, Any], code: str, message: str) -> None:
    """A loss that cannot be told denies increases with a code of its own and trips nothing."""
    found = judged(changes, **known)
    assert texts(found) == [(code, message)]
    assert [(r.failure, r.on_breach) for r in found.reasons] == [(True, "deny")]


@pytest.mark.parametrize("changes", [WEEK, PEAK])
def test_old_equity_is_no_evidence(changes: dict[str, Any]) -> None:
    """Equity that is older than account.max_age denies by its age, whatever the loss was then."""
    known: dict[str, Any] = {"equity": Fact(D(100_000), NOW - 10_001), "net_transfers": Fact(D(0), NOW)}
    assert codes(judged(changes, **known)) == ["FACTS_STALE"]
    assert codes(judged(changes, equity=None))[0] == "FACTS_MISSING"


def test_a_week_is_over_to_the_millisecond() -> None:
    """The base holds for seven days from its start; what is remembered of an allowed order ends there, too."""
    end = MONDAY + 604_800_000
    fresh: dict[str, Any] = {
        name: Fact(value, end - 1)
        for name, value in (("equity", D(100_000)), ("net_transfers", D(0)), ("day_base", D(100_000)))
    }
    fresh |= {"day_base": Fact(D(100_000), end - 86_400_000), "positions_as_of_ms": end - 1}
    fresh |= {"marks": {"BTC/USDT": Fact(D(60_000), end - 1)}}
    made, known = engine(WEEK), facts(week_base=Fact(D(100_000), MONDAY), week_transfers=D(0), **fresh)
    assert made.assess(known, order(), end - 1).reasons == ()
    assert codes(made.assess(known, order(), end)) == ["WEEK_BASE_MISSING"]


def test_a_drawdown_trips_at_its_limit() -> None:
    """From 109,500 with 1,499.99 brought in since, 100,000 is 10,999.99 lower: over 10 % of the highest, 10,950."""
    found = judged(PEAK)
    assert texts(found) == [
        (
            "DRAWDOWN",
            f"equity is 10,999.99 USDT below its highest, max_drawdown is 10,950.00 USDT {HIGHEST}",
        )
    ]
    (reason,) = found.reasons
    assert (reason.observed, reason.limit, reason.unit, reason.on_breach) == ("10999.99", "10950", "USDT", "halt")
    assert codes(judged(PEAK, net_transfers=Fact(D(1_450), NOW))) == ["DRAWDOWN"]
    assert judged(PEAK, net_transfers=Fact(D("1449.99"), NOW)).reasons == ()
    both = {"limit": ["10% of equity", "11000 USDT"], "on_breach": "deny"}
    assert codes(judged({**PEAK, "risk.max_drawdown": both}, net_transfers=Fact(D(1_500), NOW))) == ["DRAWDOWN"] * 2


def test_an_account_below_nothing_has_lost() -> None:
    """With a base below zero no share of it is head-room: what did not gain is denied."""
    week = {**WEEK, "risk.weekly_loss": {"limit": "5% of equity"}}
    gone: dict[str, Any] = {"week_base": Fact(D(-100), MONDAY), "week_transfers": D(0)}
    assert "WEEKLY_LOSS" in codes(judged(week, **gone, net_transfers=Fact(D(0), NOW), equity=Fact(D(-100), NOW)))


def test_a_streak_stops_entries_and_each_loss_delays_them() -> None:
    """Three in a row are the limit; after each loss entries wait a minute, the last millisecond excluded."""
    assert judged(STREAK).reasons == ()
    third = judged(STREAK, streak=Streak(3, NOW - 3_600_000))
    assert texts(third) == [("LOSS_STREAK", "3 trades in a row were lost, consecutive_losses is 3")]
    (reason,) = third.reasons
    assert (reason.observed, reason.limit, reason.unit, reason.on_breach) == ("3", "3", "trades", "reduce_only")
    assert codes(judged(STREAK, streak=Streak(4, 0))) == ["LOSS_STREAK"]
    soon = judged(STREAK, streak=Streak(1, NOW - 59_999))
    assert texts(soon) == [("LOSS_COOLDOWN", "a trade was lost 59 s ago, entries wait 0.0 s more")]
    assert [(r.observed, r.limit, r.unit, r.on_breach) for r in soon.reasons] == [("59999", "60000", "ms", "deny")]
    assert codes(judged(STREAK, streak=Streak(1, NOW + 400))) == ["LOSS_COOLDOWN"]
    assert judged(STREAK, streak=Streak()).reasons == ()
    alone = {**STREAK, "risk.consecutive_losses": {"limit": 3, "on_breach": "warn"}}
    assert judged(alone, streak=Streak(2, NOW)).reasons == ()
    warned = judged(alone, streak=Streak(3, NOW))
    assert (warned.reasons, [w.code for w in warned.warnings]) == ((), ["LOSS_STREAK"])


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        (WEEK, {}),
        (PEAK, {"net_transfers": Fact(D(0), NOW)}),
        (STREAK, {"streak": Streak()}),
        (STREAK, {}),
        ({**STREAK, "risk.consecutive_losses": {"limit": 3}}, {}),
    ],
)
def test_what_is_remembered_says_the_same(changes: dict[str, Any], known: dict[str, Any]) -> None:
    """Asked again, now, later and earlier, an engine says what one that was never asked before says."""
    asked, seen = engine(changes), facts(**{name: getattr(KNOWN, name) for name in LOSSES} | known)
    assert asked.assess(seen, order(), NOW).reasons == ()
    for now in (NOW, NOW + 1, NOW - 61_000, NOW + 86_400_000, NOW + 2 * 86_400_000):
        assert asked.assess(seen, order(), now) == engine(changes).assess(seen, order(), now)


def test_without_these_limits_nothing_of_them_is_asked() -> None:
    """A policy without them needs neither week, nor peak, nor streak."""
    bare: Facts = facts()
    assert (bare.week_base, bare.peak, bare.streak) == (None, None, None)
    assert engine().assess(bare, order(), NOW).reasons == ()

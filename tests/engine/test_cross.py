"""Markets that trade another pair than base against the account's currency: what a sell raises there (PITFALLS 3)."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from policykit.engine import Engine
from policykit.engine.case import Case
from policykit.engine.checks import all_checks
from policykit.engine.facts import Fact, Facts, Halt, Position
from policykit.engine.lane import Lane
from policykit.order import Order
from tests.engine.worlds import (
    ACCOUNT_FACTS,
    ACCOUNT_LIMITS,
    LANELESS,
    LIMITS,
    NOW,
    calm,
    codes,
    engine,
    facts,
    order,
    placed,
)

Tier = Any
HALTS = (Halt("all", "HALTED", "ops", "drill", NOW),)
MARKS = {
    name: Fact(Decimal(price), NOW)
    for name, price in {
        "BTC/USDT": "60000",
        "ETH/USDT": "3000",
        "ETH/BTC": "0.05",
        "USDT/TRY": "40",
        "BTC/USDC": "60000",
        "USDC/USDT": "1",
    }.items()
}
KNOWN = facts(marks=MARKS, moves=calm(*MARKS), **ACCOUNT_FACTS)
RAISES = (
    "selling ETH/BTC raises the position of BTC, which max_position_notional caps; this version holds the base asset "
    "only: buy BTC in a market of its own (BTC/USDT)"
)
WIDE = {"risk.symbols": ["*"], "risk.order_types": ["limit", "market", "stop_loss"]}
UNCAPPED = {**WIDE, "risk.max_position_notional": None}


@pytest.mark.parametrize("symbol", ["ETH/BTC", "USDT/TRY", "USDT/XYZ", "BTC/USDC"])
def test_sell_that_raises_another_asset_is_an_increase(symbol: str) -> None:
    """Only a sell into the account's currency can merely reduce: every other one buys something, and is halted."""
    found = engine().assess(facts(marks=MARKS, halts=HALTS), order(symbol=symbol, side="sell", price="40"), NOW)
    assert not found.reduces
    assert codes(found)[:2] == ["TRADING_HALTED", "RISK_SYMBOL"]


def test_sell_into_the_account_currency_still_reduces() -> None:
    """An exit of what is held, into the currency that the account is counted in, passes a halt as before."""
    for symbol in ("BTC/USDT", "DOGE/USDT"):
        found = engine().assess(facts(halts=HALTS), order(symbol=symbol, side="sell"), NOW)
        assert (found.reasons, found.reduces) == ((), True)


def test_cross_sell_is_held_to_the_order_cap() -> None:
    """A cross sell is worth its size at the higher of mark and price, in the account's currency."""
    made = engine(UNCAPPED)
    small = order(symbol="ETH/BTC", side="sell", quantity="0.49", price="0.04")
    found = made.assess(KNOWN, small, NOW)
    assert (found.reasons, found.reduces, found.notional) == ((), False, Decimal("1470.000"))
    assert [hold.kind for hold in found.holds] == ["position", "clear", "sum", "window", "window"]
    large = order(symbol="ETH/BTC", side="sell", quantity="0.51", price="0.04")
    assert codes(made.assess(KNOWN, large, NOW)) == ["RISK_ORDER_NOTIONAL"]
    unpriced = facts(marks={})
    assert codes(made.assess(unpriced, small, NOW))[0] == "PRICE_MISSING"


def test_cross_sell_is_denied_where_the_raised_asset_has_a_position_cap() -> None:
    """The position of the quote asset is not held; a cap on it denies, a cap on another asset does not."""
    sell = order(symbol="ETH/BTC", side="sell", quantity="0.1", price="0.05")
    for caps in ("10% of equity", {"BTC/USDT": "5000 USDT"}, {"BTC": "5000 USDT"}):
        found = engine({**WIDE, "risk.max_position_notional": caps}).assess(KNOWN, sell, NOW)
        assert [(r.code, r.check, r.message) for r in found.reasons] == [
            (
                "RISK_QUOTE_ASSET",
                "risk.max_position_notional",
                RAISES,
            )
        ]
    other = engine({**WIDE, "risk.max_position_notional": {"ETH/USDT": "5000 USDT"}})
    passed = other.assess(KNOWN, sell, NOW)
    assert (passed.reasons, passed.holds[0][:3]) == ((), ("binance/main|position|ETH", -10_000_000, 2**53 - 1))
    large = other.assess(KNOWN, order(symbol="ETH/BTC", side="sell", quantity="100", price="0.05"), NOW)
    assert codes(large) == ["RISK_ORDER_NOTIONAL"]


def test_unknown_traits_prove_no_cross_reduction() -> None:
    """Where shorts are possible, a position of the base proves nothing of the quote asset either."""
    held = facts(marks=MARKS, positions={"ETH": Position(Decimal(5), Decimal(5)), "USDT": Position(Decimal(-9))})
    made = engine({**UNCAPPED, "rate_budgets": None}, None)
    assert not made.assess(held, order(symbol="ETH/BTC", side="sell", price="0.05"), NOW).reduces
    assert not made.assess(held, order(symbol="USDT/TRY", quantity="1", price="40"), NOW).reduces
    assert made.assess(held, order(symbol="ETH/USDT", side="sell", price="3000"), NOW).reduces


def test_close_of_a_cross_market_is_denied() -> None:
    """Closing a position by way of another asset raises that one, and has no check."""
    found = engine(WIDE).assess(KNOWN, order(action="position.close", symbol="ETH/BTC"), NOW)
    assert [(r.code, r.message) for r in found.reasons] == [
        ("CHECK_MISSING", "closing a position in ETH/BTC raises BTC, and has no check in this version")
    ]


_SYMBOLS = ("ETH/BTC", "USDT/TRY", "BTC/USDC", "BTC/USDT")


def _asked(rng: Random) -> Order:
    return order(
        symbol=rng.choice(_SYMBOLS),
        side=rng.choice(["buy", "sell"]),
        quantity=rng.choice(["0.0001", "0.01", "0.5", "20", "90071992.6"]),
        price=rng.choice(["0.04", "0.05", "0.06", "39", "41", "59000", "61000"]),
        self_trade_prevention=rng.choice(["expire_taker", "expire_taker", "decrement"]),
    )


def _agrees(made: Engine, known: Facts, rng: Random, cases: int) -> int:
    """Compare an engine with lanes to itself without; return how many orders found a lane."""
    lanes = 0
    for _ in range(cases):
        asked = _asked(rng)
        lanes += (asked.symbol, asked.side, asked.type, asked.action) in made._memo[1]
        assert repr(made.assess(known, asked, NOW)) == repr(made._long_way(known, asked, NOW)), asked
    return lanes


POLICIES: list[dict[str, Any]] = [
    UNCAPPED,
    {**WIDE, "risk.max_position_notional": {"BTC/USDT": "2000 USDT", "ETH": "900 USDT"}},
    {**UNCAPPED, "risk.price_collar": {"max_deviation": "2%"}, "risk.max_leverage": 3},
    {
        **UNCAPPED,
        **LIMITS,
        "reconciliation": {"tolerance": "5 USDT", "positions_every": "60s"},
        "retry.reconnect": {"max_per": {"limit": 50, "per": "5m"}},
    },
    {**UNCAPPED, **placed(ACCOUNT_LIMITS)},
]


@pytest.mark.parametrize("changes", POLICIES, ids=["uncapped", "named caps", "collar", "limits", "account"])
def test_I14_lanes_and_checks_agree_on_cross_markets(changes: dict[str, Any], tier: Tier) -> None:
    """Orders of every market and side, near every edge: the lane says what the checks say."""
    cases = tier(500, 20_000)
    assert _agrees(engine(changes, key="mm-exec"), KNOWN, Random(41), cases) > cases // 20


def test_I14_every_check_that_can_let_an_order_pass_is_compared() -> None:
    """The comparison runs every check but those that no lane is made under."""
    compared = {check.id for changes in POLICIES for check in engine(changes, key="mm-exec").checks}
    assert {check.id for check in all_checks()} - compared == {
        "key.purpose",
        "policy.unheld",
        "stage.current",
        *LANELESS,
    }


def test_I14_control_a_lane_of_increasing_sells_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lanes that took sells which increase would value them under the mark: the comparison above notices."""

    def fits(case: Case, holds: tuple[Any, ...]) -> bool:
        return case.creates and bool(holds) and holds[0].kind == "position"

    monkeypatch.setattr(Lane, "fits", staticmethod(fits))
    with pytest.raises(AssertionError):
        _agrees(engine(UNCAPPED), KNOWN, Random(41), 500)


def test_position_cap_of_a_market_holds_every_market_of_the_asset() -> None:
    """A cap that names BTC/USDT is not dodged by BTC/USDC: the counter is BTC, and the tightest named bound binds."""
    buy = order(symbol="BTC/USDC", price="60000")
    named = engine({**WIDE, "risk.max_position_notional": {"BTC/USDT": "2000 USDT"}})
    for symbol in ("BTC/USDT", "BTC/USDC"):
        hold = named.assess(KNOWN, order(symbol=symbol, price="60000"), NOW).holds[0]
        assert hold[:3] == ("binance/main|position|BTC", 1_000_000, 3_333_333)
    caps = {"BTC/USDT": "2000 USDT", "BTC/USDC": ["9000 USDT", "1200 USDC"], "BTC": "3000 USDT", "default": "1 USDT"}
    assert engine({**WIDE, "risk.max_position_notional": caps}).assess(KNOWN, buy, NOW).holds[0].limit == 2_000_000

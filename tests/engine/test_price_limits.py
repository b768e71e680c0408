"""Limits on prices: what they say of an order that has none, of a sale that increases, and of what is no order."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from policykit.engine.checks import all_checks
from policykit.engine.facts import Facts, Move, Position, Setting
from policykit.engine.page import page
from policykit.order import Order
from tests.engine.test_order_limits import KNOWN, MINUTE, OPEN, SWAP, said
from tests.engine.worlds import NOW, order

D = Decimal
MOVE: dict[str, Any] = {"risk.max_price_move": {"limit": "1%", "per": "5m"}}
COLLAR: dict[str, Any] = {"risk.price_collar": {"max_deviation": "1%"}}
STOP: dict[str, Any] = {"risk.risk_at_stop": "100 USDT"}
LIMITS = {**MOVE, **COLLAR, **STOP}


def test_what_has_no_quantity_has_no_loss_at_a_stop() -> None:
    """An order that closes a position opens nothing; a malformed one is told that, and no price is asked for."""
    closing = order(
        symbol=SWAP, side="sell", type="stop_market", quantity=None, price=None, stop_price="50000", close_position=True
    )
    assert said(LIMITS, closing) == []
    assert [code for code, _ in said(LIMITS, order(quantity=None))] == ["ORDER_INVALID"]


@pytest.mark.parametrize("action", ["account.configure", "margin.borrow", "data.read", "order.cancel"])
def test_what_leaves_no_order_has_no_price(action: str) -> None:
    """A setting, a loan, a read and a cancel meet none of them, whatever is known of prices."""
    asked = Order("BTC/USDT", action=action, quantity=D(1), leverage=D(2))
    codes = {code for code, _ in said(LIMITS, asked, replace(KNOWN, marks={}, moves={}))}
    assert not codes & {"RISK_PRICE_MOVE", "RISK_PRICE_COLLAR", "RISK_AT_STOP", "RISK_STOP_MISSING", "PRICE_MISSING"}


def test_a_sale_that_increases_meets_the_lower_edge() -> None:
    """A short at 59,400 of a mark of 60,000 is at the collar's edge of 1 %, a cent less is under it."""
    short = {"symbol": SWAP, "side": "sell", "quantity": "1"}
    assert said(COLLAR, order(**short, price="59400")) == []
    under = [("RISK_PRICE_COLLAR", "price 59,399.99 USDT is under 59,400.00 USDT, 1% from the mark")]
    assert said(COLLAR, order(**short, price="59399.99")) == under
    assert said(COLLAR, order(**short, price="70000")) == []
    assert said(COLLAR, order(**short, type="market", price=None)) == []


def test_a_collar_of_contracts_without_a_mark_denies_an_order_at_market_too() -> None:
    """No reference is no leave: the collar says so itself, for orders that it has no price of."""
    asked = order(symbol=SWAP, type="market", price=None, quantity="1")
    denied = said(COLLAR, asked, replace(KNOWN, marks={}))
    assert [code for code, _ in denied].count("PRICE_MISSING") == 2


@pytest.mark.parametrize(
    ("gap_s", "expected"),
    [(70, []), (71, ["FACTS_MISSING"])],
)
def test_marks_a_minute_and_their_age_apart_are_one_run(gap_s: int, expected: list[str]) -> None:
    """A mark may be 10 s old, so minutes that start up to 70 s apart leave nothing unseen."""
    starts = [NOW - 6 * MINUTE, NOW - 5 * MINUTE, NOW - 5 * MINUTE + gap_s * 1000]
    starts += range(starts[-1] + MINUTE, NOW, MINUTE)
    moves = {"BTC/USDT": tuple(Move(start, D(60_000), D(60_000)) for start in starts)}
    assert [code for code, _ in said(MOVE, order(), replace(KNOWN, moves=moves))] == expected


def test_a_move_of_exactly_the_limit_passes() -> None:
    """1 % of 59,000 is 590: 59,590 passes, a cent more does not."""

    def moves(high: str) -> Facts:
        minutes = [Move(NOW - n * MINUTE, D(59_000) if n == 3 else D(high), D(high)) for n in range(6, -1, -1)]
        return replace(KNOWN, moves={"BTC/USDT": tuple(minutes)})

    assert said(MOVE, order(), moves("59590")) == []
    assert [code for code, _ in said(MOVE, order(), moves("59590.01"))] == ["RISK_PRICE_MOVE"]


def test_actions_that_no_policy_allows() -> None:
    """G04, G05: withdrawals, transfers and key administration are denied always, conversions for want of a check."""
    for action in ("transfer", "withdraw", "key.admin"):
        assert ("ACTION_REFUSED", f"{action} is not for bots; no policy allows it") in said(
            {}, Order("", action=action)
        )
    assert [code for code, _ in said({}, Order("", action="convert"))] == ["CHECK_MISSING"]
    borrow = Order("USDT", action="margin.borrow", quantity=D(1))
    assert "ACTION_REFUSED" in [code for code, _ in said({}, borrow)]
    assert "ACTION_REFUSED" not in [code for code, _ in said({"risk.max_borrow": "10 USDT"}, borrow)]


def test_a_close_that_raises_another_asset_has_no_check() -> None:
    """Closing ETH/BTC buys BTC; closing BTC/USDT ends in the account's own currency and passes."""
    assert said({}, Order("BTC/USDT", action="position.close")) == []
    denied = said({}, Order("ETH/BTC", action="position.close"))
    assert ("CHECK_MISSING", "closing a position in ETH/BTC raises BTC, and has no check in this version") in denied


def test_what_stops_an_exit_is_on_the_page() -> None:
    """The head of docs/checks.md names every check that stops what can only reduce, by what it stands for."""
    said_so = {
        "order.shape": "a malformed order",
        "trading.state": "a freeze",
        "rate.ban": "a ban",
        "rate_budgets": "a rate budget without room even for exits",
        "stage.current": "a stage at which no order leaves",
        "risk.reduce_only_exits": "`risk.reduce_only_exits`",
    }
    assert {check.id for check in all_checks() if check.stops_reductions} == set(said_so)
    head = " ".join(page().split("## Checks")[0].split())
    assert [words for words in said_so.values() if words not in head] == []


def test_an_exit_in_contracts_is_stopped_by_a_want_of_its_flag_alone() -> None:
    """Of all limits only `reduce_only_exits` stops a mere exit, and the same order with the flag passes."""
    held = replace(KNOWN, positions={SWAP: Position(D(1), D(1))}, position_mode=Setting("one_way", NOW))
    limits = {**OPEN, **LIMITS, "risk.sides": ["buy"], "risk.reduce_only_exits": True}
    leave = {"symbol": SWAP, "side": "sell", "quantity": "1"}
    assert [code for code, _ in said(limits, order(**leave), held)] == ["RISK_REDUCE_ONLY"]
    assert said(limits, order(**leave, reduce_only=True), held) == []

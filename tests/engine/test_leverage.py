"""Leverage and margin mode: as observed at the exchange, as an order asks for them, and as a call would set them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from policykit.engine.facts import Contract, Setting
from policykit.traits.base import Exchange, Product
from tests.engine.worlds import NOW, engine, facts, order

D = Decimal
FUTURES = Exchange("binance", {"swap": Product({}, "symbol"), "spot": Product({}, "base", auto_borrow=False)})
SWAP = "BTC/USDT:USDT"
BARE: dict[str, Any] = {
    "rate_budgets": None,
    "risk": {"symbols": ["*"]},
    "account.max_age": "10s",
}
LEVERAGE = {**BARE, "risk": {"symbols": ["*"], "max_leverage": "3"}}
ISOLATED = {**BARE, "account.margin_mode": "isolated"}


def said(changes: dict[str, Any], known: Contract | None, traits: Exchange | None = FUTURES, **asked: Any) -> list[str]:
    """Return codes and messages of a decision by the two checks."""
    contracts = {SWAP: known} if known is not None else {}
    made = engine(changes, traits)
    found = made.assess(facts(contracts=contracts), order(**{"symbol": SWAP, "price": "60000", **asked}), NOW)
    checks = ("risk.max_leverage", "account.margin_mode")
    return [f"{reason.code}: {reason.message}" for reason in found.reasons if reason.check in checks]


def at(leverage: str | None = None, mode: str | None = None, age_ms: int = 0) -> Contract:
    """Return what an exchange says of a contract."""
    return Contract(D(leverage) if leverage is not None else None, mode, as_of_ms=NOW - age_ms)


UNSEEN = "FACTS_MISSING: the settings of BTC/USDT:USDT were never observed"
OLD = "FACTS_STALE: the settings of BTC/USDT:USDT: observed 10 s ago, over 10 s"
NONE = "FACTS_MISSING: the leverage of BTC/USDT:USDT was not observed"


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (at("3"), []),
        (at("2.5"), []),
        (at("3.01"), ["RISK_LEVERAGE: the leverage of BTC/USDT:USDT is 3.01, max_leverage is 3"]),
        (at("20"), ["RISK_LEVERAGE: the leverage of BTC/USDT:USDT is 20, max_leverage is 3"]),
        (at("0"), ["RISK_LEVERAGE: the leverage of BTC/USDT:USDT is 0, max_leverage is 3"]),
        (at("-1"), ["RISK_LEVERAGE: the leverage of BTC/USDT:USDT is -1, max_leverage is 3"]),
        (at(), [NONE]),
        (at("NaN"), [NONE]),
        (at("Infinity"), [NONE]),
        (None, [UNSEEN]),
        (at("1", age_ms=10_000), []),
        (at("1", age_ms=10_001), [OLD]),
    ],
)
def test_leverage_as_observed(known: Contract | None, expected: list[str]) -> None:
    """An entry in a contract needs a fresh leverage at the exchange within the cap, at its very edge too."""
    assert said(LEVERAGE, known) == expected
    assert said(LEVERAGE, known, side="sell") == expected
    assert said(LEVERAGE, known, side="sell", reduce_only=True) == []


def test_leverage_that_an_order_asks_for() -> None:
    """An order may ask for no more than the cap, and what is set must be within it as well."""
    over = "RISK_LEVERAGE: the leverage asked for BTC/USDT:USDT is 3.5, max_leverage is 3"
    assert said(LEVERAGE, at("3"), leverage=D(3)) == []
    assert said(LEVERAGE, at("3"), leverage=D("3.5")) == [over]
    assert said(LEVERAGE, at("9"), leverage=D("3.5")) == [
        over,
        "RISK_LEVERAGE: the leverage of BTC/USDT:USDT is 9, max_leverage is 3",
    ]
    # A wrong number is named by the check of the order's shape.
    assert said(LEVERAGE, at("3"), leverage=D("NaN")) == []


def test_leverage_of_spot() -> None:
    """Spot that cannot borrow has none; where it may borrow, or an order is on margin, it must be said, and fit."""
    spot = {"symbol": "BTC/USDT"}
    assert said(LEVERAGE, None, **spot) == []
    unsaid = (
        "RISK_LEVERAGE: BTC/USDT may borrow, and its leverage is not observed; say it with the order, or trade where "
        "spot cannot borrow"
    )
    assert said(LEVERAGE, None, None, **spot) == [unsaid]
    assert said(LEVERAGE, None, margin_mode="cross", **spot) == [unsaid]
    assert said(LEVERAGE, None, leverage=D(3), **spot) == []
    over = "RISK_LEVERAGE: the leverage asked for BTC/USDT is 4, max_leverage is 3"
    assert said(LEVERAGE, None, leverage=D(4), **spot) == [over]


@pytest.mark.parametrize(
    ("asked", "known", "expected"),
    [
        ({"leverage": D(3)}, None, []),
        ({"leverage": D(4)}, None, ["RISK_LEVERAGE: the leverage asked for BTC/USDT:USDT is 4, max_leverage is 3"]),
        ({"leverage": D(4)}, at("4"), []),  # no more than is set already
        ({"leverage": D(4)}, at("3"), ["RISK_LEVERAGE: the leverage asked for BTC/USDT:USDT is 4, max_leverage is 3"]),
        (
            {"leverage": D(4)},
            at("4", age_ms=10_001),  # what is set now is not known
            ["RISK_LEVERAGE: the leverage asked for BTC/USDT:USDT is 4, max_leverage is 3"],
        ),
        ({"leverage": D(0)}, at("4"), ["RISK_LEVERAGE: the leverage asked for BTC/USDT:USDT is 0, max_leverage is 3"]),
        ({"leverage": D(4)}, at(), ["RISK_LEVERAGE: the leverage asked for BTC/USDT:USDT is 4, max_leverage is 3"]),
        ({"margin_mode": "isolated"}, None, []),
        (
            {"leverage": D(4), "margin_mode": "cross"},
            at("9"),
            ["RISK_LEVERAGE: the leverage asked for BTC/USDT:USDT is 4, max_leverage is 3"],
        ),
    ],
)
def test_a_call_that_sets_leverage(asked: dict[str, Any], known: Contract | None, expected: list[str]) -> None:
    """Setting is held to the cap; lowering what is known to be set passes, even while trading is halted."""
    setting = {"action": "account.configure", "side": None, "type": None, "quantity": None, "price": None}
    assert said(LEVERAGE, known, **setting, **asked) == expected


def test_margin_mode_as_observed() -> None:
    """While the policy says isolated, an entry on cross margin, or on one that is not known, is denied."""
    other = "ACCOUNT_MARGIN_MODE: the margin mode of BTC/USDT:USDT is cross, margin_mode is isolated"
    for side in ("buy", "sell"):
        assert said(ISOLATED, at(mode="isolated"), side=side) == []
        assert said(ISOLATED, at(mode="cross"), side=side) == [other]
        assert said(ISOLATED, None, side=side) == [UNSEEN]
        assert said(ISOLATED, at(), side=side) == ["FACTS_MISSING: the margin mode of BTC/USDT:USDT was not observed"]
        assert said(ISOLATED, at(mode="isolated", age_ms=10_001), side=side) == [OLD]
        assert said(ISOLATED, at(mode="cross"), side=side, reduce_only=True) == []
    assert said(ISOLATED, None, symbol="BTC/USDT") == []
    assert said({**BARE, "account.margin_mode": "cross"}, at(mode="cross")) == []


def test_margin_mode_that_is_asked_for() -> None:
    """Neither an order nor a call that configures the account may ask for cross; a call to isolate always passes."""
    asked = "ACCOUNT_MARGIN_MODE: the margin mode asked for BTC/USDT:USDT is cross, margin_mode is isolated"
    assert said(ISOLATED, at(mode="isolated"), margin_mode="isolated") == []
    assert said(ISOLATED, at(mode="isolated"), margin_mode="cross") == [asked]
    setting = {"action": "account.configure", "side": None, "type": None, "quantity": None, "price": None}
    assert said(ISOLATED, None, **setting, margin_mode="cross") == [asked]
    assert said(ISOLATED, None, **setting, margin_mode="isolated") == []
    assert said(ISOLATED, None, **setting, position_mode="hedge") == []  # for the check of position modes
    assert said(ISOLATED, None, symbol="BTC/USDT", margin_mode="cross") == [
        "ACCOUNT_MARGIN_MODE: the margin mode asked for BTC/USDT is cross, margin_mode is isolated"
    ]


def test_position_mode_that_is_asked_for() -> None:
    """A call may set the position mode that the policy says, and no other; an entry needs it to be set."""
    asked = order(symbol=SWAP, action="account.configure", side=None, type=None, quantity=None, price=None)
    for wanted, expected in (
        ("one_way", []),
        ("hedge", ["ACCOUNT_POSITION_MODE: the position mode is hedge, position_mode is one_way"]),
    ):
        asked.position_mode = wanted
        found = engine({**BARE, "account.position_mode": "one_way"}, FUTURES).assess(facts(), asked, NOW)
        assert [f"{reason.code}: {reason.message}" for reason in found.reasons] == expected


def test_position_mode_that_an_order_meets() -> None:
    """An entry on contracts needs the mode to be seen, lately, and to be the policy's."""
    made = engine({**BARE, "account.position_mode": "one_way"}, FUTURES)
    for setting, expected in (
        (None, ["FACTS_MISSING"]),
        (Setting("one_way", NOW - 3_600_000), ["FACTS_STALE"]),
        (Setting("hedge", NOW), ["ACCOUNT_POSITION_MODE"]),
        (Setting("one_way", NOW), []),
    ):
        found = made.assess(facts(position_mode=setting), order(symbol=SWAP), NOW).reasons
        assert [reason.code for reason in found if reason.check == "account.position_mode"] == expected


def test_a_reason_tells_its_numbers() -> None:
    """What was seen and what is allowed stand in the reason as text."""
    made = engine({**LEVERAGE, "account.margin_mode": "isolated"}, FUTURES)
    found = made.assess(facts(contracts={SWAP: at("20", "cross")}), order(symbol=SWAP), NOW).reasons
    assert [(r.observed, r.limit, r.unit) for r in found if r.observed] == [
        ("cross", "isolated", "mode"),
        ("20", "3", "times"),
    ]

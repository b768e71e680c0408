"""Each check: what it denies, word for word, and a legitimate order that it lets pass."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from policykit.decision import Hold, Reason
from policykit.engine import compile_policy
from policykit.engine.facts import Fact, Facts, Halt
from policykit.order import Order
from policykit.policy import load_text
from policykit.traits import load
from policykit.traits.base import Exchange
from tests.engine.worlds import DAY, FACTS, NOW, SHARE, TRAITS, changed, codes, engine, facts, order

BASE = "(3% of equity 100,500.00 USDT at the day's start)"
BY = "by ops at 2026-11-21T09:59:59.000Z for account:binance/main: drill"
HALT = Halt("account:binance/main", "HALTED", "ops", "drill", NOW - 1_000)


def messages(
    changes: dict[str, Any], known: Facts, asked: Order, traits: Exchange | None = TRAITS, now: int = NOW
) -> list[tuple[str, str]]:
    """Return the codes and messages of a decision."""
    return [(r.code, r.message) for r in engine(changes, traits).assess(known, asked, now).reasons]


def test_allowed_order_needs_these_holds() -> None:
    """An order that passes comes with every claim that the store has to grant, and its value."""
    found = engine().assess(FACTS, order(), NOW)
    assert found == (
        (),
        (
            Hold("binance/main|position|BTC", 1_000_000, 33_333_333, "position", "risk.max_position_notional"),
            Hold("binance/main|unknown|BTC/USDT|buy", 0, 0, "clear", "order.outcome_pending"),
            Hold("binance/main|open_orders", 1, 20, "sum", "risk.max_open_orders"),
            Hold("binance/main|orders|60000", 1, 30, "window", "risk.max_orders", 60_000),
            Hold("binance@fra-1|request-weight|60000|fixed", 1, 4_200, "window", "rate_budgets", 60_000, True),
        ),
        False,
        Decimal("590.00"),
        (),
    )


def test_reason_is_whole() -> None:
    """A reason has code, check, observed value, limit, unit and the place of the limit in the policy."""
    made = engine()
    found = made.assess(FACTS, order(quantity="0.5", price="60000"), NOW)
    place = made.effective.place("risk.max_order_notional")
    assert place.path == "risk.max_order_notional"
    assert found.reasons[0] == Reason(
        "RISK_ORDER_NOTIONAL",
        "risk.max_order_notional",
        f"order notional 30,000.00 USDT is over max_order_notional 1,500.00 USDT {SHARE}",
        "30000",
        "1500",
        "USDT",
        place,
    )
    assert found.reasons[1].message == (
        "position BTC/USDT would be 36,000.00 of max_position_notional 20,000.00 USDT "
        "(20% of equity 100,000.00 USDT, 3 s old)"
    )


DENIALS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[tuple[str, str]]]] = [
    ({}, {"halts": (HALT,)}, {}, [("TRADING_HALTED", f"trading is halted {BY}")]),
    ({}, {"halts": (HALT._replace(state="REDUCING"),)}, {}, [("TRADING_REDUCING", f"trading is reducing {BY}")]),
    (
        {},
        {"halts": (HALT._replace(freeze=True),)},
        {},
        [("TRADING_FROZEN", f"trading is frozen {BY}; reductions are blocked too")],
    ),
    (
        {},
        {"store_problem": ("STORE_RESET", "the store has another epoch")},
        {},
        [("STORE_RESET", "the store has another epoch")],
    ),
    (
        {},
        {"recovered": False},
        {},
        [
            (
                "RECOVERY_PENDING",
                "increases wait: open orders of an earlier run are not settled, or positions not reconciled",
            )
        ],
    ),
    (
        {},
        {"banned_until_ms": {"ip": NOW + 1, "account": NOW}},
        {},
        [("RATE_BANNED", "the exchange takes nothing from this ip before 2026-11-21T10:00:00.001Z")],
    ),
    ({}, {"skew_ms": None}, {}, [("CLOCK_SKEW", "the clock was never compared with the exchange's")]),
    ({}, {"skew_ms": -501}, {}, [("CLOCK_SKEW", "the clock is 501 ms behind, over max_skew 500 ms")]),
    ({}, {"skew_ms": 501}, {}, [("CLOCK_SKEW", "the clock is 501 ms ahead, over max_skew 500 ms")]),
    ({}, {"positions_as_of_ms": None}, {}, [("FACTS_MISSING", "positions never observed")]),
    ({}, {"positions_as_of_ms": NOW - 10_001}, {}, [("FACTS_STALE", "positions 10 s old, over max_age 10 s")]),
    ({}, {"positions_as_of_ms": NOW + 501}, {}, [("FACTS_STALE", "positions 0.5 s ahead of the clock")]),
    (
        {},
        {},
        {"symbol": "DOGE/USDT"},
        [
            ("RISK_SYMBOL", "DOGE/USDT is not in symbols (BTC/USDT, ETH/USDT)"),
            ("PRICE_MISSING", "no price of DOGE/USDT was observed"),
        ],
    ),
    ({"risk.symbols": ["*/USDT", "!BTC*"]}, {}, {}, [("RISK_SYMBOL", "BTC/USDT is not in symbols (*/USDT, !BTC*)")]),
    (
        {},
        {},
        {"type": "stop_loss_limit"},
        [("RISK_ORDER_TYPE", "type stop_loss_limit is not in order_types (limit, market)")],
    ),
    (
        {},
        {},
        {"stop_price": "58000"},
        [
            (
                "RISK_ORDER_TYPE",
                "a limit order with a stop price is no limit order; order_types (limit, market) does not name it",
            )
        ],
    ),
    (
        {"risk.max_position_notional": None},
        {"marks": {}},
        {"type": "market", "price": None},
        [("PRICE_MISSING", "no price of BTC/USDT was observed")],
    ),
    (
        {"risk.max_position_notional": None},
        {"marks": {"BTC/USDT": Fact(Decimal("NaN"), NOW)}},
        {"type": "market", "price": None},
        [("PRICE_MISSING", "the observed price of BTC/USDT is no price")],
    ),
    (
        {"risk.max_position_notional": None},
        {"marks": {"BTC/USDT": Fact(Decimal(60_000), NOW - 10_001)}},
        {"type": "market", "price": None},
        [("PRICE_STALE", "the price of BTC/USDT is 10 s old, over 10 s")],
    ),
    (
        {},
        {},
        {"quantity": "90071992.54740992", "price": "0.00001"},
        [("NUMBER_RANGE", "the quantity is beyond what counters hold exactly")],
    ),
    (
        {"risk.max_order_notional": ["590 USDT", "5% of equity"]},
        {},
        {"price": "59000.000001"},
        [("RISK_ORDER_NOTIONAL", "order notional 590.00000001 USDT is over max_order_notional 590.00 USDT")],
    ),
    (
        {"risk.max_order_notional": "0.009 BTC"},
        {},
        {},
        [("RISK_ORDER_NOTIONAL", "order notional 590.00 USDT is over max_order_notional 540.00 USDT (0.009 BTC)")],
    ),
    (
        {"risk.max_order_notional": "5 GBP"},
        {},
        {},
        [("PRICE_MISSING", "no price of GBP/USDT was observed; GBP cannot be counted in USDT")],
    ),
    (
        {"risk.price_collar": {"max_deviation": "2%"}},
        {},
        {"price": "61200.01"},
        [("RISK_PRICE_COLLAR", "price 61,200.01 USDT is over 61,200.00 USDT, 2% from the mark")],
    ),
    (
        {"risk.price_collar": {"max_deviation": "2%", "reference": "last"}},
        {},
        {},
        [("CHECK_MISSING", "reference last is not observed by this version; use mark or mid")],
    ),
    (
        {"risk.price_collar": {"max_deviation": "2%", "max_age": "500ms"}, "risk.max_position_notional": None},
        {},
        {},
        [("PRICE_STALE", "the price of BTC/USDT is 1 s old, over 0.5 s")],
    ),
    ({}, {"day_base": None}, {}, [("DAY_BASE_MISSING", "equity at the start of this day was not observed")]),
    (
        {},
        {"day_base": Fact(Decimal(100_500), DAY - 86_400_000)},
        {},
        [("DAY_BASE_MISSING", "equity at the start of this day was not observed")],
    ),
    ({}, {"net_transfers": None}, {}, [("FACTS_MISSING", "transfers since the start of this day were not observed")]),
    (
        {"risk.daily_loss.limit": ["500 USDT", "3% of equity"]},
        {},
        {},
        [("DAILY_LOSS", "the day's loss 500.00 USDT has reached daily_loss 500.00 USDT")],
    ),
    (
        {"risk.daily_loss.limit": "0.008 BTC"},
        {},
        {},
        [("DAILY_LOSS", "the day's loss 500.00 USDT has reached daily_loss 480.00 USDT (0.008 BTC)")],
    ),
    (
        {},
        {"net_transfers": Fact(Decimal(2_515), NOW)},
        {},
        [
            (
                "DAILY_LOSS",
                f"the day's loss 3,015.00 USDT has reached daily_loss 3,015.00 USDT {BASE}",
            )
        ],
    ),
]


@pytest.mark.parametrize(("changes", "known", "asked", "expected"), DENIALS, ids=lambda value: None)
def test_denial_word_for_word(
    changes: dict[str, Any], known: dict[str, Any], asked: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """Each condition denies with its code and a message that says what is and what may be."""
    assert messages(changes, facts(**known), order(**asked)) == expected


@pytest.mark.parametrize(
    ("changes", "known", "asked"),
    [
        ({}, {"skew_ms": -500}, {}),
        ({}, {"positions_as_of_ms": NOW - 10_000}, {}),
        ({}, {"positions_as_of_ms": NOW + 500}, {}),
        ({}, {"banned_until_ms": {"ip": NOW}}, {}),
        ({"clock": None}, {"skew_ms": None}, {}),
        ({"risk.symbols": ["*/USDT", "!LUNA*"]}, {}, {}),
        ({"risk.order_types": ["stop_loss_limit"]}, {}, {"type": "stop_loss_limit", "stop_price": "60500"}),
        ({"risk.max_order_notional": ["590 USDT", "5% of equity"]}, {}, {}),
        ({"risk.price_collar": {"max_deviation": "2%"}}, {}, {"price": "61200"}),
        ({"risk.price_collar": {"max_deviation": "2%"}}, {}, {"type": "market", "price": None}),
        ({"risk.max_leverage": 3}, {}, {}),
        ({"risk.max_position_notional": None}, {"marks": {}}, {}),
        ({"risk.daily_loss.limit": "500.01 USDT"}, {}, {}),
        ({}, {"net_transfers": Fact(Decimal("2514.99"), NOW)}, {}),
        ({"risk": None, "rate_budgets": None}, {"marks": {}, "day_base": None}, {}),
        ({"risk.partial_fills": {}}, {}, {}),
    ],
)
def test_legitimate_order_passes(changes: dict[str, Any], known: dict[str, Any], asked: dict[str, Any]) -> None:
    """At the edge of each bound, and where a policy sets no such limit, the order passes."""
    made = engine(changes)
    asked_order = order(**asked)
    first = made.assess(facts(**known), asked_order, NOW)
    assert first.reasons == ()
    assert first.holds[0].kind == "position"


MALFORMED = [
    ({"symbol": "BTCUSDT"}, ['symbol is not written as ccxt writes a market ("BTC/USDT")']),
    ({"symbol": 7}, ['symbol is not written as ccxt writes a market ("BTC/USDT")']),
    ({"side": "long"}, ['side is neither "buy" nor "sell"']),
    ({"type": ""}, ["type is not a word"]),
    ({"price": None}, ["a limit order has no price"]),
    ({"quantity": None}, ["neither quantity nor quote_quantity is given"]),
    ({"quote_quantity": "5"}, ["both quantity and quote_quantity are given"]),
    ({"quantity": Decimal("NaN")}, ["quantity is NaN; a number over 0 is needed"]),
    ({"quantity": Decimal("Infinity")}, ["quantity is Infinity; a number over 0 is needed"]),
    ({"quantity": True}, ["quantity is True (bool); a number over 0 is needed"]),
    ({"quantity": 0.01}, ["quantity is 0.01 (float); a number over 0 is needed"]),
    ({"quantity": ["0.01"]}, ["quantity is a list; a number over 0 is needed"]),
    (
        {"quantity": "-0.01", "price": "0"},
        ["quantity is -0.01; a number over 0 is needed", "price is 0; a number over 0 is needed"],
    ),
    ({"price": "1e41"}, ["price has over 40 digits"]),
]


@pytest.mark.parametrize(("asked", "expected"), MALFORMED, ids=lambda value: None)
def test_malformed_order_is_denied_on_either_side(asked: dict[str, Any], expected: list[str]) -> None:
    """What is not understood cannot be known to reduce: a malformed sell is denied, too."""
    for side in ("buy", "sell"):
        found = engine().assess(FACTS, order(**{"side": side, **asked}), NOW)
        told = [r.message for r in found.reasons if r.code == "ORDER_INVALID"]
        assert told == [f"malformed order: {text}" for text in expected]
        assert not found.reduces


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("withdraw", [("ACTION_REFUSED", "withdraw is not for bots; no policy allows it")]),
        ("transfer", [("ACTION_REFUSED", "transfer is not for bots; no policy allows it")]),
        ("order.magic", [("ORDER_INVALID", "the action is not one of policykit's")]),
    ],
)
def test_other_actions_are_denied(action: str, expected: list[tuple[str, str]]) -> None:
    """Withdrawals and transfers never pass, actions without a check do not, unknown ones are malformed."""
    assert messages({}, FACTS, order(action=action)) == expected


def test_sell_on_spot_passes_every_cap_and_halt() -> None:
    """An order that can only reduce is stopped by no cap, symbol, type, count, stale fact or halt; it still counts."""
    known = Facts(halts=(HALT,), store_problem=("STORE_DOWN", "gone"), recovered=False)
    found = engine().assess(known, order(symbol="DOGE/USDT", side="sell", type="market", price=None), NOW)
    most = 2**53 - 1
    assert found == (
        (),
        (
            Hold("binance/main|position|DOGE", -1_000_000, most, "position", "risk.max_position_notional"),
            Hold("binance/main|open_orders", 1, most, "sum", "risk.max_open_orders"),
            Hold("binance/main|orders|60000", 1, most, "window", "risk.max_orders", 60_000),
            Hold("binance@fra-1|request-weight|60000|fixed", 1, 4_800, "window", "rate_budgets", 60_000, True),
        ),
        True,
        None,
        (),
    )


def test_what_stops_a_reduction() -> None:
    """Only a freeze, a ban and a malformed order stop what can only reduce."""
    frozen = facts(halts=(HALT._replace(freeze=True),), banned_until_ms={"account": NOW + 5})
    assert codes(engine().assess(frozen, order(side="sell"), NOW)) == ["TRADING_FROZEN", "RATE_BANNED"]


def test_reduction_of_unknown_size_still_holds_a_step() -> None:
    """A sell in quote quantity without a price passes and holds the least step, so that its fills are counted."""
    asked = order(side="sell", type="market", quantity=None, quote_quantity="100", price=None)
    found = engine().assess(facts(marks={}), asked, NOW)
    assert found.reasons == ()
    assert found.holds[0][:3] == ("binance/main|position|BTC", -1, 2**53 - 1)


def test_stop_that_reduces_is_valued_at_its_trigger() -> None:
    """A protective stop without a limit passes without a mark, and is valued at its trigger."""
    asked = order(side="sell", type="stop_loss", price=None, stop_price="50000")
    found = engine().assess(facts(marks={}), asked, NOW)
    assert (found.reasons, found.notional) == ((), Decimal("500.00"))


def test_cancels_always_pass() -> None:
    """A cancel passes frozen, banned, with no facts and no symbol; it counts in the budget without a limit."""
    known = Facts(halts=(HALT._replace(freeze=True),), banned_until_ms={"ip": NOW + 9_999})
    for action in ("order.cancel", "orders.cancel_all"):
        found = engine().assess(known, Order(None, action=action), NOW)  # type: ignore[arg-type]
        hold = Hold("binance@fra-1|request-weight|60000|fixed", 1, 2**53 - 1, "window", "rate_budgets", 60_000, True)
        assert found == ((), (hold,), True, None, ())


def test_reads_hold_weight_only() -> None:
    """A read passes halts and stale facts, pays the weight of its call from the entries' share, and obeys a ban."""
    read = Order("", action="data.read", type="GET /api/v3/account")
    hold = Hold("binance@fra-1|request-weight|60000|fixed", 20, 4_200, "window", "rate_budgets", 60_000, True)
    assert engine().assess(Facts(halts=(HALT,)), read, NOW) == ((), (hold,), False, None, ())
    everything = Order("", action="data.read", type="GET /api/v3/openOrders all")
    assert engine().assess(FACTS, everything, NOW).holds[0].amount == 80
    banned = engine().assess(facts(banned_until_ms={"ip": NOW + 1}), read, NOW)
    assert codes(banned) == ["RATE_BANNED"]


def test_close_reduces() -> None:
    """Closing a position can only reduce; it needs to name a market."""
    close = order(action="position.close")
    found = engine().assess(facts(halts=(HALT,)), close, NOW)
    assert (found.reasons, found.reduces) == ((), True)
    assert codes(engine().assess(FACTS, order(action="position.close", symbol="x"), NOW))[0] == "ORDER_INVALID"


def test_loss_that_only_warns() -> None:
    """`on_breach: warn` lets the order pass and says so; the others deny, and carry what is to follow."""
    loss = {"risk.daily_loss.limit": "500 USDT"}
    warned = engine({**loss, "risk.daily_loss.on_breach": "warn"}).assess(FACTS, order(), NOW)
    assert (warned.reasons, [w.code for w in warned.warnings]) == ((), ["DAILY_LOSS"])
    halted = engine({**loss, "risk.daily_loss.on_breach": "halt"}).assess(FACTS, order(), NOW)
    assert [reason.on_breach for reason in halted.reasons] == ["halt"]


BUDGET = {"limit": 50, "per": "10s", "window": "rolling", "shared_by": "key"}


def test_budgets_of_accounts_and_keys() -> None:
    """A budget is counted by address, account or key; parts are rounded against the order; own costs come first."""
    odd = {**BUDGET, "limit": 33, "use_at_most": "50%", "keep_for_exits": "10%"}
    made = engine({"rate_budgets": {"orders": odd}})
    hold = made.assess(FACTS, order(), NOW).holds[-1]
    assert hold == ("binance/main|orders|10000|rolling", 1, 12, "window", "rate_budgets", 10_000, False)
    assert made.assess(FACTS, order(side="sell"), NOW).holds[-1].limit == 16
    assert made.assess(FACTS, Order("BTC/USDT", action="order.cancel"), NOW).holds == ()
    costly = engine({"rate_budgets": {"orders": {**BUDGET, "costs": {"POST /api/v3/order": 7}}}})
    assert costly.assess(FACTS, order(), NOW).holds[-1].amount == 7
    unknown = engine({"rate_budgets": {"orders": BUDGET, "weight": {**BUDGET, "shared_by": "ip"}}}, None)
    cancel = unknown.assess(FACTS, Order("BTC/USDT", action="order.cancel"), NOW)
    assert [hold.counter for hold in cancel.holds] == ["binance@fra-1|weight|10000|rolling"]


def test_budget_of_a_named_key() -> None:
    """A budget of a key is counted by the key that signs."""
    from policykit.engine import compile_policy

    effective = engine({"rate_budgets": {"orders": BUDGET}}).effective
    made = compile_policy(effective, load("binance"), "mm-exec")
    assert made.assess(FACTS, order(), NOW).holds[-1].counter == "binance/main/mm-exec|orders|10000|rolling"


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [("execution", []), ("hedging", []), ("tracking", ["KEY_PURPOSE"]), ("market_data", ["KEY_PURPOSE"])],
)
def test_only_a_key_for_trading_increases(purpose: str, expected: list[str]) -> None:
    """An order signed with a reader's key is denied by its purpose; what can only reduce passes."""
    key = {"purpose": purpose, "scopes": ["read", "trade.spot"]}
    loaded = load_text(json.dumps(changed({"keys": {"mm-exec": key}})), "mm.yaml")
    made = compile_policy(loaded, TRAITS, "mm-exec")
    assert codes(made.assess(FACTS, order(), NOW)) == expected
    assert made.assess(FACTS, order(side="sell"), NOW).reasons == ()
    assert compile_policy(loaded, TRAITS).assess(FACTS, order(), NOW).reasons == ()

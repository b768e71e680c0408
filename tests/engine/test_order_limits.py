"""The checks of single orders: what each denies, word for word, its edge, what it lets pass, and exits."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from policykit.engine.facts import Fact, Facts, Halt, Move, Position, Quote
from policykit.order import Order
from tests.engine.worlds import NOW, codes, engine, facts, order

D = Decimal
MINUTE = 60_000
SWAP = "BTC/USDT:USDT"
INVERSE = "BTC/USD:BTC"
MARKS = {
    "BTC/USDT": Fact(D(60_000), NOW),
    SWAP: Fact(D(60_000), NOW),
    INVERSE: Fact(D(60_000), NOW),
    "USD/USDT": Fact(D(1), NOW),
}
QUOTES = {"BTC/USDT": Quote(D(59_990), D(60_010), NOW)}
MOVES = {"BTC/USDT": tuple(Move(NOW - n * MINUTE, D(59_000) if n else D(60_000), D(60_000)) for n in range(6, -1, -1))}
KNOWN = facts(marks=MARKS, quotes=QUOTES, moves=MOVES, contract_sizes={SWAP: D("0.01"), INVERSE: D(100)})
OPEN: dict[str, Any] = {
    "risk.symbols": ["*"],
    "risk.order_types": ["limit", "market", "stop_limit", "stop_market", "trailing_stop_market"],
    "risk.max_position_notional": None,
    "risk.max_order_notional": None,
}
STOP = {"risk.risk_at_stop": "100 USDT"}
HEDGE = {"account.position_mode": "hedge", **OPEN}


def said(changes: dict[str, Any], asked: Order, known: Facts = KNOWN, now: int = NOW) -> list[tuple[str, str]]:
    """Return the codes and messages of a decision under a wide policy with one limit."""
    found = engine({**OPEN, **changes}).assess(known, asked, now)
    return [(r.code, r.message) for r in found.reasons]


DENIED: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"risk.sides": ["sell"]}, {}, "RISK_SIDE", "side buy is not in sides (sell)"),
    ({"risk.sides": []}, {}, "RISK_SIDE", "side buy is not in sides (none)"),
    (
        {"risk.time_in_force": ["IOC", "FOK"]},
        {},
        "RISK_TIME_IN_FORCE",
        "time in force GTC is not in time_in_force (IOC, FOK)",
    ),
    (
        {"risk.time_in_force": ["GTC"]},
        {"type": "market", "price": None},
        "RISK_TIME_IN_FORCE",
        "time in force IOC is not in time_in_force (GTC)",
    ),
    (
        {"risk.self_trade_prevention": ["expire_taker"]},
        {},
        "RISK_SELF_TRADE",
        "the order has no self-trade prevention; self_trade_prevention asks for one of (expire_taker)",
    ),
    (
        {"risk.self_trade_prevention": ["expire_taker", "expire_both"]},
        {"self_trade_prevention": "decrement"},
        "RISK_SELF_TRADE",
        (
            "the order has self-trade prevention decrement; self_trade_prevention asks for one of "
            "(expire_taker, expire_both)"
        ),
    ),
    (
        {"risk.max_order_quantity": {"default": "0.01"}},
        {"quantity": "0.01000001"},
        "RISK_ORDER_QUANTITY",
        "order quantity 0.01000001 BTC is over max_order_quantity 0.01 BTC",
    ),
    (
        {"risk.max_order_quantity": {"default": 9, SWAP: 2}},
        {"symbol": SWAP, "quantity": "3"},
        "RISK_ORDER_QUANTITY",
        "order quantity 3.00 contracts is over max_order_quantity 2.00 contracts",
    ),
    (
        STOP,
        {},
        "RISK_STOP_MISSING",
        "the entry has no attached stop, and risk_at_stop caps its loss there; attach one (stopLoss)",
    ),
    (
        STOP,
        {"stop_loss_price": D(59_000)},
        "RISK_STOP_MISSING",
        "stop_loss_price 59,000.00 USDT is not below the entry's 59,000.00 USDT",
    ),
    (
        STOP,
        {"symbol": SWAP, "side": "sell", "stop_loss_price": D(58_000)},
        "RISK_STOP_MISSING",
        "stop_loss_price 58,000.00 USDT is not above the entry's 59,000.00 USDT",
    ),
    (
        STOP,
        {"quantity": "0.1", "stop_loss_price": D("57999.99")},
        "RISK_AT_STOP",
        "loss at the stop 100.001 USDT is over risk_at_stop 100.00 USDT",
    ),
    (
        STOP,
        {"type": "market", "price": None, "quantity": "0.1", "stop_loss_price": D(59_000)},
        "RISK_AT_STOP",
        "loss at the stop 400.00 USDT is over risk_at_stop 100.00 USDT",
    ),
    (
        STOP,
        {
            "symbol": SWAP,
            "side": "sell",
            "type": "market",
            "price": None,
            "stop_loss_price": D(61_000),
            "quantity": "3",
        },
        "RISK_AT_STOP",
        "loss at the stop 120.00 USDT is over risk_at_stop 100.00 USDT",
    ),
    (
        {"risk.max_slippage": "0.01%"},
        {"type": "market", "price": None},
        "RISK_SLIPPAGE",
        (
            "the best ask 60,010.00 USDT is over 60,006.00 USDT, max_slippage 0.01% from the mark; "
            "wait, or send a limit order"
        ),
    ),
    (
        {"risk.price_collar": {"max_deviation": "1%", "reference": "mid"}},
        {"price": "60600.01", "quantity": "0.001"},
        "RISK_PRICE_COLLAR",
        "price 60,600.01 USDT is over 60,600.00 USDT, 1% from the mid",
    ),
    (
        {"risk.price_collar": {"max_deviation": "1%", "reference": "index"}},
        {},
        "CHECK_MISSING",
        "reference index is not observed by this version; use mark or mid",
    ),
    (
        {"risk.max_price_move": {"limit": "1%", "per": "5m"}},
        {},
        "RISK_PRICE_MOVE",
        (
            "the mark of BTC/USDT moved between 59,000.00 USDT and 60,000.00 USDT in the last 5m, "
            "max_price_move is 1%; wait until the market is calm"
        ),
    ),
    (
        {"risk.max_price_move": {"limit": "9%", "per": "10m"}},
        {},
        "FACTS_MISSING",
        "the marks of BTC/USDT are not known for all of the last 10m; entries wait until they are",
    ),
    (
        {"risk.max_price_move": {"limit": "9%", "per": "61m"}},
        {},
        "CHECK_MISSING",
        "max_price_move.per is 61m; marks are kept for 1h: use at most that",
    ),
    (
        {"risk.trading_hours": ["mon-fri 08:00-20:00 UTC", "sat 10:01-11:00 UTC", "sat 09:00-10:00 UTC"]},
        {},
        "RISK_TRADING_HOURS",
        (
            "it is sat 10:00 UTC, outside trading_hours (mon-fri 08:00-20:00 UTC, sat 10:01-11:00 UTC, "
            "sat 09:00-10:00 UTC)"
        ),
    ),
]


@pytest.mark.parametrize(("changes", "asked", "code", "message"), DENIED)
def test_limit_denies_in_these_words(changes: dict[str, Any], asked: dict[str, Any], code: str, message: str) -> None:
    """Each limit denies an order one step over it, and says what is, what may be, and what to do."""
    assert said(changes, order(**asked)) == [(code, message)]


PASSED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"risk.sides": ["buy"]}, {}),
    ({"risk.time_in_force": ["GTC"]}, {}),
    ({"risk.time_in_force": ["PO"]}, {"time_in_force": "PO"}),
    ({"risk.self_trade_prevention": ["expire_taker"]}, {"self_trade_prevention": "expire_taker"}),
    ({"risk.max_order_quantity": {"default": "0.01"}}, {}),
    ({"risk.max_order_quantity": {"ETH/USDT": 0}}, {}),
    (STOP, {"quantity": "0.1", "stop_loss_price": D(58_000)}),
    (STOP, {"type": "stop_limit", "stop_price": "59000", "quantity": "0.1", "stop_loss_price": D(58_000)}),
    (STOP, {"symbol": SWAP, "side": "sell", "quantity": "10", "stop_loss_price": D(60_000)}),
    (
        {"risk.risk_at_stop": "120 USDT"},
        {"symbol": INVERSE, "quantity": "1", "price": "50000", "stop_loss_price": D(25_000)},
    ),
    ({"risk.max_slippage": "0.1%"}, {"type": "market", "price": None}),
    ({"risk.max_slippage": "0.1%"}, {"symbol": SWAP, "type": "trailing_stop_market", "price": None, "trailing": True}),
    ({"risk.max_slippage": "0%"}, {}),
    ({"risk.price_collar": {"max_deviation": "1%", "reference": "mid"}}, {"price": "60600"}),
    ({"risk.max_price_move": {"limit": "2%", "per": "5m"}}, {}),
    ({"risk.trading_hours": ["sat 10:00-10:01 UTC"]}, {}),
    ({"risk.trading_hours": ["fri-mon 00:00-24:00 UTC"]}, {}),
    ({"risk.trading_hours": ["daily 00:00-24:00 UTC"]}, {}),
]


@pytest.mark.parametrize(("changes", "asked"), PASSED)
def test_order_at_the_edge_of_a_limit_passes(changes: dict[str, Any], asked: dict[str, Any]) -> None:
    """A legitimate order, as near to the limit as it can be, is allowed: each cap holds its edge."""
    assert said(changes, order(**asked)) == []


def test_loss_of_an_inverse_contract_is_of_its_base() -> None:
    """100 USD a contract, entered at 50,000 and stopped at 25,000, lose 0.002 BTC, which are 120 USDT."""
    deep = order(symbol=INVERSE, price="50000", quantity="1", stop_loss_price=D(25_000))
    assert said(STOP, deep) == [("RISK_AT_STOP", "loss at the stop 120.00 USDT is over risk_at_stop 100.00 USDT")]


@pytest.mark.parametrize("changes", [changes for changes, _, code, _ in DENIED if code != "RISK_REDUCE_ONLY"])
def test_exit_passes_every_limit(changes: dict[str, Any]) -> None:
    """What can only reduce is stopped by none of them, whatever is known."""
    for known in (KNOWN, Facts()):
        assert said(changes, order(side="sell"), known) == []


@pytest.mark.parametrize(
    ("quotes", "expected"),
    [
        ({}, ("PRICE_MISSING", "no bid and ask of BTC/USDT were observed")),
        (
            {"BTC/USDT": Quote(D(2), D(1), NOW)},
            ("PRICE_MISSING", "the observed bid and ask of BTC/USDT are no prices"),
        ),
        (
            {"BTC/USDT": Quote(D(1), D(2), NOW - 10_001)},
            ("PRICE_STALE", "the bid and ask of BTC/USDT are 10 s old, over 10 s"),
        ),
    ],
)
def test_unknown_book_denies(quotes: dict[str, Quote], expected: tuple[str, str]) -> None:
    """No bid and ask, none that can be, or old ones: an order at market that increases is denied."""
    asked = order(type="market", price=None)
    assert said({"risk.max_slippage": "50%"}, asked, replace(KNOWN, quotes=quotes)) == [expected]


def test_gap_in_the_marks_denies_until_it_leaves_the_window() -> None:
    """A gap longer than a minute and a mark's age is unknown; once it is out of the window entries pass again."""
    move = {"risk.max_price_move": {"limit": "9%", "per": "5m"}}
    moves = tuple(m for m in MOVES["BTC/USDT"] if m.start_ms != NOW - 2 * MINUTE)
    assert [c for c, _ in said(move, order(), replace(KNOWN, moves={"BTC/USDT": moves}))] == ["FACTS_MISSING"]
    short = {"risk.max_price_move": {"limit": "9%", "per": "1m"}}
    assert said(short, order(), replace(KNOWN, moves={"BTC/USDT": moves})) == []


def test_lane_ends_with_the_hours() -> None:
    """An order allowed one millisecond before the end of the hours is denied at the end, by the same engine."""
    made = engine({"risk.trading_hours": ["sat 10:00-10:01 UTC"]})
    known = facts(equity=Fact(D(100_000), NOW + 59_000), positions_as_of_ms=NOW + 59_000, marks={
        "BTC/USDT": Fact(D(60_000), NOW + 59_000)
    })  # fmt: skip
    assert codes(made.assess(known, order(), NOW + 59_999)) == []
    assert codes(made.assess(known, order(), NOW + 60_000)) == ["RISK_TRADING_HOURS"]


def test_lane_holds_the_quantity_cap_and_the_words() -> None:
    """The express lane keeps to the cap, the time in force and the mode of the order that it was made from."""
    made = engine(
        {"risk.max_order_quantity": {"default": "0.01"}, "risk.time_in_force": ["GTC"], "risk.max_order_notional": None}
    )
    assert codes(made.assess(KNOWN, order(), NOW)) == codes(made.assess(KNOWN, order(), NOW)) == []
    assert len(made._memo[1]) == 1
    assert codes(made.assess(KNOWN, order(quantity="0.01000001"), NOW)) == ["RISK_ORDER_QUANTITY"]
    assert codes(made.assess(KNOWN, order(time_in_force="IOC"), NOW)) == ["RISK_TIME_IN_FORCE"]
    assert codes(made.assess(KNOWN, order(stop_loss_price=D("NaN")), NOW)) == ["ORDER_INVALID"]


# ---- exits in contracts


def _held(quantity: str, **more: Any) -> Facts:
    return replace(KNOWN, positions={SWAP: Position(D(quantity), D(quantity))}, **more)


FLAG = {"risk.reduce_only_exits": True}
AGAINST = (
    "{} BTC/USDT:USDT is against the position and does not say reduceOnly; "
    "reduce_only_exits asks for it: set reduceOnly, or closePosition"
)


def test_exit_in_contracts_needs_its_flag_where_the_policy_asks() -> None:
    """An order against the position is denied without a flag, a mere exit too; with one, or with the position, not."""
    for side, quantity in (("sell", "1"), ("buy", "-1")):
        plain = order(symbol=SWAP, side=side, quantity="1")
        denied = [("RISK_REDUCE_ONLY", AGAINST.format(side))]
        assert said(FLAG, plain, _held(quantity)) == denied
        for flag in ("reduce_only", "close_position"):
            assert said(FLAG, order(symbol=SWAP, side=side, quantity="1", **{flag: True}), _held(quantity)) == []
        assert said(FLAG, plain, _held(str(-int(quantity)))) == []
    assert said(FLAG, order(side="sell"), _held("1")) == []
    assert said({"risk.reduce_only_exits": False}, order(symbol=SWAP, side="sell", quantity="1"), _held("1")) == []


def test_close_position_needs_no_quantity_and_passes_a_halt() -> None:
    """What closes a position of contracts reduces whatever its size; on spot the flag says nothing."""
    halted = replace(KNOWN, halts=(Halt("all", "HALTED", "ops", "drill", NOW),))
    closing = order(symbol=SWAP, side="sell", type="stop_market", quantity=None, price=None, stop_price="50000",
                    close_position=True)  # fmt: skip
    found = engine(OPEN).assess(halted, closing, NOW)
    assert (found.reasons, found.reduces, found.holds[0][1:3]) == ((), True, (-1, 2**53 - 1))
    spot = order(quantity=None, close_position=True)
    assert said({}, spot) == [("ORDER_INVALID", "malformed order: neither quantity nor quote_quantity is given")]


def test_leg_of_hedge_mode_is_closed_by_its_other_side_only() -> None:
    """In hedge mode a sell of the long leg reduces, a sell of the short leg opens; else neither is known."""
    for leg, side, reduces in (("long", "sell", True), ("short", "buy", True), ("short", "sell", False)):
        asked = order(symbol=SWAP, side=side, quantity="1", position_side=leg)
        assert engine(HEDGE).assess(KNOWN, asked, NOW).reduces is reduces
        assert engine(OPEN).assess(KNOWN, asked, NOW).reduces is False


def test_trailing_order_counts_at_the_mark() -> None:
    """No price says where a trailing stop is: it counts at the mark, a buy with its slippage."""
    asked = order(symbol=SWAP, type="trailing_stop_market", quantity="1", price=None, trailing=True)
    assert engine(OPEN).assess(KNOWN, asked, NOW).notional == D("630.0000")
    limit = order(symbol=SWAP, type="stop_limit", quantity="1", price="10", trailing=True)
    assert engine(OPEN).assess(KNOWN, limit, NOW).notional == D("600.00")


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("position_side", "both", 'position_side is neither "long" nor "short"'),
        ("time_in_force", 7, "time_in_force is not a word"),
        ("reduce_only", "no", "reduce_only is neither true nor false"),
        ("take_profit_price", D(-1), "take_profit_price is -1; a number over 0 is needed"),
    ],
)
def test_field_that_is_not_understood_is_malformed(field: str, value: Any, complaint: str) -> None:
    """What is not understood can not be known to reduce: exits are denied as well."""
    for side in ("buy", "sell"):
        assert said({}, order(side=side, **{field: value})) == [("ORDER_INVALID", f"malformed order: {complaint}")]


# ---- amends


def _amend(old: Order | None, **new: Any) -> Order:
    return order(action="order.amend", amends=old, **new)


def test_amend_holds_what_it_adds() -> None:
    """An amend that grows claims the difference; one of an unknown order, or of another one, claims all of it."""
    made = engine(OPEN)
    for old, amount in (
        (order(), 2_000_000),
        (order(quantity="0.03", price="58000"), 1),
        (None, 3_000_000),
        (order(symbol="ETH/USDT"), 3_000_000),
        (order(quantity="NaN"), 3_000_000),
    ):
        found = made.assess(KNOWN, _amend(old, quantity="0.03"), NOW)
        assert (found.reasons, found.holds[0].amount, found.reduces) == ((), amount, False)
        assert found.notional == D("1770.00")


def test_amend_is_held_to_the_limits_of_an_order() -> None:
    """What the order becomes is judged: its notional, its price, its type."""
    made = engine({"risk.price_collar": {"max_deviation": "1%"}})
    grown = _amend(order(), quantity="0.03")
    assert codes(made.assess(KNOWN, grown, NOW)) == ["RISK_ORDER_NOTIONAL"]
    assert codes(made.assess(KNOWN, _amend(order(), price="60600.01"), NOW)) == ["RISK_PRICE_COLLAR"]


def test_amend_to_less_always_passes() -> None:
    """A mere reduction of the quantity passes a halt, and claims nothing; one that touches the price does not."""
    halted = replace(KNOWN, halts=(Halt("all", "HALTED", "ops", "drill", NOW),))
    less = engine(OPEN).assess(halted, _amend(order(), quantity="0.005"), NOW)
    assert (less.reasons, less.reduces) == ((), True)
    assert [hold.kind for hold in less.holds] == ["window"]
    assert codes(engine(OPEN).assess(halted, _amend(order(), quantity="0.005", price="58000"), NOW)) == [
        "TRADING_HALTED"
    ]
    assert codes(engine(OPEN).assess(halted, _amend(order(), quantity="0.011"), NOW)) == ["TRADING_HALTED"]


# ---- what follows a breach


def test_breach_does_what_the_policy_says() -> None:
    """`risk.on_breach` goes with the reason; `warn` allows and warns; what cannot be judged denies all the same."""
    large = order(quantity="0.03")
    for word in ("deny", "reduce_only", "cancel_open", "halt"):
        [reason] = engine({"risk.on_breach": {"max_order_notional": word}}).assess(KNOWN, large, NOW).reasons
        assert (reason.code, reason.on_breach) == ("RISK_ORDER_NOTIONAL", word)
    made = engine({"risk.on_breach": {"max_order_notional": "warn", "risk_at_stop": "warn"}, **STOP})
    found = made.assess(KNOWN, order(quantity="0.03", stop_loss_price=D(50_000)), NOW)
    assert (found.reasons, [w.code for w in found.warnings]) == ((), ["RISK_ORDER_NOTIONAL", "RISK_AT_STOP"])
    assert codes(made.assess(KNOWN, order(), NOW)) == ["RISK_STOP_MISSING"]

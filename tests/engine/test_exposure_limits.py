"""Caps on what all positions together are worth: what an order adds, in which total, under which limit (G01, G35)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from policykit.decision import Hold, Reason
from policykit.engine import explain_failed
from policykit.engine.facts import Contract, Fact, Facts, Position, Setting
from policykit.engine.worth import units_of
from policykit.traits.base import Exchange, Product
from tests.engine.worlds import FACTS, NOW, codes, engine, facts, order

D = Decimal
FUTURES = Exchange("binance", {"swap": Product({}, "symbol"), "spot": Product({}, "base", auto_borrow=False)})
LINEAR, INVERSE, QUANTO = "BTC/USDT:USDT", "BTC/USD:BTC", "ETH/USD:BTC"
MARKS = {
    symbol: Fact(D(price), NOW)
    for symbol, price in {
        "BTC/USDT": "60000",
        "ETH/USDT": "3000",
        "BTC/USDC": "60000",
        "USDC/USDT": "0.99",
        "USD/USDT": "1.01",
        "BTC/USD": "59000",
        "ETH/BTC": "0.05",
        "USDT/TRY": "40",
        "TRY/USDT": "0.025",
        LINEAR: "60000.5",
        INVERSE: "60000",
        QUANTO: "3000",
    }.items()
}
KEYS = ("BTC", "ETH", "USDT", LINEAR, f"{LINEAR}#long", f"{LINEAR}#short", INVERSE, QUANTO)
KNOWN = facts(
    marks=MARKS,
    positions={key: Position(unit=1) for key in KEYS},
    contract_sizes={LINEAR: D("0.001"), INVERSE: D(100)},
    contracts={QUANTO: Contract(quanto_size=D("0.000001"))},
)
BARE: dict[str, Any] = {
    "rate_budgets": None,
    "risk.symbols": ["*"],
    "risk.order_types": ["limit", "market"],
    "risk.max_order_notional": None,
    "risk.max_position_notional": None,
    "risk.max_open_orders": None,
    "risk.max_orders": None,
    "risk.daily_loss": None,
}
GROSS = {**BARE, "risk.max_gross_exposure": ["50% of equity", "45000.00009 USDT"]}
NET = {**BARE, "risk.max_net_exposure": "30000 USDT"}
GROUPS = {**BARE, "groups": {"desk": {"max_gross_exposure": "9000 USDT", "max_net_exposure": "8000 USDT"}}}
ACCOUNT = "binance/main"


def caps(changes: dict[str, Any], known: Facts = KNOWN, **asked: Any) -> list[tuple[str, int, int, str]]:
    """Return the holds of an allowed order that ask for a total: counter, amount, limit, kind."""
    found = engine(changes, FUTURES).assess(known, order(**asked), NOW)
    assert found.reasons == ()
    return [hold[:4] for hold in found.holds if hold.kind in ("gross", "net", "positions")]


def denied(changes: dict[str, Any], known: Facts = KNOWN, **asked: Any) -> list[tuple[str, str]]:
    """Return codes and messages of a decision."""
    found = engine(changes, FUTURES).assess(known, order(**asked), NOW)
    return [(reason.code, reason.message) for reason in found.reasons]


@pytest.mark.parametrize(
    ("asked", "amount"),
    [
        ({"price": "59000"}, 6_000_000),  # 0.01 at the mark, 60,000
        ({"price": "61000"}, 6_100_000),  # at its own price, which is higher
        ({"type": "market", "price": None}, 6_300_000),  # at the mark and 5 %
        ({"quantity": "0.00000001", "price": "59000"}, 6),  # 0.0006 USDT
        ({"quantity": "0.00000001", "price": "60000.5"}, 7),  # 0.000600005 USDT: rounded up
        ({"symbol": "BTC/USDC", "price": "60000"}, 5_940_000),  # 600 USDC at 0.99
        ({"symbol": LINEAR, "quantity": "10", "price": "59000"}, 6_000_050),  # 10 x 0.001 x 60,000.5
        ({"symbol": LINEAR, "quantity": "10", "price": "59000", "side": "sell"}, -6_000_050),
        ({"symbol": INVERSE, "quantity": "10", "price": "70000"}, 10_100_000),  # 10 x 100 USD at 1.01, at any price
        ({"symbol": QUANTO, "quantity": "10", "price": "3000"}, 17_877_000),  # 10 x 0.003 BTC x 59,000 USD x 1.01
        ({"type": "market", "price": None, "quantity": None, "quote_quantity": "570"}, 6_300_000),  # buys 0.01
    ],
)
def test_gross_exposure_of_an_order(asked: dict[str, Any], amount: int) -> None:
    """An order adds its worth to the gross total whichever way it goes; the tightest bound is the limit."""
    assert caps(GROSS, **asked) == [(f"{ACCOUNT}|gross", amount, 450_000_000, "gross")]


def test_net_exposure_has_a_side() -> None:
    """A buy is held against what is long, a sell against what is short."""
    swap = {"symbol": LINEAR, "quantity": "10", "price": "59000"}
    assert caps(NET, **swap) == [(f"{ACCOUNT}|net", 6_000_050, 300_000_000, "net")]
    assert caps(NET, side="sell", **swap) == [(f"{ACCOUNT}|net", -6_000_050, 300_000_000, "net")]


@pytest.mark.parametrize(
    ("asked", "owner"),
    [
        ({}, "BTC"),
        ({"symbol": "ETH/BTC", "price": "0.05"}, "ETH"),
        ({"symbol": LINEAR, "quantity": "10"}, "BTC"),
        ({"symbol": LINEAR, "quantity": "10", "position_side": "long"}, "BTC"),
        ({"symbol": QUANTO, "quantity": "10", "price": "3000"}, "ETH"),
    ],
)
def test_asset_exposure_adds_up_spot_and_contracts(asked: dict[str, Any], owner: str) -> None:
    """Every market of one base asset counts into one total: spot, contracts, and each leg of a hedge."""
    found = caps({**BARE, "risk.max_asset_exposure": "20000 USDT"}, **asked)
    assert [(counter, limit) for counter, _, limit, _ in found] == [(f"{ACCOUNT}|asset|{owner}|gross", 200_000_000)]


def test_group_counts_in_the_store_and_only_there() -> None:
    """A group's caps are held of the group's totals, once the store counts the account into it; before, it denies."""
    joined = facts(**{name: getattr(KNOWN, name) for name in ("marks", "positions")}, groups=("group|desk|USDT",))
    assert caps(GROUPS, joined) == [
        ("group|desk|USDT|gross", 6_000_000, 90_000_000, "gross"),
        ("group|desk|USDT|net", 6_000_000, 80_000_000, "net"),
    ]
    text = "binance/main is not counted into group desk yet"
    assert denied(GROUPS) == [("FACTS_MISSING", text)] * 2
    assert caps({**BARE, "groups": {"desk": {}}}) == []


def test_caps_of_two_groups_are_all_held() -> None:
    """An account in two groups asks both, by name."""
    groups = {name: {"max_gross_exposure": f"{most} USDT"} for name, most in (("b", 2), ("a", 1000))}
    known = facts(marks=MARKS, positions=KNOWN.positions, groups=("group|a|USDT", "group|b|USDT"))
    assert caps({**BARE, "groups": groups}, known) == [
        ("group|a|USDT|gross", 6_000_000, 10_000_000, "gross"),
        ("group|b|USDT|gross", 6_000_000, 20_000, "gross"),
    ]


EVERY = {**GROSS, "risk.max_net_exposure": "30000 USDT", "risk.max_asset_exposure": "20000 USDT"}
COUNTED = {**EVERY, "risk.max_open_positions": 4}


@pytest.mark.parametrize(
    ("missing", "asked", "code", "times"),
    [
        ({"positions": {}}, {}, "PRICE_MISSING", 4),  # the store counts BTC at nothing yet
        ({"positions": {"BTC": Position(D(1), D(1))}}, {}, "PRICE_MISSING", 4),
        ({"positions": {LINEAR: Position(unit=1)}}, {"symbol": LINEAR, "position_side": "long"}, "PRICE_MISSING", 4),
        ({"marks": {}}, {}, "PRICE_MISSING", 3),  # a count needs no price
        ({"marks": {**MARKS, "BTC/USDT": Fact(D(60_000), NOW - 10_001)}}, {}, "PRICE_STALE", 3),
        ({"contract_sizes": {}}, {"symbol": LINEAR}, "CONTRACT_SIZE_MISSING", 3),
        ({"contracts": {}}, {"symbol": QUANTO}, "CONTRACT_QUANTO", 3),
        ({"marks": {k: v for k, v in MARKS.items() if k != "USD/USDT"}}, {"symbol": INVERSE}, "PRICE_MISSING", 3),
        ({"equity": None}, {}, "FACTS_MISSING", 1),  # of 50 % of equity
        ({"marks": {**MARKS, "BTC/USDT": Fact(D(10) ** 12, NOW)}}, {"quantity": "10"}, "NUMBER_RANGE", 3),
    ],
)
def test_I12_what_is_missing_denies(missing: dict[str, Any], asked: dict[str, Any], code: str, times: int) -> None:
    """Each cap whose fact is missing denies an increase by itself; what can only reduce passes."""
    known = facts(**{**_as_dict(KNOWN), **missing})
    made = engine(COUNTED, FUTURES)
    found = made.assess(known, order(quantity="1", **asked) if "quantity" not in asked else order(**asked), NOW)
    checks = {f"risk.max_{name}" for name in ("gross_exposure", "net_exposure", "asset_exposure", "open_positions")}
    assert [reason.code for reason in found.reasons if reason.check in checks] == [code] * times
    exit_ = {"side": "sell", "reduce_only": True, "position_side": None}
    assert made.assess(known, order(**{**asked, **exit_}), NOW).reasons == ()


def test_a_position_without_a_price_is_said() -> None:
    """The message tells what is missing, and of which market."""
    text = "what a position in BTC/USDT is worth was not observed, so it cannot be counted"
    assert denied(GROSS, facts(positions={})) == [("PRICE_MISSING", text)]


def test_exits_ask_for_no_exposure() -> None:
    """What can only reduce is not held against any total, and passes whatever they are."""
    swap = {"symbol": LINEAR, "quantity": "10", "price": "59000", "reduce_only": True}
    for asked in ({"side": "sell"}, {**swap, "side": "sell"}, {**swap, "side": "buy"}):
        assert caps(COUNTED, **asked) == []
    long = facts(**{**_as_dict(KNOWN), "positions": {LINEAR: Position(D(10), D(10), unit=1)}})
    assert caps(COUNTED, long, symbol=LINEAR, quantity="10", price="59000", side="sell") == []
    assert len(caps(COUNTED, long, symbol=LINEAR, quantity="10.1", price="59000", side="sell")) == 4


def _as_dict(known: Facts) -> dict[str, Any]:
    return {name: getattr(known, name) for name in ("marks", "positions", "contract_sizes", "contracts")}


def test_own_currency_is_no_exposure() -> None:
    """Money of the account's own currency is not at risk: buying it counts nothing, selling it raises another asset."""
    assert caps(COUNTED, symbol="USDT/TRY", quantity="100", price="40") == []
    text = (
        "selling USDT/TRY raises TRY, whose worth {} caps; this version holds the base asset only: buy TRY in a market "
        "of its own (TRY/USDT)"
    )
    assert denied(EVERY, symbol="USDT/TRY", side="sell", quantity="100", price="40") == [
        ("RISK_QUOTE_ASSET", text.format(cap))
        for cap in ("max_asset_exposure", "max_gross_exposure", "max_net_exposure")
    ]
    text = (
        "selling ETH/BTC may open a position in BTC, which is counted only once it is observed; buy it in a market of "
        "its own"
    )
    counted = denied({**BARE, "risk.max_open_positions": 4}, symbol="ETH/BTC", side="sell", price="0.05")
    assert counted == [("RISK_QUOTE_ASSET", text)]


def test_an_amend_adds_the_difference() -> None:
    """An amend from 0.01 to 0.03 is held for 0.02; one that lessens is an exit; of an unknown order it is all new."""
    grown = {"action": "order.amend", "quantity": "0.03", "price": "59000"}
    assert caps(GROSS, amends=order(price="59000"), **grown)[0][1] == 12_000_000
    assert caps(GROSS, amends=order(quantity="0.04", price="59000"), **grown) == []
    assert caps(GROSS, **grown)[0][1] == 18_000_000


def test_open_positions_are_counted_beside_the_order_s_own() -> None:
    """One more position is asked for beside all others; its own is not counted twice."""
    asked = {**BARE, "risk.max_open_positions": 4}
    assert caps(asked) == [(f"{ACCOUNT}|positions|BTC", 1, 4, "positions")]
    leg = caps(asked, symbol=LINEAR, quantity="1", position_side="short", side="sell")
    assert leg == [(f"{ACCOUNT}|positions|{LINEAR}#short", 1, 4, "positions")]


def test_a_leg_named_in_one_way_mode_is_the_symbol_s_position() -> None:
    """Where the exchange says one-way an order cannot hide in a leg: it holds and counts the one position there is."""
    one_way = facts(**_as_dict(KNOWN), position_mode=Setting("one_way", NOW))
    asked = {"symbol": LINEAR, "quantity": "1", "position_side": "long"}
    made = engine({**BARE, "risk.max_open_positions": 4}, FUTURES)
    for known, key in ((one_way, LINEAR), (KNOWN, f"{LINEAR}#long")):
        holds = made.assess(known, order(**asked), NOW).holds
        assert [hold.counter for hold in holds[:1]] == [f"{ACCOUNT}|position|{key}"]
        assert holds[-1].counter == f"{ACCOUNT}|positions|{key}"


@pytest.mark.parametrize("leg", [None, "long", "short"])
def test_a_cap_that_names_a_contract_holds_each_of_its_legs(leg: str | None) -> None:
    """Policies name markets, so in hedge mode the cap of one holds the orders that name a leg, as it does others."""
    asked = {"risk.max_position_notional": {"default": "90000 USDT", LINEAR: "6000.05 USDT"}}
    hedge = engine({**BARE, **asked, "account.position_mode": "hedge"}, FUTURES)
    made = order(symbol=LINEAR, quantity="1", side="sell" if leg == "short" else "buy", position_side=leg)
    hold = hedge.assess(facts(**_as_dict(KNOWN), position_mode=Setting("hedge", NOW)), made, NOW).holds[0]
    assert hold.counter == f"{ACCOUNT}|position|{LINEAR}" + (f"#{leg}" if leg else "")
    assert hold.limit == 10_000_000_000


def refused(changes: dict[str, Any], kind: str, used: int, known: Facts = KNOWN, **asked: Any) -> Reason:
    """Return what is said when the store refuses the hold of a kind."""
    made = engine(changes, FUTURES)
    wanted = order(**asked)
    holds = made.assess(known, wanted, NOW).holds
    index = [hold.kind for hold in holds].index(kind)  # type: ignore[arg-type]
    uses = tuple(used if number == index else 0 for number in range(len(holds)))
    return explain_failed(made, wanted, holds, uses, (index,), facts=known, now_ms=NOW)[0]


def test_refusals_tell_what_would_be() -> None:
    """A refused order is told the total it would make, the cap, and how a share of equity came about."""
    share = refused({**BARE, "risk.max_gross_exposure": "50% of equity"}, "gross", 496_000_000)
    assert (share.code, share.check) == ("RISK_GROSS_EXPOSURE", "risk.max_gross_exposure")
    assert share.message == (
        "gross exposure would be 50,200.00 of max_gross_exposure 50,000.00 USDT "
        "(50% of equity 100,000.00 USDT, 3 s old)"
    )
    assert (share.observed, share.limit, share.unit) == ("50200", "50000", "USDT")
    assert (share.place and share.place.path) == "risk.max_gross_exposure"
    net = refused(NET, "net", 299_999_999)
    assert net.message == "net exposure would be 30,599.9999 of max_net_exposure 30,000.00 USDT"
    asset = refused({**BARE, "risk.max_asset_exposure": "20000 USDT"}, "gross", 200_000_000)
    assert asset.message == "exposure to the asset would be 20,600.00 of max_asset_exposure 20,000.00 USDT"
    joined = facts(**_as_dict(KNOWN), groups=("group|desk|USDT",))
    group = refused(GROUPS, "gross", 90_000_000, joined)
    assert group.message == "gross exposure of group desk would be 9,600.00 of max_gross_exposure 9,000.00 USDT"
    assert group.code == "GROUP_GROSS_EXPOSURE"
    assert (group.place and group.place.path) == "groups.desk.max_gross_exposure"
    group = refused(GROUPS, "net", 80_000_000, joined)
    assert group.message == "net exposure of group desk would be 8,600.00 of max_net_exposure 8,000.00 USDT"
    count = refused({**BARE, "risk.max_open_positions": 4}, "positions", 4)
    assert count.message == "4 other positions are open (with orders that are out, and dust), max_open_positions is 4"
    assert (count.observed, count.limit, count.unit) == ("5", "4", "positions")


def test_a_refusal_is_told_when_its_facts_are_gone() -> None:
    """Where equity can no longer be read the refusal stands, without how the limit came about."""
    made, wanted = engine({**BARE, "risk.max_gross_exposure": "50% of equity"}, FUTURES), order()
    holds = made.assess(KNOWN, wanted, NOW).holds
    index = [hold.kind for hold in holds].index("gross")
    said = explain_failed(made, wanted, holds, (0,) * index + (500_000_000,), (index,), facts=None, now_ms=NOW)
    assert [reason.message for reason in said] == [
        "gross exposure would be 50,600.00 of max_gross_exposure 50,000.00 USDT"
    ]


def test_a_lane_speaks_of_no_exposure() -> None:
    """What an order adds is its own: increases under these caps take the long way, exits may take a lane."""
    made = engine(EVERY)
    first, second = order(quantity="0.01"), order(quantity="0.02")
    amounts = [next(h.amount for h in made.assess(KNOWN, o, NOW).holds if h.kind == "gross") for o in (first, second)]
    assert (amounts, made._memo[1]) == ([6_000_000, 12_000_000], {})
    assert codes(made.assess(KNOWN, order(side="sell"), NOW)) == []
    assert [key[1] for key in made._memo[1]] == ["sell"]


def test_units_of_positions() -> None:
    """What the store counts positions at: by fresh marks, of two markets the higher, a leg of a hedge as the other."""
    setup = engine(GROSS, FUTURES).setup
    stale = {**MARKS, "ETH/USDT": Fact(D(3_000), NOW - 10_001), "junk": Fact(D(1), NOW), "X/Y": Fact(D(2), NOW)}
    known = facts(**{**_as_dict(KNOWN), "marks": stale})
    units = {
        "BTC": D(60_000),  # dearer than 60,000 USDC at 0.99, or 59,000 USD at 1.01
        "ETH": D("3000.00"),  # 0.05 BTC; its own price is too old
        "USDC": D("0.99"),
        "USD": D("1.01"),
        "TRY": D("0.025"),
        LINEAR: D("60.0005"),
        INVERSE: D("101.00"),
        QUANTO: D("178.770000"),
    }
    assert units_of(setup, known, NOW, stale) == units
    assert units_of(setup, known, NOW, ["BTC/TRY"]) == {key: units[key] for key in ("BTC", LINEAR, INVERSE)}
    assert units_of(setup, known, NOW, []) == {}
    legs = {key: units[key] for key in (LINEAR, INVERSE, QUANTO)}
    hedged = {key: unit for key, unit in units.items() if key not in legs}
    hedged |= {f"{key}#{leg}": unit for key, unit in legs.items() for leg in ("long", "short")}
    said = facts(**{**_as_dict(known), "position_mode": Setting("hedge", NOW)})
    assert units_of(setup, said, NOW, stale) == hedged
    assert units_of(engine({**GROSS, "account.position_mode": "hedge"}, FUTURES).setup, known, NOW, stale) == hedged


def test_holds_of_every_cap_in_one_order() -> None:
    """An order under all caps asks each total once, in a fixed order, and its position first."""
    found = engine({**COUNTED, **{k: v for k, v in GROUPS.items() if k == "groups"}}, FUTURES)
    known = facts(**_as_dict(KNOWN), groups=("group|desk|USDT",))
    holds = found.assess(known, order(), NOW).holds
    assert [(hold.kind, hold.check) for hold in holds] == [
        ("position", "risk.max_position_notional"),
        ("gross", "risk.max_asset_exposure"),
        ("gross", "risk.max_gross_exposure"),
        ("net", "risk.max_net_exposure"),
        ("gross", "groups.max_gross_exposure"),
        ("clear", "order.outcome_pending"),
        ("net", "groups.max_net_exposure"),
        ("positions", "risk.max_open_positions"),
    ]
    assert all(isinstance(hold, Hold) for hold in holds)


def test_the_usual_world_has_no_such_cap() -> None:
    """Absent caps cost nothing: the canonical policy asks no total."""
    assert {hold.kind for hold in engine().assess(FACTS, order(), NOW).holds} == {"position", "clear", "sum", "window"}

"""What an order is worth, and what it can do to a position: prices, currencies, contracts, shorts (PITFALLS 1 to 3)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from policykit.engine.facts import Fact, Facts, Position
from policykit.traits.base import Exchange, Product
from tests.engine.worlds import FACTS, NOW, SHARE, codes, engine, facts, order

DERIVATIVES = Exchange("binance", {"swap": Product({}, "symbol"), "spot": Product({}, "base", auto_borrow=None)})
SWAP = {
    "rate_budgets": None,
    "risk.symbols": ["*"],
    "risk.max_order_notional": "1500 USDT",
    "risk.max_position_notional": "3000 USDT",
}


def test_market_buy_is_counted_with_slippage() -> None:
    """A market buy costs the mark and 5 % more, whatever the collar: a tighter one must not let a larger order pass."""
    asked = order(type="market", price=None)
    for changes in ({}, {"risk.price_collar": {"max_deviation": "1%"}}):
        assert engine(changes).assess(FACTS, asked, NOW).notional == Decimal("630.0000")


def test_stop_is_counted_at_the_worse_of_trigger_and_limit() -> None:
    """A stop costs the higher of trigger and limit; without a limit the higher of trigger and mark, and slippage."""
    made = engine({"risk.order_types": ["stop_loss", "stop_loss_limit"]})
    limited = order(type="stop_loss_limit", price="59000", stop_price="61000")
    assert made.assess(FACTS, limited, NOW).notional == Decimal("610.00")
    plain = order(type="stop_loss", price=None, stop_price="61000")
    assert made.assess(FACTS, plain, NOW).notional == Decimal("640.5000")


def test_quote_quantity_is_the_notional() -> None:
    """An order in quote quantity costs that; the position grows by what the lowest price would buy, rounded up."""
    asked = order(type="market", price=None, quantity=None, quote_quantity="570")
    found = engine().assess(FACTS, asked, NOW)
    assert (found.notional, found.holds[0].amount) == (Decimal(570), 1_000_000)
    limited = order(quantity=None, quote_quantity="570", price="50000")
    assert engine().assess(FACTS, limited, NOW).holds[0].amount == 1_140_000


def test_quote_quantity_of_contracts_is_counted_in_contracts() -> None:
    """570 USDT buy 10 contracts of 0.001 BTC at the lowest price; of an inverse one, worth 100 USD, 5.7 at any."""
    made = engine(SWAP, DERIVATIVES)
    marks = {name: Fact(Decimal(60_000), NOW) for name in ("BTC/USDT:USDT", "BTC/USD:BTC")}
    known = facts(
        contract_sizes={"BTC/USDT:USDT": Decimal("0.001"), "BTC/USD:BTC": Decimal(100)},
        marks={**marks, "USD/USDT": Fact(Decimal(1), NOW)},
    )
    asked = {"type": "market", "price": None, "quantity": None, "quote_quantity": "570"}
    linear = made.assess(known, order(symbol="BTC/USDT:USDT", **asked), NOW)
    assert (linear.reasons, linear.notional, linear.holds[0].amount) == ((), Decimal(570), 1_000_000_000)
    inverse = made.assess(known, order(symbol="BTC/USD:BTC", **asked), NOW)
    assert (inverse.reasons, inverse.notional, inverse.holds[0].amount) == ((), Decimal(570), 570_000_000)
    unknown = made.assess(facts(marks=marks), order(symbol="BTC/USDT:USDT", **asked), NOW)
    assert codes(unknown) == ["CONTRACT_SIZE_MISSING"]


def test_position_limit_counts_at_the_higher_of_mark_and_price() -> None:
    """A buy over the mark values the position at its own price; under it, at the mark."""
    made = engine()
    assert made.assess(FACTS, order(price="59000"), NOW).holds[0].limit == 33_333_333
    assert made.assess(FACTS, order(price="61000"), NOW).holds[0].limit == 32_786_885
    assert made.assess(FACTS, order(price="61000"), NOW).holds[0].limit == 32_786_885
    assert made.assess(FACTS, order(symbol="ETH/USDT", price="2900"), NOW).holds[0].limit == 333_333_333
    by_asset = engine({"risk.max_position_notional": {"default": "10% of equity", "BTC": "6000 USDT"}})
    assert by_asset.assess(FACTS, order(), NOW).holds[0].limit == 10_000_000


def test_money_converts_over_marks_both_ways_and_stablecoins_are_not_par() -> None:
    """A market in another quote currency is counted over the observed rate, rounded against the order."""
    marks = {"ETH/BTC": Fact(Decimal("0.05"), NOW), "BTC/USDT": Fact(Decimal(60_000), NOW)}
    made = engine({"risk.symbols": ["*"]})
    asked = order(symbol="ETH/BTC", quantity="0.2", price="0.05")
    found = made.assess(facts(marks=marks), asked, NOW)
    assert (found.reasons, found.notional) == ((), Decimal("600.000"))
    assert made.assess(facts(marks=marks), asked, NOW).notional == Decimal("600.000")
    dear = {"USDT/USDC": Fact(Decimal("0.99"), NOW), "BTC/USDC": Fact(Decimal(60_000), NOW)}
    edge = made.assess(facts(marks=dear), order(symbol="BTC/USDC", quantity="0.02475", price="60000"), NOW)
    assert edge.reasons == ()
    assert edge.notional is not None
    assert 1_500 <= edge.notional < Decimal("1500.00000001")
    over = made.assess(facts(marks=dear), order(symbol="BTC/USDC", quantity="0.02475001", price="60000"), NOW)
    assert [r.message for r in over.reasons] == [
        f"order notional 1,485.0006 USDC is over max_order_notional 1,485.00 USDC {SHARE}"
    ]
    alone = {"BTC/USDC": Fact(Decimal(60_000), NOW)}
    par = made.assess(facts(marks=alone), order(symbol="BTC/USDC", price="60000"), NOW)
    assert codes(par) == ["PRICE_MISSING"] * 3


def test_unknown_traits_are_careful() -> None:
    """Where nothing is known of an exchange, a spot sell may be a short: only an observed position proves it none."""
    held = facts(positions={"BTC": Position(Decimal("0.1"), Decimal("0.1"), Decimal(0), Decimal("0.05"))})
    small, large = order(side="sell", quantity="0.05"), order(side="sell", quantity="0.05000001")
    for traits in (None, DERIVATIVES):
        made = engine({"rate_budgets": None}, traits)
        assert made.assess(held, small, NOW).reduces
        assert made.assess(held, small, NOW).holds[0].limit == 0
        assert not made.assess(held, large, NOW).reduces
        stale = replace(held, positions_as_of_ms=NOW - 10_001)
        assert codes(made.assess(stale, small, NOW))[0] == "FACTS_STALE"
        hedge = engine({"rate_budgets": None, "account.position_mode": "hedge"}, traits)
        assert not hedge.assess(held, small, NOW).reduces


def test_short_is_valued_at_the_mark_when_its_limit_is_lower() -> None:
    """A sell that may go short at 1 USDT is worth what the market pays."""
    found = engine({}, None).assess(facts(positions={}), order(side="sell", price="1", quantity="0.02"), NOW)
    assert found.notional == Decimal("1200.00")


def test_contracts() -> None:
    """Linear contracts are worth size x price, inverse ones their size, quanto and unknown sizes deny (PITFALLS 2)."""
    made = engine(SWAP, DERIVATIVES)
    sizes = {"BTC/USDT:USDT": Decimal("0.001"), "BTC/USD:BTC": Decimal(100), "BTC/USDT:ETH": Decimal(1)}
    marks = {name: Fact(Decimal(60_000), NOW) for name in sizes} | {"USD/USDT": Fact(Decimal(1), NOW)}
    known = facts(contract_sizes=sizes, marks=marks)
    linear = made.assess(known, order(symbol="BTC/USDT:USDT", quantity="10", price="60000"), NOW)
    assert (linear.reasons, linear.notional) == ((), Decimal("600.000"))
    assert linear.holds[0][:3] == ("binance/main|position|BTC/USDT:USDT", 1_000_000_000, 5_000_000_000)
    inverse = made.assess(known, order(symbol="BTC/USD:BTC", quantity="10", price="60000"), NOW)
    assert (inverse.reasons, inverse.notional) == ((), Decimal(1_000))
    assert inverse.holds[0].limit == 3_000_000_000
    quanto = made.assess(known, order(symbol="BTC/USDT:ETH", quantity="1"), NOW)
    assert codes(quanto) == ["CONTRACT_QUANTO"] * 2
    unknown = made.assess(facts(marks=marks), order(symbol="BTC/USDT:USDT", quantity="1"), NOW)
    assert codes(unknown) == ["CONTRACT_SIZE_MISSING"] * 2


def test_reduce_only_counts_where_the_exchange_keeps_it() -> None:
    """The flag proves a reduction on contracts, and nothing on spot."""
    made = engine(SWAP, DERIVATIVES)
    asked = {"side": "sell", "reduce_only": True}
    assert made.assess(Facts(), order(symbol="BTC/USDT:USDT", quantity="5", **asked), NOW).reduces
    assert not made.assess(Facts(), order(**asked), NOW).reduces
    short = facts(positions={"BTC/USDT:USDT": Position(Decimal(-5), Decimal(-5))})
    buy = order(symbol="BTC/USDT:USDT", quantity="5")
    assert made.assess(short, buy, NOW).reduces
    assert not made.assess(short, order(symbol="BTC/USDT:USDT", quantity="5.1"), NOW).reduces


def test_sell_under_the_collar() -> None:
    """A sell that may go short is held to the collar's other edge."""
    made = engine({"risk.price_collar": {"max_deviation": "2%"}, "rate_budgets": None}, None)
    known = facts(positions={})
    low = made.assess(known, order(side="sell", price="58799.99"), NOW)
    assert [r.message for r in low.reasons] == ["price 58,799.99 USDT is under 58,800.00 USDT, 2% from the mark"]
    assert made.assess(known, order(side="sell", price="58800"), NOW).reasons == ()


def test_exit_beyond_the_counters_passes_where_the_exchange_forbids_more() -> None:
    """A sell of 100 million SHIB holds a step and passes, next to another one; an entry of that size is denied."""
    marks = {"SHIB/USDT": Fact(Decimal("0.00001"), NOW)}
    made = engine({"risk.symbols": ["*"]})
    asked = {"symbol": "SHIB/USDT", "quantity": "100000000", "price": "0.00001"}
    sold = made.assess(facts(marks=marks), order(side="sell", **asked), NOW)
    assert (sold.reasons, sold.holds[0][:3]) == ((), ("binance/main|position|SHIB", -1, 2**53 - 1))
    assert codes(made.assess(facts(marks=marks), order(**asked), NOW)) == ["NUMBER_RANGE"]


def test_exit_beyond_the_counters_is_no_proven_reduction_elsewhere() -> None:
    """Where a short is possible, a size that no hold can claim proves nothing: two bots would sell one position."""
    marks = {"SHIB/USDT": Fact(Decimal("0.00001"), NOW)}
    held = facts(marks=marks, positions={"SHIB": Position(Decimal(150_000_000), Decimal(150_000_000))})
    asked = order(symbol="SHIB/USDT", side="sell", quantity="100000000", price="0.00001")
    made = engine({"rate_budgets": None, "risk.symbols": ["*"]}, None)
    found = made.assess(held, asked, NOW)
    assert (codes(found), found.reduces) == (["NUMBER_RANGE"], False)
    most = order(symbol="SHIB/USDT", side="sell", quantity="90071992.54740991", price="0.00001")
    assert made.assess(held, most, NOW).reduces

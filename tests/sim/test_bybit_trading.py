"""The simulated Bybit as stock pybit trades on it: orders, fills, leverage, and how it refuses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from pybit.exceptions import InvalidRequestError
from pybit.unified_trading import HTTP

from policykit.clock import SystemClock
from policykit.sim import SimServer

GRANTS = ("read", "trade.spot", "trade.derivatives")
SPOT = {"category": "spot", "symbol": "BTCUSDT"}
LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


class Shifted(SystemClock):
    """The machine's clock, which pybit signs by, and as far ahead of it as a test says."""

    ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


@pytest.fixture
def clock() -> Shifted:
    """Give the exchange's clock."""
    return Shifted()


@pytest.fixture
def sim(clock: Shifted) -> Iterator[SimServer]:
    """Give a Bybit whose price is pinned; the account has coins and margin."""
    held = {"USDT": "100000", "BTC": "1"}
    with SimServer(clock, dialect="bybit", grants=GRANTS, balances=held, margin={"USDT": 50_000}) as started:
        started.pin("BTC/USDT", 60_000)
        yield started


def session(sim: SimServer, key: str | None = None, secret: str | None = None, **more: Any) -> Any:
    """Return stock pybit, sent to the simulated exchange, that tries once."""
    logging.getLogger("pybit").setLevel(logging.CRITICAL)
    made = HTTP(api_key=key or sim.key, api_secret=secret or sim.secret, max_retries=1, **more)
    made.endpoint = sim.url
    return made


@pytest.fixture
def bybit(sim: SimServer) -> Any:
    """Give stock pybit with the run's key."""
    return session(sim)


def only(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the one row of an answer."""
    (row,) = answer["result"]["list"]
    return dict(row)


def order_of(bybit: Any, placed: dict[str, Any], **where: str) -> dict[str, Any]:
    """Look a placed order up by its id."""
    return only(bybit.get_open_orders(**where, orderId=placed["result"]["orderId"]))


def refused(call: Callable[..., Any], **params: Any) -> int:
    """Return the code of a refusal."""
    with pytest.raises(InvalidRequestError) as error:
        call(**params)
    return int(error.value.status_code)


def test_a_spot_order_rests_shows_and_is_taken_back(bybit: Any) -> None:
    """The acknowledgement says only its ids; look-ups say the rest; cancelled, it is in the history alone."""
    placed = bybit.place_order(
        **SPOT, side="Buy", orderType="Limit", qty="0.01", price="59000", orderLinkId="bot-1", timeInForce="PostOnly"
    )
    assert placed["result"] == {"orderId": "1500000000000000001", "orderLinkId": "bot-1"}
    row = only(bybit.get_open_orders(**SPOT))
    shown = {name: row[name] for name in ("orderLinkId", "side", "qty", "price", "orderStatus", "timeInForce")}
    assert shown == {
        "orderLinkId": "bot-1",
        "side": "Buy",
        "qty": "0.01",
        "price": "59000",
        "orderStatus": "New",
        "timeInForce": "PostOnly",
    }
    bybit.cancel_order(**SPOT, orderLinkId="bot-1")
    assert bybit.get_open_orders(**SPOT)["result"]["list"] == []
    assert only(bybit.get_order_history(**SPOT))["orderStatus"] == "Cancelled"
    assert only(bybit.get_open_orders(**SPOT, openOnly=1))["orderStatus"] == "Cancelled"
    assert refused(bybit.cancel_order, **SPOT, orderLinkId="bot-1") == 170213


def test_a_spot_market_buy_is_by_value_unless_it_says_otherwise(sim: SimServer, bybit: Any) -> None:
    """create-order.mdx: `qty` of a market buy is money, of a market sell coins; `marketUnit` turns either round."""
    by_value = bybit.place_order(**SPOT, side="Buy", orderType="Market", qty="600")
    assert order_of(bybit, by_value, **SPOT)["cumExecQty"] == "0.00999"
    by_coins = bybit.place_order(**SPOT, side="Buy", orderType="Market", qty="0.01", marketUnit="baseCoin")
    row = order_of(bybit, by_coins, **SPOT)
    assert (row["cumExecQty"], row["cumExecValue"], row["avgPrice"]) == ("0.01", "600.0600", "60006.00")
    bybit.place_order(**SPOT, side="Sell", orderType="Market", qty="0.02")
    fills = bybit.get_executions(**SPOT)["result"]["list"]
    assert [(fill["side"], fill["execQty"], fill["feeCurrency"], fill["isMaker"]) for fill in fills] == [
        ("Sell", "0.02", "USDT", False),
        ("Buy", "0.01", "BTC", False),
        ("Buy", "0.00999", "BTC", False),
    ]
    assert sim.position("BTC") == Decimal("1.01999") - Decimal("0.02") - Decimal("0.00001999")
    coins = bybit.get_wallet_balance(accountType="UNIFIED")["result"]["list"][0]["coin"]
    assert {row["coin"]: row["walletBalance"] for row in coins}["BTC"] == str(sim.position("BTC"))


def test_a_post_only_order_that_would_be_filled_is_taken_and_cancelled(bybit: Any) -> None:
    """create-order.mdx, `PostOnly`: cancelled rather than refused; nothing is filled."""
    for where in (SPOT, LINEAR):
        terms = {"side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "61000", "timeInForce": "PostOnly"}
        row = order_of(bybit, bybit.place_order(**where, **terms), **where)
        assert (row["orderStatus"], row["cumExecQty"]) == ("Cancelled", "0")


def test_a_contract_is_levered_entered_and_left(sim: SimServer, clock: Shifted, bybit: Any) -> None:
    """Leverage, an entry, a stop that triggers by the mark, what is left of it, and the flat position after."""
    assert refused(bybit.set_leverage, **LINEAR, buyLeverage="20", sellLeverage="20") == 110043
    bybit.set_leverage(**LINEAR, buyLeverage="5", sellLeverage="5")
    bybit.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.1")
    held = only(bybit.get_positions(**LINEAR))
    assert (held["side"], held["size"], held["avgPrice"], held["leverage"]) == ("Buy", "0.1", "60006.00", "5")
    stop = bybit.place_order(
        **LINEAR,
        side="Sell",
        orderType="Market",
        qty="0.1",
        triggerPrice="58000",
        triggerDirection=2,
        reduceOnly=True,
        orderLinkId="stop-1",
    )
    assert order_of(bybit, stop, **LINEAR)["orderStatus"] == "Untriggered"
    assert bybit.get_open_orders(**LINEAR, orderFilter="Order")["result"]["list"] == []
    sim.pin("BTC/USDT", 57_000)
    clock.ahead_ms = 1_000
    row = order_of(bybit, stop, **LINEAR)
    assert (row["orderStatus"], row["cumExecQty"], row["orderLinkId"]) == ("Filled", "0.1", "stop-1")
    flat = only(bybit.get_positions(**LINEAR))
    assert (flat["side"], flat["size"]) == ("", "0")
    fills = bybit.get_executions(**LINEAR)["result"]["list"]
    assert [(fill["side"], fill["execQty"]) for fill in fills] == [("Sell", "0.1"), ("Buy", "0.1")]
    assert fills[0]["orderId"] == stop["result"]["orderId"]


def test_a_reduce_only_order_of_nothing_is_refused_and_a_closing_one_closes_all(bybit: Any) -> None:
    """110017; and `qty=0` with reduceOnly and closeOnTrigger, which closes what is held."""
    out = {"side": "Sell", "orderType": "Market", "reduceOnly": True}
    assert refused(bybit.place_order, **LINEAR, **out, qty="0.1") == 110017
    bybit.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.1")
    bybit.place_order(**LINEAR, **out, qty="0", closeOnTrigger=True)
    assert only(bybit.get_positions(**LINEAR))["size"] == "0"


@pytest.mark.parametrize(
    ("where", "terms", "code"),
    [
        (SPOT, {"qty": "0.01"}, 10001),  # a limit order without a price
        (SPOT, {"qty": "0.01", "price": "59000", "side": "buy"}, 10001),
        (SPOT, {"qty": "0.01", "price": "59000", "timeInForce": "GTX"}, 10001),
        (SPOT, {"qty": "x", "price": "59000"}, 10001),
        (SPOT, {"qty": "0.01", "price": "59000", "orderLinkId": "no blanks"}, 10001),
        (SPOT, {"qty": "0.01", "price": "59000", "isLeverage": 1}, 10001),
        (SPOT, {"qty": "0.01", "price": "59000", "takeProfit": "61000", "tpOrderType": "Limit"}, 10001),
        (LINEAR, {"qty": "0.01", "price": "59000", "takeProfit": "61000"}, 10001),
        (SPOT, {"qty": "0.01", "price": "59000", "triggerPrice": "59500"}, 10001),
        (SPOT | {"symbol": "XUSDT"}, {"qty": "0.01", "price": "59000"}, 170121),
        (SPOT, {"qty": "9", "price": "59000"}, 170131),
        (SPOT, {"qty": "0.01", "price": "59000.001"}, 170134),
        (SPOT, {"qty": "0.000001", "price": "59000"}, 170137),
        (SPOT, {"qty": "0.00001", "price": "59000"}, 170140),
        (LINEAR, {"qty": "90", "price": "59000"}, 110007),
        (LINEAR, {"qty": "0.01", "price": "59000.01"}, 10001),
        (LINEAR, {"qty": "0.01", "price": "59000", "positionIdx": 3}, 10001),
        (LINEAR, {"qty": "0.01", "price": "59000", "triggerPrice": "58000"}, 10001),
        (LINEAR | {"symbol": "XUSDT"}, {"qty": "0.01", "price": "59000"}, 10001),
        (LINEAR | {"category": "inverse"}, {"qty": "1", "price": "59000"}, 10001),
    ],
)
def test_what_cannot_be_placed_is_refused_with_bybits_code(
    sim: SimServer, bybit: Any, where: dict[str, str], terms: dict[str, Any], code: int
) -> None:
    """And nothing of it reaches the matching engine."""
    assert refused(bybit.place_order, **{**where, "side": "Buy", "orderType": "Limit", **terms}) == code
    assert sim.truth.executed == []
    assert dict(sim.truth.rejected) == {code: 1}


def test_an_order_link_id_is_for_one_order_for_ever(bybit: Any) -> None:
    """Also once the earlier order is over: 170141 of spot, 110072 of contracts."""
    for where, code in ((SPOT, 170141), (LINEAR, 110072)):
        terms = {"side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "59000", "orderLinkId": "once"}
        bybit.place_order(**where, **terms)
        bybit.cancel_all_orders(**where)
        assert refused(bybit.place_order, **where, **terms) == code


def test_a_key_that_may_not_is_refused(sim: SimServer, clock: Shifted) -> None:
    """Unknown key, wrong signature, old stamp, a scope that is missing: each with its own code."""
    order = {"side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "59000"}
    reader = sim.grant_key(grants={"read"})
    assert refused(session(sim, key="k" * 20).place_order, **SPOT, **order) == 10003
    assert refused(session(sim, secret="wrong").place_order, **SPOT, **order) == 10004
    for where in (SPOT, LINEAR):
        assert refused(session(sim, reader.key, reader.secret).place_order, **where, **order) == 10005
    clock.ahead_ms = 5_001
    assert refused(session(sim, retry_codes={0}).place_order, **SPOT, **order) == 10002
    assert sim.truth.executed == []


def test_look_ups_page_newest_first(sim: SimServer, bybit: Any) -> None:
    """order-list.mdx: 20 a page, and a cursor to the next."""
    for number in range(25):
        bybit.place_order(**SPOT, side="Buy", orderType="Limit", qty="0.001", price=str(50_000 + number))
    first = bybit.get_open_orders(**SPOT)["result"]
    rest = bybit.get_open_orders(**SPOT, cursor=first["nextPageCursor"])["result"]
    assert (len(first["list"]), len(rest["list"]), rest["nextPageCursor"]) == (20, 5, "")
    prices = {row["price"] for row in first["list"] + rest["list"]}
    assert prices == {str(50_000 + number) for number in range(25)}
    assert refused(bybit.get_open_orders, category="linear") == 10001


def test_a_protective_spot_order_waits_and_triggers(sim: SimServer, clock: Shifted, bybit: Any) -> None:
    """`tpslOrder`: untriggered, its coins held back, sold once the price is there; taken back it is Deactivated."""
    terms = {"side": "Sell", "orderType": "Market", "qty": "0.5", "orderFilter": "tpslOrder"}
    stop = bybit.place_order(**SPOT, **terms, triggerPrice="58000")
    profit = bybit.place_order(**SPOT, **terms, triggerPrice="62000")
    assert order_of(bybit, stop, **SPOT)["orderStatus"] == "Untriggered"
    bybit.cancel_order(**SPOT, orderId=profit["result"]["orderId"], orderFilter="tpslOrder")
    assert order_of(bybit, profit, **SPOT)["orderStatus"] == "Deactivated"
    sim.pin("BTC/USDT", 57_000)
    clock.ahead_ms = 1_000
    assert order_of(bybit, stop, **SPOT)["orderStatus"] == "Filled"
    assert sim.position("BTC") == Decimal("0.5")


def test_the_market_is_public(sim: SimServer, bybit: Any) -> None:
    """Book, trades and fees as the documents have them, of spot and of contracts; what cannot be asked is refused."""
    for market, levels, trades in ((SPOT, 200, 60), (LINEAR, 500, 1_000)):
        book = bybit.get_orderbook(**market, limit=levels)["result"]
        assert [len(book["a"]), len(book["b"]), book["s"]] == [levels, levels, "BTCUSDT"]
        assert Decimal(book["b"][1][0]) < Decimal(book["b"][0][0]) < Decimal(book["a"][0][0]) < Decimal(book["a"][1][0])
        trade = only(bybit.get_public_trade_history(**market, limit=trades))
        assert (Decimal(trade["price"]), trade["side"], trade["isBlockTrade"]) == (60_000, "Buy", False)
        for call, limit in ((bybit.get_orderbook, levels + 1), (bybit.get_public_trade_history, trades + 1)):
            for wrong in ({**market, "limit": limit}, {**market, "symbol": "NONE"}, {**market, "limit": "x"}):
                with pytest.raises(InvalidRequestError, match="10001"):
                    call(**wrong)
    assert len(bybit.get_orderbook(**SPOT)["result"]["a"]) == 1
    assert only(bybit.get_fee_rates(**SPOT))["takerFeeRate"] == "0.001"
    assert only(bybit.get_fee_rates(**LINEAR))["takerFeeRate"] == "0.0005"
    assert len(bybit.get_fee_rates(category="spot")["result"]["list"]) > 1

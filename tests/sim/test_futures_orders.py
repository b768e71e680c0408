"""USD-M contracts as simulated, over HTTP: what the documented calls answer, and what the exchange itself refuses."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from policykit.sim import LimitSizes, SimClock, SimServer
from tests.sim.wire import Answer, signed

LINEAR = "BTC/USDT:USDT"
HOST = "/@fapi.binance.com"


@pytest.fixture
def sim() -> Iterator[SimServer]:
    """A flat market at 60,000 with 10,000 USDT of margin, and a key that may trade contracts."""
    with SimServer(
        clock=SimClock(),
        dialect="binanceusdm",
        amplitude=0.0,
        margin={"USDT": 10_000},
        grants={"read", "trade.derivatives"},
    ) as server:
        yield server


def _ask(sim: SimServer, method: str, path: str, **params: object) -> Answer:
    return signed(sim, method, f"{HOST}/fapi/{path}", **params)


def _order(sim: SimServer, **changed: object) -> Answer:
    """Send an order: a market buy of 0.1 unless said otherwise; None leaves a parameter out."""
    terms: dict[str, object] = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
    told = {name: value for name, value in (terms | changed).items() if value is not None}
    return _ask(sim, "POST", "v1/algoOrder" if "algoType" in told else "v1/order", **told)


def _algo(sim: SimServer, **changed: object) -> Answer:
    """Send a conditional order: a stop that sells 0.1 at 55,000."""
    terms = {"algoType": "CONDITIONAL", "side": "SELL", "type": "STOP_MARKET", "triggerPrice": "55000"}
    return _order(sim, **terms | changed)


def _limit(sim: SimServer, price: object, **changed: object) -> Answer:
    return _order(sim, type="LIMIT", price=price, timeInForce="GTC", **changed)


def _said(answer: Answer, *names: str) -> tuple[Any, ...]:
    assert answer.status == 200, answer.body
    return tuple(answer.body[name] for name in names)


def test_an_entry_an_exit_and_what_they_cost(sim: SimServer) -> None:
    """A market order fills at the touch; the wallet pays the fee of both sides and what the price moved."""
    bought = _order(sim, newClientOrderId="in", newOrderRespType="RESULT")
    assert _said(bought, "status", "executedQty", "avgPrice", "clientOrderId", "cumQuote") == (
        "FILLED",
        "0.1",
        "60006.00000000",
        "in",
        "6000.60000000",
    )
    sim.pin("BTC/USDT", 61_000)
    sold = _order(sim, side="SELL", reduceOnly="true")
    assert _said(sold, "status", "avgPrice") == ("FILLED", "60993.90000000")
    assert sim.held(LINEAR) == 0
    trades = _ask(sim, "GET", "v1/userTrades", symbol="BTCUSDT").body
    assert [(t["side"], t["qty"], t["price"], t["commission"], t["realizedPnl"], t["maker"]) for t in trades] == [
        ("BUY", "0.1", "60006.00", "3.00030000", "0.00000000", False),
        ("SELL", "0.1", "60993.90", "3.04969500", "98.79000000", False),
    ]
    (asset,) = _ask(sim, "GET", "v3/account").body["assets"]
    assert (asset["walletBalance"], asset["initialMargin"]) == ("10092.74000500", "0.00000000")
    kinds = [row["incomeType"] for row in _ask(sim, "GET", "v1/income").body]
    assert kinds == ["COMMISSION", "REALIZED_PNL", "COMMISSION"]


def test_a_resting_order_is_amended_cancelled_and_forgotten(sim: SimServer) -> None:
    """It takes margin while it is open, fills at its own price, and three days after its cancel it does not exist."""
    (number,) = _said(_limit(sim, "59000"), "orderId")
    (asset,) = _ask(sim, "GET", "v2/account").body["assets"]
    assert (asset["initialMargin"], asset["availableBalance"]) == ("295.00000000", "9705.00000000")
    which = {"symbol": "BTCUSDT", "orderId": number}
    changed = _ask(sim, "PUT", "v1/order", **which, side="BUY", quantity="0.2", price="58000")
    assert _said(changed, "status", "origQty", "price") == ("NEW", "0.2", "58000")
    same = _ask(sim, "PUT", "v1/order", **which, side="BUY", quantity="0.2", price="58000")
    assert same.body["code"] == -5027
    assert _said(_ask(sim, "GET", "v1/openOrder", **which), "status") == ("NEW",)
    assert _said(_ask(sim, "DELETE", "v1/order", **which), "status") == ("CANCELED",)
    assert _ask(sim, "DELETE", "v1/order", **which).body["code"] == -2011
    assert _ask(sim, "GET", "v1/openOrder", **which).body["code"] == -2013
    assert _said(_ask(sim, "GET", "v1/order", **which), "status") == ("CANCELED",)
    sim.clock.advance(3 * 86_400)
    assert _ask(sim, "GET", "v1/order", **which).body["code"] == -2013
    filled = _limit(sim, "59000", newClientOrderId="rests")
    sim.pin("BTC/USDT", 58_900)
    sim.clock.advance(1)
    found = _ask(sim, "GET", "v1/order", symbol="BTCUSDT", origClientOrderId="rests")
    assert _said(found, "status", "avgPrice", "orderId") == ("FILLED", "59000.00000000", filled.body["orderId"])
    assert len(_ask(sim, "GET", "v1/allOrders", symbol="BTCUSDT").body) == 2


def test_the_two_families_do_not_see_each_other(sim: SimServer) -> None:
    """PITFALLS 24: a stop is in no list of open orders, no cancel of all touches it, and its id is another's."""
    _order(sim)
    _limit(sim, "59000", newClientOrderId="same")
    (algo,) = _said(_algo(sim, reduceOnly="true", clientAlgoId="same"), "algoId")
    assert [o["type"] for o in _ask(sim, "GET", "v1/openOrders").body] == ["LIMIT"]
    assert _said(_ask(sim, "DELETE", "v1/allOpenOrders", symbol="BTCUSDT"), "code") == (200,)
    assert _ask(sim, "GET", "v1/openOrders", symbol="BTCUSDT").body == []
    assert [o["algoId"] for o in _ask(sim, "GET", "v1/openAlgoOrders", symbol="BTCUSDT").body] == [algo]
    assert _ask(sim, "GET", "v1/order", symbol="BTCUSDT", orderId=algo).body["code"] == -2013
    assert _said(_ask(sim, "GET", "v1/algoOrder", clientAlgoId="same"), "algoStatus") == ("NEW",)
    assert _said(_ask(sim, "DELETE", "v1/algoOrder", algoId=algo), "code") == ("200",)
    assert _said(_ask(sim, "GET", "v1/algoOrder", algoId=algo), "algoStatus") == ("CANCELED",)
    _algo(sim, reduceOnly="true")
    _ask(sim, "DELETE", "v1/algoOpenOrders", symbol="BTCUSDT")
    history = _ask(sim, "GET", "v1/allAlgoOrders", symbol="BTCUSDT").body
    assert [o["algoStatus"] for o in history] == ["CANCELED", "CANCELED"]


def test_a_stop_places_an_order_of_its_own(sim: SimServer) -> None:
    """What executed is told by `actualOrderId` only; the algo order itself has no executed quantity."""
    _order(sim)
    _algo(sim, reduceOnly="true", clientAlgoId="stop")
    sim.pin("BTC/USDT", 54_000)
    sim.clock.advance(1)
    told = _ask(sim, "GET", "v1/algoOrder", clientAlgoId="stop")
    status, child = _said(told, "algoStatus", "actualOrderId")
    assert (status, sim.held(LINEAR), "executedQty" in told.body) == ("FINISHED", 0, False)
    placed = _ask(sim, "GET", "v1/order", symbol="BTCUSDT", orderId=child)
    assert _said(placed, "status", "type", "executedQty", "reduceOnly") == ("FILLED", "MARKET", "0.1", True)


@pytest.mark.parametrize(
    ("terms", "price", "held"),
    [
        ({"type": "TAKE_PROFIT_MARKET", "triggerPrice": "65000"}, 65_000, 0),
        ({"type": "TAKE_PROFIT", "triggerPrice": "65000", "price": "64000", "timeInForce": "GTC"}, 65_000, 0),
        ({"closePosition": "true", "quantity": None}, 55_000, 0),
        ({"type": "STOP", "price": "50000"}, 55_001, "0.1"),
    ],
)
def test_each_kind_of_conditional_order(sim: SimServer, terms: dict[str, object], price: int, held: object) -> None:
    """Stops wait for the price to fall, profits for it to rise; one that closes the position needs no quantity."""
    _order(sim)
    _said(_algo(sim, **terms), "algoId")
    sim.pin("BTC/USDT", price)
    sim.clock.advance(1)
    assert sim.held(LINEAR) == Decimal(held)  # type: ignore[arg-type]


def test_a_trailing_stop_follows_the_price(sim: SimServer) -> None:
    """It begins at its activation price, remembers the best price, and sells 1 % below that."""
    _order(sim)
    trailing = {"type": "TRAILING_STOP_MARKET", "triggerPrice": None, "callbackRate": "1", "activatePrice": "61000"}
    (algo,) = _said(_algo(sim, **trailing), "algoId")
    for price, held in ((60_000, "0.1"), (59_000, "0.1"), (62_000, "0.1"), (61_500, "0.1"), (61_380, "0")):
        sim.pin("BTC/USDT", price)
        sim.clock.advance(1)
        assert sim.held(LINEAR) == Decimal(held), price
    assert _said(_ask(sim, "GET", "v1/algoOrder", algoId=algo), "algoStatus", "callbackRate") == ("FINISHED", "1")


def test_a_conditional_order_that_is_refused_when_it_triggers(sim: SimServer) -> None:
    """A stop that only reduces finds nothing to reduce: it is rejected, and nothing is sold."""
    _algo(sim, reduceOnly="true", clientAlgoId="late")
    sim.pin("BTC/USDT", 54_000)
    sim.clock.advance(1)
    assert _said(_ask(sim, "GET", "v1/algoOrder", clientAlgoId="late"), "algoStatus") == ("REJECTED",)
    assert sim.held(LINEAR) == 0


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"reduceOnly": "true"}, -2022),
        ({"side": "SELL", "type": "STOP_MARKET", "stopPrice": "55000"}, -4120),
        ({"algoType": "CONDITIONAL"}, -1116),
        ({"algoType": "CONDITIONAL", "type": "STOP_MARKET", "triggerPrice": "59000"}, -2021),
        ({"algoType": "CONDITIONAL", "type": "STOP_MARKET"}, -1102),
        ({"algoType": "CONDITIONAL", "type": "TRAILING_STOP_MARKET", "callbackRate": "11"}, -2007),
        ({"algoType": "CONDITIONAL", "type": "STOP", "triggerPrice": "61000", "closePosition": "true"}, -4136),
        ({"quantity": "3.5"}, -2019),
        ({"quantity": "0.0001"}, -1111),
        ({"quantity": None}, -1102),
        ({"type": "LIMIT", "price": "1000", "timeInForce": "GTC", "quantity": "0.001"}, -4164),
        ({"type": "LIMIT", "price": "50000.05", "timeInForce": "GTC"}, -4014),
        ({"type": "LIMIT", "price": "61000", "timeInForce": "GTX"}, -5022),
        ({"type": "LIMIT", "price": "61000"}, -1102),
        ({"price": "50000"}, -1106),
        ({"positionSide": "LONG"}, -4061),
        ({"positionSide": "BOTTOM"}, -4060),
        ({"side": "HOLD"}, -1117),
        ({"type": "ICEBERG"}, -1116),
        ({"timeInForce": "EVER"}, -1115),
        ({"reduceOnly": "perhaps"}, -1130),
        ({"workingType": "LAST"}, -1130),
        ({"symbol": "NOPE"}, -1121),
    ],
)
def test_what_the_exchange_refuses(sim: SimServer, terms: dict[str, object], code: int) -> None:
    """Each with the code of the documents, and nothing is placed or held."""
    answer = _order(sim, **terms)
    assert (answer.status, answer.body["code"]) == (400, code)
    assert (sim.truth.executed, sim.held(LINEAR)) == ([], 0)


def test_reduce_only_never_flips(sim: SimServer) -> None:
    """A sale of more than is held ends at flat, its rest expires; resting ones die with the position."""
    _order(sim)
    _limit(sim, "70000", side="SELL", reduceOnly="true", newClientOrderId="profit")
    assert _said(_order(sim, side="SELL", quantity="0.3", reduceOnly="true"), "status", "executedQty") == (
        "EXPIRED",
        "0.1",
    )
    assert sim.held(LINEAR) == 0
    sim.pin("BTC/USDT", 70_100)
    sim.clock.advance(1)
    assert sim.held(LINEAR) == 0
    profit = _ask(sim, "GET", "v1/order", symbol="BTCUSDT", origClientOrderId="profit")
    assert _said(profit, "status", "executedQty") == ("EXPIRED", "0")


def test_without_the_mark_a_sale_flips(sim: SimServer) -> None:
    """The control: an order that is not marked turns a long into a short, with the new side's entry price."""
    _order(sim)
    _order(sim, side="SELL", quantity="0.3")
    assert sim.held(LINEAR) == Decimal("-0.2")
    (short,) = _ask(sim, "GET", "v3/positionRisk").body
    assert (short["positionAmt"], short["entryPrice"], short["notional"]) == ("-0.2", "59994.00", "-12000.00000000")


def test_legs_of_hedge_mode(sim: SimServer) -> None:
    """A sale of LONG closes it and never more, a sale of SHORT opens one; the mode is the account's."""
    assert _said(_ask(sim, "POST", "v1/positionSide/dual", dualSidePosition="true"), "code") == (200,)
    assert _ask(sim, "POST", "v1/positionSide/dual", dualSidePosition="true").body["code"] == -4059
    assert _order(sim).body["code"] == -4061
    _order(sim, positionSide="LONG")
    _order(sim, side="SELL", positionSide="SHORT", quantity="0.2")
    assert (sim.held(LINEAR, "LONG"), sim.held(LINEAR, "SHORT")) == (Decimal("0.1"), Decimal("-0.2"))
    assert _order(sim, side="SELL", positionSide="LONG", quantity="0.2").body["code"] == -2022
    assert _order(sim, side="SELL", positionSide="LONG", reduceOnly="true").body["code"] == -1106
    assert _ask(sim, "POST", "v1/positionSide/dual", dualSidePosition="false").body["code"] == -4068
    _order(sim, side="SELL", positionSide="LONG")
    assert (sim.held(LINEAR, "LONG"), sim.held(LINEAR, "SHORT")) == (0, Decimal("-0.2"))
    config = _ask(sim, "GET", "v1/accountConfig")
    assert _said(config, "dualSidePosition") == (True,)


def test_leverage_and_margin_mode(sim: SimServer) -> None:
    """Leverage sets how much margin is needed; the mode changes only while nothing is held and nothing is open."""
    set_to = _ask(sim, "POST", "v1/leverage", symbol="BTCUSDT", leverage=2)
    assert _said(set_to, "leverage", "symbol") == (2, "BTCUSDT")
    assert _ask(sim, "POST", "v1/leverage", symbol="BTCUSDT", leverage=126).body["code"] == -4028
    assert _order(sim, quantity="0.4").body["code"] == -2019
    assert _said(_ask(sim, "POST", "v1/marginType", symbol="BTCUSDT", marginType="ISOLATED"), "code") == (200,)
    assert _ask(sim, "POST", "v1/marginType", symbol="BTCUSDT", marginType="ISOLATED").body["code"] == -4046
    assert _ask(sim, "POST", "v1/marginType", symbol="BTCUSDT", marginType="BOTH").body["code"] == -1130
    _limit(sim, "50000", newClientOrderId="open")
    assert _ask(sim, "POST", "v1/marginType", symbol="BTCUSDT", marginType="CROSSED").body["code"] == -4047
    assert _ask(sim, "POST", "v1/positionSide/dual", dualSidePosition="true").body["code"] == -4067
    _ask(sim, "DELETE", "v1/order", symbol="BTCUSDT", origClientOrderId="open")
    _order(sim)
    assert _ask(sim, "POST", "v1/marginType", symbol="BTCUSDT", marginType="CROSSED").body["code"] == -4048
    assert _ask(sim, "POST", "v1/leverage", symbol="BTCUSDT", leverage=1).body["code"] == -4161
    configured = _ask(sim, "GET", "v1/symbolConfig", symbol="BTCUSDT").body
    assert [(row["leverage"], row["marginType"]) for row in configured] == [(2, "ISOLATED")]
    (row, _) = _ask(sim, "GET", "v2/positionRisk").body
    # Isolated at 2x: margin 3,000.3 of an entry at 60,006; maintenance 0.4 %.
    assert (row["leverage"], row["marginType"], row["liquidationPrice"]) == ("2", "isolated", "30123.49")


def test_leverage_that_the_margin_does_not_carry(sim: SimServer) -> None:
    """With 12,000 USDT held on 10,000, leverage cannot fall to 1; a cross position's liquidation is the wallet's."""
    _order(sim, quantity="0.2")
    assert _ask(sim, "POST", "v1/leverage", symbol="BTCUSDT", leverage=1).body["code"] == -2028
    (row,) = _ask(sim, "GET", "v3/positionRisk").body
    assert row["liquidationPrice"] == "10076.31"
    assert _said(_ask(sim, "POST", "v1/leverage", symbol="BTCUSDT", leverage=10), "leverage") == (10,)


def test_funding_is_paid_every_eight_hours(sim: SimServer) -> None:
    """A long pays the rate of its notional; transfers are listed beside it."""
    sim.clock.advance(3600)
    sim.hold(LINEAR, 1, entry=60_000)
    sim.clock.advance(8 * 3600)
    sim.transfer(LINEAR, "-500")
    rows = _ask(sim, "GET", "v1/income").body
    assert [(row["incomeType"], row["income"]) for row in rows] == [
        ("FUNDING_FEE", "-6.00000000"),
        ("TRANSFER", "-500.00000000"),
    ]
    only = _ask(sim, "GET", "v1/income", incomeType="TRANSFER", startTime=sim.clock.now_ms() - 1).body
    assert [row["income"] for row in only] == ["-500.00000000"]
    assert _said(_ask(sim, "GET", "v1/premiumIndex", symbol="BTCUSDT"), "markPrice", "lastFundingRate") == (
        "60000.00000000",
        "0.00010000",
    )
    assert len(_ask(sim, "GET", "v1/fundingRate", symbol="BTCUSDT", limit=3).body) == 3


def test_faults_strike_both_families() -> None:
    """A lost reply executes, a dropped request does not, a time-out is -1007; look-ups lag; orders fill in parts."""
    faults = [
        {"at": "order", "do": "lost_reply", "when": [1]},
        {"at": "order", "do": "drop", "when": [2]},
        {"at": "order", "do": "timeout", "when": [3]},
        {"at": "order", "do": "lag", "when": [4], "seconds": 3},
        {"at": "order", "do": "partial", "when": [4], "share": 0.5},
    ]
    grants = {"read", "trade.derivatives"}
    with SimServer(clock=SimClock(), amplitude=0.0, margin={"USDT": 10_000}, grants=grants, faults=faults) as sim:
        with pytest.raises((ConnectionError, OSError)):
            _order(sim)
        assert sim.held(LINEAR) == Decimal("0.1")
        with pytest.raises((ConnectionError, OSError)):
            _order(sim)
        assert sim.held(LINEAR) == Decimal("0.1")
        timed_out = _algo(sim, clientAlgoId="late")
        assert (timed_out.status, timed_out.body["code"]) == (408, -1007)
        assert len(_ask(sim, "GET", "v1/openAlgoOrders").body) == 1
        _limit(sim, "60100", newClientOrderId="part")
        asked = {"symbol": "BTCUSDT", "origClientOrderId": "part"}
        assert _ask(sim, "GET", "v1/order", **asked).body["code"] == -2013
        sim.clock.advance(3)
        assert _said(_ask(sim, "GET", "v1/order", **asked), "executedQty") == ("0.05",)


def test_an_algo_order_can_be_visible_a_minute_late() -> None:
    """Acknowledged, and for 60 s in no list, not found and not cancelled (-2013, -2011); then it is there.

    Plain orders of the same lag are cancelled at once: the matching engine knows them.
    """
    faults = [{"at": "order", "do": "lag", "ratio": 1, "seconds": 60}]
    grants = {"read", "trade.derivatives"}
    with SimServer(clock=SimClock(), amplitude=0.0, margin={"USDT": 10_000}, grants=grants, faults=faults) as sim:
        asked = {"clientAlgoId": "stop"}
        assert _algo(sim, **asked).status == 200
        for passed in (0, 3, 56.9):
            sim.clock.advance(passed)
            assert _ask(sim, "GET", "v1/openAlgoOrders").body == []
            assert _ask(sim, "GET", "v1/algoOrder", **asked).body["code"] == -2013
            assert _ask(sim, "DELETE", "v1/algoOrder", **asked).body["code"] == -2011
            assert _ask(sim, "DELETE", "v1/algoOpenOrders", symbol="BTCUSDT").status == 200
        sim.clock.advance(0.1)
        assert [row["clientAlgoId"] for row in _ask(sim, "GET", "v1/openAlgoOrders").body] == ["stop"]
        assert _ask(sim, "DELETE", "v1/algoOrder", **asked).body["code"] == "200"
        assert _limit(sim, "50000", newClientOrderId="plain").status == 200
        assert _ask(sim, "DELETE", "v1/order", symbol="BTCUSDT", origClientOrderId="plain").body["status"] == "CANCELED"


def test_order_counts_and_their_limit() -> None:
    """Each order counts in ten seconds and in the minute, told by headers; one too many is a 429 with -1015."""
    limits = LimitSizes(futures_orders_10s=2)
    grants = {"read", "trade.derivatives"}
    with SimServer(clock=SimClock(), amplitude=0.0, margin={"USDT": 10_000}, grants=grants, limits=limits) as sim:
        _order(sim)
        counted = _order(sim).headers
        assert (counted["x-mbx-order-count-10s"], counted["x-mbx-order-count-1m"]) == ("2", "2")
        over = _order(sim)
        assert (over.status, over.body["code"]) == (429, -1015)
        assert over.body["msg"] == "Too many new orders; current limit is 2 orders per 10 SECOND."


def test_a_key_without_the_right_to_futures() -> None:
    """A key of spot is refused by the write, and may read."""
    with SimServer(clock=SimClock(), amplitude=0.0, margin={"USDT": 10_000}) as sim:
        assert _order(sim).body["code"] == -2015
        assert _ask(sim, "GET", "v1/openOrders").body == []


def test_what_everybody_may_read(sim: SimServer) -> None:
    """Prices, book, candles, trades, tickers and fundings of one contract or of all; another symbol is refused."""
    for path in ("premiumIndex", "ticker/price", "ticker/bookTicker", "ticker/24hr", "fundingInfo"):
        one, every = (_ask(sim, "GET", f"v1/{path}", **asked) for asked in ({"symbol": "BTCUSDT"}, {}))
        assert one.body["symbol"] == "BTCUSDT", path
        assert [row["symbol"] for row in every.body] == ["BTCUSDT", "ETHUSDT"], path
        assert _ask(sim, "GET", f"v1/{path}", symbol="NOPE").body["code"] == -1121, path
    book = _ask(sim, "GET", "v1/depth", symbol="BTCUSDT", limit=5)
    assert (len(book.body["bids"]), book.body["E"]) == (5, sim.clock.now_ms())
    for path in ("klines", "markPriceKlines"):
        assert len(_ask(sim, "GET", f"v1/{path}", symbol="BTCUSDT", interval="1m", limit=3).body) == 3
    for path, name in (("trades", "price"), ("aggTrades", "p")):
        newest = _ask(sim, "GET", f"v1/{path}", symbol="BTCUSDT", limit=3).body[-1]
        assert newest[name] == "60000.00000000"
    assert _ask(sim, "GET", "v1/multiAssetsMargin").body == {"multiAssetsMargin": False}


def test_prices_are_in_the_contract_s_ticks(sim: SimServer) -> None:
    """Spot's tick is finer: a bid rounds down, an ask up, so that an order at the best ask fills."""
    sim.pin("BTC/USDT", "60000.03")
    touch = _ask(sim, "GET", "v1/ticker/bookTicker", symbol="BTCUSDT")
    assert _said(touch, "bidPrice", "askPrice") == ("59994.00000000", "60006.10000000")
    book = _ask(sim, "GET", "v1/depth", symbol="BTCUSDT", limit=2).body
    assert [price for price, _ in book["asks"]] == ["60006.10000000", "60006.20000000"]
    assert _said(_limit(sim, "60006.1"), "status") == ("FILLED",)


def test_fundings_of_the_past(sim: SimServer) -> None:
    """One row every eight hours, the newest last, from a start or the last ones; a contract that is none is refused."""
    hours = 3_600_000
    last = sim.clock.now_ms() // (8 * hours) * 8 * hours
    rows = _ask(sim, "GET", "v1/fundingRate", symbol="BTCUSDT", limit=2).body
    assert [(row["fundingTime"], row["fundingRate"]) for row in rows] == [
        (last - 8 * hours, "0.00010000"),
        (last, "0.00010000"),
    ]
    since = _ask(sim, "GET", "v1/fundingRate", startTime=last - 8 * hours + 1).body
    assert [(row["fundingTime"], row["symbol"]) for row in since] == [(last, "BTCUSDT"), (last, "ETHUSDT")]
    assert _ask(sim, "GET", "v1/fundingRate", symbol="NOPE").body["code"] == -1121


def test_a_countdown_cancels_what_rests_of_its_symbol(sim: SimServer) -> None:
    """Set anew by each call, taken off by 0, and no other symbol, and no algo order, goes with it."""
    _limit(sim, "55000")
    _limit(sim, "2000", symbol="ETHUSDT", quantity="0.1")
    _algo(sim)

    def rests() -> tuple[int, int, int]:
        lists = [_ask(sim, "GET", f"v1/open{kind}", symbol="BTCUSDT").body for kind in ("Orders", "AlgoOrders")]
        return len(lists[0]), len(lists[1]), len(_ask(sim, "GET", "v1/openOrders", symbol="ETHUSDT").body)

    def count(span_ms: object) -> Answer:
        return _ask(sim, "POST", "v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=span_ms)

    assert count(100_000).body == {"symbol": "BTCUSDT", "countdownTime": "100000"}
    sim.clock.sleep(99)
    assert (count(100_000).status, rests()) == (200, (1, 1, 1))
    sim.clock.sleep(99)
    assert (count(0).body, rests()) == ({"symbol": "BTCUSDT", "countdownTime": "0"}, (1, 1, 1))
    sim.clock.sleep(1_000)
    assert rests() == (1, 1, 1)
    count(1_000)
    sim.clock.sleep(1)
    assert rests() == (0, 1, 1)
    assert (count("x").body["code"], _ask(sim, "POST", "v1/countdownCancelAll", symbol="BTCUSDT").body["code"]) == (
        -1100,
        -1102,
    )

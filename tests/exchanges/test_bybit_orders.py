"""Bybit's trading half: what its answers mean, what it asks over HTTP, and whether a request is what was decided."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.bybit import ADAPTER
from policykit.exchanges.bybit_orders import MAX_PAGES, differs
from policykit.order import Order
from policykit.testing import Sim, SimClock
from tests.exchanges.reading import NOW_MS, MoreAsked, answered

SYMBOL = "BTC/USDT"
LIMIT = Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(60_000))
STOP = Order(SYMBOL, "sell", "market", Decimal("0.01"), stop_price=Decimal(58_000))
MARKET = Order(SYMBOL, "buy", "market", Decimal("0.01"))
COST = Order(SYMBOL, "buy", "market", quote_quantity=Decimal(600))
POST = Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(60_000), time_in_force="PO")
OWN = Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(60_000), self_trade_prevention="cancel_maker")
WIRE = {"category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "60000"}
FREE = {"category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.01"}
BASE = {"marketUnit": "baseCoin"}


@pytest.mark.parametrize(
    ("order", "sent", "said"),
    [
        (LIMIT, WIRE, None),
        (LIMIT, WIRE | {"qty": "0.009", "price": "50000", "orderLinkId": "pk1", "timeInForce": "GTC"}, None),
        (LIMIT, WIRE | {"price": "60000.01"}, None),
        (LIMIT, WIRE | {"category": "linear"}, "it is for linear BTCUSDT, decided was BTC/USDT"),
        (LIMIT, WIRE | {"symbol": "ETHUSDT"}, "it is for spot ETHUSDT, decided was BTC/USDT"),
        (LIMIT, WIRE | {"side": "Sell"}, "the side is Sell, decided was buy"),
        (LIMIT, WIRE | {"orderType": "Market"}, "the type is Market, decided was limit"),
        (LIMIT, WIRE | {"qty": "5"}, "the quantity is 5, decided was 0.01"),
        (LIMIT, WIRE | {"qty": "many"}, "it cannot be read"),
        (LIMIT, WIRE | {"price": "70000"}, "price is 70000, decided was 60000"),
        (LIMIT, WIRE | {"triggerPrice": "58000"}, "triggerPrice is 58000, decided was None"),
        (LIMIT, WIRE | {"takeProfit": "70000"}, "takeProfit is set, which was not decided on"),
        (LIMIT, WIRE | {"isLeverage": 1}, "it may borrow (isLeverage), which was not decided on"),
        (LIMIT, WIRE | {"isLeverage": 0}, None),
        (LIMIT, WIRE | {"timeInForce": "FOK"}, "timeInForce is FOK, decided was GTC"),
        (POST, WIRE | {"timeInForce": "PostOnly"}, None),
        (POST, WIRE | {"timeInForce": "GTC"}, "timeInForce is GTC, decided was PostOnly"),
        (POST, WIRE, "timeInForce is GTC, decided was PostOnly"),
        (OWN, WIRE | {"smpType": "CancelMaker"}, None),
        (OWN, WIRE | {"smpType": "None"}, "the self-trade prevention is None, decided was cancel_maker"),
        (MARKET, FREE | BASE, None),
        (MARKET, FREE, "the quote quantity is 0.01, decided was None"),
        (MARKET, FREE | BASE | {"qty": "0.02"}, "the quantity is 0.02, decided was 0.01"),
        (COST, FREE | {"qty": "600"}, None),
        (COST, FREE | {"qty": "601"}, "the quote quantity is 601, decided was 600"),
        (STOP, FREE | BASE | {"side": "Sell", "triggerPrice": "58000", "orderFilter": "tpslOrder"}, None),
        (STOP, FREE | BASE | {"side": "Sell", "triggerPrice": "1"}, "triggerPrice is 1, decided was 58000"),
        (STOP, FREE | BASE | {"side": "Sell"}, "triggerPrice is None, decided was 58000"),
    ],
)
def test_a_request_is_held_against_what_was_decided(order: Order, sent: dict[str, Any], said: str | None) -> None:
    """Another market, side or type, more of it, a worse price, a loan, or a field nobody decided on."""
    assert differs(order, json.dumps(sent)) == said


@pytest.mark.parametrize("body", [None, "", "[1]", "1", '{"qty": {"a": 1}}', "{"])
def test_a_body_that_cannot_be_read_is_a_difference(body: str | None) -> None:
    """Whatever stands in it."""
    assert differs(LIMIT, body) is not None


def test_a_parameter_given_twice_is_a_difference() -> None:
    """The exchange and this reader may not take the same one of two."""
    twice = json.dumps(WIRE)[:-1] + ', "qty": "9"}'
    assert differs(LIMIT, twice) == "a parameter stands in the request twice"


def test_what_is_signed_is_read_from_the_headers() -> None:
    """The time and the window stand beside the signature; without one of them there is nothing to go by."""
    headers = {"X-BAPI-SIGN": "s", "X-BAPI-TIMESTAMP": str(NOW_MS), "X-BAPI-RECV-WINDOW": "5000"}
    assert ADAPTER.signed("", headers, None) == (NOW_MS, 5000)
    assert ADAPTER.signed("", headers | {"X-BAPI-RECV-WINDOW": "5 s"}, None) == (NOW_MS, None)
    for name in ("X-BAPI-SIGN", "X-BAPI-TIMESTAMP"):
        assert ADAPTER.signed("", {k: v for k, v in headers.items() if k != name}, None) is None


@pytest.mark.parametrize(
    ("name", "kind", "action"),
    [
        ("POST /v5/order/create", "write", "order.create"),
        ("POST /v5/order/create-batch", "write", "order.create"),
        ("POST /v5/position/set-leverage", "write", "account.configure"),
        ("GET /v5/order/history", "read", None),
        ("GET /v5/market/tickers", "public", None),
        ("POST /v5/asset/withdraw/create", "refused", None),
        ("POST /v5/position/trading-stop", "refused", None),
    ],
)
def test_calls_are_known_by_their_name(name: str, kind: str, action: str | None) -> None:
    """What is neither a read nor a write that is known is refused."""
    method, path = name.split(" ")
    call = ADAPTER.call(method, f"https://api.bybit.com{path}", None)
    assert (call.kind, call.name, call.action) == (kind, name, action)


# ---- over HTTP


@pytest.fixture
def sim() -> Iterator[Sim]:
    """Give a Bybit whose price is pinned."""
    with Sim(clock=SimClock(), dialect="bybit", balances={"USDT": "100000", "BTC": "1"}) as started:
        started.pin(SYMBOL, 60_000)
        yield started


@pytest.fixture
def client(sim: Sim) -> Any:
    """Give stock ccxt on it."""
    made = sim.client(options={"fetchMarkets": {"types": ["spot"]}})
    ADAPTER.prepare(made)
    return made


def asked(sim: Sim, client: Any, steps: Any) -> Any:
    """Return what a read finds."""
    return run(ADAPTER, client, steps, sim.clock)


def test_an_order_is_found_listed_and_cancelled(sim: Sim, client: Any) -> None:
    """By our id among the open ones, in the list of all, and in the history once it is over."""
    terms = {"clientOrderId": "pk1"}
    answer = client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000, terms)
    found = asked(sim, client, ADAPTER.find_order(SYMBOL, "pk1"))
    assert (found.order_id, found.quantity, found.filled, found.closed) == (answer["id"], Decimal("0.01"), 0, False)
    assert asked(sim, client, ADAPTER.find_order(SYMBOL, "pk2")) is None
    assert asked(sim, client, ADAPTER.open_orders()) == asked(sim, client, ADAPTER.open_orders((SYMBOL,))) == (found,)
    assert asked(sim, client, ADAPTER.open_orders(("ETH/USDT",))) == ()
    assert asked(sim, client, ADAPTER.cancel(found)) is True
    assert asked(sim, client, ADAPTER.cancel(found._replace(order_id=""))) is False
    assert asked(sim, client, ADAPTER.find_order(SYMBOL, "pk1")).status == "Cancelled"


def test_a_protective_order_is_cancelled_as_one(sim: Sim, client: Any) -> None:
    """cancel-order.mdx: of a TP/SL order the kind must be said."""
    client.create_order(SYMBOL, "market", "sell", 0.01, None, {"stopLossPrice": 58_000, "clientOrderId": "sl1"})
    (stop,) = asked(sim, client, ADAPTER.open_orders((SYMBOL,)))
    assert (stop.status, stop.raw["stopOrderType"]) == ("Untriggered", "tpslOrder")
    steps = ADAPTER.cancel(stop)
    assert next(steps).params["orderFilter"] == "tpslOrder"
    assert asked(sim, client, ADAPTER.cancel(stop)) is True


def test_fills_and_what_they_cost_are_read(sim: Sim, client: Any) -> None:
    """Of a market order by value the quantity is what was bought."""
    client.create_order(SYMBOL, "market", "buy", None, None, {"cost": 600, "clientOrderId": "pk1"})
    state = asked(sim, client, ADAPTER.find_order(SYMBOL, "pk1"))
    assert (state.filled, state.cost, state.closed) == (Decimal("0.00999"), Decimal("599.459940"), True)
    row = {**WIRE, "orderId": "1", "orderLinkId": "a", "marketUnit": "quoteCoin", "qty": "600", "cumExecQty": "0.01"}
    assert ADAPTER.order_state(row).quantity == Decimal("0.01")


def test_the_account_is_one_wallet_with_what_contracts_gained(sim: Sim, client: Any) -> None:
    """Wallet balances by coin; unrealised profit beside them, so that both are in the equity."""
    sim.fund("BTC/USDT:USDT", 1_000)
    sim.hold("BTC/USDT:USDT", "0.1", entry=59_000)
    account = asked(sim, client, ADAPTER.account())
    assert account.balances == {"USDT": Decimal(101_000), "BTC": Decimal(1)}
    assert account.margin == {"USDT": Decimal(100)}


def test_prices_and_transfers_are_read(sim: Sim, client: Any) -> None:
    """Mid of bid and ask of one or of several; deposits less withdrawals since a moment, by price."""
    one = asked(sim, client, ADAPTER.marks((SYMBOL,)))
    assert one == {SYMBOL: Decimal(60_000)}
    assert set(asked(sim, client, ADAPTER.marks((SYMBOL, "ETH/USDT", "XX/USDT")))) == {SYMBOL, "ETH/USDT"}
    assert asked(sim, client, ADAPTER.marks(())) == {}
    since = sim.clock.now_ms()
    sim.deposit("USDT", 500)
    sim.withdraw("BTC", "0.1")
    assert asked(sim, client, ADAPTER.net_transfers(since, one, "USDT")) == Decimal(500) - 6_000
    assert asked(sim, client, ADAPTER.net_transfers(since + 1, one, "USDT")) == 0
    assert asked(sim, client, ADAPTER.net_transfers(since - 1, one, "USDT", since)) == 0
    sim.clock.advance(16 * 86_400)
    assert asked(sim, client, ADAPTER.net_transfers(since, one, "USDT")) == Decimal(500) - 6_000
    since = sim.clock.now_ms()
    assert asked(sim, client, ADAPTER.server_time()) == since


@pytest.mark.parametrize(
    ("steps", "answers", "words"),
    [
        (ADAPTER.account(), [{"result": {"list": []}}], "a wallet"),
        (ADAPTER.account(), [{"result": {"list": [{"coin": "x"}]}}], "a wallet"),
        (ADAPTER.account(), [{"result": {"list": [{"coin": ["x"]}]}}], "a wallet"),
        (
            ADAPTER.account(),
            [{"result": {"list": [{"coin": [{"coin": "A", "walletBalance": "x"}]}]}}],
            "made of numbers",
        ),
        (ADAPTER.marks((SYMBOL,)), [{"result": {"list": 1}}], "a list"),
        (ADAPTER.open_orders(), [{"result": {"list": [1]}}], "a list"),
        (ADAPTER.open_orders(), [{"result": {"list": [{}]}}], "an order"),
        (ADAPTER.open_orders(), [{"result": {"list": [{"orderId": "1", "side": "?"}]}}], "an order"),
        (
            ADAPTER.open_orders(),
            [{"result": {"list": [], "nextPageCursor": "on"}}] * MAX_PAGES,
            f"under {MAX_PAGES} pages",
        ),
    ],
)
def test_an_answer_that_is_no_answer_is_said(steps: Any, answers: list[Any], words: str) -> None:
    """Never an empty account: a proxy's page, a list that does not end, a number that is none."""
    with pytest.raises(CallFailed) as failed:
        answered(steps, *answers)
    assert words in str(failed.value)


def test_pages_are_read_to_the_end() -> None:
    """With the cursor of the one before; a price of which one side is missing is no price."""
    row = {**WIRE, "orderId": "1", "orderLinkId": "a", "orderStatus": "New"}
    listed = answered(
        ADAPTER.open_orders(),
        {"result": {"list": [row], "nextPageCursor": "on"}},
        {"result": {"list": [row | {"orderId": "2", "symbol": "ODD"}], "nextPageCursor": ""}},
    )
    assert [(one.order_id, one.symbol) for one in listed] == [("1", SYMBOL), ("2", "ODD")]
    empty = {"result": {"list": [{"symbol": "BTCUSDT", "bid1Price": "", "ask1Price": "1"}]}}
    assert answered(ADAPTER.marks((SYMBOL,)), empty) == {}


def test_contracts_are_not_traded_with_this_version(sim: Sim, client: Any) -> None:
    """A look-up of one is refused with a reason, not answered with nothing; errors of an exchange pass through."""
    with pytest.raises(CallFailed, match="no spot symbol"):
        asked(sim, client, ADAPTER.find_order("BTC/USDT:USDT", "pk1"))
    state = ADAPTER.order_state({"orderId": "1", "orderLinkId": "a"}, LIMIT)
    assert (state.symbol, state.side, state.quantity, state.filled) == (SYMBOL, "buy", Decimal("0.01"), 0)
    failed = CallFailed(ADAPTER.failure(Exception('{"retCode":10006}'), client))
    with pytest.raises(CallFailed):
        answered(ADAPTER.cancel(state), failed)
    with pytest.raises(MoreAsked):
        answered(ADAPTER.find_order(SYMBOL, "pk1"), {"result": {"list": []}})
    assert answered(ADAPTER.find_order(SYMBOL, "pk1", thorough=False), {"result": {"list": []}}) is None

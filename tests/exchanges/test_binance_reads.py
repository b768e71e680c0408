"""What the adapter asks and how it reads the answers, over both drivers, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit.exchanges import load
from policykit.exchanges.base import CallFailed, LiveAccount, OrderState, Steps, arun, run
from policykit.exchanges.binance import ADAPTER, market_id, unified
from policykit.order import Order
from policykit.sim import SimClock
from policykit.snapshot import RateLimit
from tests.exchanges.fakes import Scripted, ScriptedAsync

Driver = Callable[..., Any]
#: The adapter of a key that trades spot alone; the other one reads the wallet of USD-M as well.
SPOT = ADAPTER.serving(frozenset(("spot",)))
NOT_FOUND = ccxt.OrderNotFound('binance {"code":-2013,"msg":"Order does not exist."}')
TIMED_OUT = ccxt.RequestTimeout("binance GET https://x")
#: rest-api.md "Query order", with the client order id of ours.
ROW = {
    "symbol": "BTCUSDT",
    "orderId": 7,
    "orderListId": -1,
    "clientOrderId": "pkA",
    "price": "60000.0",
    "origQty": "1.0",
    "executedQty": "0.4",
    "cummulativeQuoteQty": "24000.0",
    "status": "PARTIALLY_FILLED",
    "timeInForce": "GTC",
    "type": "LIMIT",
    "side": "BUY",
    "time": 1_499_827_319_559,
}
STATE = OrderState(
    "7",
    "pkA",
    "BTC/USDT",
    "buy",
    Decimal("1.0"),
    Decimal("0.4"),
    False,
    "PARTIALLY_FILLED",
    {name: value for name, value in ROW.items() if name != "orderListId"},
    Decimal("24000.0"),
    price=Decimal("60000.0"),
)


def _sync(client: Scripted, steps: Steps[Any], clock: SimClock) -> Any:
    return run(ADAPTER, client, steps, clock)


def _async(client: Scripted, steps: Steps[Any], clock: SimClock) -> Any:
    twin = ScriptedAsync(**client.answers)
    twin.asked = client.asked
    return asyncio.run(arun(ADAPTER, twin, steps, clock))


@pytest.fixture(params=[_sync, _async], ids=["sync", "async"])
def drive(request: pytest.FixtureRequest) -> Callable[[Scripted, Steps[Any]], Any]:
    """Both drivers over the same steps."""
    driver: Driver = request.param
    return lambda client, steps: driver(client, steps, SimClock())


Drive = Callable[[Scripted, Steps[Any]], Any]


def test_adapters_by_exchange() -> None:
    """Binance is there; other exchanges have no adapter in this version."""
    assert load("binance") is ADAPTER
    assert load("bitstamp") is None
    assert load("../binance") is None


def test_an_order_is_found_by_its_id_alone(drive: Drive) -> None:
    """One call of weight 4 is enough when the order shows."""
    client = Scripted(privateGetOrder=[ROW])
    assert drive(client, ADAPTER.find_order("BTC/USDT", "pkA")) == STATE
    assert client.asked == [("privateGetOrder", {"symbol": "BTCUSDT", "origClientOrderId": "pkA"})]


def test_an_order_that_the_look_up_misses_is_found_in_open_orders_and_history(drive: Drive) -> None:
    """PITFALLS story 2: open orders and history are asked before absence is concluded."""
    client = Scripted(privateGetOrder=[NOT_FOUND], privateGetOpenOrders=[[{**ROW, "clientOrderId": "x"}, ROW]])
    assert drive(client, ADAPTER.find_order("BTC/USDT", "pkA")) == STATE
    client = Scripted(privateGetOrder=[NOT_FOUND], privateGetOpenOrders=[[]], privateGetAllOrders=[[ROW]])
    assert drive(client, ADAPTER.find_order("BTC/USDT", "pkA")) == STATE
    cancelled = {**ROW, "clientOrderId": "cancel-1", "origClientOrderId": "pkA", "status": "CANCELED"}
    client = Scripted(privateGetOrder=[NOT_FOUND], privateGetOpenOrders=[[]], privateGetAllOrders=[[cancelled]])
    found = drive(client, ADAPTER.find_order("BTC/USDT", "pkA"))
    assert (found.client_order_id, found.closed, found.filled) == ("pkA", True, Decimal("0.4"))


def test_absent_needs_every_place_to_have_answered(drive: Drive) -> None:
    """None is returned only when look-up, open orders, history and fills all lack it; a place that fails raises."""
    nowhere = {"privateGetOrder": [NOT_FOUND], "privateGetOpenOrders": [[]], "privateGetAllOrders": [[]]}
    client = Scripted(**nowhere, privateGetMyTrades=[[]])
    assert drive(client, ADAPTER.find_order("BTC/USDT", "pkA", since_ms=7)) is None
    assert [name for name, _ in client.asked] == [*nowhere, "privateGetMyTrades"]
    assert client.asked[-1][1] == {"symbol": "BTCUSDT", "startTime": 7, "limit": 1000}
    for answers in (
        {"privateGetOrder": [TIMED_OUT]},
        {"privateGetOrder": [NOT_FOUND], "privateGetOpenOrders": [TIMED_OUT]},
        {"privateGetOrder": [NOT_FOUND], "privateGetOpenOrders": [[]], "privateGetAllOrders": [TIMED_OUT]},
        {"privateGetOrder": ["<html>"]},
        {"privateGetOrder": [NOT_FOUND], "privateGetOpenOrders": ["<html>"]},
        nowhere | {"privateGetMyTrades": [TIMED_OUT]},
    ):
        with pytest.raises(CallFailed) as caught:
            drive(Scripted(**answers), ADAPTER.find_order("BTC/USDT", "pkA"))
        assert caught.value.code in ("NETWORK", "BAD_ANSWER")
        assert caught.value.failure.executed == "unknown"


def test_a_quick_look_up_asks_one_place(drive: Drive) -> None:
    """Not thorough: one call, good enough to find."""
    client = Scripted(privateGetOrder=[NOT_FOUND])
    assert drive(client, ADAPTER.find_order("BTC/USDT", "pkA", thorough=False)) is None
    assert len(client.asked) == 1


def test_a_failure_carries_nothing_of_the_foreign_exception(drive: Drive) -> None:
    """What ccxt raised is neither the cause nor the context of what we raise."""
    with pytest.raises(CallFailed) as caught:
        drive(Scripted(publicGetTime=[TIMED_OUT]), ADAPTER.server_time())
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert str(caught.value) == "binance: no answer in time"


def test_open_orders_by_symbol_or_all_at_once(drive: Drive) -> None:
    """A few symbols are asked one by one (6 each), none or many at once (80); foreign markets keep a name."""
    client = Scripted(privateGetOpenOrders=[[ROW], []])
    assert drive(client, SPOT.open_orders(("BTC/USDT", "ETH/USDT"))) == (STATE,)
    assert [params for _, params in client.asked] == [{"symbol": "BTCUSDT"}, {"symbol": "ETHUSDT"}]
    odd = {**ROW, "symbol": "ABCXYZ"}
    client = Scripted(privateGetOpenOrders=[[ROW, odd]])
    assert [order.symbol for order in drive(client, SPOT.open_orders())] == ["BTC/USDT", "ABCXYZ"]
    assert client.asked == [("privateGetOpenOrders", {})]
    many = (*(f"A{n}/USDT" for n in range(13)), "BTC/USDT")
    client = Scripted(privateGetOpenOrders=[[ROW, odd]])
    assert drive(client, SPOT.open_orders(many)) == (STATE,)
    assert client.asked == [("privateGetOpenOrders", {})]


def test_cancel_says_whether_it_was_open(drive: Drive) -> None:
    """-2011 is False, success is True, anything else raises; the exchange's id is used when known."""
    client = Scripted(privateDeleteOrder=[{}])
    assert drive(client, ADAPTER.cancel(STATE)) is True
    assert client.asked == [("privateDeleteOrder", {"symbol": "BTCUSDT", "orderId": "7"})]
    gone = ccxt.OrderNotFound('binance {"code":-2011,"msg":"Unknown order sent."}')
    client = Scripted(privateDeleteOrder=[gone])
    assert drive(client, ADAPTER.cancel(STATE._replace(order_id=""))) is False
    assert client.asked == [("privateDeleteOrder", {"symbol": "BTCUSDT", "origClientOrderId": "pkA"})]
    with pytest.raises(CallFailed):
        drive(Scripted(privateDeleteOrder=[TIMED_OUT]), ADAPTER.cancel(STATE))


def test_balances_are_free_and_locked(drive: Drive) -> None:
    """Totals count what is locked in orders; zero assets are left out; times are send and receive."""
    balances = [
        {"asset": "BTC", "free": "0.5", "locked": "0.25"},
        {"asset": "USDT", "free": "1000.00000000", "locked": "0"},
        {"asset": "DUST", "free": "0.00", "locked": "0"},
    ]
    found = drive(Scripted(privateGetAccount=[{"balances": balances}]), SPOT.account())
    now = SimClock().now_ms()
    assert found == LiveAccount(now, now, {"BTC": Decimal("0.75"), "USDT": Decimal("1000.00000000")})


@pytest.mark.parametrize("answer", ["<html>", [], {}, {"balances": {}}, {"balances": [{"free": "NaN"}]}, None])
def test_an_account_that_is_none_is_a_failure_not_flat(answer: Any, drive: Drive) -> None:
    """PITFALLS 9: an odd answer is never an empty account."""
    with pytest.raises(CallFailed) as caught:
        drive(Scripted(privateGetAccount=[answer]), SPOT.account())
    assert caught.value.code == "BAD_ANSWER"


def test_marks_are_the_mid_of_bid_and_ask(drive: Drive) -> None:
    """One symbol is asked alone, several as a list; a side without a price gives no mark."""
    one = {"symbol": "BTCUSDT", "bidPrice": "59999", "askPrice": "60001"}
    client = Scripted(publicGetTickerBookTicker=[one])
    assert drive(client, ADAPTER.marks(("BTC/USDT",))) == {"BTC/USDT": Decimal(60000)}
    assert client.asked == [("publicGetTickerBookTicker", {"symbol": "BTCUSDT"})]
    empty = {"symbol": "ETHUSDT", "bidPrice": "0.0", "askPrice": "0.0"}
    client = Scripted(publicGetTickerBookTicker=[[one, empty]])
    assert drive(client, ADAPTER.marks(("BTC/USDT", "ETH/USDT"))) == {"BTC/USDT": Decimal(60000)}
    assert client.asked == [("publicGetTickerBookTicker", {"symbols": '["BTCUSDT","ETHUSDT"]'})]
    assert drive(Scripted(), ADAPTER.marks(())) == {}


def test_one_symbol_that_is_not_traded_does_not_hide_the_others(drive: Drive) -> None:
    """-1121 for a list falls back to every market, from which the asked ones are taken."""
    bad = ccxt.BadSymbol('binance {"code":-1121,"msg":"Invalid symbol."}')
    rows = [{"symbol": "BTCUSDT", "bidPrice": "1", "askPrice": "3"}, {"symbol": "X", "bidPrice": "1", "askPrice": "1"}]
    client = Scripted(publicGetTickerBookTicker=[bad, rows])
    assert drive(client, ADAPTER.marks(("BTC/USDT", "OLD/USDT"))) == {"BTC/USDT": Decimal(2)}
    with pytest.raises(CallFailed):
        drive(Scripted(publicGetTickerBookTicker=[TIMED_OUT]), ADAPTER.marks(("BTC/USDT",)))


@pytest.mark.parametrize(
    ("answer", "good"), [({"serverTime": 1795255200000}, True), ({"serverTime": "x"}, False), ("", False)]
)
def test_the_time_is_thirteen_digits(answer: Any, good: bool, drive: Drive) -> None:
    """Anything but UTC milliseconds is a failure."""
    client = Scripted(publicGetTime=[answer])
    if good:
        assert drive(client, ADAPTER.server_time()) == 1_795_255_200_000
    else:
        with pytest.raises(CallFailed):
            drive(client, ADAPTER.server_time())


def test_net_transfers_count_what_moved(drive: Drive) -> None:
    """Credited deposits less withdrawals with their fees; pending deposits and returned withdrawals do not count."""
    deposits = [
        {"amount": "100", "coin": "USDT", "status": 1},
        {"amount": "1", "coin": "BTC", "status": 6},
        {"amount": "9", "coin": "USDT", "status": 0},
    ]
    withdrawals = [
        {"amount": "10", "transactionFee": "1", "coin": "USDT", "status": 6},
        {"amount": "7", "transactionFee": "1", "coin": "USDT", "status": 4},
        {"amount": "5", "transactionFee": "1", "coin": "USDT", "status": 1},
    ]
    moved = [{"total": 1, "rows": [{"asset": "USDT", "amount": "50", "status": "CONFIRMED", "timestamp": 7}]}]
    client = Scripted(
        sapiGetCapitalDepositHisrec=[deposits],
        sapiGetCapitalWithdrawHistory=[withdrawals],
        sapiGetAssetTransfer=[*moved, {"total": 0}, {"total": 0}, {"total": 0}, {"total": 0}, {"total": 0}],
    )
    found = drive(client, ADAPTER.net_transfers(5, {"BTC/USDT": Decimal(60000)}, "USDT"))
    assert found == Decimal(100 + 60000 - 11 - 8 - 50)
    assert client.asked[0] == ("sapiGetCapitalDepositHisrec", {"startTime": 0, "limit": 1000})


def test_a_transfer_without_a_price_counts_nothing_as_the_asset_does(drive: Drive) -> None:
    """An airdrop that nobody can value stops no bot; a history that is cut off is no answer."""
    client = Scripted(
        sapiGetCapitalDepositHisrec=[[{"amount": "1", "coin": "ABC", "status": 1}]],
        sapiGetCapitalWithdrawHistory=[[]],
        sapiGetAssetTransfer=[{"total": 0}] * 6,
    )
    assert drive(client, ADAPTER.net_transfers(0, {}, "USDT")) == 0
    full = [{"amount": "1", "coin": "USDT", "status": 1}] * 1000
    with pytest.raises(CallFailed) as caught:
        drive(Scripted(sapiGetCapitalDepositHisrec=[full]), ADAPTER.net_transfers(0, {}, "USDT"))
    assert caught.value.code == "BAD_ANSWER"


def test_published_limits(drive: Drive) -> None:
    """Limits come named as budgets name them; without BTCUSDT on the exchange all of exchangeInfo is asked."""
    rows = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200000},
        {"rateLimitType": "CONNECTIONS", "interval": "MINUTE", "intervalNum": 5, "limit": 300},
        {"rateLimitType": "ODD", "interval": "FORTNIGHT", "intervalNum": 1, "limit": 1},
    ]
    bad = ccxt.BadSymbol('binance {"code":-1121,"msg":"Invalid symbol."}')
    client = Scripted(publicGetExchangeInfo=[bad, {"rateLimits": rows}])
    where, at = "GET /api/v3/exchangeInfo", "2026-11-21T10:00:00.000Z"
    assert drive(client, ADAPTER.rate_limits()) == (
        RateLimit("request-weight", 6000, 60_000, where, at),
        RateLimit("orders", 100, 10_000, where, at),
        RateLimit("orders-day", 200_000, 86_400_000, where, at),
        RateLimit("connections", 300, 300_000, where, at),
    )
    assert [params for _, params in client.asked] == [{"symbol": "BTCUSDT"}, {}]
    with pytest.raises(CallFailed):
        drive(Scripted(publicGetExchangeInfo=[TIMED_OUT]), ADAPTER.rate_limits())


def test_withdrawal_addresses(drive: Drive) -> None:
    """The address book comes with what is allowlisted; an odd flag is unknown."""
    rows = [
        {"address": "0x1", "coin": "ETH", "network": "ETH", "whiteStatus": True, "name": "own"},
        {"address": "0x2", "coin": "ETH", "network": "ETH", "whiteStatus": "?"},
    ]
    assert drive(Scripted(sapiGetCapitalWithdrawAddressList=[rows]), ADAPTER.withdrawal_addresses()) == [
        {"coin": "ETH", "network": "ETH", "address": "0x1", "allowlisted": True},
        {"coin": "ETH", "network": "ETH", "address": "0x2", "allowlisted": None},
    ]


def test_an_acknowledgement_is_filled_in_from_the_order() -> None:
    """ACK answers leave side and quantity out; the order that was sent has them. FULL answers stand alone."""
    order = Order("BTC/USDT", "buy", "limit", Decimal(1), Decimal(60000))
    ack = {"symbol": "BTCUSDT", "orderId": 7, "clientOrderId": "pkA", "transactTime": 1}
    state = ADAPTER.order_state(ack, order)
    assert (state.side, state.quantity, state.filled, state.closed) == ("buy", Decimal(1), Decimal(0), False)
    assert ADAPTER.order_state({**ROW, "status": "FILLED"}).closed
    assert ADAPTER.order_state(ROW).symbol == "BTC/USDT"


@pytest.mark.parametrize(
    "answer", [None, [], "<html>", {}, {"orderId": 1}, {**ROW, "side": "HOLD"}, {**ROW, "origQty": "x"}]
)
def test_what_is_no_order_is_a_failure_with_unknown_outcome(answer: Any) -> None:
    """A success that cannot be read proves nothing about execution."""
    with pytest.raises(CallFailed) as caught:
        ADAPTER.order_state(answer)
    assert caught.value.failure.executed == "unknown"
    assert str(caught.value) == "binance: the answer is not an order; check the endpoint"


def test_symbols() -> None:
    """Spot symbols lose their slash and get it back by the quote asset; other products are refused before sending."""
    assert market_id("BTC/USDT") == "BTCUSDT"
    assert (unified("ETHBTC"), unified("USDCUSDT"), unified("BTC"), unified("ABCXYZ")) == (
        "ETH/BTC",
        "USDC/USDT",
        "BTC",
        "ABCXYZ",
    )
    for symbol in ("BTC/USDT:USDT", "BTCUSDT", "btc/usdt", "A/B&C=D", ""):
        with pytest.raises(CallFailed) as caught:
            market_id(symbol)
        assert (caught.value.failure.executed, caught.value.code) == ("no", "NOT_SUPPORTED")


def test_the_client_order_id_travels_as_ours() -> None:
    """Ccxt puts a broker's prefix in place of a missing id: the parameter carries ours."""
    order = Order("BTC/USDT", "buy", "limit", Decimal(1), Decimal(60000))
    assert ADAPTER.order_params(order, "pkA") == {"newClientOrderId": "pkA"}


def test_a_read_cut_short_raises_inside_the_steps(drive: Drive) -> None:
    """A refusal of our own client is handed on as it is, not read as ccxt's."""
    ours = CallFailed(ADAPTER.failure(TIMED_OUT, ccxt.binance()))
    with pytest.raises(CallFailed) as caught:
        drive(Scripted(publicGetTime=[ours]), ADAPTER.server_time())
    assert caught.value is ours

"""Binance USD-M as traded: both order families over HTTP, what of an order differs, what the account holds."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit.engine.facts import Contract
from policykit.exchanges import load_trading
from policykit.exchanges.adapter import TradingAdapter
from policykit.exchanges.base import CallFailed, OrderState, Signed, run
from policykit.exchanges.binance_usdm import unified
from policykit.order import Order
from policykit.sim import SimClock
from policykit.testing import Sim
from tests.exchanges.fakes import Scripted

SWAP = "BTC/USDT:USDT"
OURS = "pk0123456789abcdefghjkmnpqrs"


@pytest.fixture
def clock() -> SimClock:
    """The exchange's clock."""
    return SimClock()


@pytest.fixture(params=["binanceusdm", "binance"])
def sim(request: pytest.FixtureRequest, clock: SimClock) -> Iterator[Sim]:
    """Both ids under which the contracts are traded, in a flat market."""
    grants = {"read", "trade.derivatives"}
    with Sim(clock=clock, dialect=request.param, amplitude=0.0, margin={"USDT": 10_000}, grants=grants) as server:
        yield server


def _adapter(exchange_id: str) -> TradingAdapter:
    adapter = load_trading(exchange_id)
    assert adapter is not None
    return adapter.serving(frozenset(("swap",)))


def _order(**changed: Any) -> Order:
    terms: dict[str, Any] = {"side": "sell", "type": "market", "quantity": Decimal("0.1")}
    return Order(SWAP, **terms | changed)


def _create(sim: Sim, client: Any, order: Order, **params: Any) -> Any:
    own = _adapter(sim.dialect).order_params(order, params.pop("id", OURS))
    price = None if order.price is None else float(order.price)
    return client.create_order(SWAP, order.type, order.side, float(order.quantity or 0), price, own | params)


def _find(sim: Sim, client: Any, clock: SimClock, client_id: str = OURS, **how: Any) -> OrderState | None:
    adapter = _adapter(sim.dialect)
    return run(adapter, client, adapter.find_order(SWAP, client_id, **how), clock)


def test_an_order_is_found_in_its_family(sim: Sim, clock: SimClock) -> None:
    """By the id that it was sent with: a plain one in `order`, one that waits in `algo`; another id is nowhere."""
    client, adapter = sim.client(), _adapter(sim.dialect)
    entry, stop = _order(side="buy"), _order(reduce_only=True, stop_price=Decimal(55_000))
    assert (adapter.family(entry), adapter.family(stop), adapter.family(_order(trailing=True))) == (
        "order",
        "algo",
        "algo",
    )
    assert (adapter.endpoint(entry), adapter.endpoint(stop)) == ("POST /fapi/v1/order", "POST /fapi/v1/algoOrder")
    _create(sim, client, entry, id="pkentry")
    _create(sim, client, stop, id="pkstop", stopPrice=55_000, reduceOnly=True)
    found, waits = _find(sim, client, clock, "pkentry"), _find(sim, client, clock, "pkstop")
    assert found is not None
    assert waits is not None
    assert (found.side, found.quantity, found.filled, found.closed, found.cost, found.reduces) == (
        "buy",
        Decimal("0.1"),
        Decimal("0.1"),
        True,
        Decimal("6000.6"),
        False,
    )
    assert (waits.symbol, waits.filled, waits.closed, waits.status, waits.reduces) == (SWAP, 0, False, "NEW", True)
    assert _find(sim, client, clock, "pknever") is None
    sim.pin("BTC/USDT", 54_000)
    clock.advance(1)
    done = _find(sim, client, clock, "pkstop")
    assert done is not None
    assert (done.client_order_id, done.filled, done.closed, done.status) == ("pkstop", Decimal("0.1"), True, "FILLED")


def test_a_triggered_order_whose_own_does_not_show_is_no_answer(sim: Sim, clock: SimClock) -> None:
    """What an algo order executed is told by the order that it placed: as long as that is missing nobody knows."""
    client = sim.client()
    _create(sim, client, _order(side="buy"), id="pkentry")
    _create(sim, client, _order(stop_price=Decimal(55_000)), stopPrice=55_000)
    sim.pin("BTC/USDT", 54_000)
    clock.advance(1)
    assert sim.held(SWAP) == 0
    (algo,) = [one for one in sim.linear.book.known.values() if one.child]
    assert algo.child is not None
    sim.linear.book.known.pop(algo.child.id)
    with pytest.raises(CallFailed, match="no such order"):
        _find(sim, client, clock)


def test_both_families_are_listed_and_cancelled(sim: Sim, clock: SimClock) -> None:
    """PITFALLS 24: of one contract and of the whole account, each cancelled where it is; a second time it is gone."""
    client, adapter = sim.client(), _adapter(sim.dialect)
    _create(sim, client, _order(side="buy", type="limit", price=Decimal(50_000)), id="pkrests")
    _create(sim, client, _order(stop_price=Decimal(55_000)), id="pkwaits", stopPrice=55_000)
    for symbols in ((), (SWAP,)):
        listed = run(adapter, client, adapter.open_orders(symbols), clock)
        assert [(one.client_order_id, one.symbol) for one in listed] == [("pkrests", SWAP), ("pkwaits", SWAP)]
    assert [run(adapter, client, adapter.cancel(one), clock) for one in listed] == [True, True]
    assert [run(adapter, client, adapter.cancel(one), clock) for one in listed] == [False, False]
    assert run(adapter, client, adapter.open_orders(), clock) == ()
    gone = _find(sim, client, clock, "pkwaits")
    assert gone is not None
    assert (gone.closed, gone.filled, gone.status) == (True, 0, "CANCELED")


def test_what_the_account_holds(sim: Sim, clock: SimClock) -> None:
    """Wallet with profit, contracts held, leverage and mode of each contract, liquidation price, margin ratio."""
    client, adapter = sim.client(), _adapter(sim.dialect)
    client.set_leverage(5, SWAP)
    client.set_margin_mode("isolated", SWAP)
    _create(sim, client, _order(quantity=Decimal("0.2")))
    sim.pin("BTC/USDT", 61_000)
    sent = clock.now_ms()
    account = run(adapter, client, adapter.account(), clock)
    assert (account.balances, account.positions, account.position_mode) == ({}, {SWAP: Decimal("-0.2")}, "one_way")
    # 10,000 less a fee of 5.9994, less what a short of 0.2 from 59,994 lost at 61,000.
    assert account.margin == {"USDT": Decimal("9792.8006")}
    assert account.contracts[SWAP] == Contract(Decimal(5), "isolated", Decimal("71705.98"), None, sent)
    assert account.contracts["ETH/USDT:USDT"] == Contract(Decimal(20), "cross", None, None, sent)
    assert account.margin_ratio is not None
    assert account.margin_ratio.quantize(Decimal("1e-12")) == Decimal("0.004983252697")  # 48.8 of 9792.8006
    assert run(adapter, client, adapter.marks((SWAP,)), clock) == {SWAP: Decimal(61_000)}
    both = (SWAP, "ETH/USDT:USDT")
    assert set(run(adapter, client, adapter.marks(both), clock)) == set(both)
    assert run(adapter, client, adapter.funding_rates(both), clock) == dict.fromkeys(both, Decimal("0.0001"))
    assert run(adapter, client, adapter.quotes((SWAP,)), clock) == {SWAP: (Decimal("60993.9"), Decimal("61006.1"))}
    assert run(adapter, client, adapter.marks(()), clock) == {}


def test_a_few_prices_are_asked_one_by_one(sim: Sim, clock: SimClock) -> None:
    """A call for every contract weighs as much as ten for one: it is for those who trade many."""
    client, adapter = sim.client(), _adapter(sim.dialect)
    client.load_markets()
    both = (SWAP, "ETH/USDT:USDT")
    before = sim.truth.by_route["GET /fapi/v1/premiumIndex"]
    assert set(run(adapter, client, adapter.marks(both), clock)) == set(both)
    assert sim.truth.by_route["GET /fapi/v1/premiumIndex"] - before == 2
    many = (*both, *(f"A{number}/USDT:USDT" for number in range(4)))
    assert set(run(adapter, client, adapter.marks(many), clock)) == set(both)
    assert sim.truth.by_route["GET /fapi/v1/premiumIndex"] - before == 3


def _read(steps: Any, clock: SimClock, **answers: Any) -> Any:
    return run(_adapter("binanceusdm"), Scripted(**answers), steps, clock)


NOT_FOUND = ccxt.OrderNotFound('binance {"code":-2013,"msg":"Order does not exist."}')
TIMED_OUT = ccxt.RequestTimeout("binance GET https://x")


def test_a_contract_that_is_gone_takes_no_other_price_with_it(clock: SimClock) -> None:
    """It was delisted since the markets were read; a price that is none, or 0, is none; a failure stays one."""
    adapter = _adapter("binanceusdm")
    gone = ccxt.BadSymbol('binance {"code":-1121,"msg":"Invalid symbol."}')
    eth = {"symbol": "ETHUSDT", "markPrice": "3000", "lastFundingRate": ""}
    both = (SWAP, "ETH/USDT:USDT")
    found = _read(adapter.marks(both), clock, fapiPublicGetPremiumIndex=[gone, eth])
    assert found == {"ETH/USDT:USDT": 3000}
    assert _read(adapter.marks(both[1:]), clock, fapiPublicGetPremiumIndex=[{**eth, "markPrice": "0"}]) == {}
    assert _read(adapter.funding_rates(both[1:]), clock, fapiPublicGetPremiumIndex=[eth]) == {}
    empty = {"symbol": "ETHUSDT", "bidPrice": "0", "askPrice": "3000"}
    assert _read(adapter.quotes(both[1:]), clock, fapiPublicGetTickerBookTicker=[empty]) == {}
    for bad, told in ((TIMED_OUT, "NETWORK"), ({**eth, "markPrice": "dear"}, "BAD_ANSWER"), ("<html>", "BAD_ANSWER")):
        with pytest.raises(CallFailed) as failed:
            _read(adapter.marks(both[1:]), clock, fapiPublicGetPremiumIndex=[bad])
        assert failed.value.code == told


def test_absent_needs_every_list_of_both_families(clock: SimClock) -> None:
    """Two look-ups, four lists and the fills; one of them that cannot be asked is no answer."""
    adapter = _adapter("binanceusdm")
    lists = ("OpenOrders", "AllOrders", "OpenAlgoOrders", "AllAlgoOrders", "UserTrades")
    answers: dict[str, Any] = {f"fapiPrivateGet{name}": [[]] for name in lists}
    answers |= {"fapiPrivateGetOrder": [NOT_FOUND], "fapiPrivateGetAlgoOrder": [NOT_FOUND]}
    assert _read(adapter.find_order(SWAP, OURS), clock, **answers) is None
    for name in answers:
        with pytest.raises(CallFailed) as failed:
            _read(adapter.find_order(SWAP, OURS), clock, **{**answers, name: [TIMED_OUT]})
        assert failed.value.failure.executed == "unknown"
    row = {"algoId": 7, "clientAlgoId": OURS, "side": "BUY", "quantity": "1", "algoStatus": "NEW"}
    found = _read(adapter.find_order(SWAP, OURS), clock, **{**answers, "fapiPrivateGetAllAlgoOrders": [[{}, row]]})
    assert (found.order_id, found.closed, found.quantity) == ("7", False, 1)
    cheap = {name: answers[name] for name in ("fapiPrivateGetOrder", "fapiPrivateGetAlgoOrder")}
    assert _read(adapter.find_order(SWAP, OURS, thorough=False), clock, **cheap) is None
    triggered = {**row, "algoStatus": "TRIGGERED", "actualOrderId": "9"}
    with pytest.raises(CallFailed) as failed:
        lost = {"fapiPrivateGetOrder": [NOT_FOUND, TIMED_OUT], "fapiPrivateGetAlgoOrder": [triggered]}
        _read(adapter.find_order(SWAP, OURS), clock, **lost)
    assert failed.value.code == "NETWORK"
    with pytest.raises(CallFailed) as failed:
        _read(adapter.find_order(SWAP, OURS), clock, fapiPrivateGetOrder=["<html>"])
    assert failed.value.code == "BAD_ANSWER"


def test_cancel_and_transfers_that_fail(clock: SimClock) -> None:
    """Not open is no failure, a lost answer is one; a history that is cut off is no sum."""
    adapter = _adapter("binanceusdm")
    state = adapter.order_state(
        {"orderId": 1, "clientOrderId": "x", "side": "SELL", "origQty": "1", "symbol": "BTCUSDT"}
    )
    with pytest.raises(CallFailed):
        _read(adapter.cancel(state), clock, fapiPrivateDeleteOrder=[TIMED_OUT])
    full = [{"income": "1", "asset": "USDT"}] * 1_000
    with pytest.raises(CallFailed, match="under 1000 transfers"):
        _read(adapter.net_transfers(0, {}, "USDT"), clock, fapiPrivateGetIncome=[full])


def _account(rows: list[dict[str, Any]], clock: SimClock, **modes: Any) -> Any:
    client = Scripted(
        fapiPrivateV3GetAccount=[{"totalMaintMargin": "1", "totalMarginBalance": "1000", "assets": rows}],
        fapiPrivateV3GetPositionRisk=[[]],
        fapiPrivateGetSymbolConfig=[[]],
        fapiPrivateGetAccountConfig=[{"multiAssetsMargin": False, "dualSidePosition": False} | modes],
    )
    adapter = _adapter("binanceusdm")
    return run(adapter, client, adapter.account(), clock)


def test_the_margin_ratio_is_that_of_the_asset_nearest_to_its_end(clock: SimClock) -> None:
    """In Single-Asset mode the totals count USDT only: a position in USDC that is nearly gone is not in them."""
    usdt = {"asset": "USDT", "marginBalance": "1000", "maintMargin": "1"}
    usdc = {"asset": "USDC", "marginBalance": "10", "maintMargin": "9"}
    assert _account([usdt, usdc], clock).margin_ratio == Decimal("0.9")
    assert _account([usdt, {**usdc, "marginBalance": "-1"}], clock).margin_ratio == 1
    assert _account([], clock).margin_ratio == 0
    del usdc["maintMargin"]
    assert _account([usdt, usdc], clock).margin_ratio is None


@pytest.mark.parametrize(
    "modes",
    [
        {"multiAssetsMargin": True},
        {"multiAssetsMargin": None},
        {"multiAssetsMargin": "perhaps"},
        {"dualSidePosition": None},
        {"dualSidePosition": "both"},
    ],
)
def test_a_mode_that_is_not_known_is_a_failure_of_its_own(clock: SimClock, modes: dict[str, Any]) -> None:
    """What is not told is as unknown as what is: no account is made of it."""
    with pytest.raises(CallFailed, match="binanceusdm: the account is in ") as failed:
        _account([], clock, **modes)
    assert failed.value.code == "ACCOUNT_MODE"


def test_legs_are_positions_of_their_own(sim: Sim, clock: SimClock) -> None:
    """In hedge mode a long and a short of one contract do not become flat."""
    client, adapter = sim.client(), _adapter(sim.dialect)
    client.load_markets()
    client.set_position_mode(True, SWAP)
    _create(sim, client, _order(side="buy"), positionSide="LONG", id="a")
    _create(sim, client, _order(), positionSide="SHORT", id="b")
    account = run(adapter, client, adapter.account(), clock)
    legs = {f"{SWAP}#long": Decimal("0.1"), f"{SWAP}#short": Decimal("-0.1")}
    assert (account.positions, account.position_mode) == (legs, "hedge")
    _create(sim, client, _order(type="limit", price=Decimal(70_000)), positionSide="LONG", id="c")
    (closing,) = run(adapter, client, adapter.open_orders((SWAP,)), clock)
    assert closing.reduces


def test_transfers_between_wallets_are_no_profit(sim: Sim, clock: SimClock) -> None:
    """What came in less what left since a moment, in the account's currency; fees and funding are none of it."""
    client, adapter = sim.client(), _adapter(sim.dialect)
    start = clock.now_ms()
    _create(sim, client, _order())
    sim.transfer(SWAP, 500)
    sim.transfer(SWAP, -120)
    assert run(adapter, client, adapter.net_transfers(start, {}, "USDT"), clock) == 380
    assert run(adapter, client, adapter.net_transfers(start, {"USDT/EUR": Decimal("0.9")}, "EUR"), clock) == 342
    assert run(adapter, client, adapter.net_transfers(clock.now_ms() + 1, {}, "USDT"), clock) == 0


def _request(**params: Any) -> str:
    terms = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.1", "newClientOrderId": OURS}
    told = {name: value for name, value in (terms | params).items() if value is not None}
    return "https://fapi.binance.com/fapi/v1/order?" + "&".join(f"{name}={value}" for name, value in told.items())


_ALGO = {"newClientOrderId": None, "clientAlgoId": OURS, "algoType": "CONDITIONAL"}
_STOP = {**_ALGO, "type": "STOP_MARKET", "triggerPrice": "55000"}


@pytest.mark.parametrize(
    ("order", "params", "said"),
    [
        (_order(), {}, None),
        (_order(quantity=Decimal("0.2")), {}, None),
        (_order(), {"quantity": "0.2"}, "the quantity is 0.2, decided was 0.1"),
        (_order(), {"quantity": "lots"}, "a number in it cannot be read"),
        (_order(), {"symbol": "ETHUSDT"}, f"the symbol is ETHUSDT, decided was {SWAP}"),
        (_order(), {"side": "BUY"}, "the side is BUY, decided was sell"),
        (_order(), {"type": "LIMIT", "price": "1"}, "the type is LIMIT, decided was market"),
        (_order(), {"priceMatch": "OPPONENT"}, "priceMatch is set, which was not decided on"),
        (_order(), {"triggerPrice": "1"}, "triggerPrice is set, which was not decided on"),
        (_order(), {"timeInForce": "IOC"}, "timeInForce is IOC, decided was GTC"),
        (_order(time_in_force="PO"), {"timeInForce": "GTX"}, None),
        (
            _order(self_trade_prevention="expire_taker"),
            {"selfTradePreventionMode": "NONE"},
            "the self-trade prevention is NONE, decided was expire_taker",
        ),
        (_order(self_trade_prevention="expire_taker"), {"selfTradePreventionMode": "EXPIRE_TAKER"}, None),
        (_order(reduce_only=True), {}, "reduceOnly is false, decided was True"),
        (_order(reduce_only=True), {"reduceOnly": "true"}, None),
        (_order(), {"reduceOnly": "true"}, "reduceOnly is true, decided was False"),
        (_order(position_side="long"), {}, "positionSide is BOTH, decided was LONG"),
        (_order(position_side="long", reduce_only=True), {"positionSide": "LONG"}, None),
        (
            _order(position_side="short", reduce_only=True),
            {"positionSide": "SHORT"},
            "reduceOnly is false, decided was True",
        ),
        (_order(stop_price=Decimal(55_000)), _STOP, None),
        (
            _order(stop_price=Decimal(55_000)),
            _STOP | {"triggerPrice": "56000"},
            "triggerPrice is 56000, decided was 55000",
        ),
        (_order(stop_price=Decimal(55_000)), {}, "triggerPrice is None, decided was 55000"),
        (
            _order(stop_price=Decimal(55_000), close_position=True),
            _STOP,
            "closePosition is false, decided was True",
        ),
        (
            _order(stop_price=Decimal(55_000), close_position=True),
            _STOP | {"closePosition": "true"},
            "the quantity is set, decided was to close the position",
        ),
        (
            _order(stop_price=Decimal(55_000), close_position=True),
            _STOP | {"closePosition": "true", "quantity": None},
            None,
        ),
        (_order(trailing=True), _ALGO | {"type": "TRAILING_STOP_MARKET", "callbackRate": "1"}, None),
        (_order(), {"type": "TRAILING_STOP_MARKET"}, "the type is TRAILING_STOP_MARKET, decided was market"),
        (
            _order(type="limit", price=Decimal(61_000)),
            {"type": "LIMIT", "price": "60000"},
            "price is 60000, decided was 61000",
        ),
    ],
)
def test_how_a_request_differs(order: Order, params: dict[str, Any], said: str | None) -> None:
    """Larger, worse, without what kept it from increasing, on another leg, or with what nobody decided on."""
    for exchange_id in ("binanceusdm", "binance"):
        assert _adapter(exchange_id).differs(order, _request(**params), None) == said


def test_a_parameter_that_stands_twice() -> None:
    """The exchange would take one of them, nobody knows which."""
    twice = _adapter("binanceusdm").differs(_order(), _request(), "quantity=0.1")
    assert twice == "a parameter stands in the request twice"


def _configures(**asked: Any) -> Order:
    return Order("" if "position_mode" in asked else SWAP, action="account.configure", **asked)


@pytest.mark.parametrize(
    ("order", "call", "query", "said"),
    [
        (_configures(leverage=Decimal(5)), "leverage", "symbol=BTCUSDT&leverage=5", None),
        (
            _configures(leverage=Decimal(5)),
            "leverage",
            "symbol=BTCUSDT&leverage=50",
            "leverage is 50, decided was 5",
        ),
        (
            _configures(leverage=Decimal(5)),
            "leverage",
            "symbol=ETHUSDT&leverage=5",
            "symbol is ETHUSDT, decided was BTCUSDT",
        ),
        (_configures(margin_mode="isolated"), "marginType", "symbol=BTCUSDT&marginType=ISOLATED", None),
        (
            _configures(margin_mode="isolated"),
            "marginType",
            "symbol=BTCUSDT&marginType=CROSSED",
            "marginType is CROSSED, decided was ISOLATED",
        ),
        (_configures(position_mode="hedge"), "positionSide/dual", "dualSidePosition=true", None),
        (
            _configures(position_mode="one_way"),
            "positionSide/dual",
            "dualSidePosition=true",
            "dualSidePosition is true, decided was false",
        ),
        (
            _configures(leverage=Decimal(5)),
            "leverage",
            "symbol=BTCUSDT&leverage=5&extra=1",
            "extra is set, which was not decided on",
        ),
    ],
)
def test_settings_of_the_account(order: Order, call: str, query: str, said: str | None) -> None:
    """One setting a decision, by its own call, with the value that was decided."""
    adapter = _adapter("binanceusdm")
    assert adapter.endpoint(order) == f"POST /fapi/v1/{call}"
    url = f"https://fapi.binance.com/fapi/v1/{call}?{query}&timestamp=1&recvWindow=5000&signature=00"
    assert adapter.differs(order, url, None) == said


def test_two_settings_are_no_one_call() -> None:
    """What one call cannot set has no call."""
    assert _adapter("binanceusdm").endpoint(_configures(leverage=Decimal(5), margin_mode="cross")) == ""


def test_signing_time_and_validity() -> None:
    """As they stand in the query or in the body; a request without a signature, or a time, is not signed."""
    adapter = _adapter("binanceusdm")
    assert adapter.signed("/fapi/v1/order?timestamp=1795255200000&recvWindow=5000&signature=a", {}, None) == Signed(
        1_795_255_200_000, 5_000
    )
    assert adapter.signed("/fapi/v1/order", {}, "timestamp=1795255200000&signature=a") == Signed(
        1_795_255_200_000, None
    )
    assert adapter.signed("/fapi/v1/order?timestamp=1795255200000", {}, None) is None
    assert adapter.signed("/fapi/v1/order?timestamp=soon&signature=a", {}, None) is None


@pytest.mark.parametrize(
    ("market", "symbol"),
    [
        ("BTCUSDT", "BTC/USDT:USDT"),
        ("1000PEPEUSDC", "1000PEPE/USDC:USDC"),
        ("BTCUSDT_260327", "BTC/USDT:USDT-260327"),
        ("STRANGE", "STRANGE"),
    ],
)
def test_names_of_contracts(market: str, symbol: str) -> None:
    """By the quote asset; what fits none keeps the exchange's own name."""
    assert unified(market) == symbol


@pytest.mark.parametrize(
    ("symbol", "taken"),
    [
        (SWAP, True),
        ("BTC/USDC:USDC-260327", True),
        ("BTC/USD:BTC", False),
        ("BTC/USD:BTC-260327", False),
        ("BTC/USDT:USDT-260327-70000-C", False),
        ("BTC/USDT:USDC", False),
        ("BTC/USDT", False),
    ],
)
def test_what_is_taken(symbol: str, taken: bool) -> None:
    """Linear contracts with and without an end; inverse ones, options and quantos are none of USD-M's."""
    for exchange_id in ("binanceusdm", "binance"):
        assert _adapter(exchange_id).takes(symbol) is taken


def test_what_is_no_contract_and_no_answer(clock: SimClock) -> None:
    """A spot symbol is not looked up among contracts; what is no order, account or number is told, never guessed."""
    adapter = _adapter("binanceusdm")
    with pytest.raises(CallFailed, match="the symbol is no contract"):
        next(adapter.find_order("BTC/USDT", "x"))
    order = {"orderId": 1, "clientOrderId": "x", "side": "SELL", "origQty": "1", "executedQty": "0"}
    assert adapter.order_state(order).quantity == 1
    for bad in ([], {}, {**order, "side": "HOLD"}, {**order, "origQty": "much"}, {"orderId": 1}):
        with pytest.raises(CallFailed, match="the answer is not an order"):
            adapter.order_state(bad)


def test_errors_are_those_of_the_contracts_host(clock: SimClock) -> None:
    """-2022 is known of futures only: under `binance` too it proves that nothing executed."""
    for exchange_id in ("binanceusdm", "binance"):
        with Sim(clock=clock, dialect=exchange_id, amplitude=0.0, grants={"read", "trade.derivatives"}) as sim:
            client, adapter = sim.client(), _adapter(exchange_id)
            with pytest.raises(Exception, match="ReduceOnly") as caught:
                client.create_order(SWAP, "market", "sell", 0.1, None, {"reduceOnly": True})
            failure = adapter.failure(caught.value, client)
            assert (failure.executed, failure.code) == ("no", "ORDER_REJECTED")

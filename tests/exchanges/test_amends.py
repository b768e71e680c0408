"""A request that amends an order is the one that was decided, and a refused one says what became of both orders."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest

from policykit.exchanges import binance_usdm_orders, bybit_orders
from policykit.exchanges.base import Failure
from policykit.exchanges.binance import ADAPTER
from policykit.exchanges.binance_amends import replacement_failed, spot_kind, spot_params
from policykit.exchanges.binance_orders import differs
from policykit.order import Order


def amend(symbol: str, **more: Any) -> Order:
    """Return an amend of a buy to 0.02 at 60,000."""
    before = Order(symbol, "buy", "limit", Decimal("0.01"), Decimal(59_000), client_order_id="pk1")
    order = Order(symbol, "buy", "limit", Decimal("0.02"), Decimal(60_000), action="order.amend", amends=before)
    for name, value in more.items():
        setattr(order, name, value)
    return order


SPOT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.02", "price": "60000"}
SPOT |= {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelRestrictions": "ONLY_NEW", "cancelOrigClientOrderId": "pk1"}
USDM = {"symbol": "BTCUSDT", "side": "BUY", "orderId": "7", "origClientOrderId": "pk1", "quantity": "0.02"}
USDM |= {"price": "60000"}
BYBIT = {"category": "spot", "symbol": "BTCUSDT", "orderLinkId": "pk1", "qty": "0.02", "price": "60000"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"newClientOrderId": "pk2"}, None),
        ({"cancelReplaceMode": "ALLOW_FAILURE"}, "cancelReplaceMode is ALLOW_FAILURE, decided was STOP_ON_FAILURE"),
        ({"cancelRestrictions": None}, "cancelRestrictions is None, decided was ONLY_NEW"),
        ({"quantity": "0.03"}, "the quantity is 0.03, decided was 0.02"),
        ({"price": "61000"}, "price is 61000, decided was 60000"),
        ({"orderRateLimitExceededMode": "CANCEL_ONLY"}, "orderRateLimitExceededMode is set, which was not decided on"),
    ],
)
def test_a_replacement_is_held_against_what_was_decided(changes: dict[str, str | None], said: str | None) -> None:
    """Both of what keeps it from being two orders stand on the wire, and the new order is not larger or worse."""
    sent = {name: value for name, value in {**SPOT, **changes}.items() if value is not None}
    assert differs(amend("BTC/USDT"), f"https://x/api/v3/order/cancelReplace?{urlencode(sent)}", None) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"symbol": "ETHUSDT"}, "the symbol is ETHUSDT, decided was BTC/USDT:USDT"),
        ({"side": "SELL"}, "the side is SELL, decided was buy"),
        ({"quantity": "0.03"}, "the quantity is 0.03, decided was 0.02"),
        ({"price": "61000"}, "price is 61000, decided was 60000"),
        ({"priceMatch": "QUEUE"}, "priceMatch is set, which was not decided on"),
    ],
)
def test_an_amend_of_a_contract_is_held_against_what_was_decided(changes: dict[str, str], said: str | None) -> None:
    """Quantity, price, and nothing beside them."""
    order = amend("BTC/USDT:USDT")
    assert binance_usdm_orders.endpoint(order) == "PUT /fapi/v1/order"
    url = f"https://x/fapi/v1/order?{urlencode(USDM | changes)}"
    assert binance_usdm_orders.differs(order, url, None) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"symbol": "ETHUSDT"}, "it is for spot ETHUSDT, decided was BTC/USDT"),
        ({"qty": "0.03"}, "the quantity is 0.03, decided was 0.02"),
        ({"price": "61000"}, "price is 61000, decided was 60000"),
        ({"stopLoss": "1"}, "stopLoss is set, which was not decided on"),
    ],
)
def test_an_amend_at_bybit_is_held_against_what_was_decided(changes: dict[str, str], said: str | None) -> None:
    """The same in its words."""
    assert bybit_orders.differs(amend("BTC/USDT"), json.dumps(BYBIT | changes)) == said


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"stopLoss": "57000", "slOrderType": "Market"}, None),
        ({"stopLoss": "56000", "slOrderType": "Market"}, "stopLoss is 56000 (Market), decided was 57000 (Market)"),
        ({"stopLoss": "57000", "slOrderType": "Limit"}, "stopLoss is 57000 (Limit), decided was 57000 (Market)"),
        ({}, "stopLoss is missing, decided was 57000"),
    ],
)
def test_an_attached_exit_is_the_one_that_was_decided(sent: dict[str, str], said: str | None) -> None:
    """At the market, at its trigger."""
    order = Order("BTC/USDT", "buy", "limit", Decimal("0.02"), Decimal(60_000), stop_loss_price=Decimal(57_000))
    wire = {"category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.02"}
    assert bybit_orders.differs(order, json.dumps(wire | {"price": "60000"} | sent)) == said


def test_what_an_order_keeps_when_another_takes_its_place() -> None:
    """That it is maker only, its time in force, and its self-trade prevention."""
    both = {"cancelOrigClientOrderId": "pk1", "cancelRestrictions": "ONLY_NEW"}
    assert spot_params(amend("BTC/USDT"), None) == both
    kept = spot_params(amend("BTC/USDT", time_in_force="PO", self_trade_prevention="expire_taker"), "pk2")
    assert kept == both | {"newClientOrderId": "pk2", "postOnly": True, "selfTradePreventionMode": "EXPIRE_TAKER"}
    assert spot_params(amend("BTC/USDT", time_in_force="FOK"), None) == both | {"timeInForce": "FOK"}
    assert spot_kind(amend("BTC/USDT")) == "replaces"
    assert spot_kind(amend("BTC/USDT", stop_price=Decimal(1))) is None
    assert spot_kind(amend("BTC/USDT", type="market")) is None


def failed(code: int, placed: str, inner: int | None) -> tuple[str, str]:
    """Return what a failed replacement is read as."""
    new = None if inner is None else {"code": inner, "msg": "no"}
    data = {"cancelResult": "SUCCESS", "newOrderResult": placed, "cancelResponse": {}, "newOrderResponse": new}
    error = Exception(f"binance 409 {json.dumps({'code': code, 'msg': 'failed', 'data': data})}")
    read = replacement_failed(ADAPTER.facts, error, Failure("unknown", "UNKNOWN", "?"))
    return read.executed, read.code


def test_a_failed_replacement_says_whether_the_new_order_was_refused() -> None:
    """By the new order's own code; not attempted is no; a code that proves nothing leaves it unknown."""
    assert failed(-2021, "FAILURE", -2010) == ("no", "ORDER_REJECTED")
    assert failed(-2022, "NOT_ATTEMPTED", None) == ("no", "ORDER_REJECTED")
    assert failed(-2022, "FAILURE", -1013) == ("no", "ORDER_REJECTED")
    assert failed(-2021, "FAILURE", -1007) == ("unknown", "UNKNOWN")
    assert failed(-2021, "SUCCESS", None) == ("unknown", "UNKNOWN")
    assert failed(-2021, "FAILURE", -9_999) == ("unknown", "UNKNOWN")
    other = Failure("no", "CLOCK", "late")
    assert replacement_failed(ADAPTER.facts, Exception('binance {"code":-1021,"msg":"late"}'), other) is other

"""An order in a request is the one that was decided, or the difference is named."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlencode

import pytest

from policykit.exchanges.binance_orders import differs
from policykit.order import Order

URL = "https://api.binance.com/api/v3/order"
LIMIT = Order("BTC/USDT", "buy", "limit", Decimal("0.01"), Decimal(60_000))
STOP = Order("BTC/USDT", "sell", "limit", Decimal("0.01"), Decimal(60_000), stop_price=Decimal(60_100))
MARKET = Order("BTC/USDT", "buy", "market", Decimal("0.01"))
PRICED = Order("BTC/USDT", "buy", "market", Decimal("0.01"), Decimal(60_000))
COST = Order("BTC/USDT", "buy", "market", quote_quantity=Decimal(600))
OWN = Order("BTC/USDT", "buy", "limit", Decimal("0.01"), Decimal(60_000), self_trade_prevention="expire_taker")
PREVENTION = "self-trade prevention"
WIRE = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "60000"}
FREE = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET"}


@pytest.mark.parametrize(
    ("order", "sent", "said"),
    [
        (LIMIT, WIRE, None),
        (LIMIT, WIRE | {"quantity": "0.009", "type": "LIMIT_MAKER"}, None),
        (LIMIT, WIRE | {"price": "60000.01"}, None),
        (LIMIT, WIRE | {"price": "50000"}, None),
        (STOP, WIRE | {"side": "SELL", "price": "70000"}, None),
        (STOP, WIRE | {"side": "SELL", "price": "50000"}, "price is 50000, decided was 60000"),
        (LIMIT, WIRE | {"symbol": "ETHUSDT"}, "the symbol is ETHUSDT, decided was BTC/USDT"),
        (LIMIT, WIRE | {"side": "SELL"}, "the side is SELL, decided was buy"),
        (LIMIT, WIRE | {"type": "MARKET"}, "the type is MARKET, decided was limit"),
        (LIMIT, WIRE | {"quantity": "5"}, "the quantity is 5, decided was 0.01"),
        (LIMIT, WIRE | {"quantity": "many"}, "a number in it cannot be read"),
        (LIMIT, WIRE | {"price": "70000"}, "price is 70000, decided was 60000"),
        (LIMIT, WIRE | {"quoteOrderQty": "9"}, "the quantity is 0.01, decided was 0.01"),
        (LIMIT, WIRE | {"stopPrice": "61000"}, "stopPrice is 61000, decided was None"),
        (LIMIT, WIRE | {"timeInForce": "GTC"}, None),
        (LIMIT, WIRE | {"timeInForce": "FOK"}, "timeInForce is FOK, decided was GTC"),
        (LIMIT, WIRE | {"trailingDelta": "100"}, "trailingDelta is set, which was not decided on"),
        (LIMIT, WIRE | {"sideEffectType": "MARGIN_BUY"}, "sideEffectType is set, which was not decided on"),
        (STOP, WIRE | {"side": "SELL", "type": "STOP_LOSS_LIMIT", "stopPrice": "60100"}, None),
        (STOP, WIRE | {"side": "SELL", "stopPrice": "1"}, "stopPrice is 1, decided was 60100"),
        (MARKET, FREE | {"quantity": "0.01"}, None),
        (MARKET, FREE | {"quoteOrderQty": "600"}, "the quote quantity is 600, decided was None"),
        (MARKET, FREE, "a number in it cannot be read"),
        (PRICED, FREE | {"quoteOrderQty": "600"}, "the quote quantity is 600, decided was None"),
        (OWN, WIRE | {"selfTradePreventionMode": "EXPIRE_TAKER"}, None),
        (
            OWN,
            WIRE | {"selfTradePreventionMode": "NONE"},
            "the self-trade prevention is NONE, decided was expire_taker",
        ),
        (OWN, WIRE, f"the {PREVENTION} is None, decided was expire_taker"),
        (COST, FREE | {"quoteOrderQty": "600"}, None),
        (COST, FREE | {"quoteOrderQty": "601"}, "the quote quantity is 601, decided was 600"),
    ],
)
def test_a_request_is_held_against_what_was_decided(order: Order, sent: dict[str, str], said: str | None) -> None:
    """Another symbol, side or type, more of it, a worse price, or a field nobody decided on is a difference."""
    assert differs(order, URL, urlencode(sent)) == said


def test_a_parameter_given_twice_is_a_difference() -> None:
    """The exchange and this reader may not take the same one of two."""
    assert differs(LIMIT, f"{URL}?quantity=5", urlencode(WIRE)) == "a parameter stands in the request twice"

"""Whether the order in a request to Binance spot is the one that was meant: not more, not at a worse price.

ccxt merges a caller's params over its own request, so that `params={"quantity": 100}` would send another order than
the one in the arguments. Source: rest-api.md "New order" (a5e0bc3), read 2026-11.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from policykit.order import Order
from policykit.units import exact

#: ccxt rounds a price to the market's tick: it may be worse than what was meant by this share of it.
ROUNDING: Final = Decimal("0.001")
#: What an order is made of beyond its size and price, where ccxt's arguments do not speak of it.
_FOREIGN: Final = ("stopPrice", "trailingDelta", "sideEffectType", "isIsolated", "autoRepayAtCancel", "pegPriceType")


def differs(order: Order, url: str, body: str | None) -> str | None:
    """Return how a request is another order than `order`, or None. A number that cannot be read is a difference."""
    pairs = [*parse_qsl(urlsplit(url).query), *parse_qsl(body or "")]
    sent = dict(pairs)
    if len(sent) != len(pairs):
        return "a parameter stands in the request twice"
    if sent.get("symbol") != order.symbol.replace("/", ""):
        return f"the symbol is {sent.get('symbol')}, decided was {order.symbol}"
    if sent.get("side", "").lower() != order.side:
        return f"the side is {sent.get('side')}, decided was {order.side}"
    if ("MARKET" in sent.get("type", "") or "price" not in sent) != (order.price is None or order.type == "market"):
        return f"the type is {sent.get('type')}, decided was {order.type}"
    for name in _FOREIGN:
        meant = order.stop_price if name == "stopPrice" else None
        if name in sent and meant is None:
            return f"{name} is set, which was not decided on"
    try:
        return _size(order, sent) or _prices(order, sent)
    except ValueError:
        return "a number in it cannot be read"


def _size(order: Order, sent: dict[str, str]) -> str | None:
    if "quantity" in sent:
        quantity = exact(sent["quantity"])
        if "quoteOrderQty" in sent or order.quantity is None or quantity > order.quantity:
            return f"the quantity is {quantity}, decided was {order.quantity}"
        return None
    meant = order.quote_quantity
    if meant is None and order.quantity is not None and order.price is not None:
        meant = order.quantity * order.price
    cost = exact(sent.get("quoteOrderQty"))
    if meant is None or cost > meant:
        return f"the quote quantity is {cost}, decided was {meant}"
    return None


def _prices(order: Order, sent: dict[str, str]) -> str | None:
    for name, meant in (("price", order.price), ("stopPrice", order.stop_price)):
        if name not in sent or (name == "price" and "MARKET" in sent["type"]):
            continue
        price = exact(sent[name])
        worst = Decimal(0) if meant is None else meant * ROUNDING
        if meant is None or abs(price - meant) > worst:
            return f"{name} is {price}, decided was {meant}"
    return None

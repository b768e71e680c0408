"""Whether the order in a request to Binance spot is the one that was meant: not more, not at a worse price.

ccxt merges a caller's params over its own request, so that `params={"quantity": 100}` would send another order than
the one in the arguments. Source: rest-api.md "New order" (a5e0bc3), read 2026-11.
"""

from __future__ import annotations

from typing import Final

from policykit.exchanges.binance_amends import NAMES, REPLACING, replaces_otherwise
from policykit.exchanges.calls import pairs_of
from policykit.exchanges.decided import ROUNDING, own_trades
from policykit.order import Order
from policykit.units import exact

#: All that may stand in the request; an iceberg or a pegged order, a loan is another order.
_ALLOWED: Final = frozenset(
    (
        "symbol",
        "side",
        "type",
        "timeInForce",
        "quantity",
        "quoteOrderQty",
        "price",
        "stopPrice",
        "trailingDelta",
        "newClientOrderId",
        "newOrderRespType",
        "selfTradePreventionMode",
        "strategyId",
        "strategyType",
        "recvWindow",
        "timestamp",
        "signature",
    )
)
#: What else may stand in one that takes another order's place.
_REPLACING: Final = NAMES | set(REPLACING)
#: `type` of a loan (developers.binance.com margin_trading, Margin-Account-Borrow-Repay, as ccxt 4.5.90 sends it).
_LOANS: Final = {"margin.borrow": "BORROW", "margin.repay": "REPAY"}
#: What ccxt writes when the order says nothing of its time in force.
_DEFAULT_TIME_IN_FORCE: Final = "GTC"


def differs(order: Order, url: str, body: str | None) -> str | None:
    """Return how a request is another order than `order`, or None. A number that cannot be read is a difference."""
    pairs = pairs_of(url, (body,))
    sent = dict(pairs)
    if len(sent) != len(pairs):
        return "a parameter stands in the request twice"
    if sent.get("symbol") != order.symbol.replace("/", ""):
        return f"the symbol is {sent.get('symbol')}, decided was {order.symbol}"
    if sent.get("side", "").lower() != order.side:
        return f"the side is {sent.get('side')}, decided was {order.side}"
    if ("MARKET" in sent.get("type", "") or "price" not in sent) != (order.price is None or order.type == "market"):
        return f"the type is {sent.get('type')}, decided was {order.type}"
    replacing = order.action == "order.amend"
    if ("trailingDelta" in sent) != order.trailing:
        return "trailingDelta is set, which was not decided on" if "trailingDelta" in sent else "it does not trail"
    other = sorted(set(sent) - _ALLOWED - (_REPLACING if replacing else frozenset()))
    if replacing and (otherwise := replaces_otherwise(sent)) is not None:
        return otherwise
    if other:
        return f"{other[0]} is set, which was not decided on"
    if sent.get("timeInForce") not in (None, order.time_in_force or _DEFAULT_TIME_IN_FORCE):
        return f"timeInForce is {sent['timeInForce']}, decided was {order.time_in_force or _DEFAULT_TIME_IN_FORCE}"
    try:
        return _size(order, sent) or _prices(order, sent) or own_trades(order, sent.get("selfTradePreventionMode"))
    except ValueError:
        return "a number in it cannot be read"


def loan_differs(order: Order, url: str, body: str | None) -> str | None:
    """Return how a loan, or paying one back, is another than what was decided, or None."""
    pairs = pairs_of(url, (body,))
    sent = dict(pairs)
    if len(sent) != len(pairs):
        return "a parameter stands in the request twice"
    if sent.get("type") != _LOANS[order.action]:
        return f"the type is {sent.get('type')}, decided was {_LOANS[order.action]}"
    if sent.get("asset") != order.symbol:
        return f"the asset is {sent.get('asset')}, decided was {order.symbol}"
    try:
        amount = exact(sent.get("amount"))
    except ValueError:
        return "a number in it cannot be read"
    # Paying back more than was meant is no risk.
    if order.action == "margin.borrow" and (order.quantity is None or amount > order.quantity):
        return f"the amount is {amount}, decided was {order.quantity}"
    return None


def _size(order: Order, sent: dict[str, str]) -> str | None:
    if "quantity" in sent:
        quantity = exact(sent["quantity"])
        if "quoteOrderQty" in sent or order.quantity is None or quantity > order.quantity:
            return f"the quantity is {quantity}, decided was {order.quantity}"
        return None
    cost = exact(sent.get("quoteOrderQty"))
    if order.quote_quantity is None or cost > order.quote_quantity:
        return f"the quote quantity is {cost}, decided was {order.quote_quantity}"
    return None


def _prices(order: Order, sent: dict[str, str]) -> str | None:
    for name, meant in (("price", order.price), ("stopPrice", order.stop_price)):
        if name not in sent or (name == "price" and "MARKET" in sent["type"]):
            continue
        price = exact(sent[name])
        if name == "stopPrice" and order.trailing:
            continue  # where it begins to follow the price; what triggers it is near the mark
        if meant is None:
            return f"{name} is {price}, decided was {meant}"
        worse = price - meant if order.side == "buy" else meant - price
        if (worse if name == "price" else abs(worse)) > meant * ROUNDING:
            return f"{name} is {price}, decided was {meant}"
    return None

"""`guard.place`: an order as the policy's own words have it, sent by a protected client."""

from __future__ import annotations

from typing import Any, Final

from policykit.order import Order
from policykit.units import plain

#: Fields of an order that ccxt takes as params, by the names that `steps.order_of` reads.
_PARAMS: Final = {
    "client_order_id": "clientOrderId",
    "stop_price": "triggerPrice",
    "quote_quantity": "cost",
    "reduce_only": "reduceOnly",
    "close_position": "closePosition",
    "time_in_force": "timeInForce",
    "position_side": "positionSide",
    "self_trade_prevention": "selfTradePrevention",
}
_LEGS: Final = {"stop_loss_price": "stopLoss", "take_profit_price": "takeProfit"}
#: Those whose words the exchange writes in capitals.
_UPPER: Final = frozenset(("positionSide", "selfTradePrevention"))


def arguments_of(order: Order) -> tuple[str, str, str, Any, Any, dict[str, Any]]:
    """Return ccxt's arguments of create_order; `steps.order_of` reads them back as the same order.

    Raise ValueError for what an `Order` does not tell in full: another action, a trailing stop without its distance.
    """
    if order.action != "order.create":
        raise ValueError(f"place: the order's action is {order.action}; only order.create is placed")
    if order.trailing:
        raise ValueError("place: an Order does not hold a trailing distance; use create_order with ccxt's params")
    if not (order.symbol and order.side and order.type):
        raise ValueError("place: symbol, side and type are needed")
    params: dict[str, Any] = {}
    for field, name in _PARAMS.items():
        value = getattr(order, field)
        if value is not None and value is not False:
            params[name] = value if isinstance(value, str | bool) else plain(value)
    params |= {name: params[name].upper() for name in _UPPER & params.keys()}
    for field, name in _LEGS.items():
        trigger = getattr(order, field)
        if trigger is not None:
            params[name] = {"triggerPrice": plain(trigger)}
    amount = None if order.quantity is None else plain(order.quantity)
    price = None if order.price is None else plain(order.price)
    return order.symbol, order.type, order.side, amount, price, params

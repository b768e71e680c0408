"""Whether a request to Binance USD-M is what was decided: an order, an algo order, or a setting of the account.

ccxt merges a caller's params over its own request, so that `params={"quantity": 100}` would send another order than
the one in the arguments. Source: developers.binance.com/docs/derivatives usds-margined-futures, trade/rest-api
New-Order, New-Algo-Order, Change-Initial-Leverage, Change-Margin-Type, Change-Position-Mode (as kept 2026-06, read
2026-11).
"""

from __future__ import annotations

from typing import Final

from policykit.exchanges.binance_amends import MODIFY
from policykit.exchanges.calls import pairs_of
from policykit.exchanges.decided import ROUNDING, own_trades
from policykit.order import Order
from policykit.units import exact

ORDER: Final = "POST /fapi/v1/order"
ALGO: Final = "POST /fapi/v1/algoOrder"
LEVERAGE: Final = "POST /fapi/v1/leverage"
MARGIN_MODE: Final = "POST /fapi/v1/marginType"
POSITION_MODE: Final = "POST /fapi/v1/positionSide/dual"

_SIGNING: Final = frozenset(("recvWindow", "timestamp", "signature"))
#: All that may stand in the request; a price match, an iceberg, a good-till-date are another order.
_ALLOWED: Final = _SIGNING | {
    "symbol",
    "side",
    "positionSide",
    "type",
    "timeInForce",
    "quantity",
    "price",
    "reduceOnly",
    "closePosition",
    "newClientOrderId",
    "newOrderRespType",
    "selfTradePreventionMode",
    "workingType",
    "priceProtect",
}
_ALLOWED_ALGO: Final = _ALLOWED | {"algoType", "clientAlgoId", "triggerPrice", "callbackRate", "activatePrice"}
_AMENDING: Final = _SIGNING | {"symbol", "side", "orderId", "origClientOrderId", "quantity", "price"}
_MODES: Final = {"cross": "CROSSED", "isolated": "ISOLATED"}
#: The side that closes a leg, as ccxt has it.
CLOSING: Final = {"long": "sell", "short": "buy"}
#: ccxt's word for an order that must not take, and the exchange's.
_POST_ONLY: Final = {"PO": "GTX"}


def market_of(symbol: str) -> str:
    """Return the exchange's name of a contract: `BTC/USDT:USDT` -> `BTCUSDT`, with a date `BTCUSDT_251226`."""
    pair, _, settled = symbol.partition(":")
    date = settled.partition("-")[2]
    return pair.replace("/", "") + (f"_{date}" if date else "")


def conditional(order: Order) -> bool:
    """Tell whether an order waits in the algo service."""
    return order.stop_price is not None or order.trailing


def endpoint(order: Order) -> str:
    """Return the call by which an order is placed, or a setting made; empty where it is not one thing."""
    if order.action == "account.configure":
        asked = {LEVERAGE: order.leverage, MARGIN_MODE: order.margin_mode, POSITION_MODE: order.position_mode}
        calls = [call for call, value in asked.items() if value is not None]
        return calls[0] if len(calls) == 1 else ""
    if order.action == "order.amend":
        return MODIFY
    return ALGO if conditional(order) else ORDER


def differs(order: Order, url: str, body: str | None) -> str | None:
    """Return how a request is another than `order`, or None. A number that cannot be read is a difference."""
    pairs = pairs_of(url, (body,))
    sent = dict(pairs)
    if len(sent) != len(pairs):
        return "a parameter stands in the request twice"
    try:
        if order.action == "account.configure":
            return _setting(order, sent)
        if order.action == "order.amend":
            return _amend(order, sent) or _size(order, sent) or _prices(order, sent)
        return _kind(order, sent) or _reach(order, sent) or _size(order, sent) or _prices(order, sent)
    except ValueError:
        return "a number in it cannot be read"


def _setting(order: Order, sent: dict[str, str]) -> str | None:
    mode = order.position_mode and ("true" if order.position_mode == "hedge" else "false")
    wanted = {
        "symbol": market_of(order.symbol) if mode is None else None,
        "leverage": order.leverage,
        "marginType": _MODES.get(order.margin_mode or ""),
        "dualSidePosition": mode,
    }
    for name, value in wanted.items():
        found = exact(sent[name]) if name == "leverage" and name in sent else sent.get(name)
        if found != value:
            return f"{name} is {found}, decided was {value}"
    other = sorted(set(sent) - set(wanted) - _SIGNING)
    return f"{other[0]} is set, which was not decided on" if other else None


def _amend(order: Order, sent: dict[str, str]) -> str | None:
    if sent.get("symbol") != market_of(order.symbol):
        return f"the symbol is {sent.get('symbol')}, decided was {order.symbol}"
    if sent.get("side", "").lower() != order.side:
        return f"the side is {sent.get('side')}, decided was {order.side}"
    other = sorted(set(sent) - _AMENDING)
    return f"{other[0]} is set, which was not decided on" if other else None


def _kind(order: Order, sent: dict[str, str]) -> str | None:
    if sent.get("symbol") != market_of(order.symbol):
        return f"the symbol is {sent.get('symbol')}, decided was {order.symbol}"
    if sent.get("side", "").lower() != order.side:
        return f"the side is {sent.get('side')}, decided was {order.side}"
    kind, trails = sent.get("type", ""), sent.get("type") == "TRAILING_STOP_MARKET"
    if ("MARKET" in kind or "price" not in sent) != (order.price is None) or trails != order.trailing:
        return f"the type is {kind}, decided was {order.type}"
    other = sorted(set(sent) - (_ALLOWED_ALGO if conditional(order) else _ALLOWED))
    if other:
        return f"{other[0]} is set, which was not decided on"
    meant = _POST_ONLY.get(order.time_in_force or "", order.time_in_force) or "GTC"
    if sent.get("timeInForce") not in (None, meant):
        return f"timeInForce is {sent['timeInForce']}, decided was {meant}"
    return own_trades(order, sent.get("selfTradePreventionMode"))


def _reach(order: Order, sent: dict[str, str]) -> str | None:
    """Hold what keeps the order from doing more than to close, and its leg."""
    leg = (order.position_side or "both").upper()
    if sent.get("positionSide", "BOTH") != leg:
        return f"positionSide is {sent.get('positionSide', 'BOTH')}, decided was {leg}"
    if (sent.get("closePosition", "false").lower() == "true") != order.close_position:
        return f"closePosition is {sent.get('closePosition', 'false')}, decided was {order.close_position}"
    reduces = sent.get("reduceOnly", "false").lower() == "true"
    closes_leg = order.position_side is not None and CLOSING[order.position_side] == order.side
    if reduces != order.reduce_only and not closes_leg:
        return f"reduceOnly is {sent.get('reduceOnly', 'false')}, decided was {order.reduce_only}"
    return None


def _size(order: Order, sent: dict[str, str]) -> str | None:
    if order.close_position:
        return "the quantity is set, decided was to close the position" if "quantity" in sent else None
    quantity = exact(sent.get("quantity"))
    if order.quantity is None or quantity > order.quantity:
        return f"the quantity is {quantity}, decided was {order.quantity}"
    return None


def _prices(order: Order, sent: dict[str, str]) -> str | None:
    for name, meant in (("price", order.price), ("triggerPrice", order.stop_price)):
        if name == "triggerPrice" and order.trailing:
            continue  # a trailing stop has no trigger; where it begins to follow is `activatePrice`
        if (name in sent) != (meant is not None):
            return f"{name} is {sent.get(name)}, decided was {meant}"
        if meant is None:
            continue
        price = exact(sent[name])
        worse = price - meant if order.side == "buy" else meant - price
        if (worse if name == "price" else abs(worse)) > meant * ROUNDING:
            return f"{name} is {price}, decided was {meant}"
    return None

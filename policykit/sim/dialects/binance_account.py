"""Binance spot: orders and the account."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from policykit.sim.dialects import binance_replace
from policykit.sim.dialects.base import Reply, Route, World
from policykit.sim.dialects.binance_forms import (
    Bad,
    bad,
    client_id,
    decimal,
    need,
    number,
    order_looked_up,
    order_placed,
    order_terms,
    span,
    symbol_of,
    trade_listed,
    which,
    whole,
)
from policykit.sim.limits import LimitSizes
from policykit.sim.venue import LIMITED, TRIGGERED, NewOrder, Order, Quirks, Rejected, check_filters

Params = Mapping[str, str]
_TYPES = LIMITED | TRIGGERED | {"MARKET"}
_TIMES = {"GTC", "IOC", "FOK"}
_ACCOUNT = "main"
#: filters.md, TRAILING_DELTA: the usual least and most, in hundredths of a percent.
_TRAILING = (10, 2_000)
UID = 354_937_868


def place(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer POST /api/v3/order."""
    new = _read(world, params)
    broken = world.limits.too_many_orders(_ACCOUNT, now_ms)
    if broken is not None:
        return bad(-1015, f"Too many new orders; current limit is {broken[0]} orders per {broken[1]}.", 429)
    order = world.venue.place(new, now_ms, quirks)
    world.limits.count_order(_ACCOUNT, now_ms)
    default = "FULL" if new.type in {"LIMIT", "MARKET"} else "ACK"
    return Reply(200, order_placed(order, params.get("newOrderRespType", default)))


def replace(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer POST /api/v3/order/cancelReplace."""
    new = _read(world, params)
    broken = world.limits.too_many_orders(_ACCOUNT, now_ms)
    if broken is not None:
        return bad(-1015, f"Too many new orders; current limit is {broken[0]} orders per {broken[1]}.", 429)
    world.limits.count_order(_ACCOUNT, now_ms)
    return binance_replace.replace(world, new, params, now_ms, quirks)


def test(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer POST /api/v3/order/test: everything but the matching engine."""
    new = _read(world, params)
    bid, ask = world.venue.touch(new.symbol, now_ms)
    if new.quantity is not None:
        check_filters(new, new.quantity, ask if new.side == "BUY" else bid)
    return Reply(200, {})


def _read(world: World, params: Params) -> NewOrder:
    symbol, side, kind = symbol_of(world, params), need(params, "side"), need(params, "type")
    if side not in {"BUY", "SELL"}:
        raise Bad(-1117, "Invalid side.")
    if kind not in _TYPES:
        raise Bad(-1116, "Invalid orderType.")
    in_force = params.get("timeInForce", "GTC")
    if in_force not in _TIMES:
        raise Bad(-1115, "Invalid timeInForce.")
    if params.get("newOrderRespType", "FULL") not in {"ACK", "RESULT", "FULL"}:
        raise Bad(-1136, "Invalid newOrderRespType.")
    needed = ["timeInForce"] if kind in LIMITED - {"LIMIT_MAKER"} else []
    needed += ["price"] if kind in LIMITED else []
    trailing = whole(params, "trailingDelta") if kind in TRIGGERED else None
    if trailing is not None and not _TRAILING[0] <= trailing <= _TRAILING[1]:
        raise Rejected("filter", "Filter failure: TRAILING_DELTA")
    needed += ["stopPrice"] if kind in TRIGGERED and trailing is None else []
    needed += [] if kind == "MARKET" and "quoteOrderQty" in params else ["quantity"]
    for name in needed:
        need(params, name)
    if kind not in LIMITED and "price" in params:
        raise Bad(-1106, "Parameter 'price' sent when not required.")
    return NewOrder(
        symbol=symbol,
        side=side,
        type=kind,
        client_order_id=client_id(params, "newClientOrderId") or secrets.token_hex(11),
        quantity=decimal(params, "quantity"),
        quote_quantity=decimal(params, "quoteOrderQty"),
        price=decimal(params, "price"),
        stop_price=decimal(params, "stopPrice"),
        time_in_force=in_force,
        trailing_delta=trailing,
    )


def query(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /api/v3/order."""
    order = world.venue.find(symbol_of(world, params), now_ms, *which(params))
    return Reply(200, order_looked_up(order, now_ms))


def cancel(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer DELETE /api/v3/order."""
    order = world.venue.cancel(symbol_of(world, params), now_ms, *which(params))
    return Reply(200, _cancelled(order, now_ms, client_id(params, "newClientOrderId")))


def cancel_all(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer DELETE /api/v3/openOrders."""
    orders = world.venue.cancel_all(symbol_of(world, params), now_ms)
    return Reply(200, [_cancelled(order, now_ms, None) for order in orders])


def _cancelled(order: Order, now_ms: int, own_id: str | None) -> dict[str, Any]:
    terms = order_terms(order)
    terms["origClientOrderId"] = terms["clientOrderId"]
    terms["clientOrderId"] = own_id or secrets.token_hex(11)
    terms["transactTime"] = now_ms
    return terms


def open_orders(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /api/v3/openOrders."""
    symbol = symbol_of(world, params) if "symbol" in params else None
    found = world.venue.visible(now_ms, symbol, only_open=True)
    return Reply(200, [order_looked_up(order, now_ms) for order in found])


def all_orders(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /api/v3/allOrders."""
    found = world.venue.visible(now_ms, symbol_of(world, params))
    return Reply(200, span(params, [(o.id, o.time_ms, order_looked_up(o, now_ms)) for o in found], "orderId"))


def my_trades(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /api/v3/myTrades."""
    trades = world.venue.visible_trades(symbol_of(world, params), now_ms)
    if "orderId" in params:
        order_id = which(params)[0]
        trades = [t for t in trades if t.order_id == order_id]
    return Reply(200, span(params, [(t.id, t.time_ms, trade_listed(t)) for t in trades], "fromId"))


def account(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /api/v3/account."""
    balances = world.venue.balances_seen(now_ms, world.lag_balances)
    fee = number(world.venue.fee)
    zero = number(world.venue.fee * 0)
    return Reply(
        200,
        {
            "makerCommission": int(world.venue.fee * 10_000),
            "takerCommission": int(world.venue.fee * 10_000),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {"maker": fee, "taker": fee, "buyer": zero, "seller": zero},
            "canTrade": True,
            "canWithdraw": True,
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": now_ms,
            "accountType": "SPOT",
            "balances": [
                {"asset": asset, "free": number(b.free), "locked": number(b.locked)} for asset, b in balances.items()
            ],
            "permissions": ["SPOT"],
            "uid": UID,
        },
    )


def order_usage(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /api/v3/rateLimit/order."""
    short, day = world.limits.order_counts(_ACCOUNT, now_ms)
    limits = order_limits(world.limits.sizes)
    return Reply(200, [{**limit, "count": n} for limit, n in zip(limits, (short, day), strict=True)])


def order_limits(sizes: LimitSizes) -> list[dict[str, Any]]:
    """Write the order limits as exchangeInfo and rateLimit/order do."""
    return [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": sizes.orders_10s},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": sizes.orders_1d},
    ]


def _one(params: Params) -> int:
    return 1


def _four(params: Params) -> int:
    return 4


def _twenty(params: Params) -> int:
    return 20


def _forty(params: Params) -> int:
    return 40


def _open_orders(params: Params) -> int:
    return 6 if "symbol" in params else 80


def _trades(params: Params) -> int:
    return 5 if "orderId" in params else 20


_TRADE, _READ = "enableSpotAndMarginTrading", "enableReading"
_LIST: tuple[tuple[str, str, Any, Any, str], ...] = (
    ("POST /api/v3/order", "order", _one, place, _TRADE),
    (binance_replace.NAME, "order", _one, replace, _TRADE),
    ("POST /api/v3/order/test", "other", _one, test, _TRADE),
    ("DELETE /api/v3/order", "cancel", _one, cancel, _TRADE),
    ("DELETE /api/v3/openOrders", "cancel", _one, cancel_all, _TRADE),
    ("GET /api/v3/order", "lookup", _four, query, _READ),
    ("GET /api/v3/openOrders", "lookup", _open_orders, open_orders, _READ),
    ("GET /api/v3/allOrders", "lookup", _twenty, all_orders, _READ),
    ("GET /api/v3/myTrades", "lookup", _trades, my_trades, _READ),
    ("GET /api/v3/account", "account", _twenty, account, _READ),
    ("GET /api/v3/rateLimit/order", "account", _forty, order_usage, _READ),
)
ROUTES: dict[tuple[str, str], Route] = {
    (name.split(" ")[0], name.split(" ")[1]): Route(name, point, weight, handler, security)
    for name, point, weight, handler, security in _LIST
}

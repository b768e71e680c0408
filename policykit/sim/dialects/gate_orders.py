"""Gate: open orders of spot, price-triggered ones apart, and their cancels: one, several at once, all of a pair.

Source: gate/gateapi-python@151ac72c docs/SpotApi.md (read 2026-11-21): `open_orders` are grouped by pair and have
`account`; `cancel_batch_orders` takes 20 and says of each whether it `succeeded`; label ORDER_NOT_FOUND.
"""

from __future__ import annotations

import json
from typing import Any, Final

from policykit.sim.dialects._resting import cancelled, resting
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, params_of
from policykit.sim.keys import SimKey
from policykit.sim.venue import Order

#: The most orders of a pair on one page, and of one batch.
PAGE, BATCH = 100, 20
_GONE: Final = Reply(404, {"label": "ORDER_NOT_FOUND", "message": "Order not found"})


def _pair(order: Order) -> str:
    return f"{order.new.symbol.base}_{order.new.symbol.quote}"


def _row(order: Order, now_ms: int, status: str = "open") -> dict[str, Any]:
    new, filled = order.new, order.filled(now_ms)
    return {
        "id": str(order.id),
        "text": f"t-{new.client_order_id}",
        "create_time": str(order.time_ms // 1000),
        "create_time_ms": order.time_ms,
        "update_time_ms": order.updated_ms,
        "status": status,
        "currency_pair": _pair(order),
        "type": "limit",
        "account": "spot",
        "side": new.side.lower(),
        "amount": str(order.quantity),
        "price": str(new.price or "0"),
        "time_in_force": "gtc",
        "left": str(order.quantity - filled),
        "filled_total": str(order.filled_quote(now_ms)),
        "fee": "0",
        "fee_currency": new.symbol.base,
    }


def _trigger(order: Order, status: str = "open") -> dict[str, Any]:
    new = order.new
    return {
        "id": order.id,
        "user": 10_001,
        "market": _pair(order),
        "trigger": {"price": str(new.stop_price), "rule": "<=", "expiration": 86_400},
        "put": {
            "type": "limit",
            "side": new.side.lower(),
            "price": str(new.price or "0"),
            "amount": str(order.quantity),
            "account": "normal",
            "time_in_force": "gtc",
        },
        "ctime": order.time_ms // 1000,
        "status": status,
    }


def _open(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    if params_of(request).get("account", "spot") != "spot":
        return []
    pairs: dict[str, list[dict[str, Any]]] = {}
    for one in resting(world, now_ms, waiting=False):
        pairs.setdefault(_pair(one), []).append(_row(one, now_ms))
    return [{"currency_pair": pair, "total": len(rows), "orders": rows[:PAGE]} for pair, rows in pairs.items()]


def _waiting(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return [_trigger(one) for one in resting(world, now_ms, waiting=True)[:PAGE]]


def _one(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    gone = cancelled(world, request.path.rpartition("/")[2], now_ms)
    if gone is None:
        return _GONE
    return _trigger(gone, "canceled") if gone.new.stop_price is not None else _row(gone, now_ms, "cancelled")


def _batch(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    asked = json.loads(request.body or "[]")
    if not isinstance(asked, list) or len(asked) > BATCH:
        return Reply(400, {"label": "INVALID_PARAM_VALUE", "message": "Too many orders"})
    rows = []
    for one in asked:
        gone = cancelled(world, one.get("id"), now_ms)
        row = {"currency_pair": one.get("currency_pair"), "id": one.get("id"), "succeeded": gone is not None}
        rows.append(row if gone else {**row, "label": "ORDER_NOT_FOUND", "message": "Order not found"})
    return rows


def _all(waiting: bool) -> Any:
    def handler(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
        """Answer DELETE spot/orders, or spot/price_orders, of a pair."""
        params = params_of(request)
        pair = params.get("market" if waiting else "currency_pair")
        if pair is None and not waiting:
            return Reply(400, {"label": "MISSING_REQUIRED_PARAM", "message": "currency_pair is required"})
        gone = [cancelled(world, one.id, now_ms) for one in resting(world, now_ms, pair, waiting=waiting)]
        found = [one for one in gone if one is not None]
        return [_trigger(one, "canceled") if waiting else _row(one, now_ms, "cancelled") for one in found]

    return handler


_CANCELS: Final = {
    ("DELETE", "/api/v4/spot/orders/*"): _one,
    ("DELETE", "/api/v4/spot/price_orders/*"): _one,
    ("DELETE", "/api/v4/spot/orders"): _all(waiting=False),
    ("DELETE", "/api/v4/spot/price_orders"): _all(waiting=True),
    ("POST", "/api/v4/spot/cancel_batch_orders"): _batch,
}
ROUTES: Final = {
    ("GET", "/api/v4/spot/open_orders"): Endpoint(_open, point="lookup"),
    ("GET", "/api/v4/spot/price_orders"): Endpoint(_waiting, point="lookup"),
    **{call: Endpoint(handler, needs="trade.spot", point="cancel") for call, handler in _CANCELS.items()},
}

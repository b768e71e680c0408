"""Bitget, a unified account: open spot orders and their cancels: one, several at once, all of a symbol.

Source: bitget.com/api-doc/uta/trade Get-Open-Orders (pages of 100), Cancel-Order, Cancel-Batch (20), Cancel-All-Order
(stored index file 55484219347, read 2026-11-22); 43001 "The order does not exist" is in ccxt 4.5.90's table.
"""

from __future__ import annotations

import json
from typing import Any, Final

from policykit.sim.dialects._resting import cancelled, resting
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, params_of
from policykit.sim.keys import SimKey
from policykit.sim.venue import Order

#: The most orders of one page and of one batch.
PAGE, BATCH = 100, 20
_GONE: Final = "43001"


def _ok(data: Any, now_ms: int) -> dict[str, Any]:
    return {"code": "00000", "msg": "success", "requestTime": now_ms, "data": data}


def _row(order: Order, now_ms: int) -> dict[str, Any]:
    new, filled = order.new, order.filled(now_ms)
    return {
        "orderId": str(order.id),
        "clientOid": new.client_order_id,
        "category": "SPOT",
        "symbol": new.symbol.id,
        "orderType": "limit",
        "side": new.side.lower(),
        "price": str(new.price or ""),
        "qty": str(order.quantity),
        "amount": "",
        "cumExecQty": str(filled),
        "cumExecValue": str(order.filled_quote(now_ms)),
        "avgPrice": "",
        "timeInForce": "gtc",
        "orderStatus": "partially_filled" if filled else "live",
        "posSide": "",
        "holdMode": "",
        "reduceOnly": "NO",
        "feeDetail": [],
        "createdTime": str(order.time_ms),
        "updatedTime": str(order.updated_ms),
    }


def _open(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    params = params_of(request)
    rows = resting(world, now_ms, params.get("symbol"), waiting=False) if params.get("category") == "SPOT" else []
    return _ok({"list": [_row(one, now_ms) for one in rows[::-1][:PAGE]], "cursor": ""}, now_ms)


def _cancel(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    params = params_of(request)
    gone = cancelled(world, params.get("orderId"), now_ms, client_id=params.get("clientOid"))
    if gone is None:
        return Reply(400, {"code": _GONE, "msg": "The order does not exist", "requestTime": now_ms, "data": None})
    return _ok({"orderId": str(gone.id), "clientOid": gone.new.client_order_id}, now_ms)


def _batch(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    asked = json.loads(request.body or "[]")
    if not isinstance(asked, list) or len(asked) > BATCH:
        return Reply(400, {"code": "40017", "msg": "Parameter verification failed", "data": None})
    rows = []
    for one in asked:
        gone = cancelled(world, one.get("orderId"), now_ms)
        code, words = ("00000", "success") if gone else (_GONE, "The order does not exist")
        rows.append({"orderId": one.get("orderId"), "clientOid": "", "code": code, "msg": words})
    return _ok(rows, now_ms)


def _symbol(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    found = resting(world, now_ms, params_of(request).get("symbol"), waiting=False)
    gone = [one for one in found if cancelled(world, one.id, now_ms) is not None]
    return _ok({"list": [{"orderId": str(one.id), "clientOid": "", "code": "00000"} for one in gone]}, now_ms)


ROUTES: Final = {
    ("GET", "/api/v3/trade/unfilled-orders"): Endpoint(_open, point="lookup"),
    ("POST", "/api/v3/trade/cancel-order"): Endpoint(_cancel, needs="trade.spot", point="cancel"),
    ("POST", "/api/v3/trade/cancel-batch"): Endpoint(_batch, needs="trade.spot", point="cancel"),
    ("POST", "/api/v3/trade/cancel-symbol-order"): Endpoint(_symbol, needs="trade.spot", point="cancel"),
}

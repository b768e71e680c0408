"""KuCoin spot: which symbols have open orders, those of a symbol, stop orders, their cancels, and the end of a key.

Source: coincise@4f82af677 docs/kucoin (2026-11-21) and what ccxt 4.5.90 kucoin.py quotes of each answer: hf orders are
listed by symbol only, `hf/orders/active/symbols` names the symbols; a cancel of what is gone is 400100.
"""

from __future__ import annotations

from typing import Any, Final

from policykit.sim.dialects._ending import ended
from policykit.sim.dialects._resting import cancelled, resting
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, params_of
from policykit.sim.keys import SimKey
from policykit.sim.venue import Order


def _ok(data: Any) -> dict[str, Any]:
    return {"code": "200000", "data": data}


_GONE: Final = Reply(200, {"code": "400100", "msg": "order_not_exist_or_not_allow_to_cancel"}, code=400100)


def _pair(order: Order) -> str:
    return f"{order.new.symbol.base}-{order.new.symbol.quote}"


def _row(order: Order, now_ms: int) -> dict[str, Any]:
    new = order.new
    return {
        "id": str(order.id),
        "clientOid": new.client_order_id,
        "symbol": _pair(order),
        "type": "limit",
        "side": new.side.lower(),
        "price": str(new.price or "0"),
        "stopPrice": None if new.stop_price is None else str(new.stop_price),
        "size": str(order.quantity),
        "dealSize": str(order.filled(now_ms)),
        "dealFunds": str(order.filled_quote(now_ms)),
        "fee": "0",
        "feeCurrency": new.symbol.quote,
        "timeInForce": "GTC",
        "active": True,
        "isActive": True,
        "tradeType": "TRADE",
        "createdAt": order.time_ms,
    }


def _symbols(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"symbols": list(dict.fromkeys(map(_pair, resting(world, now_ms, waiting=False))))})


def _open(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    pair = params_of(request).get("symbol")
    if pair is None:
        return Reply(200, {"code": "400100", "msg": "symbol is required"}, code=400100)
    return _ok([_row(one, now_ms) for one in resting(world, now_ms, pair, waiting=False)])


def _stops(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    rows = [_row(one, now_ms) for one in resting(world, now_ms, waiting=True)]
    return _ok({"currentPage": 1, "pageSize": 500, "totalNum": len(rows), "totalPage": 1, "items": rows[:500]})


def _cancel(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    name = request.path.rpartition("/")[2]
    gone = cancelled(world, name, now_ms)
    if gone is None:
        return _GONE
    return _ok({"cancelledOrderIds": [name]} if gone.new.stop_price is not None else {"orderId": name})


def _all(waiting: bool) -> Any:
    def handler(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
        """Cancel every order, or every stop order, of the account or of a symbol."""
        pair = params_of(request).get("symbol")
        for one in resting(world, now_ms, pair, waiting=waiting):
            cancelled(world, one.id, now_ms)
        return _ok({"cancelledOrderIds": []} if waiting else {"succeedSymbols": [], "failedSymbols": []})

    return handler


def _delete_sub(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer DELETE /api/v1/sub/api-key: the key's own passphrase is asked for."""
    params = params_of(request)
    named = world.keys.get(str(params.get("apiKey")))
    known = named is not None and named.passphrase == params.get("passphrase")
    if not known or not ended(world, params.get("apiKey"), params.get("subName")):
        return Reply(200, {"code": "400100", "msg": "api key does not exist"}, code=400100)
    return _ok({"subName": params["subName"], "apiKey": params["apiKey"]})


ROUTES: Final = {
    ("GET", "/api/v1/hf/orders/active/symbols"): Endpoint(_symbols, needs="read", point="lookup"),
    ("GET", "/api/v1/hf/orders/active"): Endpoint(_open, point="lookup"),
    ("GET", "/api/v1/stop-order"): Endpoint(_stops, point="lookup"),
    ("DELETE", "/api/v1/hf/orders/*"): Endpoint(_cancel, needs="trade.spot", point="cancel"),
    ("DELETE", "/api/v1/stop-order/*"): Endpoint(_cancel, needs="trade.spot", point="cancel"),
    ("DELETE", "/api/v1/hf/orders/cancelAll"): Endpoint(_all(waiting=False), needs="trade.spot", point="cancel"),
    ("DELETE", "/api/v1/stop-order/cancel"): Endpoint(_all(waiting=True), needs="trade.spot", point="cancel"),
    ("DELETE", "/api/v1/sub/api-key"): Endpoint(_delete_sub, needs="transfer", point="other"),
}

"""Kraken: pairs, open orders and their cancels: one, several at once, all.

Source: docs.kraken.com/api/docs (copies of 2026-05-27) rest-api: get-tradable-asset-pairs, get-open-orders,
cancel-order, cancel-order-batch (2 to 50), cancel-all-orders; "EOrder:Unknown order". Triggers are in the same list.
"""

from __future__ import annotations

from typing import Any, Final

from policykit.sim.dialects._resting import cancelled, resting
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, params_of
from policykit.sim.keys import SimKey
from policykit.sim.market import Symbol
from policykit.sim.venue import Order

#: The most orders of one batch.
BATCH = 50
_UNKNOWN: Final = Reply(200, {"error": ["EOrder:Unknown order"]}, code=1)


def _ok(result: Any) -> dict[str, Any]:
    return {"error": [], "result": result}


def _id(order: Order) -> str:
    """Return an id in Kraken's form: three groups of letters and digits."""
    return f"OSIM00-{order.id:05d}-ORDERS"


def _number(name: object) -> str:
    parts = str(name).split("-")
    return str(int(parts[1])) if len(parts) == 3 and parts[1].isdigit() else ""


def _pair(symbol: Symbol) -> dict[str, Any]:
    return {
        "altname": symbol.id,
        "wsname": f"{symbol.base}/{symbol.quote}",
        "base": symbol.base,
        "quote": symbol.quote,
        "pair_decimals": 2,
        "cost_decimals": 5,
        "lot_decimals": 5,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, 0.4]],
        "fees_maker": [[0, 0.25]],
        "ordermin": str(symbol.min_quantity),
        "costmin": str(symbol.min_notional),
        "tick_size": str(symbol.tick),
        "status": "online",
    }


def _pairs(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({symbol.id: _pair(symbol) for symbol in world.venue.symbols.values()})


def _row(order: Order, now_ms: int) -> dict[str, Any]:
    new, stop = order.new, order.new.stop_price
    descr = {
        "pair": new.symbol.id,
        "type": new.side.lower(),
        "ordertype": "limit" if stop is None else "stop-loss-limit",
        "price": str(stop or new.price or "0"),
        "price2": str(new.price or "0") if stop is not None else "0",
        "leverage": "none",
        "order": "",
        "close": "",
    }
    return {
        "refid": None,
        "userref": None,
        "cl_ord_id": new.client_order_id,
        "status": "open",
        "opentm": order.time_ms / 1000,
        "starttm": 0,
        "expiretm": 0,
        "descr": descr,
        "vol": str(order.quantity),
        "vol_exec": str(order.filled(now_ms)),
        "cost": str(order.filled_quote(now_ms)),
        "fee": "0",
        "price": "0",
        "stopprice": "0",
        "limitprice": "0",
        "misc": "",
        "oflags": "fciq",
        "reduce_only": False,
    }


def _orders(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"open": {_id(one): _row(one, now_ms) for one in resting(world, now_ms)}})


def _cancel(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    params = params_of(request)
    gone = cancelled(world, _number(params.get("txid", "")), now_ms, client_id=params.get("cl_ord_id"))
    return _ok({"count": 1}) if gone else _UNKNOWN


def _batch(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    names = params_of(request).get("orders")
    if not isinstance(names, list) or not 2 <= len(names) <= BATCH:
        return Reply(200, {"error": ["EGeneral:Invalid arguments:orders"]}, code=1)
    gone = [name for name in names if cancelled(world, _number(name), now_ms)]
    return _ok({"count": len(gone)}) if gone else _UNKNOWN


def _all(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    found = resting(world, now_ms)
    return _ok({"count": sum(cancelled(world, one.id, now_ms) is not None for one in found)})


ROUTES: Final = {
    ("GET", "/0/public/AssetPairs"): Endpoint(_pairs, public=True),
    ("POST", "/0/private/OpenOrders"): Endpoint(_orders, needs="read", point="lookup"),
    ("POST", "/0/private/CancelOrder"): Endpoint(_cancel, needs="trade.spot", point="cancel"),
    ("POST", "/0/private/CancelOrderBatch"): Endpoint(_batch, needs="trade.spot", point="cancel"),
    ("POST", "/0/private/CancelAll"): Endpoint(_all, needs="trade.spot", point="cancel"),
}

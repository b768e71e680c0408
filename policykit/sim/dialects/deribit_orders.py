"""Deribit: open orders of every currency and kind in one list, and their cancels: one, all of an instrument, all.

Source: docs.deribit.com (read 2026-11) private/get_open_orders, private/cancel, private/cancel_all,
private/cancel_all_by_instrument (the number of what went), private/remove_api_key; `not_open_order` 11044 and
`order_not_found` 10004 are in ccxt 4.5.90's table.
"""

from __future__ import annotations

from typing import Any, Final

from policykit.sim.dialects._ending import end
from policykit.sim.dialects._resting import cancelled, resting
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, params_of
from policykit.sim.keys import SimKey
from policykit.sim.venue import Order

_PREFIX: Final = "USDT-"


def _ok(result: Any, now_ms: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "result": result, "usIn": now_ms * 1000, "usOut": now_ms * 1000 + 90, "usDiff": 90}


def _bad(code: int, message: str) -> Reply:
    return Reply(400, {"jsonrpc": "2.0", "error": {"message": message, "code": code}, "usDiff": 90}, code=code)


def _row(order: Order, now_ms: int, state: str = "open") -> dict[str, Any]:
    new, filled = order.new, order.filled(now_ms)
    return {
        "order_id": f"{_PREFIX}{order.id}",
        "label": new.client_order_id,
        "instrument_name": f"{new.symbol.base}_{new.symbol.quote}",
        "direction": new.side.lower(),
        "price": float(new.price or 0),
        "amount": float(order.quantity),
        "filled_amount": float(filled),
        "average_price": 0.0,
        "order_state": state if new.stop_price is None else "untriggered",
        "order_type": "limit" if new.stop_price is None else "stop_limit",
        "time_in_force": "good_til_cancelled",
        "post_only": False,
        "reduce_only": False,
        "creation_timestamp": order.time_ms,
        "last_update_timestamp": order.updated_ms,
        **({} if new.stop_price is None else {"trigger_price": float(new.stop_price)}),
    }


def _open(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok([_row(one, now_ms) for one in resting(world, now_ms)], now_ms)


def _cancel(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    gone = cancelled(world, str(params_of(request).get("order_id", "")).removeprefix(_PREFIX), now_ms)
    return _bad(11044, "not_open_order") if gone is None else _ok(_row(gone, now_ms, "cancelled"), now_ms)


def _all(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    found = resting(world, now_ms, params_of(request).get("instrument_name"))
    return _ok(sum(cancelled(world, one.id, now_ms) is not None for one in found), now_ms)


def _remove(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """End a key by its number in the list of keys."""
    number = str(params_of(request).get("id", ""))
    found = dict(enumerate(world.keys.values(), 1)).get(int(number) if number.isdigit() else 0)
    return _ok("ok", now_ms) if found is not None and end(found) else _bad(11029, "invalid_arguments")


_PRIVATE: Final = "/api/v2/private/"
ROUTES: Final = {
    ("GET", f"{_PRIVATE}get_open_orders"): Endpoint(_open, needs="read", point="lookup"),
    ("GET", f"{_PRIVATE}cancel"): Endpoint(_cancel, needs="trade.spot", point="cancel"),
    ("GET", f"{_PRIVATE}cancel_all"): Endpoint(_all, needs="trade.spot", point="cancel"),
    ("GET", f"{_PRIVATE}cancel_all_by_instrument"): Endpoint(_all, needs="trade.spot", point="cancel"),
    ("GET", f"{_PRIVATE}remove_api_key"): Endpoint(_remove, needs="key_admin", point="other"),
}

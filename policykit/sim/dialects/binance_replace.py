"""Binance spot: POST /api/v3/order/cancelReplace, a cancel and a new order in one request.

Source: binance-spot-api-docs rest-api.md, "Cancel an Existing Order and Send a New Order", and errors.md, -2021 and
-2022 (read 2026-11 at a5e0bc3): filters and the order count are looked at before either is done; STOP_ON_FAILURE does
not attempt the new order when the cancel fails, ALLOW_FAILURE does. 200: both; 409 and -2021: one of them; 400 and
-2022: neither. The order count grows for a new order that was not attempted, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policykit.sim.dialects.base import Reply, World
from policykit.sim.dialects.binance_forms import Bad, missing, order_placed, order_terms, whole
from policykit.sim.venue import NewOrder, Quirks, Rejected, check_filters

NAME = "POST /api/v3/order/cancelReplace"
_MODES = ("STOP_ON_FAILURE", "ALLOW_FAILURE")
_RESTRICTIONS = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}
_RESTRICTED = {"code": -2011, "msg": "Order was not canceled due to cancel restrictions."}
_DONE, _FAILED, _NOT_ATTEMPTED = "SUCCESS", "FAILURE", "NOT_ATTEMPTED"


def replace(world: World, new: NewOrder, params: Mapping[str, str], now_ms: int, quirks: Quirks) -> Reply:
    """Cancel the one, place the other, and tell what became of each."""
    mode, restriction = params.get("cancelReplaceMode", ""), params.get("cancelRestrictions")
    if mode not in _MODES:
        return missing("cancelReplaceMode")
    if restriction is not None and restriction not in _RESTRICTIONS:
        raise Bad(-1145, "Invalid cancelRestrictions")
    number, client = whole(params, "cancelOrderId"), params.get("cancelOrigClientOrderId")
    if number is None and not client:
        raise Bad(-1102, "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent, but both were empty/null!")
    bid, ask = world.venue.touch(new.symbol, now_ms)
    if new.quantity is not None:
        check_filters(new, new.quantity, ask if new.side == "BUY" else bid)
    cancelled, was = _cancel(world, new, (number, client), restriction, now_ms)
    if cancelled != _DONE and mode == "STOP_ON_FAILURE":
        placed, now = _NOT_ATTEMPTED, None
    else:
        placed, now = _place(world, new, params, now_ms, quirks)
    told = {"cancelResult": cancelled, "newOrderResult": placed, "cancelResponse": was, "newOrderResponse": now}
    if (cancelled, placed) == (_DONE, _DONE):
        return Reply(200, told)
    if _DONE in (cancelled, placed):
        return Reply(409, {"code": -2021, "msg": "Order cancel-replace partially failed.", "data": told}, code=-2021)
    return Reply(400, {"code": -2022, "msg": "Order cancel-replace failed.", "data": told}, code=-2022)


def _cancel(
    world: World, new: NewOrder, which: tuple[int | None, str | None], restriction: str | None, now_ms: int
) -> tuple[str, dict[str, Any]]:
    try:
        order = world.venue.resting(new.symbol, now_ms, *which)
        if restriction is not None and order.status != _RESTRICTIONS[restriction]:
            return _FAILED, _RESTRICTED
        world.venue.cancel(new.symbol, now_ms, order.id, None)
    except Rejected:
        return _FAILED, {"code": -2011, "msg": "Unknown order sent."}
    terms = order_terms(order)
    return _DONE, {**terms, "origClientOrderId": terms["clientOrderId"], "clientOrderId": f"cancel{order.id}"}


def _place(
    world: World, new: NewOrder, params: Mapping[str, str], now_ms: int, quirks: Quirks
) -> tuple[str, dict[str, Any]]:
    try:
        order = world.venue.place(new, now_ms, quirks)
    except Rejected as error:
        return _FAILED, {"code": -2010, "msg": error.text}
    default = "FULL" if new.type in {"LIMIT", "MARKET"} else "ACK"
    return _DONE, order_placed(order, params.get("newOrderRespType", default))

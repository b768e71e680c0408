"""How Binance's futures write orders, algo orders and fills, and how USD-M reads and refuses them.

Source: developers.binance.com/docs/derivatives usds-margined-futures, trade/rest-api New-Order, Query-Order,
New-Algo-Order, Query-Algo-Order, Account-Trade-List, and error-code (as kept 2026-06, read 2026-11).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from policykit.sim.contracts import Book, Contract, ContractOrder, ContractTrade
from policykit.sim.dialects.base import World
from policykit.sim.dialects.binance_forms import Bad, client_id, decimal, need, number, whole
from policykit.sim.futures import Refused
from policykit.sim.venue import ZERO, Quirks

Params = Mapping[str, str]
#: Algo orders are numbered apart from orders.
ALGO_IDS = 4_000_000_000_000_000
PLAIN = frozenset({"LIMIT", "MARKET"})
LIMITED = frozenset({"LIMIT", "STOP", "TAKE_PROFIT"})
CLOSERS = frozenset({"STOP_MARKET", "TAKE_PROFIT_MARKET"})
CONDITIONAL = frozenset({"STOP", "TAKE_PROFIT", "TRAILING_STOP_MARKET"}) | CLOSERS
_TIMES = frozenset({"GTC", "IOC", "FOK", "GTX"})
_NUMBER = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?\Z")
#: A trailing stop's callback rate, percent (New-Algo-Order).
_CALLBACK = (Decimal("0.1"), Decimal(10))

#: What the venue refuses, as the error-code page has it.
REFUSALS: dict[str, tuple[int, str]] = {
    "reduce_only": (-2022, "ReduceOnly Order is rejected."),
    "reduce_only_hedged": (-1106, "Parameter 'reduceonly' sent when not required."),
    "position_side": (-4061, "Order's position side does not match user's setting."),
    "margin": (-2019, "Margin is insufficient."),
    "immediately": (-2021, "Order would immediately trigger."),
    "duplicate": (-4116, "ClientOrderId is duplicated."),
    "close_position_twice": (
        -4130,
        "An open stop or take profit order with GTE and closePosition in the direction is existing.",
    ),
    "post_only": (
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected.",
    ),
    "price": (-4014, "Price not increased by tick size."),
    "quantity": (-1111, "Precision is over the maximum defined for this asset."),
    "notional": (-4164, "Order's notional must be no smaller than 5 (unless you choose reduce only)."),
    "too_many": (-2025, "Reach max open order limit."),
    "unchanged": (-5027, "No need to modify the order."),
    "not_open": (-2011, "Unknown order sent."),
    "lookup": (-2013, "Order does not exist."),
    "leverage": (-4028, "Leverage is not valid"),
    "leverage_isolated": (
        -4161,
        "Leverage reduction is not supported in Isolated Margin Mode with open positions.",
    ),
    "margin_leverage": (-2028, "Leverage is smaller than permitted: insufficient margin balance."),
    "margin_mode_same": (-4046, "No need to change margin type."),
    "margin_mode_orders": (-4047, "Margin type cannot be changed if there exists open orders."),
    "margin_mode_position": (-4048, "Margin type cannot be changed if there exists position."),
    "position_mode_same": (-4059, "No need to change position side."),
    "position_mode_orders": (-4067, "Position side cannot be changed if there exists open orders."),
    "position_mode_position": (-4068, "Position side cannot be changed if there exists position."),
}


def refused(error: Refused) -> Bad:
    """Return the exchange's answer to what its matching engine refuses."""
    return Bad(*REFUSALS[error.why])


def contract_of(book: Book, params: Params) -> Contract:
    """Read the parameter `symbol`, which must be there and known."""
    found = book.contracts.get(need(params, "symbol"))
    if found is None:
        raise Bad(-1121, "Invalid symbol.")
    return found


def flag(params: Params, name: str) -> bool:
    """Read an optional `true` or `false`."""
    value = params.get(name, "false").lower()
    if value not in {"true", "false"}:
        raise Bad(-1130, f"Data sent for parameter '{name}' is not valid.")
    return value == "true"


def read_order(world: World, params: Params, now_ms: int, quirks: Quirks, *, algo: bool) -> ContractOrder:
    """Read a new order, or a new algo order, or raise what refuses it before the matching engine."""
    book = world.linear.book
    contract, side, kind = contract_of(book, params), need(params, "side"), need(params, "type")
    if side not in {"BUY", "SELL"}:
        raise Bad(-1117, "Invalid side.")
    if kind not in PLAIN | CONDITIONAL:
        raise Bad(-1116, "Invalid orderType.")
    if not algo and kind in CONDITIONAL:
        raise Bad(-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.")
    if algo and (kind not in CONDITIONAL or need(params, "algoType") != "CONDITIONAL"):
        raise Bad(-1116, "Invalid orderType.")
    in_force, leg = params.get("timeInForce", "GTC"), params.get("positionSide", "BOTH")
    if in_force not in _TIMES:
        raise Bad(-1115, "Invalid timeInForce.")
    if leg not in {"BOTH", "LONG", "SHORT"}:
        raise Bad(-4060, "Invalid position side.")
    if params.get("workingType", "CONTRACT_PRICE") not in {"CONTRACT_PRICE", "MARK_PRICE"}:
        raise Bad(-1130, "Data sent for parameter 'workingType' is not valid.")
    closes = flag(params, "closePosition")
    _check_needed(params, kind, closes)
    name = "clientAlgoId" if algo else "newClientOrderId"
    order = ContractOrder(
        book.next_id(),
        contract,
        side,
        decimal(params, "quantity") or ZERO,
        decimal(params, "price"),
        decimal(params, "triggerPrice") if algo else None,
        flag(params, "reduceOnly"),
        client_id(params, name) or secrets.token_hex(11),
        now_ms,
        type=kind,
        close_position=closes,
        time_in_force=in_force,
        working_type=params.get("workingType", "CONTRACT_PRICE"),
        activation=decimal(params, "activatePrice") if algo else None,
        callback=_callback(params) if kind == "TRAILING_STOP_MARKET" else None,
        quirks=quirks,
    )
    order.position_side = "LONG" if leg == "LONG" else "SHORT" if leg == "SHORT" else "BOTH"
    return order


def _check_needed(params: Params, kind: str, closes: bool) -> None:
    if closes and (kind not in CLOSERS or "quantity" in params or flag(params, "reduceOnly")):
        raise Bad(-4136, f"Target strategy invalid for orderType {kind},closePosition true")
    needed = [] if closes else ["quantity"]
    needed += ["price"] if kind in LIMITED else []
    needed += ["timeInForce"] if kind == "LIMIT" else []
    needed += ["triggerPrice"] if kind in CONDITIONAL - {"TRAILING_STOP_MARKET"} else []
    needed += ["callbackRate"] if kind == "TRAILING_STOP_MARKET" else []
    for name in needed:
        need(params, name)
    if kind not in LIMITED and "price" in params:
        raise Bad(-1106, "Parameter 'price' sent when not required.")


def _callback(params: Params) -> Decimal:
    text = need(params, "callbackRate")
    if not _NUMBER.match(text) or not _CALLBACK[0] <= Decimal(text) <= _CALLBACK[1]:
        raise Bad(-2007, "Invalid callBack rate.")
    return Decimal(text)


def which(params: Params, *, algo: bool) -> tuple[int | None, str | None]:
    """Read an order's id or its client id, of which one must be there."""
    names = ("algoId", "clientAlgoId") if algo else ("orderId", "origClientOrderId")
    number_sent, client = whole(params, names[0]), params.get(names[1])
    if number_sent is None and not client:
        raise Bad(-1102, f"Param '{names[1]}' or '{names[0]}' must be sent, but both were empty/null!")
    return number_sent, client


def order_form(one: ContractOrder, seen_at_ms: int | None = None) -> dict[str, Any]:
    """Write an order as New-Order (without a time of looking) and Query-Order do."""
    fills = one.fills(seen_at_ms)
    filled = sum((t.quantity for t in fills), ZERO)
    paid = sum((one.contract.notional(t.quantity, t.price) for t in fills), ZERO)
    average = sum((t.quantity * t.price for t in fills), ZERO) / filled if filled else ZERO
    inverse = one.contract.inverse
    form: dict[str, Any] = {
        "orderId": one.id,
        "symbol": one.contract.id,
        **({"pair": one.contract.base + one.contract.quote} if inverse else {}),
        "status": one.status if seen_at_ms is None else one.status_seen(seen_at_ms),
        "clientOrderId": one.client_id,
        "price": str(one.price or 0),
        "avgPrice": number(average) if filled else "0.00",
        "origQty": str(one.quantity),
        "executedQty": str(filled),
        "cumBase" if inverse else "cumQuote": number(paid) if paid else "0",
        "timeInForce": one.time_in_force,
        "type": one.type,
        "origType": one.type,
        "reduceOnly": one.reduce_only,
        "closePosition": one.close_position,
        "side": one.side,
        "positionSide": one.position_side,
        "stopPrice": "0",
        "workingType": one.working_type,
        "priceProtect": False,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": 0,
        "updateTime": one.updated_ms,
    }
    return form | ({"cumQty": str(filled)} if seen_at_ms is None else {"time": one.time_ms})


def algo_form(one: ContractOrder) -> dict[str, Any]:
    """Write an algo order; what it executed is told by the order that it placed, `actualOrderId`."""
    child = one.child
    fills = child.fills() if child else []
    average = sum((t.quantity * t.price for t in fills), ZERO) / child.filled() if child and fills else ZERO
    trailing = {} if one.callback is None else {"callbackRate": str(one.callback)}
    if one.activation is not None:
        trailing["activatePrice"] = str(one.activation)
    return {
        "algoId": ALGO_IDS + one.id,
        "clientAlgoId": one.client_id,
        "algoType": "CONDITIONAL",
        "orderType": one.type,
        "symbol": one.contract.id,
        "side": one.side,
        "positionSide": one.position_side,
        "timeInForce": one.time_in_force,
        "quantity": str(one.quantity),
        "algoStatus": one.status,
        "actualOrderId": str(child.id) if child else "",
        "actualPrice": number(average),
        "triggerPrice": str(one.trigger or 0),
        "price": str(one.price or 0),
        "icebergQuantity": None,
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": one.working_type,
        "priceMatch": "NONE",
        "closePosition": one.close_position,
        "priceProtect": False,
        "reduceOnly": one.reduce_only,
        **trailing,
        "createTime": one.time_ms,
        "updateTime": one.updated_ms,
        "triggerTime": one.triggered_ms if child else 0,
        "goodTillDate": 0,
    }


def trade_form(trade: ContractTrade) -> dict[str, Any]:
    """Write a fill as Account-Trade-List does."""
    order = trade.order
    return {
        "buyer": order.side == "BUY",
        "commission": number(trade.fee),
        "commissionAsset": order.contract.settle,
        "id": trade.id,
        "maker": trade.maker,
        "orderId": order.id,
        "price": str(trade.price),
        "qty": str(trade.quantity),
        "quoteQty": number(order.contract.notional(trade.quantity, trade.price)),
        "realizedPnl": number(trade.profit),
        "side": order.side,
        "positionSide": order.position_side,
        "symbol": order.contract.id,
        "time": trade.time_ms,
    }

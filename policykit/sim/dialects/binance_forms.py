"""How Binance writes its answers and refusals, and how it reads parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from policykit.sim.dialects.base import Reply, World
from policykit.sim.market import Symbol
from policykit.sim.venue import Order, Trade

WHOLE = re.compile(r"[0-9]{1,20}\Z")
_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?\Z")
_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}\Z")
DEFAULT_LIMIT = 500
MAX_LIMIT = 1_000


class Bad(Exception):
    """A request that is refused before it reaches the matching engine."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.reply = bad(code, text)


def bad(code: int, text: str, status: int = 400, headers: dict[str, str] | None = None) -> Reply:
    """Make an error reply: `{"code": -1121, "msg": "Invalid symbol."}`."""
    return Reply(status, {"code": code, "msg": text}, headers or {}, code)


def missing(name: str) -> Reply:
    """Make the reply to a request without a parameter that it needs."""
    return bad(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def number(value: Decimal) -> str:
    """Write a price or quantity with eight decimals."""
    return f"{value:.8f}"


def symbol_of(world: World, params: Mapping[str, str]) -> Symbol:
    """Read the parameter `symbol`, which must be there and known."""
    name = need(params, "symbol")
    symbol = world.venue.symbols.get(name)
    if symbol is None:
        raise Bad(-1121, "Invalid symbol.")
    return symbol


def need(params: Mapping[str, str], name: str) -> str:
    """Return a mandatory parameter."""
    value = params.get(name)
    if not value:
        raise Bad(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return value


def decimal(params: Mapping[str, str], name: str) -> Decimal | None:
    """Read an optional number."""
    value = params.get(name)
    if value is None:
        return None
    if not _DECIMAL.match(value):
        legal = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
        raise Bad(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")
    return Decimal(value)


def whole(params: Mapping[str, str], name: str) -> int | None:
    """Read an optional whole number."""
    value = params.get(name)
    if value is None:
        return None
    if not WHOLE.match(value):
        raise Bad(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(value)


def client_id(params: Mapping[str, str], name: str) -> str | None:
    """Read an optional client order id."""
    value = params.get(name)
    if value is not None and not _CLIENT_ID.match(value):
        legal = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
        raise Bad(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")
    return value


def which(params: Mapping[str, str]) -> tuple[int | None, str | None]:
    """Read orderId or origClientOrderId, of which one must be there."""
    order_id, client = whole(params, "orderId"), params.get("origClientOrderId")
    if order_id is None and not client:
        raise Bad(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    return order_id, client


def span(params: Mapping[str, str], items: list[tuple[int, int, dict[str, Any]]], from_id: str) -> list[dict[str, Any]]:
    """Cut a list of (id, time, body) as orderId/fromId, startTime, endTime and limit say."""
    first, start, end = whole(params, from_id), whole(params, "startTime"), whole(params, "endTime")
    limit = min(whole(params, "limit") or DEFAULT_LIMIT, MAX_LIMIT)
    kept = [
        body
        for item_id, at_ms, body in items
        if (first is None or item_id >= first) and (start is None or at_ms >= start) and (end is None or at_ms <= end)
    ]
    return kept[:limit] if first is not None or start is not None else kept[-limit:]


def order_terms(order: Order, seen_at_ms: int | None = None) -> dict[str, Any]:
    """Write what every form of an order has in common."""
    new = order.new
    return {
        "symbol": new.symbol.id,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": new.client_order_id,
        "price": number(new.price or Decimal(0)),
        "origQty": number(order.quantity),
        "executedQty": number(order.filled(seen_at_ms)),
        "origQuoteOrderQty": number(new.quote_quantity or Decimal(0)),
        "cummulativeQuoteQty": number(order.filled_quote(seen_at_ms)),
        "status": order.status if seen_at_ms is None else order.status_seen(seen_at_ms),
        "timeInForce": new.time_in_force,
        "type": new.type,
        "side": new.side,
        **({} if new.stop_price is None else {"stopPrice": number(new.stop_price)}),
        "selfTradePreventionMode": "NONE",
    }


def order_looked_up(order: Order, now_ms: int) -> dict[str, Any]:
    """Write an order as GET order, openOrders and allOrders do."""
    return {
        **order_terms(order, now_ms),
        "stopPrice": number(order.new.stop_price or Decimal(0)),
        "icebergQty": number(Decimal(0)),
        "time": order.time_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.working,
        "workingTime": order.time_ms if order.working else -1,
    }


def order_placed(order: Order, form: str) -> dict[str, Any]:
    """Write an order as POST order does: ACK, RESULT or FULL."""
    terms = order_terms(order)
    if form == "ACK":
        short = ("symbol", "orderId", "orderListId", "clientOrderId")
        return {**{name: terms[name] for name in short}, "transactTime": order.time_ms}
    terms |= {"transactTime": order.time_ms, "workingTime": order.time_ms}
    if form == "FULL":
        terms["fills"] = [
            {
                "price": number(t.price),
                "qty": number(t.quantity),
                "commission": number(t.fee),
                "commissionAsset": t.fee_asset,
                "tradeId": t.id,
            }
            for t in order.trades
        ]
    return terms


def trade_listed(trade: Trade) -> dict[str, Any]:
    """Write a fill as GET myTrades does."""
    return {
        "symbol": trade.symbol.id,
        "id": trade.id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": number(trade.price),
        "qty": number(trade.quantity),
        "quoteQty": number(trade.price * trade.quantity),
        "commission": number(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.time_ms,
        "isBuyer": trade.side == "BUY",
        "isMaker": trade.maker,
        "isBestMatch": True,
    }

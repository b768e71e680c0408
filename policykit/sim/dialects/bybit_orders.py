"""Bybit v5: orders of spot and of linear contracts, their fills, and the leverage. Inverse ones can only be read.

Source: bybit-exchange/docs docs/v5/order (read 2026-11-21, see bybit_forms.py), position/leverage.mdx@0372c35a. Not
simulated: spot's conditional orders (`StopOrder`; `tpslOrder` is), TP and SL attached to an order of a contract, or
with a price of their own, borrowing, batches; each is refused with 10001, which says so.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final, NamedTuple

from policykit.sim.contracts import Contract, ContractOrder, Side
from policykit.sim.dialects.base import Request, World
from policykit.sim.dialects.bybit_account import meant, missing
from policykit.sim.dialects.bybit_forms import (
    Bad,
    acknowledged,
    contract_fill,
    contract_form,
    contract_name,
    contract_number,
    decimal,
    need,
    ok,
    one_of,
    refusal,
    spot_fill,
    spot_form,
    spot_number,
)
from policykit.sim.dialects.reading import Endpoint, params_of
from policykit.sim.futures import Refused
from policykit.sim.keys import SimKey
from policykit.sim.market import Symbol
from policykit.sim.venue import OPEN, ZERO, NewOrder, Order, Quirks, Rejected, Report

Params = Mapping[str, Any]
#: Rows of a page: unless told, and at most (order-list.mdx; execution.mdx has 50 and 100).
PAGE, MAX_PAGE = 20, 50
#: The most orders of one batch (rate-limit.mdx, "Instructions for batch endpoints").
BATCH = 10
#: How long the history shows an order that ended without a fill (order-list.mdx: 7 days), ms.
_KEPT_MS: Final = 7 * 86_400_000
_LINK: Final = re.compile(r"[A-Za-z0-9_-]{1,36}\Z")
_TIMES: Final = ("GTC", "IOC", "FOK", "PostOnly")
_LEGS: Final[dict[str, Side]] = {"0": "BOTH", "1": "LONG", "2": "SHORT"}
#: Parameters of an order that would make it another one, and are not simulated.
_UNKNOWN: Final = ("orderIv", "slippageTolerance", "tpLimitPrice", "slLimitPrice")


def create(world: World, params: Params, now_ms: int, quirks: Quirks) -> dict[str, Any]:
    """Answer POST /v5/order/create: an acknowledgement, which says nothing of what became of the order."""
    other = next((name for name in _UNKNOWN if params.get(name) not in (None, "", "0", 0)), None)
    if other is not None or str(params.get("isLeverage", "0")) != "0":
        raise Bad(10001, f"Request parameter error: {other or 'isLeverage'} is not simulated.")
    if one_of(params, "category", "spot", "linear") == "spot":
        return acknowledged(_create_spot(world, params, now_ms, quirks))
    if _attached(params):
        raise Bad(10001, "Request parameter error: TP and SL of a contract are not simulated.")
    return acknowledged(_create_contract(world, params, now_ms, quirks))


def _attached(params: Params) -> tuple[tuple[str, Decimal], ...]:
    """Read TP and SL attached to an order (create-order.mdx): a spot limit order may have them, at the market here."""
    told = (("STOP_LOSS", decimal(params, "stopLoss")), ("TAKE_PROFIT", decimal(params, "takeProfit")))
    return tuple((kind, price) for kind, price in told if price)


def _link(params: Params) -> str:
    link = params.get("orderLinkId") or secrets.token_hex(16)
    if not _LINK.match(str(link)):
        raise Bad(10001, "Request parameter error: orderLinkId.")
    return str(link)


def _terms(params: Params) -> tuple[str, bool, str, Decimal | None]:
    """Read side, whether it is a limit order, its time in force and its price."""
    side = one_of(params, "side", "Buy", "Sell").upper()
    limit = one_of(params, "orderType", "Limit", "Market") == "Limit"
    in_force = str(params.get("timeInForce") or "GTC")
    if in_force not in _TIMES:
        raise Bad(10001, f"Request parameter error: timeInForce is {in_force}.")
    if limit:
        need(params, "price")
    return side, limit, in_force, decimal(params, "price") if limit else None  # a market order ignores its price


def _create_spot(world: World, params: Params, now_ms: int, quirks: Quirks) -> Order:
    symbol, link = _pair(world, params), _link(params)
    side, limit, in_force, price = _terms(params)
    amount = decimal({"qty": need(params, "qty")}, "qty")
    kind = ("LIMIT_MAKER" if in_force == "PostOnly" else "LIMIT") if limit else "MARKET"
    trigger = decimal(params, "triggerPrice")
    if trigger is not None:
        if params.get("orderFilter") != "tpslOrder":
            raise Bad(10001, "Request parameter error: a spot order with triggerPrice is simulated as tpslOrder only.")
        rises = trigger > world.venue.path.mid(symbol, now_ms)
        kind = ("STOP_LOSS" if rises == (side == "BUY") else "TAKE_PROFIT") + ("_LIMIT" if limit else "")
    attached = _attached(params)
    priced = "Limit" in (params.get("slOrderType"), params.get("tpOrderType"))
    if attached and (not limit or trigger is not None or priced):
        raise Bad(10001, "Request parameter error: TP and SL at the market of a limit order are simulated only.")
    # create-order.mdx: a market buy is by value unless `marketUnit` says otherwise.
    unit = str(params.get("marketUnit") or ("quoteCoin" if side == "BUY" else "baseCoin"))
    by_value = kind == "MARKET" and unit == "quoteCoin"
    if any(one.new.client_order_id == link for one in world.venue.orders.values()):
        raise Bad(170141, "Duplicate clientOrderId.")
    new = NewOrder(
        symbol=symbol,
        side=side,
        type=kind,
        client_order_id=link,
        quantity=None if by_value else amount,
        quote_quantity=amount if by_value else None,
        price=price,
        stop_price=trigger,
        time_in_force="GTC" if in_force == "PostOnly" else in_force,
        attached=attached,
    )
    try:
        return world.venue.place(new, now_ms, quirks)
    except Rejected as error:
        if kind != "LIMIT_MAKER" or "immediately match" not in error.text or amount is None:
            raise
        # create-order.mdx: a post-only order that would be filled at once is taken, and cancelled.
        order = Order(len(world.venue.orders) + 1, new, amount, now_ms, quirks, status="CANCELED", updated_ms=now_ms)
        world.venue.orders[order.id] = order
        world.venue.on_report(Report(order, "CANCELED", now_ms))
        return order


def _create_contract(world: World, params: Params, now_ms: int, quirks: Quirks) -> ContractOrder:
    book, contract, link = world.linear.book, _listed(world, params), _link(params)
    side, limit, in_force, price = _terms(params)
    amount, trigger = decimal({"qty": need(params, "qty")}, "qty") or ZERO, decimal(params, "triggerPrice")
    closes = _flag(params, "reduceOnly") and _flag(params, "closeOnTrigger") and not amount
    kind = "LIMIT" if limit else "MARKET"
    if trigger is not None:
        rises = one_of({"triggerDirection": str(params.get("triggerDirection", ""))}, "triggerDirection", "1", "2")
        kind = ("STOP" if (rises == "1") == (side == "BUY") else "TAKE_PROFIT") + ("" if limit else "_MARKET")
    leg = _LEGS.get(str(params.get("positionIdx", 0)))
    if leg is None:
        raise Bad(10001, "position idx not match position mode")
    if any(one.client_id == link for one in book.known.values()):
        raise Bad(110072, "OrderLinkedID is duplicate")
    order = ContractOrder(
        book.next_id(),
        contract,
        side,
        abs(book.held(contract, leg)) if closes and trigger is None else amount,
        price,
        trigger,
        _flag(params, "reduceOnly") and leg == "BOTH" and not (closes and trigger is not None),
        link,
        now_ms,
        type=kind,
        position_side=leg,
        close_position=closes and trigger is not None,
        time_in_force="GTX" if in_force == "PostOnly" else in_force,
        quirks=quirks,
    )
    try:
        return world.linear.place(order, now_ms)
    except Refused as error:
        if error.why != "post_only":
            raise
        order.status, order.updated_ms = "CANCELED", now_ms
        book.known[order.id] = order
        return order


def cancel(world: World, params: Params, now_ms: int, quirks: Quirks) -> dict[str, Any]:
    """Answer POST /v5/order/cancel: by the exchange's id, else by the user's."""
    number, link = str(params.get("orderId") or ""), str(params.get("orderLinkId") or "")
    if not number and not link:
        raise Bad(10001, "Request parameter error: orderId or orderLinkId is required.")
    if one_of(params, "category", "spot", "linear") == "spot":
        found = world.venue.cancel(_pair(world, params), now_ms, spot_number(number), None if number else link)
        return acknowledged(found)
    contract = _listed(world, params)
    order = world.linear.find(contract, now_ms, contract_number(number), None if number else link)
    placed = order.child if order.child is not None else order  # one that triggered has the id that it had before
    world.linear.cancel(placed, now_ms)
    return acknowledged(order)


def amend(world: World, params: Params, now_ms: int, quirks: Quirks) -> dict[str, Any]:
    """Answer POST /v5/order/amend (amend-order.mdx): quantity, price, or both; the answer only says it was taken."""
    number, link = str(params.get("orderId") or ""), str(params.get("orderLinkId") or "")
    quantity, price = decimal(params, "qty"), decimal(params, "price")
    if one_of(params, "category", "spot", "linear") == "spot":
        found = world.venue.resting(_pair(world, params), now_ms, spot_number(number), None if number else link)
        size = found.quantity if quantity is None else quantity
        world.venue.amend(found, size, found.new.price or ZERO if price is None else price, now_ms)
        return acknowledged(found)
    order = world.linear.find(_listed(world, params), now_ms, contract_number(number), None if number else link)
    size = order.quantity if quantity is None else quantity
    world.linear.amend(order, size, order.price or ZERO if price is None else price, now_ms)
    return acknowledged(order)


def cancel_batch(world: World, params: Params, now_ms: int, quirks: Quirks) -> dict[str, Any]:
    """Answer POST /v5/order/cancel-batch: each order by itself; those that are gone are left out of what went."""
    asked: Any = params.get("request")
    if not isinstance(asked, list) or not 1 <= len(asked) <= BATCH:
        raise Bad(10001, "Request parameter error: 1 to 10 orders are needed.")
    went = []
    for one in asked:
        with suppress(Bad, Refused, Rejected):
            went.append(cancel(world, {**one, "category": params.get("category", "")}, now_ms, quirks))
    return {"list": went}


def cancel_all(world: World, params: Params, now_ms: int, quirks: Quirks) -> dict[str, Any]:
    """Answer POST /v5/order/cancel-all: what is open of a symbol, conditional orders too."""
    if one_of(params, "category", "spot", "linear") == "spot":
        symbol = _pair(world, params)
        open_ones = [one for one in world.venue.orders.values() if one.is_open and one.new.symbol is symbol]
        return {"list": [acknowledged(world.venue.cancel(symbol, now_ms, one.id, None)) for one in open_ones]}
    contract = _listed(world, params)
    found = [one for one in world.linear.book.orders if one.contract is contract]
    return {"list": [acknowledged(world.linear.cancel(one, now_ms)) for one in found]}


def set_leverage(world: World, params: Params, now_ms: int, quirks: Quirks) -> dict[str, Any]:
    """Answer POST /v5/position/set-leverage: of both sides alike; whole numbers are simulated."""
    one_of(params, "category", "linear")
    contract, buy, sell = _listed(world, params), need(params, "buyLeverage"), need(params, "sellLeverage")
    if buy != sell or not re.fullmatch(r"[0-9]{1,3}", buy):
        raise Bad(10001, "Request parameter error: buyLeverage and sellLeverage must be one whole number.")
    if world.linear.book.set_of(contract).leverage == int(buy):
        raise Bad(110043, "Set leverage not modified")
    world.linear.set_leverage(contract, int(buy), now_ms)
    return {}


# -- look-ups -------------------------------------------------------------------------------------------------------


def realtime(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer GET /v5/order/realtime: open orders, and with an id or `openOnly` ended ones as well."""
    params = params_of(request)
    ended = bool(params.get("orderId") or params.get("orderLinkId") or str(params.get("openOnly", "0")) != "0")
    return _orders(world, params, now_ms, lambda is_open, touched_ms: is_open or ended)


def history(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer GET /v5/order/history: orders of the last seven days, open or ended."""
    return _orders(world, params_of(request), now_ms, lambda is_open, at_ms: is_open or now_ms - at_ms < _KEPT_MS)


def _orders(world: World, params: dict[str, Any], now_ms: int, shown: Callable[[bool, int], bool]) -> Any:
    unsaid = missing(params)
    if unsaid is not None:
        return unsaid
    waiting = {None: (True, False), "StopOrder": (True,), "tpslOrder": (True,), "Order": (False,)}.get(
        params.get("orderFilter") or None, ()
    )
    if params.get("category") == "spot":
        rows = [
            spot_form(one, now_ms)
            for one in _spot_orders(world, params, now_ms)
            if shown(one.status_seen(now_ms) in OPEN, one.updated_ms) and (one.new.stop_price is not None) in waiting
        ]
    else:
        rows = [
            contract_form(one, now_ms)
            for one in _contract_orders(world, params, now_ms)
            if shown((one.child or one).status_seen(now_ms) in OPEN, one.updated_ms)
            and (one.trigger is not None) in waiting
        ]
    rows.sort(key=lambda row: int(row["createdTime"]), reverse=True)
    return ok(_page(params, rows, PAGE, MAX_PAGE), now_ms)


def executions(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer GET /v5/execution/list: fills, newest first."""
    params = params_of(request)
    rows: list[dict[str, Any]] = []
    if params.get("category") == "spot":
        for one in _spot_orders(world, params, now_ms):
            seen = [t for t in one.trades if t.visible_ms <= now_ms]
            rows += [spot_fill(one, trade, world.venue.fee) for trade in seen]
    else:
        for order in _contract_orders(world, params, now_ms):
            rows += [contract_fill(order, trade) for trade in (order.child or order).fills(now_ms)]
    rows.sort(key=lambda row: (int(row["execTime"]), row["execId"]), reverse=True)
    return ok(_page(params, rows, 50, 100), now_ms)


def _spot_orders(world: World, params: Params, now_ms: int) -> list[Order]:
    """Return what is visible of the orders that are asked for."""
    number, link, symbol = spot_number(params.get("orderId")), params.get("orderLinkId"), params.get("symbol")
    found = []
    for one in world.venue.visible(now_ms):
        if number is not None or link:
            if number == one.id if number is not None else link == one.new.client_order_id:
                found.append(one)
        elif symbol in (None, "", one.new.symbol.id):
            found.append(one)
    return found


def _contract_orders(world: World, params: dict[str, Any], now_ms: int) -> list[ContractOrder]:
    """Return the same of contracts; what a conditional order placed is in it under that one's id."""
    world.linear.settle(now_ms)
    book = world.futures.get(str(params.get("category", "")))
    if book is None:
        return []
    number, link = contract_number(params.get("orderId")), params.get("orderLinkId")
    children = {id(one.child) for one in book.known.values() if one.child is not None}
    found = []
    for one in book.known.values():
        if id(one) in children or one.visible_ms > now_ms:
            continue
        if number is not None or link:
            if number == one.id if number is not None else link == one.client_id:
                found.append(one)
        elif meant(one.contract, params):
            found.append(one)
    return found


def _page(params: Params, rows: list[dict[str, Any]], usual: int, most: int) -> dict[str, Any]:
    start, size = int(params.get("cursor") or 0), min(int(params.get("limit") or usual), most)
    cursor = str(start + size) if len(rows) > start + size else ""
    return {"category": params.get("category"), "list": rows[start : start + size], "nextPageCursor": cursor}


# -- parameters -----------------------------------------------------------------------------------------------------


def _pair(world: World, params: Params) -> Symbol:
    symbol = world.venue.symbols.get(need(params, "symbol"))
    if symbol is None:
        raise Bad(170121, "Invalid symbol.")
    return symbol


def _listed(world: World, params: Params) -> Contract:
    name = need(params, "symbol")
    found = next((one for one in world.linear.book.contracts.values() if contract_name(one) == name), None)
    if found is None:
        raise Bad(10001, "params error: symbol invalid")
    return found


def _flag(params: Params, name: str) -> bool:
    return str(params.get(name, "")).lower() == "true"


class Write(NamedTuple):
    """A call that changes something: where faults meet it, and what it does."""

    point: str
    handler: Callable[[World, Params, int, Quirks], dict[str, Any]]


WRITES: Final = {
    ("POST", "/v5/order/create"): Write("order", create),
    ("POST", "/v5/order/amend"): Write("order", amend),
    ("POST", "/v5/order/cancel"): Write("cancel", cancel),
    ("POST", "/v5/order/cancel-batch"): Write("cancel", cancel_batch),
    ("POST", "/v5/order/cancel-all"): Write("cancel", cancel_all),
    ("POST", "/v5/position/set-leverage"): Write("other", set_leverage),
}
READS: Final = {
    ("GET", "/v5/order/realtime"): Endpoint(realtime, point="lookup"),
    ("GET", "/v5/order/history"): Endpoint(history, point="lookup"),
    ("GET", "/v5/execution/list"): Endpoint(executions, point="lookup"),
}

__all__ = ["READS", "WRITES", "Bad", "refusal"]

"""Binance USD-M futures: orders, the algo service, and what is set of the account. COIN-M can only be read here.

Source: developers.binance.com/docs/derivatives usds-margined-futures, trade/rest-api (as kept 2026-06, read 2026-11);
where a page was not kept, ccxt 4.5.90's parsers. Conditional orders are taken by the algo service only (2025-12-09).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps

from policykit.sim.contracts import ContractOrder
from policykit.sim.dialects.base import Reply, Route, World
from policykit.sim.dialects.binance_forms import Bad, bad, decimal, need, span, whole
from policykit.sim.dialects.binance_futures_forms import (
    ALGO_IDS,
    algo_form,
    contract_of,
    flag,
    order_form,
    read_order,
    refused,
    trade_form,
    which,
)
from policykit.sim.futures import Refused
from policykit.sim.limits import FUTURES_SPANS
from policykit.sim.venue import Quirks

Params = Mapping[str, str]
Handler = Callable[[World, Params, int, Quirks], Reply]
ACCOUNT = "futures"
_DONE = "The operation of cancel all open order is done."
#: An order that was cancelled or expired without a fill is not found after three days (Query-Order).
_FORGOTTEN_MS = 3 * 86_400_000
#: recvWindow where none is sent (general-info).
_RECV_WINDOW_MS = 5_000


def _guarded(handler: Handler) -> Handler:
    @wraps(handler)
    def run(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        try:
            return handler(world, params, now_ms, quirks)
        except Refused as error:
            raise refused(error) from None

    return run


def _in_time(handler: Handler) -> Handler:
    """Let the matching engine check the time once more (change-log 2023-04-17): POST and PUT order, not the algo's."""

    def run(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        window = whole(params, "recvWindow")
        if now_ms - int(params["timestamp"]) > (_RECV_WINDOW_MS if window is None else window):
            return bad(-5028, "Timestamp for this request is outside of the ME recvWindow.")
        return handler(world, params, now_ms, quirks)

    return run


def _place(*, algo: bool) -> Handler:
    @_guarded
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer POST order or algoOrder."""
        order = read_order(world, params, now_ms, quirks, algo=algo)
        broken = world.limits.too_many_orders(ACCOUNT, now_ms, FUTURES_SPANS)
        if broken is not None:
            return bad(-1015, f"Too many new orders; current limit is {broken[0]} orders per {broken[1]}.", 429)
        world.linear.place(order, now_ms)
        world.limits.count_order(ACCOUNT, now_ms, FUTURES_SPANS)
        return Reply(200, algo_form(order) if algo else order_form(order))

    return handler


def _found(world: World, params: Params, now_ms: int, *, algo: bool) -> ContractOrder:
    """Return the order that is asked for, whether it is visible or not."""
    asked, client = which(params, algo=algo)
    book = world.linear.book
    contract = contract_of(book, params) if not algo or "symbol" in params else None
    if asked is not None:
        asked -= ALGO_IDS if algo else 0
    order = world.linear.find(contract, now_ms, asked, client)
    if order.conditional != algo:
        raise Refused("lookup")
    return order


def _query(*, algo: bool, only_open: bool = False) -> Handler:
    @_guarded
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer GET order, openOrder or algoOrder: what is not visible yet, or too old, does not exist."""
        order = _found(world, params, now_ms, algo=algo)
        old = order.status in {"CANCELED", "EXPIRED"} and not order.filled()
        if now_ms < order.visible_ms or (old and now_ms - order.time_ms >= _FORGOTTEN_MS):
            raise Refused("lookup")
        if only_open and not order.is_open:
            raise Refused("lookup")
        return Reply(200, algo_form(order) if algo else order_form(order, now_ms))

    return handler


def _cancel(*, algo: bool) -> Handler:
    @_guarded
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer DELETE order or algoOrder. What the algo service does not show yet it does not cancel either, with
        -2011 (freqtrade#12681: an acknowledged stop was -2013 and -2011 at first, and stood afterwards).
        """
        try:
            order = _found(world, params, now_ms, algo=algo)
            if algo and now_ms < order.visible_ms:
                raise Refused("not_open")
            world.linear.cancel(order, now_ms)
        except Refused:
            raise Refused("not_open") from None
        if algo:
            told = {"algoId": ALGO_IDS + order.id, "clientAlgoId": order.client_id}
            return Reply(200, {**told, "code": "200", "msg": "success"})
        return Reply(200, order_form(order))

    return handler


def _cancel_all(*, algo: bool) -> Handler:
    @_guarded
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer DELETE allOpenOrders or algoOpenOrders: each leaves the other family alone."""
        world.linear.cancel_all(contract_of(world.linear.book, params), now_ms, conditional=algo)
        return Reply(200, {"code": 200, "msg": _DONE})

    return handler


@_guarded
def countdown(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer POST countdownCancelAll: set anew with each call, 0 takes it off; the answer repeats both as text."""
    need(params, "countdownTime")
    contract, span_ms = contract_of(world.linear.book, params), whole(params, "countdownTime")
    assert span_ms is not None
    world.linear.count_down(contract, span_ms, now_ms)
    return Reply(200, {"symbol": contract.id, "countdownTime": str(span_ms)})


@_guarded
def amend(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer PUT order: quantity and price of a limit order are changed, both must be sent."""
    order = _found(world, params, now_ms, algo=False)
    if need(params, "side") != order.side:
        raise Bad(-1117, "Invalid side.")
    need(params, "quantity")
    need(params, "price")
    quantity, price = decimal(params, "quantity"), decimal(params, "price")
    assert quantity is not None
    assert price is not None
    return Reply(200, order_form(world.linear.amend(order, quantity, price, now_ms)))


def _list(kind: str, *, algo: bool, only_open: bool) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer openOrders, openAlgoOrders, allOrders or allAlgoOrders: an order is in one family only."""
        world.linear.settle(now_ms)
        book = world.futures[kind]
        asked = contract_of(book, params) if "symbol" in params or not only_open else None
        found = [
            one
            for one in (book.orders if only_open else book.known.values())
            if one.conditional == algo and asked in (None, one.contract) and one.visible_ms <= now_ms
        ]
        if only_open:
            return Reply(200, [algo_form(one) if algo else order_form(one, now_ms) for one in found])
        rows = [(one.id, one.time_ms, algo_form(one) if algo else order_form(one, now_ms)) for one in found]
        return Reply(200, span(params, rows, "algoId" if algo else "orderId"))

    return handler


def trades(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET userTrades."""
    world.linear.settle(now_ms)
    contract, by_order = contract_of(world.linear.book, params), whole(params, "orderId")
    found = [
        t
        for t in world.linear.book.trades
        if t.order.contract is contract and t.visible_ms <= now_ms and by_order in (None, t.order.id)
    ]
    return Reply(200, span(params, [(t.id, t.time_ms, trade_form(t)) for t in found], "fromId"))


@_guarded
def leverage(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer POST leverage."""
    need(params, "leverage")
    contract, asked = contract_of(world.linear.book, params), whole(params, "leverage")
    assert asked is not None
    world.linear.set_leverage(contract, asked, now_ms)
    return Reply(200, {"symbol": contract.id, "leverage": asked, "maxNotionalValue": "50000000"})


@_guarded
def margin_type(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer POST marginType."""
    kind = need(params, "marginType")
    if kind not in {"ISOLATED", "CROSSED"}:
        raise Bad(-1130, "Data sent for parameter 'marginType' is not valid.")
    world.linear.set_isolated(contract_of(world.linear.book, params), kind == "ISOLATED", now_ms)
    return Reply(200, {"code": 200, "msg": "success"})


@_guarded
def position_mode(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer POST positionSide/dual."""
    need(params, "dualSidePosition")
    world.linear.set_hedge(flag(params, "dualSidePosition"), now_ms)
    return Reply(200, {"code": 200, "msg": "success"})


def _flat(weight: int) -> Callable[[Params], int]:
    return lambda params: weight


def _by_symbol(params: Params) -> int:
    return 1 if "symbol" in params else 40


_TRADE, _READ = "enableFutures", "enableReading"
_Row = tuple[str, str, Callable[[Params], int], Handler, str]
_LIST: list[_Row] = [
    # "0 on IP rate limit", and 1 of both order counts (New-Order); weights elsewhere as the pages say.
    ("POST /fapi/v1/order", "order", _flat(0), _in_time(_place(algo=False)), _TRADE),
    ("POST /fapi/v1/algoOrder", "order", _flat(0), _place(algo=True), _TRADE),
    ("PUT /fapi/v1/order", "order", _flat(1), _in_time(amend), _TRADE),
    ("DELETE /fapi/v1/order", "cancel", _flat(1), _cancel(algo=False), _TRADE),
    ("DELETE /fapi/v1/algoOrder", "cancel", _flat(1), _cancel(algo=True), _TRADE),
    ("DELETE /fapi/v1/allOpenOrders", "cancel", _flat(1), _cancel_all(algo=False), _TRADE),
    ("DELETE /fapi/v1/algoOpenOrders", "cancel", _flat(1), _cancel_all(algo=True), _TRADE),
    ("GET /fapi/v1/order", "lookup", _flat(1), _query(algo=False), _READ),
    ("GET /fapi/v1/openOrder", "lookup", _flat(1), _query(algo=False, only_open=True), _READ),
    ("GET /fapi/v1/algoOrder", "lookup", _flat(1), _query(algo=True), _READ),
    ("GET /fapi/v1/allOrders", "lookup", _flat(5), _list("linear", algo=False, only_open=False), _READ),
    ("GET /fapi/v1/allAlgoOrders", "lookup", _flat(5), _list("linear", algo=True, only_open=False), _READ),
    ("GET /fapi/v1/userTrades", "lookup", _flat(5), trades, _READ),
    ("POST /fapi/v1/countdownCancelAll", "other", _flat(10), countdown, _TRADE),
    ("POST /fapi/v1/leverage", "other", _flat(1), leverage, _TRADE),
    ("POST /fapi/v1/marginType", "other", _flat(1), margin_type, _TRADE),
    ("POST /fapi/v1/positionSide/dual", "other", _flat(1), position_mode, _TRADE),
    *(
        (f"GET /{api}/v1/{name}", "lookup", _by_symbol, _list(kind, algo=algo, only_open=True), _READ)
        for api, kind in (("fapi", "linear"), ("dapi", "inverse"))
        for name, algo in (("openOrders", False), ("openAlgoOrders", True))
    ),
]
ROUTES: dict[tuple[str, str], Route] = {
    (name.split(" ")[0], name.split(" ")[1]): Route(name, point, weight, handler, security, name.split("/")[1])
    for name, point, weight, handler, security in _LIST
}
#: The calls that place an order, whose answers tell the order counts.
PLACES = frozenset(name for name, *_ in _LIST if name in {"POST /fapi/v1/order", "POST /fapi/v1/algoOrder"})

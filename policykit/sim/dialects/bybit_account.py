"""Bybit v5: markets, positions and open orders of the simulated account.

Source: bybit-exchange/docs@0168962c docs/v5 (read 2026-11): market/instrument.mdx, market/tickers.mdx,
position/position.mdx, order/open-order.mdx ("all kinds of orders by default", 20 a page and 50 at most).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from policykit.sim.contracts import Contract, ContractOrder, Position
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import params_of
from policykit.sim.keys import SimKey
from policykit.sim.market import Symbol

#: Rows of a page: unless told, and at most.
PAGE, MAX_PAGE = 20, 50
_KINDS = {"linear": "linear", "inverse": "inverse"}
_INDEX = {"BOTH": 0, "LONG": 1, "SHORT": 2}


def ok(result: Any, now_ms: int) -> dict[str, Any]:
    """Make an answer."""
    return {"retCode": 0, "retMsg": "", "result": result, "retExtInfo": {}, "time": now_ms}


def bad(code: int, message: str) -> Reply:
    """Make an error, which Bybit answers with status 200."""
    return Reply(200, {"retCode": code, "retMsg": message, "result": {}, "retExtInfo": {}}, code=code)


def _id(contract: Contract) -> str:
    return f"{contract.base}USD" if contract.inverse else contract.id


def _quantity(contract: Contract, amount: Decimal) -> Decimal:
    """Return a size as Bybit counts it: an inverse contract there is 1 USD."""
    return amount * contract.size if contract.inverse else amount


def _contracts(world: World, category: str) -> list[Contract]:
    kind = _KINDS.get(category)
    return list(world.futures[kind].contracts.values()) if kind else []


def instruments(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer GET /v5/market/instruments-info."""
    category = params_of(request).get("category", "")
    rows = [_contract(one) for one in _contracts(world, category)]
    if category == "spot":
        rows = [_pair(one) for one in world.venue.symbols.values()]
    return ok({"category": category, "list": rows, "nextPageCursor": ""}, now_ms)


def coins(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer GET /v5/asset/coin/query-info: what stock ccxt asks with a key; no chain is simulated."""
    return ok({"rows": [{"name": one, "coin": one, "chains": []} for one in world.venue.balances]}, now_ms)


def _pair(one: Symbol) -> dict[str, Any]:
    return {
        "symbol": one.id,
        "baseCoin": one.base,
        "quoteCoin": one.quote,
        "innovation": "0",
        "status": "Trading",
        "marginTrading": "utaOnly",
        "lotSizeFilter": {
            "basePrecision": str(one.step),
            "quotePrecision": "0.0000001",
            "minOrderQty": str(one.min_quantity),
            "maxOrderQty": str(one.max_quantity),
            "minOrderAmt": str(one.min_notional),
            "maxOrderAmt": str(one.max_notional),
        },
        "priceFilter": {"tickSize": str(one.tick)},
    }


def _contract(one: Contract) -> dict[str, Any]:
    step = "1" if one.inverse else "0.001"
    return {
        "symbol": _id(one),
        "contractType": "InversePerpetual" if one.inverse else "LinearPerpetual",
        "status": "Trading",
        "baseCoin": one.base,
        "quoteCoin": one.quote,
        "launchTime": "1585526400000",
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": "2",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"},
        "lotSizeFilter": {
            "maxOrderQty": "1190.000",
            "minOrderQty": step,
            "qtyStep": step,
            "maxMktOrderQty": "500.000",
            "minNotionalValue": "5",
        },
        "unifiedMarginTrade": True,
        "fundingInterval": 480,
        "settleCoin": one.settle,
        "copyTrading": "none",
    }


def tickers(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer GET /v5/market/tickers."""
    params = params_of(request)
    category = params.get("category", "")
    prices = {_id(one): world.venue.path.mid(one.pair, now_ms) for one in _contracts(world, category)}
    if category == "spot":
        prices = {one.id: world.venue.path.mid(one, now_ms) for one in world.venue.symbols.values()}
    rows = [
        {"symbol": name, "lastPrice": str(price), "markPrice": str(price), "bid1Price": str(price)}
        | {"ask1Price": str(price), "bid1Size": "1", "ask1Size": "1", "volume24h": "1", "turnover24h": str(price)}
        for name, price in prices.items()
        if params.get("symbol") in (None, name)
    ]
    return ok({"category": category, "list": rows}, now_ms)


def positions(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer GET /v5/position/list."""
    params = params_of(request)
    missing = _missing(params)
    if missing is not None:
        return missing
    kind = _KINDS.get(params.get("category", ""))
    held = world.futures[kind].positions.values() if kind else ()
    rows = [_position(world, one, now_ms) for one in held if _meant(one.contract, params)]
    return ok({"category": params.get("category"), "list": rows, "nextPageCursor": ""}, now_ms)


def _missing(params: dict[str, Any]) -> Reply | None:
    """Refuse linear without what it needs: symbol, baseCoin or settleCoin."""
    told = [name for name in ("symbol", "baseCoin", "settleCoin") if params.get(name)]
    if params.get("category") == "linear" and not told:
        return bad(10001, "Missing some parameters that must be filled in, symbol or settleCoin or baseCoin")
    return None


def _meant(contract: Contract, params: dict[str, Any]) -> bool:
    told = {"symbol": _id(contract), "baseCoin": contract.base, "settleCoin": contract.settle}
    return all(params.get(name) in (None, "", value) for name, value in told.items())


def _position(world: World, one: Position, now_ms: int) -> dict[str, Any]:
    contract = one.contract
    mark = world.venue.path.mid(contract.pair, now_ms)
    value = abs(contract.notional(one.amount, one.entry))
    return {
        "positionIdx": _INDEX[one.side],
        "riskId": 1,
        "symbol": _id(contract),
        "side": "Buy" if one.amount > 0 else "Sell",
        "size": str(abs(_quantity(contract, one.amount))),
        "avgPrice": str(one.entry),
        "positionValue": str(value),
        "tradeMode": 1 if one.isolated else 0,
        "autoAddMargin": 0,
        "positionStatus": "Normal",
        "leverage": str(one.leverage),
        "markPrice": str(mark),
        "liqPrice": "",
        "positionIM": str(value / one.leverage),
        "positionMM": "0",
        "takeProfit": "",
        "stopLoss": "",
        "trailingStop": "0",
        "unrealisedPnl": str(one.profit(mark)),
        "cumRealisedPnl": "0",
        "createdTime": str(now_ms),
        "updatedTime": str(now_ms),
    }


def orders(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer GET /v5/order/realtime: a page; conditional orders are among the others unless a filter says which."""
    params = params_of(request)
    missing = _missing(params)
    if missing is not None:
        return missing
    kind = _KINDS.get(params.get("category", ""))
    resting = world.futures[kind].orders if kind else []
    waiting = {None: (True, False), "StopOrder": (True,), "Order": (False,)}.get(params.get("orderFilter"), ())
    found = [one for one in resting if _meant(one.contract, params) and (one.trigger is not None) in waiting]
    start, most = int(params.get("cursor") or 0), min(int(params.get("limit") or PAGE), MAX_PAGE)
    page = [_order(one) for one in found[start : start + most]]
    cursor = str(start + most) if len(found) > start + most else ""
    return ok({"category": params.get("category"), "list": page, "nextPageCursor": cursor}, now_ms)


def _order(one: ContractOrder) -> dict[str, Any]:
    quantity = str(_quantity(one.contract, one.quantity))
    return {
        "orderId": f"{one.id:08d}-0000-4000-8000-000000000000",
        "orderLinkId": one.client_id,
        "blockTradeId": "",
        "symbol": _id(one.contract),
        "price": str(one.price or 0),
        "qty": quantity,
        "side": one.side.capitalize(),
        "isLeverage": "",
        "positionIdx": 0,
        "orderStatus": "New" if one.trigger is None else "Untriggered",
        "cancelType": "UNKNOWN",
        "rejectReason": "EC_NoError",
        "avgPrice": "",
        "leavesQty": quantity,
        "cumExecQty": "0",
        "cumExecValue": "0",
        "cumExecFee": "0",
        "timeInForce": "GTC",
        "orderType": "Market" if one.price is None else "Limit",
        "stopOrderType": "" if one.trigger is None else "Stop",
        "triggerPrice": "" if one.trigger is None else str(one.trigger),
        "takeProfit": "",
        "stopLoss": "",
        "tpslMode": "",  # spot's orders have no such field: by it stock ccxt knows a contract's
        "triggerDirection": 0 if one.trigger is None else 1,
        "reduceOnly": one.reduce_only,
        "closeOnTrigger": False,
        "createdTime": str(one.time_ms),
        "updatedTime": str(one.time_ms),
    }

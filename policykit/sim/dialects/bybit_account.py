"""Bybit v5: markets and positions of the simulated account.

Source: bybit-exchange/docs@0168962c docs/v5 (read 2026-11): market/instrument.mdx, market/tickers.mdx,
position/position.mdx; market/orderbook.mdx@3633b837, market/recent-trade.mdx@003f7200, account/fee-rate.mdx@0240ae13
(read 2026-11-22; how a symbol or limit that cannot be is refused is from memory).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from policykit.sim.contracts import Contract, Position
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.bybit_forms import SIZE, bad, contract_name, contract_quantity, levels, ok
from policykit.sim.dialects.reading import params_of
from policykit.sim.futures import MAKER_FEE, TAKER_FEE
from policykit.sim.keys import SimKey
from policykit.sim.market import Symbol
from policykit.sim.venue import ZERO, Balance

_KINDS = {"linear": "linear", "inverse": "inverse"}
_INDEX = {"BOTH": 0, "LONG": 1, "SHORT": 2}


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
        "symbol": contract_name(one),
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
    pairs = {contract_name(one): one.pair for one in _contracts(world, category)}
    if category == "spot":
        pairs = {one.id: one for one in world.venue.symbols.values()}
    rows = [_ticker(world, name, pair, now_ms) for name, pair in pairs.items() if params.get("symbol") in (None, name)]
    return ok({"category": category, "list": rows}, now_ms)


def _asked(
    world: World, params: dict[str, Any], usual: tuple[int, int], most: tuple[int, int]
) -> tuple[Symbol | None, Contract | None, int] | Reply:
    """Return the market and the limit that are asked for; `usual` and `most` are limits of spot and of contracts."""
    category, name, said = params.get("category", ""), params.get("symbol"), params.get("limit")
    contract = next((one for one in _contracts(world, category) if contract_name(one) == name), None)
    pair = world.venue.symbols.get(str(name)) if category == "spot" else None
    place = int(category != "spot")
    if pair is None and contract is None:
        return bad(10001, "params error: Symbol Invalid")
    limit = usual[place] if said is None else int(said) if said.isdigit() else 0
    return (pair, contract, limit) if 1 <= limit <= most[place] else bad(10001, "params error: limit is invalid")


def orderbook(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer GET /v5/market/orderbook: 1 to 200 levels of spot, 1 to 500 of a contract."""
    params = params_of(request)
    asked = _asked(world, params, (1, 25), (200, 500))
    if isinstance(asked, Reply):
        return asked
    pair, contract, depth = asked
    if contract is not None:
        (bid, ask), tick = world.linear.touch(contract, now_ms), contract.tick
    else:
        assert pair is not None
        (bid, ask), tick = world.venue.touch(pair, now_ms), pair.tick
    told = {"s": params["symbol"], "b": levels(bid, -tick, depth), "a": levels(ask, tick, depth)}
    return ok({**told, "ts": now_ms, "u": now_ms, "seq": now_ms, "cts": now_ms}, now_ms)


def recent_trades(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer GET /v5/market/recent-trade: one trade, at the current price."""
    params = params_of(request)
    asked = _asked(world, params, (60, 500), (60, 1_000))
    if isinstance(asked, Reply):
        return asked
    pair = asked[1].pair if asked[1] is not None else asked[0]
    assert pair is not None
    price = str(world.venue.path.mid(pair, now_ms))
    told = {"execId": str(now_ms), "symbol": params["symbol"], "price": price, "size": SIZE, "side": "Buy"}
    row = {**told, "time": str(now_ms), "isBlockTrade": False}
    return ok({"category": params["category"], "list": [row]}, now_ms)


def fees(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer GET /v5/account/fee-rate: of spot, or of contracts; of one symbol or of all."""
    params = params_of(request)
    category, wanted = params.get("category", ""), params.get("symbol")
    taker, maker = TAKER_FEE, MAKER_FEE
    names, said = [contract_name(one) for one in _contracts(world, category)], {}
    if category == "spot":
        names, said = [one.id for one in world.venue.symbols.values()], {"category": category}
        taker = maker = world.venue.fee
    rates = {"takerFeeRate": str(taker), "makerFeeRate": str(maker)}
    return ok({**said, "list": [{"symbol": one, **rates} for one in names if wanted in (None, one)]}, now_ms)


def _ticker(world: World, name: str, pair: Symbol, now_ms: int) -> dict[str, str]:
    price, (bid, ask) = str(world.venue.path.mid(pair, now_ms)), world.venue.touch(pair, now_ms)
    known = {"symbol": name, "lastPrice": price, "markPrice": price, "bid1Price": str(bid), "ask1Price": str(ask)}
    return known | {"bid1Size": "1", "ask1Size": "1", "volume24h": "1", "turnover24h": price}


def wallet(world: World, balances: Mapping[str, Balance], now_ms: int) -> dict[str, Any]:
    """Write the money of a unified account: one wallet for spot, whose balances are told, and linear contracts."""
    profits: dict[str, Decimal] = {}
    for one in world.linear.book.positions.values():
        profit = one.profit(world.linear.mark(one.contract, now_ms))
        profits[one.contract.settle] = profits.get(one.contract.settle, ZERO) + profit
    rows = []
    for asset, held in balances.items():
        balance, profit = held.total + world.linear.book.wallet.get(asset, ZERO), profits.get(asset, ZERO)
        rows.append(
            {
                "coin": asset,
                "walletBalance": str(balance),
                "locked": str(held.locked),
                "equity": str(balance + profit),
                "unrealisedPnl": str(profit),
            }
        )
    return {"accountType": "UNIFIED", "coin": rows}


def positions(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer GET /v5/position/list: of a symbol that is named also when nothing is held of it."""
    params = params_of(request)
    unsaid = missing(params)
    if unsaid is not None:
        return unsaid
    world.linear.settle(now_ms)
    kind = _KINDS.get(params.get("category", ""))
    book = world.futures[kind] if kind else None
    held = [] if book is None else [one for one in book.positions.values() if meant(one.contract, params)]
    if book is not None and not held and params.get("symbol"):
        flat = (one for one in book.contracts.values() if meant(one, params))
        held += [Position(one, ZERO, ZERO, leverage=book.set_of(one).leverage) for one in flat]
    rows = [_position(world, one, now_ms) for one in held]
    return ok({"category": params.get("category"), "list": rows, "nextPageCursor": ""}, now_ms)


def missing(params: dict[str, Any]) -> Reply | None:
    """Refuse linear without what it needs: symbol, baseCoin or settleCoin."""
    told = [name for name in ("symbol", "baseCoin", "settleCoin") if params.get(name)]
    if params.get("category") == "linear" and not told:
        return bad(10001, "Missing some parameters that must be filled in, symbol or settleCoin or baseCoin")
    return None


def meant(contract: Contract, params: dict[str, Any]) -> bool:
    """Tell whether a contract is one that is asked for."""
    told = {"symbol": contract_name(contract), "baseCoin": contract.base, "settleCoin": contract.settle}
    return all(params.get(name) in (None, "", value) for name, value in told.items())


def _position(world: World, one: Position, now_ms: int) -> dict[str, Any]:
    contract = one.contract
    mark = world.venue.path.mid(contract.pair, now_ms)
    value = abs(contract.notional(one.amount, one.entry))
    return {
        "positionIdx": _INDEX[one.side],
        "riskId": 1,
        "symbol": contract_name(contract),
        "side": "Buy" if one.amount > 0 else "Sell" if one.amount else "",
        "size": str(abs(contract_quantity(contract, one.amount))),
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

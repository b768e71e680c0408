"""Binance's futures, USD-M behind /fapi and COIN-M behind /dapi: what of the account can be read.

Source: developers.binance.com/docs/derivatives usds-margined-futures and coin-margined-futures, market-data,
account and trade over REST (as kept 2026-06, read 2026-11). Nothing is liquidated, so liquidation prices are 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from policykit.sim.contracts import Book, Contract, Position, Resting
from policykit.sim.dialects.base import Reply, Route, World
from policykit.sim.dialects.binance_forms import Bad, number
from policykit.sim.venue import ZERO, Quirks

Params = Mapping[str, str]
Handler = Callable[[World, Params, int, Quirks], Reply]
#: 2100-12-25, as the documents have it for a contract without an end.
_NEVER_MS = 4_133_404_800_000
#: Positions up to here need this share of their notional as maintenance margin.
_MARGIN = Decimal("0.004")
_TYPES = ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"]
ORDERS_1M, ORDERS_10S = 1_200, 300


def _mark(world: World, contract: Contract, now_ms: int) -> Decimal:
    return world.venue.path.mid(contract.pair, now_ms)


def _asked(book: Book, params: Params) -> str | None:
    name = params.get("symbol")
    if name is not None and name not in book.contracts:
        raise Bad(-1121, "Invalid symbol.")
    return name


def _info(kind: str) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer exchangeInfo."""
        book = world.futures[kind]
        minute = {"interval": "MINUTE", "intervalNum": 1}
        limits = [
            {"rateLimitType": "REQUEST_WEIGHT", **minute, "limit": world.limits.sizes.futures_1m},
            {"rateLimitType": "ORDERS", **minute, "limit": ORDERS_1M},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": ORDERS_10S},
        ]
        symbols = [_contract(one) for one in book.contracts.values()]
        answer = {"timezone": "UTC", "serverTime": now_ms, "rateLimits": limits, "exchangeFilters": []}
        return Reply(200, {**answer, "symbols": symbols})

    return handler


def _contract(one: Contract) -> dict[str, Any]:
    step = Decimal(1) if one.inverse else Decimal("0.001")
    filters: list[dict[str, Any]] = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "4529764", "tickSize": "0.1"},
        {"filterType": "LOT_SIZE", "minQty": str(step), "maxQty": "1000", "stepSize": str(step)},
        {"filterType": "MARKET_LOT_SIZE", "minQty": str(step), "maxQty": "120", "stepSize": str(step)},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.05", "multiplierDown": "0.95", "multiplierDecimal": "4"},
    ]
    status: dict[str, Any] = {"contractStatus": "TRADING", "contractSize": int(one.size)}
    if not one.inverse:
        status = {"status": "TRADING"}
        filters.append({"filterType": "MIN_NOTIONAL", "notional": "5"})
    return {
        "symbol": one.id,
        "pair": one.base + one.quote,
        "contractType": "PERPETUAL",
        "deliveryDate": _NEVER_MS,
        "onboardDate": 1_569_398_400_000,
        **status,
        "baseAsset": one.base,
        "quoteAsset": one.quote,
        "marginAsset": one.settle,
        "pricePrecision": 1,
        "quantityPrecision": 0 if one.inverse else 3,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "filters": filters,
        "orderTypes": _TYPES,
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def _tickers(kind: str) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer ticker/24hr: of one symbol a mapping, of all a list."""
        book = world.futures[kind]
        asked = _asked(book, params)
        rows = []
        for one in book.contracts.values():
            price = number(_mark(world, one, now_ms))
            row = {"symbol": one.id, "pair": one.base + one.quote, "lastPrice": price, "weightedAvgPrice": price}
            row |= {"openPrice": price, "highPrice": price, "lowPrice": price, "priceChange": number(ZERO)}
            row |= {"priceChangePercent": "0.000", "volume": "1", "quoteVolume": "1", "baseVolume": "1"}
            rows.append({**row, "openTime": now_ms - 86_400_000, "closeTime": now_ms, "count": 1})
        found = [row for row in rows if asked in (None, row["symbol"])]
        # COIN-M answers with a list in both cases.
        return Reply(200, found[0] if asked and kind == "linear" else found)

    return handler


def _positions(kind: str) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer positionRisk: USD-M (v3) tells only what is held."""
        book = world.futures[kind]
        asked = _asked(book, params)
        held = [one for one in book.positions.values() if asked in (None, one.contract.id)]
        return Reply(200, [_risk(world, one, now_ms) for one in held])

    return handler


def _risk(world: World, one: Position, now_ms: int) -> dict[str, Any]:
    contract, mark = one.contract, _mark(world, one.contract, now_ms)
    notional = contract.notional(one.amount, mark)
    margin = abs(notional) / one.leverage
    isolated = number(margin if one.isolated else ZERO)
    row = {
        "symbol": contract.id,
        "positionSide": one.side,
        "positionAmt": str(one.amount),
        "entryPrice": str(one.entry),
        "breakEvenPrice": str(one.entry),
        "markPrice": number(mark),
        "unRealizedProfit": number(one.profit(mark)),
        "liquidationPrice": "0",
        "isolatedMargin": isolated,
        "isolatedWallet": isolated,
        "updateTime": now_ms,
    }
    if contract.inverse:
        kind = "isolated" if one.isolated else "cross"
        told = {"leverage": str(one.leverage), "maxQty": "1500", "marginType": kind, "isAutoAddMargin": "false"}
        return {**row, **told, "notionalValue": number(notional)}
    return {
        **row,
        "notional": number(notional),
        "marginAsset": contract.settle,
        "initialMargin": number(margin),
        "maintMargin": number(abs(notional) * _MARGIN),
        "positionInitialMargin": number(margin),
        "openOrderInitialMargin": "0",
        "adl": 1,
        "bidNotional": "0",
        "askNotional": "0",
    }


def _account(kind: str) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer account: the wallet's assets and, shortly, the positions."""
        book = world.futures[kind]
        assets = []
        for asset, amount in book.wallet.items():
            held = [one for one in book.positions.values() if one.contract.settle == asset]
            profit = sum((one.profit(_mark(world, one.contract, now_ms)) for one in held), ZERO)
            zeros = dict.fromkeys(("maintMargin", "initialMargin", "positionInitialMargin"), number(ZERO))
            assets.append(
                {
                    "asset": asset,
                    "walletBalance": number(amount),
                    "unrealizedProfit": number(profit),
                    "marginBalance": number(amount + profit),
                    **zeros,
                    "openOrderInitialMargin": number(ZERO),
                    "crossWalletBalance": number(amount),
                    "crossUnPnl": number(profit),
                    "availableBalance": number(amount),
                    "maxWithdrawAmount": number(amount),
                    "updateTime": now_ms,
                }
            )
        positions = [
            {"symbol": row["symbol"], "positionSide": row["positionSide"], "positionAmt": row["positionAmt"]}
            for row in (_risk(world, one, now_ms) for one in book.positions.values())
        ]
        rights = {"canTrade": True, "canDeposit": True, "canWithdraw": True, "feeTier": 0, "updateTime": 0}
        return Reply(200, {**rights, "assets": assets, "positions": positions})

    return handler


def _balance(kind: str) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer balance."""
        rows = [
            {
                "accountAlias": "SgsR",
                "asset": asset,
                "balance": number(amount),
                "crossWalletBalance": number(amount),
                "crossUnPnl": number(ZERO),
                "availableBalance": number(amount),
                "updateTime": now_ms,
            }
            for asset, amount in world.futures[kind].wallet.items()
        ]
        return Reply(200, rows)

    return handler


def _orders(kind: str, *, algo: bool) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer openOrders or openAlgoOrders: an order is in one of them only."""
        book = world.futures[kind]
        asked = _asked(book, params)
        mine = [one for one in book.orders if asked in (None, one.contract.id) and (one.trigger is not None) == algo]
        return Reply(200, [_algo(one) if algo else _order(one) for one in mine])

    return handler


def _order(one: Resting) -> dict[str, Any]:
    kind = "LIMIT" if one.price is not None else "MARKET"
    return {
        "orderId": one.id,
        "symbol": one.contract.id,
        **({"pair": one.contract.base + one.contract.quote} if one.contract.inverse else {}),
        "status": "NEW",
        "clientOrderId": one.client_id,
        "price": str(one.price or 0),
        "avgPrice": "0",
        "origQty": str(one.quantity),
        "executedQty": "0",
        "cumBase" if one.contract.inverse else "cumQuote": "0",
        "timeInForce": "GTC",
        "type": kind,
        "origType": kind,
        "reduceOnly": one.reduce_only,
        "closePosition": False,
        "side": one.side,
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "time": one.time_ms,
        "updateTime": one.time_ms,
    }


def _algo(one: Resting) -> dict[str, Any]:
    return {
        "algoId": 4_000_000_000_000_000 + one.id,
        "clientAlgoId": one.client_id,
        "algoType": "CONDITIONAL",
        "orderType": "STOP_MARKET" if one.price is None else "STOP",
        "symbol": one.contract.id,
        "side": one.side,
        "positionSide": "BOTH",
        "timeInForce": "GTC",
        "quantity": str(one.quantity),
        "algoStatus": "NEW",
        "triggerPrice": str(one.trigger),
        "price": str(one.price or 0),
        "icebergQuantity": None,
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": "CONTRACT_PRICE",
        "priceMatch": "NONE",
        "closePosition": False,
        "priceProtect": False,
        "reduceOnly": one.reduce_only,
        "createTime": one.time_ms,
        "updateTime": one.time_ms,
        "triggerTime": 0,
        "goodTillDate": 0,
    }


def _mode(kind: str) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer positionSide/dual."""
        return Reply(200, {"dualSidePosition": world.futures[kind].hedge})

    return handler


def _brackets(kind: str) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer leverageBracket: one bracket a contract."""
        unit = "qty" if kind == "inverse" else "notional"
        bracket: dict[str, Any] = {"bracket": 1, "initialLeverage": 125, f"{unit}Cap": 50_000_000, f"{unit}Floor": 0}
        bracket |= {"maintMarginRatio": float(_MARGIN), "cum": 0.0}
        book = world.futures[kind]
        return Reply(200, [{"symbol": one, "brackets": [bracket]} for one in book.contracts])

    return handler


def _ping(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    return Reply(200, {})


def _time(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    return Reply(200, {"serverTime": now_ms})


def _flat(weight: int) -> Callable[[Params], int]:
    return lambda params: weight


def _by_symbol(one: int, every: int) -> Callable[[Params], int]:
    return lambda params: one if "symbol" in params else every


_READ = "enableReading"
_Row = tuple[str, str, Callable[[Params], int], Handler, str]


def _routes(api: str, kind: str, account: str, risk: str, balance: str, brackets: str) -> list[_Row]:
    return [
        (api, f"/{api}/v1/ping", _flat(1), _ping, "none"),
        (api, f"/{api}/v1/time", _flat(1), _time, "none"),
        (api, f"/{api}/v1/exchangeInfo", _flat(1), _info(kind), "none"),
        (api, f"/{api}/v1/ticker/24hr", _by_symbol(1, 40), _tickers(kind), "none"),
        (api, account, _flat(5), _account(kind), _READ),
        (api, risk, _flat(5 if api == "fapi" else 1), _positions(kind), _READ),
        (api, balance, _flat(5 if api == "fapi" else 1), _balance(kind), _READ),
        (api, brackets, _flat(1), _brackets(kind), _READ),
        (api, f"/{api}/v1/openOrders", _by_symbol(1, 40), _orders(kind, algo=False), _READ),
        (api, f"/{api}/v1/openAlgoOrders", _by_symbol(1, 40), _orders(kind, algo=True), _READ),
        (api, f"/{api}/v1/positionSide/dual", _flat(30), _mode(kind), _READ),
    ]


_LIST = [
    *_routes(
        "fapi", "linear", "/fapi/v3/account", "/fapi/v3/positionRisk", "/fapi/v3/balance", "/fapi/v1/leverageBracket"
    ),
    *_routes(
        "dapi", "inverse", "/dapi/v1/account", "/dapi/v1/positionRisk", "/dapi/v1/balance", "/dapi/v2/leverageBracket"
    ),
]
ROUTES: dict[tuple[str, str], Route] = {
    ("GET", path): Route(
        f"GET {path}", "market" if security == "none" else "account", weight, handler, security, family
    )
    for family, path, weight, handler, security in _LIST
}

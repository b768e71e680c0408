"""Binance spot: what everybody may read, and the options' call that stock ccxt makes on its way."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from policykit.sim.dialects.base import Reply, Route, World
from policykit.sim.dialects.binance_account import order_limits
from policykit.sim.dialects.binance_forms import Bad, need, number, symbol_of, whole
from policykit.sim.market import Symbol
from policykit.sim.venue import Quirks

Params = Mapping[str, str]
DAY_MS = 86_400_000
MAX_LEVELS = 5_000
MAX_KLINES = 1_000
#: What rests at each level of the book, in units of the base asset; a depth, not a limit of what fills.
LEVEL_QUANTITY = Decimal("1.5")
_MINUTES = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "1h": 60, "4h": 240, "1d": 1_440}
_TYPES = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"]


def ping(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /api/v3/ping."""
    return Reply(200, {})


def server_time(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /api/v3/time."""
    return Reply(200, {"serverTime": now_ms})


def exchange_info(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /api/v3/exchangeInfo."""
    sizes = world.limits.sizes
    weight = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": sizes.weight_1m}
    raw = {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61_000}
    return Reply(
        200,
        {
            "timezone": "UTC",
            "serverTime": now_ms,
            "rateLimits": [weight, *order_limits(sizes), raw],
            "exchangeFilters": [],
            "symbols": [_symbol(symbol) for symbol in _asked(world, params)],
        },
    )


def options_info(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer exchangeInfo of the options' host: there are none here."""
    limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
    limits = [{**limit, "limit": world.limits.sizes.futures_1m}]
    return Reply(
        200, {"timezone": "UTC", "serverTime": now_ms, "rateLimits": limits, "exchangeFilters": [], "symbols": []}
    )


def _symbol(symbol: Symbol) -> dict[str, Any]:
    return {
        "symbol": symbol.id,
        "status": "TRADING",
        "baseAsset": symbol.base,
        "baseAssetPrecision": 8,
        "quoteAsset": symbol.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": _TYPES,
        "icebergAllowed": False,
        "ocoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(symbol),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def _filters(symbol: Symbol) -> list[dict[str, Any]]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": number(symbol.min_price),
            "maxPrice": number(symbol.max_price),
            "tickSize": number(symbol.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": number(symbol.min_quantity),
            "maxQty": number(symbol.max_quantity),
            "stepSize": number(symbol.step),
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": number(symbol.min_notional),
            "applyMinToMarket": True,
            "maxNotional": number(symbol.max_notional),
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
    ]


def _asked(world: World, params: Params) -> list[Symbol]:
    """Read `symbol` or `symbols`; none of both means all."""
    if "symbol" in params:
        return [symbol_of(world, params)]
    if "symbols" not in params:
        return list(world.venue.symbols.values())
    try:
        names = json.loads(params["symbols"])
    except ValueError:
        names = None
    if not isinstance(names, list) or not names or not all(name in world.venue.symbols for name in names):
        raise Bad(-1121, "Invalid symbol.")
    return [world.venue.symbols[name] for name in names]


def _each(write: Callable[[World, Symbol, int], dict[str, Any]]) -> Callable[..., Reply]:
    """Make a handler that writes one symbol, or a list of them when no single one is named."""

    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        bodies = [write(world, symbol, now_ms) for symbol in _asked(world, params)]
        return Reply(200, bodies[0] if "symbol" in params else bodies)

    return handler


def _price(world: World, symbol: Symbol, now_ms: int) -> dict[str, Any]:
    return {"symbol": symbol.id, "price": number(world.venue.path.mid(symbol, now_ms))}


def _book_ticker(world: World, symbol: Symbol, now_ms: int) -> dict[str, Any]:
    bid, ask = world.venue.touch(symbol, now_ms)
    quantity = number(LEVEL_QUANTITY)
    return {
        "symbol": symbol.id,
        "bidPrice": number(bid),
        "bidQty": quantity,
        "askPrice": number(ask),
        "askQty": quantity,
    }


def ticker(world: World, symbol: Symbol, now_ms: int) -> dict[str, Any]:
    """Write a symbol's last 24 hours."""
    last, first = world.venue.path.mid(symbol, now_ms), world.venue.path.mid(symbol, now_ms - DAY_MS)
    volume = Decimal(10_000)
    return {
        **_book_ticker(world, symbol, now_ms),
        "priceChange": number(last - first),
        "priceChangePercent": f"{(last - first) / first * 100:.3f}",
        "weightedAvgPrice": number((last + first) / 2),
        "prevClosePrice": number(first),
        "lastPrice": number(last),
        "lastQty": number(LEVEL_QUANTITY),
        "openPrice": number(first),
        "highPrice": number(max(first, last)),
        "lowPrice": number(min(first, last)),
        "volume": number(volume),
        "quoteVolume": number(volume * last),
        "openTime": now_ms - DAY_MS,
        "closeTime": now_ms,
        "firstId": 1,
        "lastId": 2,
        "count": 2,
    }


def depth(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /api/v3/depth."""
    symbol = symbol_of(world, params)
    return Reply(200, book(*world.venue.touch(symbol, now_ms), symbol.tick, params, now_ms))


def book(bid: Decimal, ask: Decimal, tick: Decimal, params: Params, now_ms: int) -> dict[str, Any]:
    """Return an order book from its best prices on, a level each tick."""
    levels = range(min(whole(params, "limit") or 100, MAX_LEVELS))
    quantity = number(LEVEL_QUANTITY)
    return {
        "lastUpdateId": now_ms,
        "bids": [[number(bid - n * tick), quantity] for n in levels if bid > n * tick],
        "asks": [[number(ask + n * tick), quantity] for n in levels],
    }


def klines(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /api/v3/klines: open, high, low and close of the seeded path at five points each."""
    symbol, interval = symbol_of(world, params), _MINUTES.get(need(params, "interval"), 0) * 60_000
    if not interval:
        raise Bad(-1120, "Invalid interval.")
    limit = min(whole(params, "limit") or 500, MAX_KLINES)
    end = min(whole(params, "endTime") or now_ms, now_ms)
    start = whole(params, "startTime")
    first = -(-start // interval) if start is not None else max(0, end // interval - limit + 1)
    rows = []
    for k in range(first, min(first + limit, end // interval + 1)):
        at = k * interval
        path = [world.venue.path.mid(symbol, min(at + interval * part // 4, now_ms)) for part in range(5)]
        volume = number(LEVEL_QUANTITY)
        prices = [number(p) for p in (path[0], max(path), min(path), path[-1])]
        rows.append([at, *prices, volume, at + interval - 1, number(LEVEL_QUANTITY * path[0]), 1, volume, volume, "0"])
    return Reply(200, rows)


def average_price(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /api/v3/avgPrice."""
    price = world.venue.path.mid(symbol_of(world, params), now_ms)
    return Reply(200, {"mins": 5, "price": number(price), "closeTime": now_ms})


def trades(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /api/v3/trades: one trade at the current price."""
    price = world.venue.path.mid(symbol_of(world, params), now_ms)
    one = {
        "id": now_ms,
        "price": number(price),
        "qty": number(LEVEL_QUANTITY),
        "quoteQty": number(price * LEVEL_QUANTITY),
        "time": now_ms,
        "isBuyerMaker": True,
        "isBestMatch": True,
    }
    return Reply(200, [one])


def aggregate_trades(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /api/v3/aggTrades: one trade at the current price."""
    price = world.venue.path.mid(symbol_of(world, params), now_ms)
    one = {"a": now_ms, "p": number(price), "q": number(LEVEL_QUANTITY), "f": now_ms, "l": now_ms, "T": now_ms}
    return Reply(200, [{**one, "m": True, "M": True}])


def _flat(weight: int) -> Callable[[Params], int]:
    return lambda params: weight


def _depth_weight(params: Params) -> int:
    text = params.get("limit", "100")
    limit = int(text) if text.isdigit() else MAX_LEVELS
    return next((weight for most, weight in ((100, 5), (500, 25), (1_000, 50)) if limit <= most), 250)


def _by_symbol(one: int, many: int) -> Callable[[Params], int]:
    return lambda params: one if "symbol" in params else many


_LIST: tuple[tuple[str, Callable[[Params], int], Callable[..., Reply], str], ...] = (
    ("/api/v3/ping", _flat(1), ping, "api"),
    ("/api/v3/time", _flat(1), server_time, "api"),
    ("/api/v3/exchangeInfo", _flat(20), exchange_info, "api"),
    ("/api/v3/depth", _depth_weight, depth, "api"),
    ("/api/v3/trades", _flat(10), trades, "api"),
    ("/api/v3/aggTrades", _flat(2), aggregate_trades, "api"),
    ("/api/v3/klines", _flat(2), klines, "api"),
    ("/api/v3/avgPrice", _flat(2), average_price, "api"),
    ("/api/v3/ticker/24hr", _by_symbol(2, 80), _each(ticker), "api"),
    ("/api/v3/ticker/price", _by_symbol(2, 4), _each(_price), "api"),
    ("/api/v3/ticker/bookTicker", _by_symbol(2, 4), _each(_book_ticker), "api"),
    ("/eapi/v1/exchangeInfo", _flat(1), options_info, "eapi"),
)
ROUTES: dict[tuple[str, str], Route] = {
    ("GET", path): Route(f"GET {path}", "market", weight, handler, "none", family)
    for path, weight, handler, family in _LIST
}

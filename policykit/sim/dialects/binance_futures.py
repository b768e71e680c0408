"""Binance's futures, USD-M behind /fapi and COIN-M behind /dapi: what of the account can be read.

Source: developers.binance.com/docs/derivatives usds-margined-futures and coin-margined-futures, market-data,
account and trade over REST (as kept 2026-06, read 2026-11); where those were not kept, ccxt 4.5.90's parsers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from policykit.sim import margin
from policykit.sim.contracts import MAX_LEVERAGE, Book, Contract, Position
from policykit.sim.dialects.base import Reply, Route, World
from policykit.sim.dialects.binance_forms import Bad, number, span, whole
from policykit.sim.venue import ZERO, Quirks

Params = Mapping[str, str]
Handler = Callable[[World, Params, int, Quirks], Reply]
#: 2100-12-25, as the documents have it for a contract without an end.
_NEVER_MS = 4_133_404_800_000
_WEEK_MS = 7 * 86_400_000
_TYPES = ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"]


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
            {"rateLimitType": "ORDERS", **minute, "limit": world.limits.sizes.futures_orders_1m},
            {
                "rateLimitType": "ORDERS",
                "interval": "SECOND",
                "intervalNum": 10,
                "limit": world.limits.sizes.futures_orders_10s,
            },
        ]
        symbols = [_contract(one) for one in book.contracts.values()]
        answer = {"timezone": "UTC", "serverTime": now_ms, "rateLimits": limits, "exchangeFilters": []}
        return Reply(200, {**answer, "symbols": symbols})

    return handler


def _contract(one: Contract) -> dict[str, Any]:
    step = one.step
    filters: list[dict[str, Any]] = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "4529764", "tickSize": str(one.tick)},
        {"filterType": "LOT_SIZE", "minQty": str(step), "maxQty": str(one.max_quantity), "stepSize": str(step)},
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


def _settled(world: World, kind: str, now_ms: int) -> Book:
    world.linear.settle(now_ms)
    return world.futures[kind]


def _positions(kind: str, *, every: bool = False) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer positionRisk: USD-M (v3) tells only what is held, v2 every symbol with its leverage."""
        book = _settled(world, kind, now_ms)
        asked = _asked(book, params)
        held = list(book.positions.values())
        if every:
            names = {one.contract.id for one in held}
            flat = [one for one in book.contracts.values() if one.id not in names]
            held += [Position(one, ZERO, ZERO, leverage=book.set_of(one).leverage) for one in flat]
        rows = [_risk(world, book, one, now_ms) for one in held if asked in (None, one.contract.id)]
        return Reply(200, [row | _v2(book, one) for row, one in zip(rows, held, strict=False)] if every else rows)

    return handler


def _v2(book: Book, one: Position) -> dict[str, Any]:
    """Return what positionRisk and account told in v2 and no longer tell in v3."""
    isolated = book.set_of(one.contract).isolated
    return {
        "leverage": str(book.set_of(one.contract).leverage),
        "marginType": "isolated" if isolated else "cross",
        "isolated": isolated,
        "isAutoAddMargin": "false",
        "maxNotionalValue": "50000000",
    }


def _risk(world: World, book: Book, one: Position, now_ms: int) -> dict[str, Any]:
    contract, mark = one.contract, _mark(world, one.contract, now_ms)
    notional = contract.notional(one.amount, mark)
    needed = abs(notional) / one.leverage
    isolated = number(needed if one.isolated else ZERO)
    liquidation = margin.liquidation_price(book, one, lambda other: _mark(world, other, now_ms)) if one.amount else ZERO
    row = {
        "symbol": contract.id,
        "positionSide": one.side,
        "positionAmt": str(one.amount),
        "entryPrice": str(one.entry),
        "breakEvenPrice": str(one.entry),
        "markPrice": number(mark),
        "unRealizedProfit": number(one.profit(mark)) if one.amount else number(ZERO),
        "liquidationPrice": f"{liquidation:.2f}" if liquidation else "0",
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
        "initialMargin": number(needed),
        "maintMargin": number(margin.maintenance(one, mark)),
        "positionInitialMargin": number(needed),
        "openOrderInitialMargin": "0",
        "adl": 1,
        "bidNotional": "0",
        "askNotional": "0",
    }


def _assets(world: World, book: Book, now_ms: int) -> list[dict[str, Any]]:
    def mark(contract: Contract) -> Decimal:
        return _mark(world, contract, now_ms)

    rows = []
    for asset, amount in book.wallet.items():
        profit, taken = margin.profit(book, asset, mark), margin.taken(book, asset, mark)
        held = [one for one in book.positions.values() if one.contract.settle == asset]
        positions = sum((abs(p.contract.notional(p.amount, mark(p.contract))) / p.leverage for p in held), ZERO)
        free = number(max(ZERO, amount + profit - taken))
        rows.append(
            {
                "asset": asset,
                "walletBalance": number(amount),
                "unrealizedProfit": number(profit),
                "marginBalance": number(amount + profit),
                "maintMargin": number(sum((margin.maintenance(p, mark(p.contract)) for p in held), ZERO)),
                "initialMargin": number(taken),
                "positionInitialMargin": number(positions),
                "openOrderInitialMargin": number(max(ZERO, taken - positions)),
                "crossWalletBalance": number(amount),
                "crossUnPnl": number(profit),
                "availableBalance": free,
                "maxWithdrawAmount": free,
                "updateTime": now_ms,
            }
        )
    return rows


def _account(kind: str, *, v2: bool = False) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer account: the wallet's assets and, shortly, the positions."""
        book = _settled(world, kind, now_ms)
        assets = _assets(world, book, now_ms)
        positions = [
            {
                "symbol": one.contract.id,
                "positionSide": one.side,
                "positionAmt": str(one.amount),
                **({"entryPrice": str(one.entry), **_v2(book, one)} if v2 else {}),
            }
            for one in book.positions.values()
        ]
        rights = {"canTrade": True, "canDeposit": True, "canWithdraw": True, "feeTier": 0, "updateTime": 0}
        totals = (
            {f"total{name[0].upper()}{name[1:]}": _sum(assets, name) for name in _TOTALS} if kind == "linear" else {}
        )
        return Reply(200, {**rights, **totals, "assets": assets, "positions": positions})

    return handler


_TOTALS = ("walletBalance", "unrealizedProfit", "marginBalance", "initialMargin", "maintMargin")


def _sum(assets: list[dict[str, Any]], name: str) -> str:
    """Return a total of Single-Asset mode, which counts USDT only (Account-Information-V3)."""
    return number(sum((Decimal(row[name]) for row in assets if row["asset"] == "USDT"), ZERO))


def _balance(kind: str) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer balance."""
        told = ("asset", "crossWalletBalance", "crossUnPnl", "availableBalance", "maxWithdrawAmount", "updateTime")
        assets = _assets(world, _settled(world, kind, now_ms), now_ms)
        return Reply(
            200,
            [
                {"accountAlias": "SgsR", "balance": row["walletBalance"], **{name: row[name] for name in told}}
                for row in assets
            ],
        )

    return handler


def _symbol_config(kind: str) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer symbolConfig: leverage and margin mode of every contract, held or not."""
        book = world.futures[kind]
        asked = _asked(book, params)
        rows = []
        for one in book.contracts.values():
            settings = book.set_of(one)
            rows.append(
                {
                    "symbol": one.id,
                    "marginType": "ISOLATED" if settings.isolated else "CROSSED",
                    "isAutoAddMargin": "false",
                    "leverage": settings.leverage,
                    "maxNotionalValue": "50000000",
                }
            )
        return Reply(200, [row for row in rows if asked in (None, row["symbol"])])

    return handler


def _account_config(kind: str) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer accountConfig."""
        rights = {"feeTier": 0, "canTrade": True, "canDeposit": True, "canWithdraw": True}
        modes = {"dualSidePosition": world.futures[kind].hedge, "multiAssetsMargin": world.futures[kind].multi_assets}
        return Reply(200, {**rights, **modes, "tradeGroupId": -1, "updateTime": 0})

    return handler


def _income(kind: str) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer income: of one type, or all of them; the last seven days unless a start is named."""
        book = _settled(world, kind, now_ms)
        asked, first = params.get("incomeType"), now_ms - _WEEK_MS if whole(params, "startTime") is None else 0
        rows = [
            (
                number_,
                row.time_ms,
                {
                    "symbol": row.contract,
                    "incomeType": row.kind,
                    "income": number(row.amount),
                    "asset": row.asset,
                    "info": row.kind,
                    "time": row.time_ms,
                    "tranId": number_,
                    "tradeId": "" if row.trade_id is None else str(row.trade_id),
                },
            )
            for number_, row in enumerate(book.income, 1)
            if asked in (None, row.kind) and row.time_ms >= first
        ]
        page, limit = whole(params, "page") or 1, min(whole(params, "limit") or 100, 1000)
        kept = span({**params, "limit": "1000"}, rows, "page_from")
        return Reply(200, kept[(page - 1) * limit : page * limit])

    return handler


def _mode(kind: str) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer positionSide/dual."""
        return Reply(200, {"dualSidePosition": world.futures[kind].hedge})

    return handler


def _multi_assets(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer multiAssetsMargin."""
    return Reply(200, {"multiAssetsMargin": world.futures["linear"].multi_assets})


def _brackets(kind: str) -> Handler:
    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        """Answer leverageBracket: one bracket a contract."""
        unit = "qty" if kind == "inverse" else "notional"
        bracket: dict[str, Any] = {
            "bracket": 1,
            "initialLeverage": MAX_LEVERAGE,
            f"{unit}Cap": 50_000_000,
            f"{unit}Floor": 0,
        }
        bracket |= {"maintMarginRatio": float(margin.MAINTENANCE), "cum": 0.0}
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
        (api, f"/{api}/v1/positionSide/dual", _flat(30), _mode(kind), _READ),
    ]


_LIST = [
    *_routes(
        "fapi", "linear", "/fapi/v3/account", "/fapi/v3/positionRisk", "/fapi/v3/balance", "/fapi/v1/leverageBracket"
    ),
    *_routes(
        "dapi", "inverse", "/dapi/v1/account", "/dapi/v1/positionRisk", "/dapi/v1/balance", "/dapi/v2/leverageBracket"
    ),
    ("fapi", "/fapi/v2/account", _flat(5), _account("linear", v2=True), _READ),
    ("fapi", "/fapi/v2/positionRisk", _flat(5), _positions("linear", every=True), _READ),
    ("fapi", "/fapi/v2/balance", _flat(5), _balance("linear"), _READ),
    ("fapi", "/fapi/v1/symbolConfig", _flat(5), _symbol_config("linear"), _READ),
    ("fapi", "/fapi/v1/accountConfig", _flat(5), _account_config("linear"), _READ),
    ("fapi", "/fapi/v1/multiAssetsMargin", _flat(30), _multi_assets, _READ),
    ("fapi", "/fapi/v1/income", _flat(30), _income("linear"), _READ),
]
ROUTES: dict[tuple[str, str], Route] = {
    ("GET", path): Route(
        f"GET {path}", "market" if security == "none" else "account", weight, handler, security, family
    )
    for family, path, weight, handler, security in _LIST
}

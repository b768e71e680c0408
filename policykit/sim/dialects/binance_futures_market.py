"""Binance USD-M futures: what everybody may read of prices.

Source: developers.binance.com/docs/derivatives usds-margined-futures, market-data/rest-api (as kept 2026-06, read
2026-11). Mark price, index price and last price are the pair's mid price.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from policykit.sim.contracts import Contract
from policykit.sim.dialects import binance_market
from policykit.sim.dialects.base import Reply, Route, World
from policykit.sim.dialects.binance_forms import Bad, number, whole
from policykit.sim.dialects.binance_futures_forms import contract_of
from policykit.sim.dialects.binance_market import LEVEL_QUANTITY
from policykit.sim.futures import FUNDING_EVERY_MS, FUNDING_RATE
from policykit.sim.venue import Quirks

Params = Mapping[str, str]
MAX_ROWS = 1_000


def _each(write: Callable[[World, Contract, int], dict[str, Any]]) -> Callable[..., Reply]:
    """Make a handler that writes one contract, or a list of them when no single one is named."""

    def handler(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
        contracts = world.linear.book.contracts
        if "symbol" not in params:
            return Reply(200, [write(world, one, now_ms) for one in contracts.values()])
        if params["symbol"] not in contracts:
            raise Bad(-1121, "Invalid symbol.")
        return Reply(200, write(world, contracts[params["symbol"]], now_ms))

    return handler


def _premium(world: World, one: Contract, now_ms: int) -> dict[str, Any]:
    price = number(world.linear.mark(one, now_ms))
    prices = {"markPrice": price, "indexPrice": price, "estimatedSettlePrice": price}
    following = (now_ms // FUNDING_EVERY_MS + 1) * FUNDING_EVERY_MS
    rates = {"lastFundingRate": number(FUNDING_RATE), "interestRate": "0.00010000", "nextFundingTime": following}
    return {"symbol": one.id, **prices, **rates, "time": now_ms}


def _price(world: World, one: Contract, now_ms: int) -> dict[str, Any]:
    return {"symbol": one.id, "price": number(world.linear.mark(one, now_ms)), "time": now_ms}


def _book_ticker(world: World, one: Contract, now_ms: int) -> dict[str, Any]:
    bid, ask = world.linear.touch(one, now_ms)
    quantity = number(LEVEL_QUANTITY)
    told = {"symbol": one.id, "bidPrice": number(bid), "bidQty": quantity, "askPrice": number(ask), "askQty": quantity}
    return {**told, "time": now_ms}


def _funding_info(world: World, one: Contract, now_ms: int) -> dict[str, Any]:
    caps = {"adjustedFundingRateCap": "0.02000000", "adjustedFundingRateFloor": "-0.02000000"}
    return {"symbol": one.id, **caps, "fundingIntervalHours": FUNDING_EVERY_MS // 3_600_000, "disclaimer": False}


def funding(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer fundingRate: one row a funding, the newest last."""
    contracts = world.linear.book.contracts
    asked = params.get("symbol")
    if asked is not None and asked not in contracts:
        raise Bad(-1121, "Invalid symbol.")
    limit = min(whole(params, "limit") or 100, MAX_ROWS)
    end = min(whole(params, "endTime") or now_ms, now_ms) // FUNDING_EVERY_MS
    start = whole(params, "startTime")
    first = end - limit + 1 if start is None else -(-start // FUNDING_EVERY_MS)
    rows = [
        {
            "symbol": one.id,
            "fundingTime": number_ * FUNDING_EVERY_MS,
            "fundingRate": number(FUNDING_RATE),
            "markPrice": number(world.linear.mark(one, number_ * FUNDING_EVERY_MS)),
        }
        for number_ in range(max(0, first), min(end, max(0, first) + limit - 1) + 1)
        for one in contracts.values()
        if asked in (None, one.id)
    ]
    return Reply(200, rows)


def depth(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer depth: as spot's, in the contract's ticks, with the times of the message."""
    contract = contract_of(world.linear.book, params)
    best = world.linear.touch(contract, now_ms)
    return Reply(200, {**binance_market.book(*best, contract.tick, params, now_ms), "E": now_ms, "T": now_ms})


def _flat(weight: int) -> Callable[[Params], int]:
    return lambda params: weight


def _by_symbol(one: int, every: int) -> Callable[[Params], int]:
    return lambda params: one if "symbol" in params else every


#: The pairs of the contracts are those of spot, so candles and trades are too.
_LIST: tuple[tuple[str, Callable[[Params], int], Callable[..., Reply]], ...] = (
    ("premiumIndex", _by_symbol(1, 10), _each(_premium)),
    ("ticker/price", _by_symbol(1, 2), _each(_price)),
    ("ticker/bookTicker", _by_symbol(2, 5), _each(_book_ticker)),
    ("fundingInfo", _flat(1), _each(_funding_info)),
    ("fundingRate", _flat(1), funding),
    ("depth", _flat(5), depth),
    ("klines", _flat(5), binance_market.klines),
    ("markPriceKlines", _flat(5), binance_market.klines),
    ("trades", _flat(5), binance_market.trades),
    ("aggTrades", _flat(20), binance_market.aggregate_trades),
)
ROUTES: dict[tuple[str, str], Route] = {
    ("GET", f"/fapi/v1/{name}"): Route(f"GET /fapi/v1/{name}", "market", weight, handler, "none", "fapi")
    for name, weight, handler in _LIST
}

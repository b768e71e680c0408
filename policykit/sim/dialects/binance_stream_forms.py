"""How Binance writes what it pushes: prices of spot and USD-M, and what happens to the account on both.

Source: binance-spot-api-docs, web-socket-streams.md (at 060fe48d, 2023-12-04) and user-data-stream.md (at 021bed18,
2022-12-05); developers.binance.com/docs/derivatives usds-margined-futures, user-data-streams: Event-Order-Update,
Event-Trade-Lite, Event-Balance-and-Position-Update, Event-Algo-Order-Update (as kept 2025 and 2026, read 2026-11); for
prices of USD-M, whose pages were not kept, the messages that ccxt 4.5.90 quotes.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from policykit.sim.contracts import Contract, ContractOrder, ContractReport, ContractTrade, Side
from policykit.sim.dialects import binance_market
from policykit.sim.dialects.base import Moved, World
from policykit.sim.dialects.binance_forms import number
from policykit.sim.dialects.binance_futures_forms import ALGO_IDS
from policykit.sim.dialects.binance_market import LEVEL_QUANTITY
from policykit.sim.futures import FUNDING_EVERY_MS, FUNDING_RATE
from policykit.sim.margin import SIDES
from policykit.sim.market import Symbol
from policykit.sim.venue import NO_QUIRKS, ZERO, Report

Message = dict[str, Any]
Touch = tuple[Decimal, Decimal]
_QUANTITY: Final = number(LEVEL_QUANTITY)
#: The levels of each side that are told again when the best price moved: a followed book never runs out of them.
TOLD_LEVELS: Final = 20


def book_ticker(symbol: str, touch: Touch, now_ms: int, *, linear: bool) -> Message:
    """Write `<symbol>@bookTicker`; spot's has neither a type nor a time."""
    times = {"e": "bookTicker", "E": now_ms, "T": now_ms} if linear else {}
    prices = {"b": number(touch[0]), "B": _QUANTITY, "a": number(touch[1]), "A": _QUANTITY}
    return {**times, "u": now_ms, "s": symbol, **prices}


def trade(symbol: str, price: Decimal, now_ms: int, *, linear: bool) -> Message:
    """Write `<symbol>@trade`: one at the current price."""
    told = {"e": "trade", "E": now_ms, "s": symbol, "t": now_ms, "p": number(price), "q": _QUANTITY, "T": now_ms}
    return {**told, "X": "MARKET", "m": True} if linear else {**told, "m": True, "M": True}


def aggregate_trade(symbol: str, price: Decimal, now_ms: int) -> Message:
    """Write `<symbol>@aggTrade`: one at the current price."""
    told = {"e": "aggTrade", "E": now_ms, "s": symbol, "a": now_ms, "p": number(price), "q": _QUANTITY}
    return {**told, "f": now_ms, "l": now_ms, "T": now_ms, "m": True, "M": True}


def ticker(world: World, symbol: Symbol, now_ms: int, *, linear: bool) -> Message:
    """Write `<symbol>@ticker` from what the REST interface tells."""
    row = binance_market.ticker(world, symbol, now_ms)
    told = {"e": "24hrTicker", "E": now_ms, "s": symbol.id}
    told |= {letter: row[name] for letter, name in _TICKER.items() if not (linear and letter in "xbBaA")}
    return told


def mini_ticker(world: World, symbol: Symbol, now_ms: int) -> Message:
    """Write `<symbol>@miniTicker`."""
    row = binance_market.ticker(world, symbol, now_ms)
    return {"e": "24hrMiniTicker", "E": now_ms, "s": symbol.id, **{letter: row[_TICKER[letter]] for letter in "cohlvq"}}


_TICKER: Final[Mapping[str, str]] = {
    "p": "priceChange",
    "P": "priceChangePercent",
    "w": "weightedAvgPrice",
    "x": "prevClosePrice",
    "c": "lastPrice",
    "Q": "lastQty",
    "b": "bidPrice",
    "B": "bidQty",
    "a": "askPrice",
    "A": "askQty",
    "o": "openPrice",
    "h": "highPrice",
    "l": "lowPrice",
    "v": "volume",
    "q": "quoteVolume",
    "O": "openTime",
    "C": "closeTime",
    "F": "firstId",
    "L": "lastId",
    "n": "count",
}


def kline(world: World, symbol: Symbol, interval: str, now_ms: int) -> Message:
    """Write `<symbol>@kline_<interval>`: the candle that is not closed yet."""
    asked = {"symbol": symbol.id, "interval": interval, "limit": "1"}
    row = binance_market.klines(world, asked, now_ms, NO_QUIRKS).body[0]
    names = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")
    candle = {"s": symbol.id, "i": interval, "f": row[0], "L": now_ms, "x": False, **dict(zip(names, row, strict=True))}
    return {"e": "kline", "E": now_ms, "s": symbol.id, "k": candle}


def mark_price(world: World, contract: Contract, now_ms: int) -> Message:
    """Write `<symbol>@markPrice`."""
    price = number(world.linear.mark(contract, now_ms))
    following = (now_ms // FUNDING_EVERY_MS + 1) * FUNDING_EVERY_MS
    told = {"e": "markPriceUpdate", "E": now_ms, "s": contract.id, "p": price, "i": price, "P": price}
    return {**told, "r": number(FUNDING_RATE), "T": following}


def depth(symbol: str, tick: Decimal, before: Touch, touch: Touch, now_ms: int, step_ms: int) -> Message:
    """Write `<symbol>@depth`: what changed since the best prices were `before`; ids go on from the last step's."""
    told = {"e": "depthUpdate", "E": now_ms, "s": symbol, "U": now_ms - step_ms + 1, "u": now_ms}
    return {**told, "b": _levels(before[0], touch[0], -tick), "a": _levels(before[1], touch[1], tick)}


def _levels(before: Decimal, now: Decimal, away: Decimal) -> list[list[str]]:
    """Return the levels of one side that are gone, and those that are there; `away`: a tick, off the other side."""
    if now == before:
        return []
    moved = min(int(abs((now - before) / away)), binance_market.MAX_LEVELS)
    nearer = (now - before) / away < 0
    gone = [[number(before + n * away), number(ZERO)] for n in range(0 if nearer else moved)]
    return gone + [[number(now + n * away), _QUANTITY] for n in range(max(TOLD_LEVELS, moved if nearer else 0))]


# -- the account ----------------------------------------------------------------------------------------------------


def execution(told: Report) -> Message:
    """Write `executionReport`. A cancelled order has the cancel's own id in `c` and its own in `C`."""
    order, new, trade_ = told.order, told.order.new, told.trade
    cancelled = told.what == "CANCELED"
    quantity, price = (trade_.quantity, trade_.price) if trade_ else (ZERO, ZERO)
    form = {
        "e": "executionReport",
        "E": told.at_ms,
        "s": new.symbol.id,
        "c": secrets.token_hex(11) if cancelled else new.client_order_id,
        "S": new.side,
        "o": new.type,
        "f": new.time_in_force,
        "q": number(order.quantity),
        "p": number(new.price or ZERO),
        "P": number(new.stop_price or ZERO),
        "F": number(ZERO),
        "g": -1,
        "C": new.client_order_id if cancelled else "",
        "x": told.what,
        "X": order.status,
        "r": "NONE",
        "i": order.id,
        "l": number(quantity),
        "z": number(order.filled()),
        "L": number(price),
        "n": number(trade_.fee) if trade_ else "0",
        "N": trade_.fee_asset if trade_ else None,
        "T": told.at_ms,
        "t": trade_.id if trade_ else -1,
        "I": order.id,
        "w": order.is_open and order.working,
        "m": trade_.maker if trade_ else False,
        "M": False,
        "O": order.time_ms,
        "Z": number(order.filled_quote()),
        "Y": number(quantity * price),
        "Q": number(new.quote_quantity or ZERO),
    }
    return {**form, **({"W": order.time_ms} if order.working else {}), "V": "NONE"}


def account_position(world: World, told: Report) -> Message:
    """Write `outboundAccountPosition`: the two assets that an order can change."""
    symbol, balances = told.order.new.symbol, world.venue.balances
    rows = [
        {"a": asset, "f": number(balances[asset].free), "l": number(balances[asset].locked)}
        for asset in (symbol.base, symbol.quote)
    ]
    return {"e": "outboundAccountPosition", "E": told.at_ms, "u": told.at_ms, "B": rows}


def balance_update(told: Moved) -> Message:
    """Write `balanceUpdate`: a deposit or a withdrawal."""
    return {"e": "balanceUpdate", "E": told.at_ms, "a": told.asset, "d": number(told.amount), "T": told.at_ms}


def order_update(world: World, order: ContractOrder, told: ContractReport) -> Message:
    """Write `ORDER_TRADE_UPDATE`."""
    fills, trade_ = order.fills(), told.trade
    filled = order.filled()
    average = sum((t.quantity * t.price for t in fills), ZERO) / filled if filled else ZERO
    body: Message = {
        "s": order.contract.id,
        "c": order.client_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": str(order.quantity),
        "p": str(order.price or 0),
        "ap": number(average) if filled else "0",
        "sp": "0",
        "x": told.what,
        "X": order.status,
        "i": order.id,
        "l": str(trade_.quantity) if trade_ else "0",
        "z": str(filled),
        "L": str(trade_.price) if trade_ else "0",
        **({"n": number(trade_.fee), "N": order.contract.settle} if trade_ else {}),
        "T": told.at_ms,
        "t": trade_.id if trade_ else 0,
        "b": number(_resting(world, order.contract, "BUY")),
        "a": number(_resting(world, order.contract, "SELL")),
        "m": trade_.maker if trade_ else False,
        "R": order.reduce_only,
        "wt": order.working_type,
        "ot": order.type,
        "ps": order.position_side,
        "cp": order.close_position,
        "rp": number(trade_.profit) if trade_ else "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": "EXPIRE_MAKER",
        "pm": "NONE",
        "gtd": 0,
    }
    return {"e": "ORDER_TRADE_UPDATE", "E": told.at_ms, "T": told.at_ms, "o": body}


def algo_update(order: ContractOrder, told: ContractReport) -> Message:
    """Write `ALGO_UPDATE`: what the algo service says of a conditional order."""
    child = order.child
    fills = child.fills() if child else []
    filled = sum((t.quantity for t in fills), ZERO)
    average = sum((t.quantity * t.price for t in fills), ZERO) / filled if filled else ZERO
    placed = {"ap": number(average), "aq": str(filled), "act": child.type} if child else {}
    body = {
        "caid": order.client_id,
        "aid": ALGO_IDS + order.id,
        "at": "CONDITIONAL",
        "o": order.type,
        "s": order.contract.id,
        "S": order.side,
        "ps": order.position_side,
        "f": order.time_in_force,
        "q": str(order.quantity),
        "X": told.what,
        "ai": str(child.id) if child else "",
        **placed,
        "tp": str(order.trigger or 0),
        "p": str(order.price or 0),
        "V": "EXPIRE_MAKER",
        "wt": order.working_type,
        "pm": "NONE",
        "cp": order.close_position,
        "pP": False,
        "R": order.reduce_only,
        "tt": order.triggered_ms if child else 0,
        "gtd": 0,
        **({"rm": "Margin is insufficient."} if told.what == "REJECTED" else {}),
    }
    return {"e": "ALGO_UPDATE", "T": told.at_ms, "E": told.at_ms, "o": body}


def trade_lite(order: ContractOrder, trade_: ContractTrade) -> Message:
    """Write `TRADE_LITE`: a fill in short, ahead of the order update that tells it again."""
    told = {"e": "TRADE_LITE", "E": trade_.time_ms, "T": trade_.time_ms, "s": order.contract.id}
    told |= {"q": str(order.quantity), "p": str(order.price or 0), "m": trade_.maker, "c": order.client_id}
    return {**told, "S": order.side, "L": str(trade_.price), "l": str(trade_.quantity), "t": trade_.id, "i": order.id}


def account_update(world: World, contract: Contract, told: ContractReport) -> Message:
    """Write `ACCOUNT_UPDATE`: the wallet; a contract's positions after a fill, or after an isolated one's funding."""
    book = world.linear.book
    wallet = number(book.wallet.get(contract.settle, ZERO))
    balances = [{"a": contract.settle, "wb": wallet, "cw": wallet, "bc": number(told.amount)}]
    isolated = book.set_of(contract).isolated
    shown = told.trade is not None or (isolated and told.what == "FUNDING_FEE")
    sides = SIDES if book.hedge else SIDES[:1]
    rows = [_position(world, contract, side, told.at_ms) for side in sides if shown]
    reason = "ORDER" if told.trade else told.what
    return {"e": "ACCOUNT_UPDATE", "E": told.at_ms, "T": told.at_ms, "a": {"m": reason, "B": balances, "P": rows}}


def _position(world: World, contract: Contract, side: Side, at_ms: int) -> Message:
    book, mark = world.linear.book, world.linear.mark(contract, at_ms)
    held = book.positions.get((contract.id, side))
    amount, entry = (held.amount, held.entry) if held else (ZERO, ZERO)
    isolated = book.set_of(contract).isolated
    taken = abs(contract.notional(amount, entry)) / book.set_of(contract).leverage if isolated and held else ZERO
    own = (t.profit for t in book.trades if t.order.contract is contract and t.order.position_side == side)
    return {
        "s": contract.id,
        "pa": str(amount),
        "ep": str(entry),
        "bep": str(entry),
        "cr": number(sum(own, ZERO)),
        "up": number(held.profit(mark) if held else ZERO),
        "mt": "isolated" if isolated else "cross",
        "iw": number(taken),
        "ps": side,
    }


def _resting(world: World, contract: Contract, side: str) -> Decimal:
    """Return what the open limit orders of one side are worth."""
    book = (one for one in world.linear.book.orders if one.contract is contract and one.side == side)
    open_ = (one for one in book if not one.conditional and one.price)
    return sum((contract.notional(one.quantity - one.filled(), one.price or ZERO) for one in open_), ZERO)

"""Bybit v5's websockets: prices of spot and linear contracts, and the account's orders, fills and money.

Source: bybit-exchange/docs docs/v5/websocket (read 2026-11-21): public/orderbook.mdx@081a67d6, ticker.mdx@07fc9ef7,
trade.mdx@081a67d6, private/order.mdx@04b33130, execution.mdx@04df70b7, wallet.mdx@016191c9 (of which the account's
totals in USD and what concerns borrowing are left out); how `auth`, `subscribe` and `ping` are answered as ccxt 4.5.90
quotes it. Of the two ways in which a book may be told the simpler one is used: a snapshot each time. Not simulated:
positions, candles, orders over websockets.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Final

from policykit.sim.contracts import Contract, ContractReport
from policykit.sim.dialects.base import Listener, Reply, Request, Told, World
from policykit.sim.dialects.bybit_account import wallet
from policykit.sim.dialects.bybit_forms import SIZE, contract_fill, contract_form, levels, spot_fill, spot_form
from policykit.sim.futures import FUNDING_EVERY_MS, FUNDING_RATE
from policykit.sim.market import Symbol
from policykit.sim.venue import Report

HOST: Final = "stream.bybit.com"
_PARTS: Final = {"/v5/public/spot": "spot", "/v5/public/linear": "linear", "/v5/private": "private"}
_PRIVATE: Final = ("order", "execution", "wallet")
_DAY_MS: Final = 86_400_000
_MAX_LEVELS: Final = 1_000
#: Topics that one connection may have (connect.mdx, by characters; a bound of ours).
MAX_TOPICS: Final = 1_000


class BybitSpeech:
    """The websockets of `bybit`."""

    example: ClassVar = f"{HOST}/v5/public/spot"

    def opened(self, world: World, request: Request, now_ms: int) -> Listener | Reply:
        part = _PARTS.get(request.path)
        if request.host not in ("", HOST) or part is None:
            return Reply(404, "<html><body>404 Not Found</body></html>")
        return Listener(part)

    def heard(self, world: World, listener: Listener, text: str, now_ms: int) -> list[Any]:
        try:
            asked = json.loads(text)
        except ValueError:
            asked = None
        asked = asked if isinstance(asked, dict) else {}
        sent, op = asked.get("args"), asked.get("op")
        args = [str(one) for one in sent] if isinstance(sent, list) else []
        named = {"req_id": asked["req_id"]} if "req_id" in asked else {}
        if op == "ping":
            private = {"op": "pong", "args": [str(now_ms)]}
            return [{**named, **(private if listener.part == "private" else _said("ping", "pong"))}]
        if op == "auth" and listener.part == "private":
            return [_authenticate(world, listener, args, now_ms)]
        if op not in ("subscribe", "unsubscribe"):
            return [{**named, **_said(str(op)[:40], "error:invalid op", success=False)}]
        wrong = next((one for one in args if op == "subscribe" and not _there(world, listener, one)), None)
        if wrong is not None or len(listener.streams) + len(args) > MAX_TOPICS:
            return [{**named, **_said(op, f"error:handler not found,topic:{wrong}", success=False)}]
        for topic in args:
            if topic in listener.streams:
                listener.streams.remove(topic)
            if op == "subscribe":
                listener.streams.append(topic)
        return [{**named, **_said(op, "")}]

    def market(self, world: World, listener: Listener, now_ms: int, fresh: Sequence[str] = ()) -> list[Any]:
        if listener.part == "private":
            return []
        return [_public(world, listener.part, topic, now_ms) for topic in fresh or listener.streams]

    def user(self, world: World, listener: Listener, told: Told) -> list[Any]:
        if not listener.user:
            return []
        rows = _rows(world, told)
        return [
            {"id": f"{told.at_ms}-{topic}", "topic": topic, "creationTime": told.at_ms, "data": [rows[topic]]}
            for topic in _PRIVATE
            if topic in rows and topic in listener.streams
        ]

    def expired(self, world: World, listener: Listener, now_ms: int) -> list[Any]:
        for number, key in list(listener.user.items()):
            if world.keys[key].revoked:
                del listener.user[number]
        return []


def _said(op: str, text: str, *, success: bool = True) -> dict[str, Any]:
    return {"success": success, "ret_msg": text, "conn_id": "sim", "op": op}


def _authenticate(world: World, listener: Listener, args: Sequence[str], now_ms: int) -> dict[str, Any]:
    """Check key, end and signature: HMAC-SHA256 of `GET/realtime` and the end, which must be ahead."""
    key = world.keys.get(args[0]) if len(args) == 3 else None
    if key is None or key.revoked or key.refused or not args[1].isdigit() or int(args[1]) <= now_ms:
        return {**_said("auth", "error:USVC1111", success=False), "request": {"op": "auth"}}
    right = hmac.new(key.secret.encode(), f"GET/realtime{args[1]}".encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(right, args[2]):
        return {**_said("auth", "error:USVC1111", success=False), "request": {"op": "auth"}}
    listener.user["0"] = key.key
    return _said("auth", "")


def _there(world: World, listener: Listener, topic: str) -> bool:
    """Tell whether a topic can be had on a connection; those of the account only after `auth`."""
    if listener.part == "private":
        return topic in _PRIVATE and bool(listener.user)
    kind, _, rest = topic.partition(".")
    depth, _, symbol = rest.rpartition(".")
    listed = world.venue.symbols if listener.part == "spot" else world.linear.book.contracts
    known = depth.isdigit() and 1 <= int(depth) <= _MAX_LEVELS if kind == "orderbook" else not depth
    return kind in ("orderbook", "tickers", "publicTrade") and known and symbol in listed


def _public(world: World, part: str, topic: str, now_ms: int) -> dict[str, Any]:
    """Write what a topic tells now."""
    kind, _, rest = topic.partition(".")
    depth, _, symbol = rest.rpartition(".")
    contract = world.linear.book.contracts[symbol] if part == "linear" else None
    pair = contract.pair if contract else world.venue.symbols[symbol]
    told: dict[str, Any] = {"topic": topic, "type": "snapshot", "ts": now_ms}
    if kind == "tickers":
        return {**told, "cs": now_ms, "data": _ticker(world, symbol, pair, contract, now_ms)}
    if kind == "publicTrade":
        price = str(world.venue.path.mid(pair, now_ms))
        trade = {"T": now_ms, "s": symbol, "S": "Buy", "v": SIZE, "p": price, "i": str(now_ms), "BT": False}
        return {**told, "data": [trade]}
    bid, ask = world.linear.touch(contract, now_ms) if contract else world.venue.touch(pair, now_ms)
    tick = contract.tick if contract else pair.tick
    book = {"s": symbol, "b": levels(bid, -tick, int(depth)), "a": levels(ask, tick, int(depth))}
    return {**told, "data": {**book, "u": now_ms, "seq": now_ms}}


def _ticker(world: World, symbol: str, pair: Symbol, contract: Contract | None, now_ms: int) -> dict[str, str]:
    """Write a ticker; a contract's tells more than spot's."""
    last, first = world.venue.path.mid(pair, now_ms), world.venue.path.mid(pair, now_ms - _DAY_MS)
    volume = Decimal(10_000)
    told = {
        "symbol": symbol,
        "lastPrice": str(last),
        "highPrice24h": str(max(last, first)),
        "lowPrice24h": str(min(last, first)),
        "prevPrice24h": str(first),
        "volume24h": str(volume),
        "turnover24h": str(volume * last),
        "price24hPcnt": f"{last / first - 1:.6f}",
    }
    if contract is None:
        return told
    bid, ask = world.linear.touch(contract, now_ms)
    following = (now_ms // FUNDING_EVERY_MS + 1) * FUNDING_EVERY_MS
    return told | {
        "tickDirection": "PlusTick",
        "prevPrice1h": str(world.venue.path.mid(pair, now_ms - _DAY_MS // 24)),
        "markPrice": str(last),
        "indexPrice": str(last),
        "openInterest": str(volume),
        "openInterestValue": str(volume * last),
        "nextFundingTime": str(following),
        "fundingRate": str(FUNDING_RATE),
        "bid1Price": str(bid),
        "bid1Size": SIZE,
        "ask1Price": str(ask),
        "ask1Size": SIZE,
    }


def _rows(world: World, told: Told) -> Mapping[str, dict[str, Any]]:
    """Return what happened by topic; orders and fills as they are, whatever look-ups show of them yet."""
    rows = {"wallet": wallet(world, world.venue.balances, told.at_ms)}
    if isinstance(told, Report):
        rows["order"] = {"category": "spot", **spot_form(told.order, told.at_ms + told.order.quirks.lag_ms)}
        if told.trade is not None:
            fill = spot_fill(told.order, told.trade, world.venue.fee)
            rows["execution"] = {"category": "spot", **fill, "isLeverage": "0"}
    elif isinstance(told, ContractReport) and told.order is not None:
        rows["order"] = {"category": "linear", **contract_form(told.order, told.at_ms + told.order.quirks.lag_ms)}
        if told.trade is not None:
            rows["execution"] = {"category": "linear", **contract_fill(told.order, told.trade), "isLeverage": "0"}
    return rows

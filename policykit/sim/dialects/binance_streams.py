"""Binance's websockets: market streams of spot and USD-M, the WebSocket API's user data, and listen keys.

Source: binance-spot-api-docs, web-socket-streams.md (at 060fe48d, 2023-12-04) "Live Subscribing/Unsubscribing", and
web-socket-api.md "User Data Stream subscriptions" (listen keys of spot ended on 2026-02-20); developers.binance.com,
docs/derivatives/usds-margined-futures/user-data-streams: "A listenKey is valid for 60 minutes", POST, PUT, DELETE,
-1125 (as kept 2026-06, read 2026-11). What is not done: at most five messages a second from a client.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs

from policykit.sim.contracts import ContractReport
from policykit.sim.dialects import binance_stream_forms as forms
from policykit.sim.dialects.base import Call, Listener, Moved, Reply, Request, Route, Told, World
from policykit.sim.dialects.binance_forms import Bad
from policykit.sim.keys import token
from policykit.sim.market import STEP_MS
from policykit.sim.venue import Quirks

KEY_LIFE_MS: Final = 3_600_000
#: What a connection can listen to (web-socket-streams.md, Websocket Limits).
MAX_STREAMS: Final = 1_024
SPOT_HOST, LINEAR_HOST, API_HOST = "stream.binance.com", "fstream.binance.com", "ws-api.binance.com"
_METHODS: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_PATH: Final = re.compile(r"(?:/(?:public|market|private))?/(ws|stream)(?:/(.*))?\Z")
_KLINE: Final = re.compile(r"kline_(1m|3m|5m|15m|1h|4h|1d)\Z")
#: How often a stream tells something, ms; every step where nothing else is said.
_EVERY: Final[Mapping[str, int]] = {
    "ticker": 1_000,
    "miniTicker": 1_000,
    "markPrice@1s": 1_000,
    "markPrice": 3_000,
    "kline": 2_000,
}
#: Checks key, signature and time of a signed request.
Gate = Callable[[World, Call, int], Reply | None]


class BinanceSpeech:
    """The websockets of `binance`, `binanceusdm` and their like."""

    example: ClassVar = f"{SPOT_HOST}/ws/btcusdt@bookTicker"

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    # -- connections --------------------------------------------------------------------------------------------

    def opened(self, world: World, request: Request, now_ms: int) -> Listener | Reply:
        host, path = request.host or (API_HOST if request.path.startswith("/ws-api/") else SPOT_HOST), request.path
        if host == API_HOST and path == "/ws-api/v3":
            return Listener("api")
        matched = _PATH.match(path)
        if host not in (SPOT_HOST, LINEAR_HOST) or matched is None:
            return Reply(404, "<html><body>404 Not Found</body></html>")
        query = parse_qs(request.query)
        listener = Listener("linear" if host == LINEAR_HOST else "spot", combined=matched[1] == "stream")
        named = query.get("streams", [""])[0] if listener.combined else matched[2] or ""
        for name in [*named.split("/"), *query.get("listenKey", [])]:
            _add(world, listener, name, now_ms)
        return listener

    def heard(self, world: World, listener: Listener, text: str, now_ms: int) -> list[Any]:
        try:
            asked = json.loads(text)
        except ValueError:
            asked = None
        if not isinstance(asked, dict):
            return [{"error": {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}}]
        if listener.part == "api":
            return [self._request(world, listener, asked, now_ms)]
        return [_control(world, listener, asked, now_ms)]

    def _request(self, world: World, listener: Listener, asked: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Answer a request of the WebSocket API."""
        method, params = asked.get("method"), asked.get("params") or {}
        answer: dict[str, Any] = {"id": asked.get("id"), "status": 200}
        if method == "ping":
            return {**answer, "result": {}, "rateLimits": []}
        if method == "time":
            return {**answer, "result": {"serverTime": now_ms}, "rateLimits": []}
        if method == "userDataStream.unsubscribe":
            listener.user.clear()
            return {**answer, "result": {}, "rateLimits": []}
        if method != "userDataStream.subscribe.signature":
            error = {"code": -1000, "msg": f"Unknown method {str(method)[:60]!r}; the simulated exchange has none."}
            return {**answer, "status": 400, "error": error, "rateLimits": []}
        refused = self._signed(world, params if isinstance(params, dict) else {}, now_ms)
        if refused is not None:
            return {**answer, "status": refused.status, "error": refused.body, "rateLimits": []}
        number = str(len(listener.user))
        listener.user[number] = str(params["apiKey"])
        return {**answer, "result": {"subscriptionId": int(number)}, "rateLimits": []}

    def _signed(self, world: World, params: Mapping[str, Any], now_ms: int) -> Reply | None:
        """Check a signed request: the signature is over the parameters in alphabetical order (Request security)."""
        sent = {str(name): str(value) for name, value in params.items()}
        query = "&".join(f"{name}={sent[name]}" for name in sorted(sent) if name != "signature")
        head = {"x-mbx-apikey": sent.get("apiKey", "")}
        request = Request("GET", API_HOST, "/ws-api/v3", query, "", head, "")
        return self._gate(world, Call(request, _SUBSCRIBE, sent), now_ms)

    # -- prices -------------------------------------------------------------------------------------------------

    def market(self, world: World, listener: Listener, now_ms: int, fresh: Sequence[str] = ()) -> list[Any]:
        messages: list[Any] = []
        for name in fresh or listener.streams:
            bodies = _prices(world, listener, name, now_ms, fresh=bool(fresh))
            messages += [{"stream": name, "data": body} if listener.combined else body for body in bodies]
        return messages

    # -- the account --------------------------------------------------------------------------------------------

    def user(self, world: World, listener: Listener, told: Told) -> list[Any]:
        if not listener.user or isinstance(told, ContractReport) != (listener.part == "linear"):
            return []
        if isinstance(told, ContractReport):
            bodies = _futures(world, told)
            named = next(iter(listener.user))
            return [{"stream": named, "data": body} if listener.combined else body for body in bodies]
        spot = [forms.balance_update(told)] if isinstance(told, Moved) else []
        if not isinstance(told, Moved):
            spot = [forms.execution(told), forms.account_position(world, told)]
        return [{"subscriptionId": int(number), "event": body} for number in listener.user for body in spot]

    def expired(self, world: World, listener: Listener, now_ms: int) -> list[Any]:
        told: list[Any] = []
        for name, key in list(listener.user.items()):
            if listener.part == "api":
                if world.keys[key].revoked:
                    told.append({"subscriptionId": int(name), "event": {"e": "eventStreamTerminated", "E": now_ms}})
                    del listener.user[name]
            elif name not in world.listen_keys:
                del listener.user[name]
            elif world.listen_keys[name][1] <= now_ms:
                told.append({"e": "listenKeyExpired", "E": str(now_ms), "listenKey": name})
                del listener.user[name], world.listen_keys[name]
        return told


def _add(world: World, listener: Listener, name: str, now_ms: int) -> None:
    """Let a connection listen to a stream, or by a valid listen key to the account; other names stay without a word."""
    held = world.listen_keys.get(name)
    if held is not None and held[1] > now_ms and listener.part == "linear":
        listener.user[name] = held[0]
    elif "@" in name and name not in listener.streams:
        listener.streams.append(name)


def _control(world: World, listener: Listener, asked: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """Answer SUBSCRIBE and its like."""
    method, names, sent = asked.get("method"), asked.get("params") or [], asked.get("id")
    if method not in _METHODS:
        expected = ", ".join(f"`{name}`" for name in _METHODS)
        return _error(f"unknown variant `{str(method)[:60]}`, expected one of {expected}", sent)
    if method == "LIST_SUBSCRIPTIONS":
        return {"result": [*listener.streams, *listener.user], "id": sent}
    if not isinstance(names, list) or not all(isinstance(name, str | bool) for name in names):
        return _error("params must be a list", sent)
    if method in ("SET_PROPERTY", "GET_PROPERTY"):
        if names[:1] != ["combined"]:
            return {"error": {"code": 0, "msg": "Unknown property"}, "id": sent}
        if method == "GET_PROPERTY":
            return {"result": listener.combined, "id": sent}
        listener.combined = names[1:] == [True]
        return {"result": None, "id": sent}
    if len(listener.streams) + len(names) > MAX_STREAMS:
        return _error("too many parameters", sent)
    for name in map(str, names):
        if method == "SUBSCRIBE":
            _add(world, listener, name, now_ms)
        elif name in listener.streams:
            listener.streams.remove(name)
        else:
            listener.user.pop(name, None)
    return {"result": None, "id": sent}


def _error(text: str, sent: Any) -> dict[str, Any]:
    return {"error": {"code": 2, "msg": f"Invalid request: {text}"}, "id": sent}


def _prices(world: World, listener: Listener, name: str, now_ms: int, *, fresh: bool) -> list[Any]:
    """Return what a stream tells at a step of time; nothing for a stream that there is not."""
    at_ms, linear = now_ms - now_ms % STEP_MS, listener.part == "linear"
    symbol, _, kind = name.partition("@")
    if symbol.startswith("!"):
        symbol, kind = "!", f"{symbol[1:]}@{kind}".removesuffix("@").replace("@arr", "")
    every = _EVERY.get("kline" if _KLINE.match(kind) else kind, STEP_MS)
    if not fresh and at_ms % every:
        return []
    listed = world.linear.book.contracts if linear else world.venue.symbols
    if symbol == "!":
        rows = [row for one in listed for row in _one(world, listener, one, kind, now_ms)]
        return rows if kind == "bookTicker" else [rows] if rows else []
    return _one(world, listener, symbol.upper(), kind, now_ms) if symbol.upper() in listed else []


def _one(world: World, listener: Listener, symbol_id: str, kind: str, now_ms: int) -> list[Any]:
    linear = listener.part == "linear"
    contract = world.linear.book.contracts[symbol_id] if linear else None
    symbol = contract.pair if contract else world.venue.symbols[symbol_id]
    touch = world.linear.touch(contract, now_ms) if contract else world.venue.touch(symbol, now_ms)
    price = world.venue.path.mid(symbol, now_ms)
    if kind == "bookTicker":
        return [forms.book_ticker(symbol_id, touch, now_ms, linear=linear)]
    if kind == "trade":
        return [forms.trade(symbol_id, price, now_ms, linear=linear)]
    if kind == "aggTrade":
        return [forms.aggregate_trade(symbol_id, price, now_ms)]
    if kind == "ticker":
        return [forms.ticker(world, symbol, now_ms, linear=linear)]
    if kind == "miniTicker":
        return [forms.mini_ticker(world, symbol, now_ms)]
    if kind in ("markPrice", "markPrice@1s") and contract:
        return [forms.mark_price(world, contract, now_ms)]
    if _KLINE.match(kind):
        return [forms.kline(world, symbol, kind.removeprefix("kline_"), now_ms)]
    if kind.partition("@")[0] == "depth":
        at_ms, tick = now_ms - now_ms % STEP_MS, contract.tick if contract else symbol.tick
        before = listener.told.get(symbol_id, touch)
        listener.told[symbol_id] = touch
        body = forms.depth(symbol_id, tick, before, touch, at_ms, STEP_MS)
        return [{**body, "T": at_ms, "pu": at_ms - STEP_MS} if linear else body]
    return []


def _futures(world: World, told: ContractReport) -> list[Any]:
    order = told.order
    if order is None:
        return [forms.account_update(world, told.contract, told)] if told.contract else []
    if order.contract.id not in world.linear.book.contracts:
        return []
    if order.conditional:
        return [forms.algo_update(order, told)]
    update = forms.order_update(world, order, told)
    if told.trade is None:
        return [update]
    return [forms.trade_lite(order, told.trade), forms.account_update(world, order.contract, told), update]


# -- listen keys ----------------------------------------------------------------------------------------------------


def _create(world: World, params: Mapping[str, str], now_ms: int, quirks: Quirks) -> Reply:
    """Answer POST listenKey: the valid one of the account, extended, or a new one."""
    key = params["apiKey"]
    name = next((n for n, (made_by, until) in world.listen_keys.items() if made_by == key and until > now_ms), token())
    world.listen_keys[name] = (key, now_ms + KEY_LIFE_MS)
    return Reply(200, {"listenKey": name})


def _extend(world: World, params: Mapping[str, str], now_ms: int, quirks: Quirks) -> Reply:
    """Answer PUT listenKey."""
    _valid(world, params, now_ms)
    return _create(world, params, now_ms, quirks)


def _delete(world: World, params: Mapping[str, str], now_ms: int, quirks: Quirks) -> Reply:
    """Answer DELETE listenKey: what listens by it hears no more."""
    for name in _valid(world, params, now_ms):
        del world.listen_keys[name]
    return Reply(200, {})


def _valid(world: World, params: Mapping[str, str], now_ms: int) -> list[str]:
    """Return the valid listen keys of an API key, or raise that there is none."""
    found = [n for n, (key, until) in world.listen_keys.items() if key == params["apiKey"] and until > now_ms]
    if not found:
        raise Bad(-1125, "This listenKey does not exist.")
    return found


_SUBSCRIBE: Final = Route("userDataStream.subscribe.signature", "other", lambda _: 2, _create, "any")
ROUTES: dict[tuple[str, str], Route] = {
    (method, "/fapi/v1/listenKey"): Route(f"{method} /fapi/v1/listenKey", "other", lambda _: 1, handler, "key", "fapi")
    for method, handler in (("POST", _create), ("PUT", _extend), ("DELETE", _delete))
}

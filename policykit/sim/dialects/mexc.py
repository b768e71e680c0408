"""MEXC reads: time, the spot account, the address book.

Sources: www.mexc.com/api-docs spot-v3 (read 2026-11): general-info (signature, window), account-information; address
book as in exchanges.json; errors' words as ccxt 4.5.90 lists them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any, ClassVar

from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, Reading, params_of
from policykit.sim.keys import SimKey, token

_ADDRESSES = ("TArGWdTApuuZtiWMjupXqbZqQYsBTy126o", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf0uyj")


def _bad(status: int, code: int, message: str) -> Reply:
    return Reply(status, {"code": code, "msg": message}, code=code)


def _time(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return {"serverTime": now_ms}


def _account(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer the same for every key: what the account may do."""
    world.venue.settle(now_ms)
    return {
        "makerCommission": None,
        "takerCommission": None,
        "buyerCommission": None,
        "sellerCommission": None,
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "updateTime": None,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": str(held.free), "locked": str(held.locked)}
            for asset, held in world.venue.balances.items()
        ],
        "permissions": ["SPOT"],
    }


def _book(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    page = int(params_of(request).get("page", 1))
    row = {"coin": "USDT", "network": "TRC20", "address": _ADDRESSES[page - 1], "addressTag": "test", "memo": None}
    return {"data": [row], "totalRecords": 2, "page": page, "totalPageNum": 2}


def _symbols(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    rows = [
        {
            "symbol": one.id,
            "status": "1",
            "baseAsset": one.base,
            "quoteAsset": one.quote,
            "baseAssetPrecision": 5,
            "quoteAssetPrecision": 2,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
        }
        for one in world.venue.symbols.values()
    ]
    return {"timezone": "CST", "serverTime": now_ms, "symbols": rows}


def _tickers(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    rows = []
    for one in world.venue.symbols.values():
        bid, ask = world.venue.touch(one, now_ms)
        rows.append({"symbol": one.id, "lastPrice": str(bid), "bidPrice": str(bid), "askPrice": str(ask)})
    named = params_of(request).get("symbol")
    return next((row for row in rows if row["symbol"] == named), {}) if named else rows


def _none(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return []


def _contracts(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return {"success": True, "code": 0, "data": []}


def _mode(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return {"success": True, "code": 0, "data": 2}


class Mexc(Reading):
    """The dialect `mexc`."""

    id = "mexc"
    routes: ClassVar = {
        ("GET", "/api/v3/time"): Endpoint(_time, public=True),
        ("GET", "/api/v3/exchangeInfo"): Endpoint(_symbols, public=True, weight=25),
        ("GET", "/api/v3/ticker/24hr"): Endpoint(_tickers, public=True, weight=25),
        ("GET", "/api/v3/capital/config/getall"): Endpoint(_none, needs="read", weight=10),
        ("GET", "/api/v3/openOrders"): Endpoint(_none, needs="read", weight=3),
        ("GET", "/api/v1/contract/detail"): Endpoint(_contracts, public=True),
        ("GET", "/api/v1/private/account/assets"): Endpoint(_contracts, needs="read"),
        ("GET", "/api/v1/private/position/open_positions"): Endpoint(_contracts, needs="read"),
        ("GET", "/api/v1/private/position/position_mode"): Endpoint(_mode, needs="read"),
        ("GET", "/api/v1/private/order/list/open_orders"): Endpoint(_contracts, needs="read"),
        ("GET", "/api/v1/private/planorder/list/orders"): Endpoint(_contracts, needs="read"),
        ("GET", "/api/v3/account"): Endpoint(_account, needs="read", weight=10),
        ("GET", "/api/v3/capital/withdraw/address"): Endpoint(_book, needs="withdraw", weight=10),
    }
    errors: ClassVar = {
        "key": _bad(400, 10072, "Api key info invalid"),
        "signature": _bad(400, 700002, "Signature for this request is not valid."),
        "address": _bad(400, 700006, "IP [203.0.113.9] not in the ip white list"),
        "permission": _bad(403, 700007, "No permission to access the endpoint."),
        "clock": _bad(400, 700003, "Timestamp for this request is outside of the recvWindow."),
        "rate": _bad(429, 429, "Too Many Requests"),
        "ban": Reply(418, "", {"Retry-After": "120"}, 418),
        "maintenance": _bad(503, 503, "service not available, please try again"),
    }

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        """Make a key as MEXC does: `mx0` and 15 characters, a secret of 32 hex digits."""
        return SimKey("mx0" + token(15), hashlib.md5(token().encode()).hexdigest(), now_ms)  # noqa: S324  # nosec B324

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check `signature`: HMAC-SHA256 of the query before it, and the window (5 s by default, 60 s at most)."""
        if request.path.startswith("/api/v1/"):
            return _contract_key(world, request, now_ms)
        key = world.keys.get(request.headers.get("x-mexc-apikey", ""))
        if key is None:
            return "key"
        signed, _, signature = request.query.rpartition("&signature=")
        ours = hmac.new(key.secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(ours, signature.lower()):
            return "signature"
        params = params_of(request)
        stamp, window = str(params.get("timestamp", "")), str(params.get("recvWindow", "5000"))
        if not re.fullmatch(r"[0-9]{13}", stamp) or not window.isdigit() or int(window) > 60_000:
            return "clock"
        return key if now_ms - int(window) <= int(stamp) < now_ms + 1000 else "clock"


def _contract_key(world: World, request: Request, now_ms: int) -> SimKey | str:
    """Check a contract call: HMAC-SHA256 of key, time and query in headers; 10 s (futures integration guide)."""
    key = world.keys.get(request.headers.get("apikey", ""))
    if key is None:
        return "key"
    stamp = request.headers.get("request-time", "")
    ours = hmac.new(key.secret.encode(), f"{key.key}{stamp}{request.query}".encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(ours, request.headers.get("signature", "")):
        return "signature"
    return key if stamp.isdigit() and abs(int(stamp) - now_ms) <= 10_000 else "clock"


DIALECT = Mexc

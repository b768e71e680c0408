"""BloFin reads: the key report, the futures account. There is no time call.

Source: blofin/blofin-api-docs@032a81d index.md "REST Authentication" and "GET API Key Info" (read November 2026); the
words of 1524xx beside ccxt's table of codes. A nonce is not checked for use: on a simulated clock, whose millisecond
ccxt's nonce is, every second request would be refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any, ClassVar

from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, Reading, near
from policykit.sim.keys import SimKey, token

#: "need to be within 60s" (152405).
WINDOW_MS = 60_000


def _ok(data: Any) -> dict[str, Any]:
    return {"code": "0", "msg": "success", "data": data}


def _bad(code: int, message: str, status: int = 200) -> Reply:
    return Reply(status, {"code": str(code), "msg": message}, code=code)


def _key(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    assert key is not None
    drift = world.drift
    return _ok(
        {
            "uid": "24308529173",
            "apiName": key.label,
            "apiKey": key.key,
            "readOnly": 1 if key.grants <= {"read"} else 0,
            "ips": drift.addresses(key.addresses, list(key.addresses), []),
            "type": 1,
            "expireTime": drift.time(key.expires_ms, "ms_text", "0"),
            "createTime": drift.time(key.created_ms, "ms_text"),
            "referralCode": "blofin",
            "parentUid": "0",
            **dict.fromkeys(drift.strange, 1),
        }
    )


def _balance(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    world.venue.settle(now_ms)
    details = [
        {
            "currency": asset,
            "equity": str(held.total),
            "balance": str(held.total),
            "ts": str(now_ms),
            "isolatedEquity": "0",
            "available": str(held.total - held.locked),
            "availableEquity": str(held.total - held.locked),
            "frozen": str(held.locked),
            "orderFrozen": "0",
            "equityUsd": str(held.total),
        }
        for asset, held in world.venue.balances.items()
    ]
    return _ok({"ts": str(now_ms), "totalEquity": "0", "isolatedEquity": "0", "details": details})


def _instruments(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    rows = [
        {
            "instId": f"{symbol.base}-{symbol.quote}",
            "baseCurrency": symbol.base,
            "quoteCurrency": symbol.quote,
            "contractValue": "1",
            "listTime": "1638333031000",
            "expireTime": "1704124800000",
            "maxLeverage": "1",
            "minSize": str(symbol.min_quantity),
            "lotSize": str(symbol.step),
            "tickSize": str(symbol.tick),
            "instType": "SPOT",
            "contractType": "",
            "state": "live",
            "settleCurrency": symbol.quote,
        }
        for symbol in world.venue.symbols.values()
    ]
    return _ok(rows)


def _tickers(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    rows = []
    for symbol in world.venue.symbols.values():
        bid, ask = world.venue.touch(symbol, now_ms)
        name = f"{symbol.base}-{symbol.quote}"
        rows.append({"instId": name, "bidPrice": str(bid), "askPrice": str(ask), "ts": str(now_ms)})
    return _ok(rows)


def _position_mode(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"positionMode": "net_mode"})


def _none(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok([])


class BloFin(Reading):
    """The dialect `blofin`."""

    id = "blofin"
    routes: ClassVar = {
        ("GET", "/api/v1/market/instruments"): Endpoint(_instruments, public=True),
        ("GET", "/api/v1/market/tickers"): Endpoint(_tickers, public=True),
        ("GET", "/api/v1/account/position-mode"): Endpoint(_position_mode),
        ("GET", "/api/v1/user/query-apikey"): Endpoint(_key),
        ("GET", "/api/v1/account/balance"): Endpoint(_balance),
        ("GET", "/api/v1/account/positions"): Endpoint(_none),
        ("GET", "/api/v1/trade/orders-pending"): Endpoint(_none),
        ("GET", "/api/v1/trade/orders-tpsl-pending"): Endpoint(_none),
        ("GET", "/api/v1/trade/orders-algo-pending"): Endpoint(_none),
    }
    errors: ClassVar = {
        "key": _bad(152401, "Access key does not exist"),
        "signature": _bad(152409, "Signature verification failed"),
        "passphrase": _bad(152408, "Passphrase error"),
        "address": _bad(152406, "Your IP is not included in your API key's IP whitelist"),
        "permission": _bad(
            152404, "This operation is not supported, Please check the requestPath or API key permissions."
        ),
        "clock": _bad(152405, "Timestamp in header or signature has expired, need to be within 60s"),
        "rate": _bad(429, "Too Many Requests", 429),
        "ban": Reply(403, "<html><body>403 Forbidden</body></html>", code=403),
        "maintenance": _bad(500, "Internal Server Error"),
    }

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        """Make the credentials of a key: it has a passphrase."""
        return SimKey(token(32), token(32), now_ms, passphrase=token(16))

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check ACCESS-SIGN: base64 of the *hex text* of HMAC-SHA256 of path, method, time, nonce and body."""
        headers = request.headers
        key = world.keys.get(headers.get("access-key", ""))
        if key is None:
            return "key"
        if not hmac.compare_digest(key.passphrase, headers.get("access-passphrase", "")):
            return "passphrase"
        stamp, nonce = headers.get("access-timestamp", ""), headers.get("access-nonce", "")
        path = request.path + (f"?{request.query}" if request.query else "")
        signed = f"{path}{request.method}{stamp}{nonce}{request.body}"
        digest = hmac.new(key.secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        ours = base64.b64encode(digest.encode()).decode()
        if not nonce or not hmac.compare_digest(ours, headers.get("access-sign", "")):
            return "signature"
        return key if stamp.isdigit() and near(int(stamp), now_ms, WINDOW_MS) else "clock"


DIALECT = BloFin

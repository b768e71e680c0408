"""Bitget reads: time, the key report of a unified or a classic account, the account.

Source: bitget.com/api-doc (rosssaunders/coincise@fca00a162 docs/bitget/common/signature.md; 9805e8374 spot/
account_Get-Account-Info.md; uta/account/Get-Account-Info, stored index file 55377609951; all read 2026-11-21). A key
whose `account` is `classic` is answered as one of a classic account.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Any, ClassVar
from urllib.parse import unquote

from policykit.sim.dialects import bitget_orders
from policykit.sim.dialects._ending import ended
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, Reading, near, params_of
from policykit.sim.keys import SimKey, token

#: A request may be this far from the server's time, ms (from memory; 40008).
WINDOW_MS = 30_000
#: Grant -> name of a unified account, and code of a classic one; there is none for options.
_NAMES = {
    "trade.spot": ("uta_trade", "stow"),
    "trade.margin": ("uta_trade", "smow"),
    "trade.derivatives": ("uta_trade", "coow"),
    "trade.other": ("copy_futures_order", "ttow"),
    "transfer": ("uta_mgt", "wtow"),
    "withdraw": ("withdraw", "wwow"),
    "key_admin": ("uta_mgt", "chow"),
}
_ACCOUNT = {
    "userId": "123456789",
    "inviterId": "987654321",
    "parentId": "",
    "channelCode": "6258",
    "channel": "official",
    "regisTime": "1704067200000",
}


def _ok(data: Any, now_ms: int) -> dict[str, Any]:
    return {"code": "00000", "msg": "success", "requestTime": now_ms, "data": data}


def _bad(status: int, code: int, message: str) -> Reply:
    return Reply(status, {"code": str(code), "msg": message, "requestTime": 1744617600000, "data": None}, code=code)


_NOT_UNIFIED = _bad(400, 25245, "Account is not in unified (UTA) mode.")
_NOT_CLASSIC = _bad(
    400, 40085, "You are in Unified Account mode, and the Classic Account API is not supported at this time"
)


def _time(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"serverTime": str(now_ms)}, now_ms)


def _info(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    assert key is not None
    if key.account == "classic":
        return _NOT_UNIFIED
    names = list(dict.fromkeys(_NAMES[grant][0] for grant in sorted(key.grants) if grant in _NAMES))
    return _ok(
        {
            **_ACCOUNT,
            "ips": world.drift.addresses(key.addresses, ",".join(key.addresses), ""),
            "permType": "read-and-write" if names else "read-only",
            "permissions": [*(names or ("uta_mgt", "uta_trade")), *world.drift.strange],
        },
        now_ms,
    )


def _classic_info(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    assert key is not None
    if key.account != "classic":
        return _NOT_CLASSIC
    codes = [_NAMES[grant][1] for grant in sorted(key.grants) if grant in _NAMES]
    return _ok(
        {
            **_ACCOUNT,
            "ips": world.drift.addresses(key.addresses, ",".join(key.addresses), ""),
            "authorities": ["stor", *codes, *world.drift.strange],
            "traderType": "not_trader",
        },
        now_ms,
    )


def _unified(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    if key is not None and key.account == "classic":
        return _NOT_UNIFIED
    return _ok({"uid": "123456789", "accountMode": "unified", "holdMode": "one_way_mode"}, now_ms)


def _classic_only(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok([], now_ms) if key is not None and key.account == "classic" else _NOT_CLASSIC


def _assets(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    world.venue.settle(now_ms)
    rows = [
        {
            "coin": asset,
            "equity": str(held.total),
            "balance": str(held.total),
            "available": str(held.total - held.locked),
            "locked": str(held.locked),
            "debt": "0",
        }
        for asset, held in world.venue.balances.items()
    ]
    return _ok({"accountEquity": "", "assets": rows}, now_ms)


def _instruments(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    if "category=SPOT" not in request.query:
        return _ok([], now_ms)
    rows = [
        {
            "symbol": symbol.id,
            "category": "SPOT",
            "baseCoin": symbol.base,
            "quoteCoin": symbol.quote,
            "minOrderQty": str(symbol.min_quantity),
            "maxOrderQty": str(symbol.max_quantity),
            "minOrderAmount": str(symbol.min_notional),
            "pricePrecision": "2",
            "quantityPrecision": "5",
            "quotePrecision": "2",
            "status": "online",
        }
        for symbol in world.venue.symbols.values()
    ]
    return _ok(rows, now_ms)


def _tickers(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    rows = []
    for symbol in world.venue.symbols.values():
        bid, ask = world.venue.touch(symbol, now_ms)
        rows.append(
            {
                "category": "SPOT",
                "symbol": symbol.id,
                "lastPrice": str(bid),
                "bid1Price": str(bid),
                "ask1Price": str(ask),
                "ts": str(now_ms),
            }
        )
    return _ok(rows, now_ms)


def _list(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"list": []}, now_ms)


def _rows(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok([], now_ms)


def _addresses(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"addressList": [], "cursor": ""}, now_ms)


def _delete_sub(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer POST /api/v3/user/delete-sub-api: for a main account's key with management."""
    if not ended(world, params_of(request).get("apiKey")):
        return _bad(400, 40006, "Invalid ACCESS_KEY")
    return _ok({}, now_ms)


class Bitget(Reading):
    """The dialect `bitget`."""

    id = "bitget"
    routes: ClassVar = {
        ("GET", "/api/v2/public/time"): Endpoint(_time, public=True),
        ("GET", "/api/v2/spot/public/coins"): Endpoint(_rows, public=True),
        ("GET", "/api/v3/market/instruments"): Endpoint(_instruments, public=True),
        ("GET", "/api/v3/market/tickers"): Endpoint(_tickers, public=True),
        ("GET", "/api/v3/account/info"): Endpoint(_info),
        ("GET", "/api/v2/spot/account/info"): Endpoint(_classic_info),
        ("GET", "/api/v3/account/settings"): Endpoint(_unified),
        ("GET", "/api/v3/account/assets"): Endpoint(_assets),
        ("GET", "/api/v3/account/funding-assets"): Endpoint(_rows),
        ("GET", "/api/v3/account/withdraw-address"): Endpoint(_addresses),
        ("GET", "/api/v3/position/current-position"): Endpoint(_list),
        ("POST", "/api/v3/user/delete-sub-api"): Endpoint(_delete_sub, needs="transfer", point="other"),
        **bitget_orders.ROUTES,
        ("GET", "/api/v3/trade/unfilled-strategy-orders"): Endpoint(_rows),
        ("GET", "/api/v2/mix/account/accounts"): Endpoint(_classic_only),
    }
    #: No ban of an address is documented: too much is refused with the limit's own error again.
    errors: ClassVar = {
        "key": _bad(400, 40006, "Invalid ACCESS_KEY"),
        "signature": _bad(400, 40009, "sign signature error"),
        "passphrase": _bad(400, 40012, "apikey/password is incorrect"),
        "address": _bad(400, 40018, "invalid ip,current request ip 198.51.100.9"),
        "permission": _bad(400, 40014, "Incorrect permissions, need spot read permissions"),
        "clock": _bad(400, 40008, "Request timestamp expired"),
        "rate": _bad(429, 429, "Too Many Requests"),
        "ban": _bad(429, 429, "Too Many Requests"),
        "maintenance": _bad(400, 40200, "Server upgrade, please try again later"),
    }

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        """Make a key as Bitget does: `bg_` and 32 hex digits, 64 hex digits, the passphrase that a person chose."""
        return SimKey(f"bg_{secrets.token_hex(16)}", secrets.token_hex(32), now_ms, passphrase=token(20))

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check ACCESS-SIGN: base64 of HMAC-SHA256 over timestamp, method, path, `?` and the plain query, body."""
        headers = request.headers
        key = world.keys.get(headers.get("access-key", ""))
        if key is None:
            return "key"
        stamp = headers.get("access-timestamp", "")
        path = request.path + (f"?{unquote(request.query)}" if request.query else "")
        signed = hmac.new(key.secret.encode(), f"{stamp}{request.method}{path}{request.body}".encode(), hashlib.sha256)
        if not hmac.compare_digest(base64.b64encode(signed.digest()).decode(), headers.get("access-sign", "")):
            return "signature"
        if not hmac.compare_digest(key.passphrase, headers.get("access-passphrase", "")):
            return "passphrase"
        return key if stamp.isdigit() and near(int(stamp), now_ms, WINDOW_MS) else "clock"


DIALECT = Bitget

"""KuCoin reads: time, the key report, the accounts, on its two hosts.

Source: kucoin.com/docs-new "Authentication" (rosssaunders/coincise@030a0d69a docs/kucoin/authentication.md, read
2026-11-21), Kucoin/kucoin-universal-sdk@78c90c77 openapi-account-account.json (2025-11-04), error words of
docs.kucoin.com (stored index file 48979806261, read 2026-11-21).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import uuid
from typing import Any, ClassVar
from urllib.parse import unquote

from policykit.sim.dialects import kucoin_orders
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, Reading, near
from policykit.sim.drift import ABSENT
from policykit.sim.keys import SimKey, token

FUTURES_HOST = "api-futures.kucoin.com"
#: A request may be this far from the server's time, ms (error 400002).
WINDOW_MS = 5_000
#: Grant -> permission name; there is none for options and key_admin.
_NAMES = {
    "trade.spot": "Spot",
    "trade.margin": "Margin",
    "trade.derivatives": "Futures",
    "trade.other": "Earn",
    "transfer": "InnerTransfer",
    "withdraw": "Transfer",
}


def _ok(data: Any) -> dict[str, Any]:
    return {"code": "200000", "data": data}


def _bad(status: int, code: int, message: str) -> Reply:
    return Reply(status, {"code": str(code), "msg": message}, code=code)


def masked(address: str) -> str:
    """Return an address as KuCoin shows it: `203.**.7`."""
    parts = address.split(".")
    return f"{parts[0]}.**.{parts[-1]}" if len(parts) == 4 else f"{address[:4]}**"


def _time(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok(now_ms)


def _key(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    assert key is not None
    names = ["General", *(name for grant, name in _NAMES.items() if grant in key.grants), *world.drift.strange]
    return _ok(
        {
            "remark": key.label,
            "apiKey": key.key,
            "apiVersion": 3,
            "permission": ",".join(names),
            "ipWhitelist": world.drift.addresses(key.addresses, ",".join(map(masked, key.addresses)), ABSENT),
            "createdAt": world.drift.time(key.created_ms, "ms"),
            "uid": 165111215,
            "isMaster": True,
            "region": "ID",
            "kycStatus": 1,
            "siteType": "global",
        }
    )


def _accounts(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    if "type=main" in request.query:
        return _ok([])
    world.venue.settle(now_ms)
    rows = [
        {
            "id": f"5bd6e9286d99522a52e458{number:02}",
            "currency": asset,
            "type": "trade_hf",
            "balance": str(held.total),
            "available": str(held.total - held.locked),
            "holds": str(held.locked),
        }
        for number, (asset, held) in enumerate(world.venue.balances.items())
    ]
    return _ok(rows)


def _currencies(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    assets = {asset for symbol in world.venue.symbols.values() for asset in (symbol.base, symbol.quote)}
    return _ok([{"currency": asset, "name": asset, "precision": 8, "chains": []} for asset in sorted(assets)])


def _symbols(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    rows = [
        {
            "symbol": f"{symbol.base}-{symbol.quote}",
            "name": f"{symbol.base}-{symbol.quote}",
            "baseCurrency": symbol.base,
            "quoteCurrency": symbol.quote,
            "feeCurrency": symbol.quote,
            "baseMinSize": str(symbol.min_quantity),
            "baseMaxSize": str(symbol.max_quantity),
            "baseIncrement": str(symbol.step),
            "quoteIncrement": str(symbol.tick),
            "priceIncrement": str(symbol.tick),
            "minFunds": str(symbol.min_notional),
            "enableTrading": True,
        }
        for symbol in world.venue.symbols.values()
    ]
    return _ok(rows)


def _tickers(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    rows = []
    for symbol in world.venue.symbols.values():
        bid, ask = world.venue.touch(symbol, now_ms)
        name = f"{symbol.base}-{symbol.quote}"
        rows.append({"symbol": name, "symbolName": name, "buy": str(bid), "sell": str(ask), "last": str(bid)})
    return _ok({"time": now_ms, "ticker": rows})


def _position_mode(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"positionMode": 0})


def _mode(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"selfAccountMode": "CLASSIC"})


def _opened(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok(True)


def _items(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"items": []})


def _none(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok([])


def _overview(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"currency": "USDT", "accountEquity": 0, "availableBalance": 0, "orderMargin": 0, "positionMargin": 0})


class Kucoin(Reading):
    """The dialect `kucoin`."""

    id = "kucoin"
    routes: ClassVar = {
        ("GET", "/api/v1/timestamp"): Endpoint(_time, public=True),
        ("GET", "/api/v3/currencies"): Endpoint(_currencies, public=True),
        ("GET", "/api/v2/symbols"): Endpoint(_symbols, public=True),
        ("GET", "/api/v1/user/api-key"): Endpoint(_key),
        ("GET", "/api/ua/v1/account/mode"): Endpoint(_mode),
        ("GET", "/api/v3/margin/symbols"): Endpoint(_items),
        ("GET", "/api/v1/isolated/symbols"): Endpoint(_none),
        ("GET", "/api/v1/hf/accounts/opened"): Endpoint(_opened),
        ("GET", "/api/v1/accounts"): Endpoint(_accounts),
        **kucoin_orders.ROUTES,
        ("GET", "/api/v1/contracts/active"): Endpoint(_none, public=True, host=FUTURES_HOST),
        ("GET", "/api/v1/account-overview"): Endpoint(_overview, host=FUTURES_HOST),
        ("GET", "/api/v1/positions"): Endpoint(_none, host=FUTURES_HOST),
        ("GET", "/api/v1/orders"): Endpoint(_items, host=FUTURES_HOST),
        ("GET", "/api/v1/stopOrders"): Endpoint(_items, host=FUTURES_HOST),
        ("GET", "/api/v1/market/allTickers"): Endpoint(_tickers, public=True),
        ("GET", "/api/v2/position/getPositionMode"): Endpoint(_position_mode, host=FUTURES_HOST),
    }
    errors: ClassVar = {
        "key": _bad(401, 400003, "KC-API-KEY not exists"),
        "signature": _bad(401, 400005, "Signature error"),
        "passphrase": _bad(401, 400004, "KC-API-PASSPHRASE error"),
        "address": _bad(401, 400006, "The requested ip address is not in the api whitelist"),
        "permission": _bad(403, 400007, "Access Denied"),
        "clock": _bad(401, 400002, "KC-API-TIMESTAMP Invalid"),
        "rate": _bad(429, 429000, "Too Many Requests"),
        "ban": Reply(403, "error code: 1015", code=403),
        "maintenance": Reply(503, "Service Unavailable", code=503),
    }

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        """Make a key as KuCoin does: 24 hex digits, a UUID, and the passphrase that a person chose."""
        return SimKey(secrets.token_hex(12), str(uuid.uuid4()), now_ms, passphrase=token(20))

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check KC-API-SIGN, base64 of HMAC-SHA256 over timestamp, method, path with the plain query, body.

        The passphrase is signed with the secret too, since version 2 of keys.
        """
        headers = request.headers
        key = world.keys.get(headers.get("kc-api-key", ""))
        if key is None:
            return "key"
        stamp = headers.get("kc-api-timestamp", "")
        path = request.path + (f"?{unquote(request.query)}" if request.query else "")
        ours = _signed(key.secret, f"{stamp}{request.method}{path}{request.body}")
        if not hmac.compare_digest(ours, headers.get("kc-api-sign", "")):
            return "signature"
        hashed = headers.get("kc-api-key-version") in ("2", "3")
        passphrase = _signed(key.secret, key.passphrase) if hashed else key.passphrase
        if not hmac.compare_digest(passphrase, headers.get("kc-api-passphrase", "")):
            return "passphrase"
        return key if stamp.isdigit() and near(int(stamp), now_ms, WINDOW_MS) else "clock"


def _signed(secret: str, text: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


DIALECT = Kucoin

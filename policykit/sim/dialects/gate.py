"""Gate reads: time, the list of the account's keys, the account's detail, the account.

Source: gate.com/docs/developers/apiv4, "Query all main account API key information" (stored index file 2407054484),
labels and statuses (2418310249), authentication (rosssaunders/coincise@57a93e9cd docs/gateio/authentication.md), all
read 2026-11-21. The list has another key of the account beside the one that asks, and ids are masked. A key whose
`account` is `sub` is in no list, and one whose `account` is `refused` may not ask for it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Any, ClassVar
from urllib.parse import unquote

from policykit.sim.dialects import gate_orders
from policykit.sim.dialects._ending import ended
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, Reading, near
from policykit.sim.keys import SimKey

#: "The gap between the time of the request and of the server must not exceed 60 seconds", ms.
WINDOW_MS = 60_000
#: Grant -> the group that a person gives it with; key_admin has none.
_GROUPS = {
    "trade.spot": "spot",
    "trade.margin": "margin",
    "trade.derivatives": "futures",
    "trade.options": "options",
    "trade.other": "earn",
    "transfer": "wallet",
    "withdraw": "wallet",
}
_USER = 10_001


def _bad(status: int, label: str, message: str) -> Reply:
    return Reply(status, {"label": label, "message": message})


_FORBIDDEN = _bad(403, "FORBIDDEN", "API key does not have permission to access this resource")


def _masked(key: str) -> str:
    return f"{key[:12]}*****"


def _time(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return {"server_time": now_ms}


def _keys(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    assert key is not None
    if key.account == "refused":
        return _FORBIDDEN
    drift = world.drift
    groups = sorted({_GROUPS[grant] for grant in key.grants if grant in _GROUPS})
    perms = [{"name": "account", "read_only": True}, *({"name": name, "read_only": False} for name in groups)]
    own = {
        "state": 1,
        "mode": 1,
        "name": key.label,
        "user_id": _USER,
        "perms": [*perms, *({"name": name, "read_only": False} for name in drift.strange)],
        "ip_whitelist": drift.addresses(key.addresses, list(key.addresses), []),
        "currency_pairs": [],
        "key": _masked(key.key),
        "created_at": drift.time(key.created_ms, "s"),
        "update_at": drift.time(key.created_ms, "s"),
        "last_access": drift.time(key.used_ms, "s", 0),
    }
    other = {
        "state": 1,
        "mode": 1,
        "name": "other",
        "user_id": _USER,
        "perms": [{"name": "wallet", "read_only": False}],
        "ip_whitelist": [],
        "currency_pairs": [],
        "key": "52fd0035f665*****",
        "created_at": 1_753_897_991,
        "update_at": 1_756_300_567,
        "last_access": 1_753_897_991,
    }
    return [other] if key.account == "sub" else [other, own]


def _detail(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    assert key is not None
    return {
        "ip_whitelist": world.drift.addresses(key.addresses, list(key.addresses), []),
        "currency_pairs": ["BTC_USDT"],
        "user_id": _USER,
        "tier": 2,
        "key": {"mode": 1},
        "copy_trading_role": 0,
    }


def _pairs(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return [
        {
            "id": f"{symbol.base}_{symbol.quote}",
            "base": symbol.base,
            "quote": symbol.quote,
            "fee": "0.2",
            "min_base_amount": str(symbol.min_quantity),
            "min_quote_amount": str(symbol.min_notional),
            "amount_precision": 5,
            "precision": 2,
            "trade_status": "tradable",
        }
        for symbol in world.venue.symbols.values()
    ]


def _tickers(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    rows = []
    for symbol in world.venue.symbols.values():
        bid, ask = world.venue.touch(symbol, now_ms)
        pair = f"{symbol.base}_{symbol.quote}"
        rows.append({"currency_pair": pair, "last": str(bid), "highest_bid": str(bid), "lowest_ask": str(ask)})
    return rows


def _accounts(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    world.venue.settle(now_ms)
    return [
        {"currency": asset, "available": str(held.total - held.locked), "locked": str(held.locked)}
        for asset, held in world.venue.balances.items()
    ]


def _contracts_account(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    coin = request.path.split("/")[4].upper()
    return {"currency": coin, "total": "0", "available": "0", "unrealised_pnl": "0", "in_dual_mode": False}


def _delete_sub(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer DELETE /api/v4/sub_accounts/{user_id}/keys/{key} (docs/SubAccountApi.md): 204 without a body."""
    _, _, user, _, name = request.path.rsplit("/", 4)
    return Reply(204, "") if ended(world, name, user) else _bad(404, "NOT_FOUND", "API key not found")


def _none(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return []


_SETTLED = ("futures/usdt", "futures/btc", "delivery/usdt")


class Gate(Reading):
    """The dialect `gate`."""

    id = "gate"
    routes: ClassVar = {
        ("GET", "/api/v4/spot/time"): Endpoint(_time, public=True),
        ("GET", "/api/v4/spot/currencies"): Endpoint(_none, public=True),
        ("GET", "/api/v4/spot/currency_pairs"): Endpoint(_pairs, public=True),
        ("GET", "/api/v4/spot/tickers"): Endpoint(_tickers, public=True),
        ("GET", "/api/v4/margin/currency_pairs"): Endpoint(_none, public=True),
        **{("GET", f"/api/v4/{place}/contracts"): Endpoint(_none, public=True) for place in _SETTLED},
        ("GET", "/api/v4/account/main_keys"): Endpoint(_keys),
        ("GET", "/api/v4/account/detail"): Endpoint(_detail),
        ("GET", "/api/v4/spot/accounts"): Endpoint(_accounts),
        **gate_orders.ROUTES,
        **{("GET", f"/api/v4/{place}/accounts"): Endpoint(_contracts_account) for place in _SETTLED},
        **{
            ("GET", f"/api/v4/{place}/{what}"): Endpoint(_none)
            for place in _SETTLED
            for what in ("positions", "orders", "price_orders")
        },
    }
    #: No ban of an address is documented: too much is refused with the limit's own error again.
    errors: ClassVar = {
        "key": _bad(401, "INVALID_KEY", "Invalid key provided"),
        "signature": _bad(401, "INVALID_SIGNATURE", "Signature mismatch"),
        "address": _bad(403, "FORBIDDEN", "Request IP not in whitelist: 198.51.100.9"),
        "permission": _FORBIDDEN,
        "clock": _bad(403, "REQUEST_EXPIRED", "gap between request Timestamp and server time exceeds 60"),
        "rate": _bad(429, "TOO_MANY_REQUESTS", "Request Rate limit Exceeded"),
        "ban": _bad(429, "TOO_MANY_REQUESTS", "Request Rate limit Exceeded"),
        "maintenance": _bad(503, "TOO_BUSY", "System is busy, please try again later"),
    }

    def endpoint(self, request: Request) -> Endpoint | None:
        """Return the endpoint of a request; that of a sub-account's key has two ids in its path."""
        if request.method == "DELETE" and re.fullmatch(r"/api/v4/sub_accounts/[^/]+/keys/[^/]+", request.path):
            return Endpoint(_delete_sub, needs="transfer", point="other")
        return super().endpoint(request)

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        """Make a key as Gate does: 32 hex digits, and a secret of 64."""
        return SimKey(secrets.token_hex(16), secrets.token_hex(32), now_ms)

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check SIGN: HMAC-SHA512 in hex over method, path, query, SHA-512 of the body and Timestamp, by lines."""
        headers = request.headers
        key = world.keys.get(headers.get("key", ""))
        if key is None:
            return "key"
        stamp = headers.get("timestamp", "")
        body = hashlib.sha512(request.body.encode()).hexdigest()
        text = "\n".join((request.method, request.path, unquote(request.query), body, stamp))
        signed = hmac.new(key.secret.encode(), text.encode(), hashlib.sha512).hexdigest()
        if not hmac.compare_digest(signed, headers.get("sign", "")):
            return "signature"
        return key if stamp.isdigit() and near(int(stamp) * 1000, now_ms, WINDOW_MS) else "clock"


DIALECT = Gate

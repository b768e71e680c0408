"""Kraken's spot REST reads: time, the key report, balances, open orders, withdrawal addresses.

Source: docs.kraken.com/api/docs (copies of 2026-05-27): guides/spot-rest-auth, rest-api/get-api-key-info,
get-withdrawal-addresses; docs.kraken.com/exchange/guides/general/errors (2026-11). Errors come with HTTP 200. How a
refused address is answered is not documented; here as a key that is not known.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from email.utils import formatdate
from typing import Any, ClassVar

from policykit.sim.dialects import kraken_orders
from policykit.sim.dialects._numbered import Numbered
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, params_of
from policykit.sim.keys import SimKey

#: The permissions that a grant stands for; margin rides on orders, transfer has none of its own.
_NAMES: dict[str, tuple[str, ...]] = {
    "read": ("query-funds", "query-open-trades", "query-closed-trades", "query-ledger"),
    "trade.spot": ("modify-trades", "close-trades"),
    "trade.margin": ("modify-trades", "close-trades"),
    "trade.derivatives": (),
    "trade.options": (),
    "trade.other": ("earn-funds",),
    "transfer": (),
    "withdraw": ("withdraw-funds",),
    "key_admin": (),
}


def _ok(result: Any) -> dict[str, Any]:
    return {"error": [], "result": result}


def _bad(words: str) -> Reply:
    return Reply(200, {"error": [words]}, code=1)


def _time(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    seconds = now_ms // 1000
    return _ok({"unixtime": seconds, "rfc1123": formatdate(seconds).replace("-0000", "+0000")})


def _status(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"status": "online", "timestamp": "2026-11-21T10:00:00Z"})


def _key(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    assert key is not None
    drift = world.drift
    permissions = list(dict.fromkeys(name for grant in sorted(key.grants) for name in _NAMES[grant]))
    return _ok(
        {
            "apiKeyName": key.label,
            "apiKey": key.key,
            "nonce": str(now_ms),
            "nonceWindow": 0,
            "permissions": [*permissions, *drift.strange],
            "iban": "AA88 N84G WOAK NMOI",
            "validUntil": drift.time(key.expires_ms, "s_text", "0"),
            "queryFrom": "0",
            "queryTo": "0",
            "createdTime": drift.time(key.created_ms, "s_text"),
            "modifiedTime": drift.time(key.created_ms, "s_text"),
            "ipAllowlist": drift.addresses(key.addresses, list(key.addresses), []),
            "lastUsed": drift.time(key.used_ms, "s_text", None),
        }
    )


def _balances(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    world.venue.settle(now_ms)
    held = world.venue.balances.items()
    return _ok({asset: {"balance": str(one.total), "hold_trade": str(one.locked)} for asset, one in held})


def _nothing(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({})


def _positions(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok([])  # consolidated by market, as ccxt asks


def _addresses(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok(
        [
            {
                "address": "bc1qsim000000000000000000000000000000000",
                "asset": "XBT",
                "method": "Bitcoin",
                "key": "btc-cold",
                "memo": "",
                "verified": True,
            }
        ]
    )


class Kraken(Numbered):
    """The dialect `kraken`."""

    id = "kraken"
    routes: ClassVar = {
        ("GET", "/0/public/Time"): Endpoint(_time, public=True),
        ("GET", "/0/public/SystemStatus"): Endpoint(_status, public=True),
        ("GET", "/0/public/Assets"): Endpoint(_nothing, public=True),
        ("POST", "/0/private/GetApiKeyInfo"): Endpoint(_key),
        ("POST", "/0/private/BalanceEx"): Endpoint(_balances, needs="read"),
        **kraken_orders.ROUTES,
        ("POST", "/0/private/OpenPositions"): Endpoint(_positions, needs="read"),
        ("POST", "/0/private/WithdrawAddresses"): Endpoint(_addresses, needs="withdraw"),
    }
    errors: ClassVar = {
        "key": _bad("EAPI:Invalid key"),
        "signature": _bad("EAPI:Invalid signature"),
        "address": _bad("EAPI:Invalid key"),
        "permission": _bad("EGeneral:Permission denied"),
        "clock": _bad("EAPI:Invalid nonce"),
        "rate": _bad("EAPI:Rate limit exceeded"),
        "ban": _bad("EGeneral:Temporary lockout"),
        "maintenance": _bad("EService:Unavailable"),
    }

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        """Make a key of 56 characters and a secret of 64 bytes, both base64."""
        key, secret = (base64.b64encode(secrets.token_bytes(length)).decode() for length in (42, 64))
        return SimKey(key, secret, now_ms)

    def number(self, request: Request) -> tuple[str, str]:
        """Read the nonce from the form."""
        return request.headers.get("api-key", ""), str(params_of(request).get("nonce", ""))

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check API-Sign: HMAC-SHA512 of the path and of SHA256(nonce + body), by the decoded secret, in base64."""
        name, nonce = self.number(request)
        key = world.keys.get(name)
        if key is None:
            return "key"
        digest = hashlib.sha256((nonce + request.body).encode()).digest()
        ours = hmac.new(base64.b64decode(key.secret), request.path.encode() + digest, hashlib.sha512).digest()
        theirs = request.headers.get("api-sign", "")
        return key if hmac.compare_digest(base64.b64encode(ours).decode(), theirs) else "signature"


DIALECT = Kraken

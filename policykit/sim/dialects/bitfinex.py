"""Bitfinex v2 reads: the key's permissions, wallets, orders, positions; public calls have a host of their own.

Source: docs.bitfinex.com: docs/rest-auth (from memory), reference/key-permissions (2025-06-10); error arrays as seen
(`["error", 10100, "apikey: digest invalid"]` with 500, `["error", 11010, "ratelimit: error"]` with 429), and ccxt
4.5.90's table. How a refused address is answered is not documented; here as a key that is not known.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, ClassVar

from policykit.sim.dialects._numbered import Numbered
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint
from policykit.sim.keys import SimKey

#: The host of signed calls; public ones go to api-pub.bitfinex.com.
_PRIVATE = "api.bitfinex.com"
#: The lists of public configuration that ccxt makes its markets of.
_MARKETS = "pub:info:pair,pub:info:pair:futures,pub:list:pair:securities,pub:list:pair:margin"
#: The permissions that may be written with a grant.
_WRITES: dict[str, tuple[str, ...]] = {
    "read": (),
    "trade.spot": ("orders",),
    "trade.margin": ("orders", "positions"),
    "trade.derivatives": ("orders", "positions"),
    "trade.options": (),
    "trade.other": ("funding",),
    "transfer": ("wallets",),
    "withdraw": ("withdraw",),
    "key_admin": (),
}
_READABLE = ("account", "history", "orders", "positions", "funding", "wallets")
_PERMISSIONS = (*_READABLE, "settings", "withdraw", "ui_withdraw", "bfxpay")


def _bad(status: int, code: int, words: str) -> Reply:
    return Reply(status, ["error", code, words], code=code)


def _status(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return [1]


def _conf(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return [[] for _ in request.path.split(",")]


def _key(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    assert key is not None
    written = {name for grant in key.grants for name in _WRITES[grant]}
    readable = set(_READABLE) if "read" in key.grants else set()
    rows = [[name, int(name in readable), int(name in written)] for name in _PERMISSIONS]
    return [*rows, *([name, 1, 1] for name in world.drift.strange)]


def _wallets(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    world.venue.settle(now_ms)
    held = world.venue.balances.items()
    return [["exchange", asset, float(one.total), 0, float(one.free), None, None] for asset, one in held]


def _nothing(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return []


class Bitfinex(Numbered):
    """The dialect `bitfinex`."""

    id = "bitfinex"
    routes: ClassVar = {
        ("GET", "/v2/platform/status"): Endpoint(_status, public=True),
        ("GET", f"/v2/conf/{_MARKETS}"): Endpoint(_conf, public=True),
        ("POST", "/v2/auth/r/permissions"): Endpoint(_key, host=_PRIVATE),
        ("POST", "/v2/auth/r/wallets"): Endpoint(_wallets, needs="read", host=_PRIVATE),
        ("POST", "/v2/auth/r/orders"): Endpoint(_nothing, needs="read", host=_PRIVATE),
        ("POST", "/v2/auth/r/positions"): Endpoint(_nothing, needs="read", host=_PRIVATE),
    }
    errors: ClassVar = {
        "key": _bad(500, 10100, "apikey: invalid"),
        "signature": _bad(500, 10100, "apikey: digest invalid"),
        "address": _bad(500, 10100, "apikey: invalid"),
        "permission": _bad(500, 10001, "api_key: permission invalid"),
        "clock": _bad(500, 10114, "nonce: small"),
        "rate": _bad(429, 11010, "ratelimit: error"),
        "ban": _bad(429, 11010, "ratelimit: error"),
        "maintenance": _bad(500, 20060, "maintenance"),
    }

    def number(self, request: Request) -> tuple[str, str]:
        """Read the nonce from its header."""
        return request.headers.get("bfx-apikey", ""), request.headers.get("bfx-nonce", "")

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check bfx-signature: HMAC-SHA384, in hex, of `/api` + path + nonce + body."""
        name, nonce = self.number(request)
        key = world.keys.get(name)
        if key is None:
            return "key"
        signed = f"/api{request.path}{nonce}{request.body}"
        ours = hmac.new(key.secret.encode(), signed.encode(), hashlib.sha384).hexdigest()
        return key if hmac.compare_digest(ours, request.headers.get("bfx-signature", "")) else "signature"


DIALECT = Bitfinex

"""Kraken Futures' REST reads: the key check, the server's time, accounts, open orders and positions.

Source: docs.kraken.com/api/docs (copies of 2026-05-27 to 2026-06-05): guides/futures-rest "Authentication",
futures-api/auth/check-v-3-api-key, futures-api/trading. Which words a refused key is answered with is not documented
(401 with `error`, `message`, `suberror`), nor how a refused address is: here as a key that is not known.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Any, ClassVar

from policykit.clock import iso
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, Reading
from policykit.sim.keys import SimKey


def _ok(now_ms: int, **more: Any) -> dict[str, Any]:
    return {"result": "success", "serverTime": iso(now_ms), **more}


def _bad(status: int, error: str) -> Reply:
    return Reply(status, {"result": "error", "error": error, "serverTime": "2026-11-21T10:00:00.000Z"}, code=1)


def _refused(status: int, error: str) -> Reply:
    return Reply(status, {"error": error, "message": "API key is not accepted.", "suberror": None}, code=1)


def _status(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok(now_ms, instrumentStatus=[])


def _instruments(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok(now_ms, instruments=[])


def _key(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    assert key is not None
    drift, grants = world.drift, key.grants
    general = "FULL_ACCESS" if "trade.derivatives" in grants else "READ_ONLY" if "read" in grants else "NO_ACCESS"
    moves = "FULL_ACCESS" if grants & {"transfer", "withdraw"} else "NO_ACCESS"
    blocks = [one if "/" in one else f"{one}/32" for one in key.addresses]
    return {
        "apiKey": key.key,
        "accountUid": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
        "iiban": "AA08 N84G CPAR UN7A",
        "createdAt": drift.time(key.created_ms, "iso"),
        "permissions": {"general": general, "transfer": moves, **dict.fromkeys(drift.strange, "FULL_ACCESS")},
        "allowedCidrBlock": blocks[0] if blocks else None,
        "allowedCidrBlocks": drift.addresses(key.addresses, blocks, []),
    }


def _accounts(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    world.venue.settle(now_ms)
    held = {asset: str(one.total) for asset, one in world.venue.balances.items()}
    return _ok(now_ms, accounts={"cash": {"type": "cashAccount", "balances": held}, "flex": {"currencies": {}}})


def _positions(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok(now_ms, openPositions=[])


def _orders(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok(now_ms, openOrders=[])


class KrakenFutures(Reading):
    """The dialect `krakenfutures`."""

    id = "krakenfutures"
    routes: ClassVar = {
        ("GET", "/derivatives/api/v3/instruments/status"): Endpoint(_status, public=True),
        ("GET", "/derivatives/api/v3/instruments"): Endpoint(_instruments, public=True),
        ("GET", "/derivatives/api/v3/accounts"): Endpoint(_accounts, needs="read"),
        ("GET", "/derivatives/api/v3/openpositions"): Endpoint(_positions, needs="read"),
        ("GET", "/derivatives/api/v3/openorders"): Endpoint(_orders, needs="read"),
        ("GET", "/api/auth/v1/api-keys/v3/check"): Endpoint(_key),
    }
    errors: ClassVar = {
        "key": _refused(401, "Unauthorized"),
        "signature": _refused(401, "Unauthorized"),
        "address": _refused(401, "Unauthorized"),
        "permission": _bad(200, "authenticationError"),
        "clock": _bad(200, "nonceBelowThreshold"),
        "rate": _bad(429, "apiLimitExceeded"),
        "ban": _bad(429, "apiLimitExceeded"),
        "maintenance": _bad(503, "Unavailable"),
    }

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        """Make a key of 56 characters and a secret of 64 bytes, both base64."""
        key, secret = (base64.b64encode(secrets.token_bytes(length)).decode() for length in (42, 64))
        return SimKey(key, secret, now_ms)

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check Authent: HMAC-SHA512 of SHA256(postData + nonce + path), by the decoded secret, in base64."""
        headers = request.headers
        key = world.keys.get(headers.get("apikey", ""))
        if key is None:
            return "key"
        path = request.path.removeprefix("/derivatives")
        signed = (request.query or request.body) + headers.get("nonce", "") + path
        ours = hmac.new(base64.b64decode(key.secret), hashlib.sha256(signed.encode()).digest(), hashlib.sha512)
        theirs = headers.get("authent", "")
        return key if hmac.compare_digest(base64.b64encode(ours.digest()).decode(), theirs) else "signature"


DIALECT = KrakenFutures

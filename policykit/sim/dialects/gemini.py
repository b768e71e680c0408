"""Gemini's REST reads: the roles of a key, balances, orders.

Source: developer.gemini.com/authentication/api-key, /error-codes, and its OpenAPI (api-evangelist/gemini-trust,
2026-09-18): the JSON payload in base64 in X-GEMINI-PAYLOAD, HMAC-SHA384 of it in hex in X-GEMINI-SIGNATURE, a nonce
that only rises for the key. The reason of a key that is not known is not documented; here that of a wrong signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any, ClassVar

from policykit.sim.dialects._numbered import Numbered
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint
from policykit.sim.keys import SimKey, token

_TRADES = frozenset(("trade.spot", "trade.margin", "trade.derivatives", "trade.other"))
_MOVES = frozenset(("transfer", "withdraw"))


def _bad(status: int, reason: str, message: str) -> Reply:
    return Reply(status, {"result": "error", "reason": reason, "message": message}, code=status)


def _symbols(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return ["btcusd", "ethusd"]


def _key(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """An auditor is nothing else; a key that may not even read has no role."""
    assert key is not None
    trader, manager = bool(key.grants & _TRADES), bool(key.grants & _MOVES)
    strange = dict.fromkeys(world.drift.strange, True)
    auditor = "read" in key.grants and not trader and not manager
    return {"isAuditor": auditor, "isFundManager": manager, "isTrader": trader, **strange}


def _balances(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    world.venue.settle(now_ms)
    held = world.venue.balances.items()
    return [
        {"currency": a, "amount": str(one.total), "available": str(one.free), "type": "exchange"} for a, one in held
    ]


def _orders(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return []


class Gemini(Numbered):
    """The dialect `gemini`."""

    id = "gemini"
    routes: ClassVar = {
        ("GET", "/v1/symbols"): Endpoint(_symbols, public=True),
        ("POST", "/v1/roles"): Endpoint(_key),
        ("POST", "/v1/balances"): Endpoint(_balances, needs="read"),
        ("POST", "/v1/orders"): Endpoint(_orders, needs="read"),
    }
    errors: ClassVar = {
        "key": _bad(400, "InvalidSignature", "InvalidSignature"),
        "signature": _bad(400, "InvalidSignature", "InvalidSignature"),
        "address": _bad(403, "ApiKeyIpFilteringFailure", "ApiKey fails IP Filtering Check for some accounts"),
        "permission": _bad(403, "MissingRole", "To access this endpoint, you need to log in and add the role"),
        "clock": _bad(400, "InvalidNonce", "Nonce '1' has not increased since your last call"),
        "rate": _bad(429, "Too Many Requests", "Too Many Requests"),
        "ban": _bad(429, "Too Many Requests", "Too Many Requests"),
        "maintenance": _bad(503, "Maintenance", "The Gemini Exchange is currently undergoing maintenance."),
    }

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        """Make a key of one account, as its name says."""
        return SimKey(f"account-{token(20)}", token(28), now_ms)

    def number(self, request: Request) -> tuple[str, str]:
        """Read the nonce from the payload."""
        return request.headers.get("x-gemini-apikey", ""), str(_payload(request).get("nonce", ""))

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check X-GEMINI-SIGNATURE, and that the payload is of this endpoint."""
        headers = request.headers
        key = world.keys.get(headers.get("x-gemini-apikey", ""))
        if key is None:
            return "key"
        payload = headers.get("x-gemini-payload", "")
        ours = hmac.new(key.secret.encode(), payload.encode(), hashlib.sha384).hexdigest()
        signed = hmac.compare_digest(ours, headers.get("x-gemini-signature", ""))
        return key if signed and _payload(request).get("request") == request.path else "signature"


def _payload(request: Request) -> dict[str, Any]:
    try:
        data = json.loads(base64.b64decode(request.headers.get("x-gemini-payload", ""), validate=True))
    except (binascii.Error, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


DIALECT = Gemini

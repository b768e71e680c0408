"""Coinbase reads: time and key permissions, each private request with a JSON Web Token of its own.

Source: docs.cdp.coinbase.com get-started/authentication/jwt-authentication and .../get-api-key-permissions.md (stored
copies, November 2026); coinbase-advanced-py@1a458b7 jwt_generator.py. The token is ES256 (ECDSA on P-256 over SHA-256,
r and s as 64 bytes), made by ccxt's own code and verified here by `cryptography`, which ccxt needs anyway.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import uuid
from collections.abc import Callable
from typing import Any, ClassVar, Final

from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, Reading
from policykit.sim.drift import ABSENT
from policykit.sim.keys import SimKey

#: The longest life of a token, seconds: "exp = nbf + 120 s".
MAX_LIFE_S: Final = 120
#: How far the exchange's clock and the token's `nbf` may differ, seconds; not documented.
LEEWAY_S: Final = 5
#: One permission is all orders.
_TRADES: Final = frozenset(("trade.spot", "trade.margin", "trade.derivatives", "trade.options", "trade.other"))
_MOVES: Final = frozenset(("transfer", "withdraw"))


def _time(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return {
        "iso": world.drift.time(now_ms, "iso"),
        "epochSeconds": str(now_ms // 1000),
        "epochMillis": str(now_ms),
    }


def _key(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    assert key is not None
    return {
        "can_view": "read" in key.grants,
        "can_trade": bool(key.grants & _TRADES),
        "can_transfer": bool(key.grants & _MOVES),
        "portfolio_uuid": "2f6f7b5a-6d3c-4b0e-9a53-0a5c1a9f7e10",
        "portfolio_type": "DEFAULT",
        **{f"can_{name}": True for name in world.drift.strange},
    }


def _accounts(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    world.venue.settle(now_ms)
    rows = [
        {
            "uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, asset)),
            "name": f"{asset} Wallet",
            "currency": asset,
            "available_balance": {"value": str(held.total - held.locked), "currency": asset},
            "hold": {"value": str(held.locked), "currency": asset},
            "type": "ACCOUNT_TYPE_CRYPTO",
            "active": True,
            "deleted_at": ABSENT,
        }
        for asset, held in world.venue.balances.items()
    ]
    return {"accounts": rows, "has_next": False, "cursor": "", "size": len(rows)}


def _products(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    if "product_type=FUTURE" in request.query:
        return {"products": [], "num_products": 0}
    rows = []
    for symbol in world.venue.symbols.values():
        bid, ask = world.venue.touch(symbol, now_ms)
        rows.append(
            {
                "product_id": f"{symbol.base}-{symbol.quote}",
                "price": str(bid),
                "best_bid_price": str(bid),
                "best_ask_price": str(ask),
                "base_currency_id": symbol.base,
                "quote_currency_id": symbol.quote,
                "base_increment": str(symbol.step),
                "price_increment": str(symbol.tick),
                "product_type": "SPOT",
                "trading_disabled": False,
            }
        )
    return {"products": rows, "num_products": len(rows)}


def _empty(name: str) -> Callable[..., Any]:
    """Return the handler of a list without rows."""
    return lambda world, request, key, now_ms: {name: [], "has_next": False, "cursor": ""}


class Coinbase(Reading):
    """The dialect `coinbase`."""

    id = "coinbase"
    routes: ClassVar = {
        ("GET", "/api/v3/brokerage/time"): Endpoint(_time, public=True),
        ("GET", "/api/v3/brokerage/key_permissions"): Endpoint(_key),
        ("GET", "/api/v3/brokerage/accounts"): Endpoint(_accounts, needs="read"),
        ("GET", "/api/v3/brokerage/market/products"): Endpoint(_products, public=True),
        ("GET", "/api/v3/brokerage/transaction_summary"): Endpoint(_empty("fee_tiers"), needs="read"),
        ("GET", "/api/v3/brokerage/orders/historical/batch"): Endpoint(_empty("orders"), needs="read"),
        ("GET", "/api/v3/brokerage/cfm/balance_summary"): Endpoint(_empty("balances"), needs="read"),
        ("GET", "/api/v3/brokerage/cfm/positions"): Endpoint(_empty("positions"), needs="read"),
    }
    errors: ClassVar = {
        "key": Reply(401, "Unauthorized", code=401),
        "signature": Reply(401, "Unauthorized", code=401),
        "address": Reply(401, "Unauthorized", code=401),
        "clock": Reply(401, "Unauthorized", code=401),
        "permission": Reply(
            403,
            {
                "error": "PERMISSION_DENIED",
                "error_details": "Missing required scopes",
                "message": "Missing required scopes",
            },
            code=403,
        ),
        "rate": Reply(429, {"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}, code=429),
        # No ban is documented: who goes on is throttled on.
        "ban": Reply(429, {"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}, code=429),
        "maintenance": Reply(503, "Service Unavailable", code=503),
    }

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        """Make a key's name and a fresh EC private key, as the portal gives it: SEC 1 in PEM."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        private = ec.generate_private_key(ec.SECP256R1())
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode()
        organization, identity = (str(uuid.UUID(bytes=secrets.token_bytes(16))) for _ in range(2))
        return SimKey(f"organizations/{organization}/apiKeys/{identity}", pem, now_ms)

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check the bearer token: its key, its ES256 signature, its time, and the request that it was made for."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            head, claims = (json.loads(_bytes(part)) for part in token.split(".")[:2])
            key = world.keys.get(head["kid"])
            known = scheme == "Bearer" and head["alg"] == "ES256" and claims["sub"] == head["kid"]
            if key is None or not known or claims["iss"] != "coinbase-cloud" or not head["nonce"]:
                return "key"
            if not _signed(key.secret, token) or claims["uri"] != _uri(request):
                return "signature"
            starts, ends = int(claims["nbf"]), int(claims["exp"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return "key"
        now_s = now_ms / 1000
        timely = starts - LEEWAY_S <= now_s < ends and ends - starts <= MAX_LIFE_S
        return key if timely else "clock"


def _uri(request: Request) -> str:
    """Return what the `uri` claim has to say: `GET api.coinbase.com/api/v3/...`, without the query.

    ccxt takes `https://` off its URL and nothing else, so that a client pointed at plain http says the scheme as well.
    """
    return f"{request.method} http://{request.headers.get('host', '')}{request.path}"


def _bytes(part: str) -> bytes:
    """Decode base64url without padding."""
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise ValueError("no base64") from error


def _signed(pem: str, token: str) -> bool:
    """Tell whether a token was signed with a private key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    private = serialization.load_pem_private_key(pem.encode(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    text, _, signature = token.rpartition(".")
    raw = _bytes(signature)
    if len(raw) != 64:
        return False
    pair = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    try:
        private.public_key().verify(pair, text.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


DIALECT = Coinbase

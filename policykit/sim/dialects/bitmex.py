"""BitMEX v1 reads: the root's time, the list of keys with every secret in it, the address book.

Sources: BitMEX/api-connectors@9f8f5e69 swagger.json, definitions.APIKey; the signature as "API Key Usage" describes it;
the errors' words as clients quote them (exchanges.json, ex_bitmex). The root's answer is from memory.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, ClassVar

from policykit.clock import iso
from policykit.sim.dialects._resting import cancelled, resting
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, Reading, params_of
from policykit.sim.keys import SimKey, token
from policykit.sim.venue import Order


def _bad(status: int, message: str, **headers: str) -> Reply:
    return Reply(status, {"error": {"message": message, "name": "HTTPError"}}, headers, code=status)


def _root(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return {"name": "BitMEX API", "version": "2.0.0", "timestamp": now_ms}


def _keys(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    drift = world.drift
    rows = []
    for one in world.keys.values():
        permissions = ["order"] if any(grant.startswith("trade.") for grant in one.grants) else []
        permissions += ["withdraw"] if "withdraw" in one.grants else []
        rows.append(
            {
                "id": one.key,
                "secret": one.secret,
                "name": one.label,
                "nonce": 0,
                "cidr": drift.addresses(one.addresses, (one.addresses or ("",))[0], ""),
                "cidrs": drift.addresses(one.addresses, list(one.addresses), []),
                "permissions": permissions + list(drift.strange),
                "enabled": not one.revoked,
                "userId": 1448939,
                "created": drift.time(one.created_ms, "iso"),
            }
        )
    return rows


def _addresses(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return [
        {
            "id": 1,
            "created": "2026-01-02T03:04:05.000Z",
            "userId": 1448939,
            "address": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf0uyj",
            "currency": "XBt",
            "network": "btc",
            "name": "cold",
            "note": "at the bank",
            "skipConfirm": False,
            "skip2FA": False,
            "verified": True,
        }
    ]


def _row(order: Order, now_ms: int) -> dict[str, Any]:
    new = order.new
    return {
        "orderID": f"sim-{order.id}",
        "clOrdID": new.client_order_id,
        "symbol": f"{new.symbol.base}_{new.symbol.quote}",
        "side": new.side.capitalize(),
        "orderQty": float(order.quantity),
        "cumQty": float(order.filled(now_ms)),
        "price": float(new.price or 0),
        "stopPx": None if new.stop_price is None else float(new.stop_price),
        "ordType": "Limit" if new.stop_price is None else "StopLimit",
        "execInst": "",
        "ordStatus": "New",
        "timestamp": iso(order.time_ms),
    }


def _orders(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer GET /order (Order.getOrders): those that are open."""
    return [_row(one, now_ms) for one in resting(world, now_ms)]


def _cancel(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer DELETE /order (Order.cancel); the words for an order that is gone are from memory."""
    gone = cancelled(world, str(params_of(request).get("orderID", "")).removeprefix("sim-"), now_ms)
    return _bad(404, "Not Found") if gone is None else [_row(gone, now_ms) | {"ordStatus": "Canceled"}]


def _cancel_all(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer DELETE /order/all (Order.cancelAll)."""
    gone = [cancelled(world, one.id, now_ms) for one in resting(world, now_ms)]
    return [_row(one, now_ms) | {"ordStatus": "Canceled"} for one in gone if one is not None]


class Bitmex(Reading):
    """The dialect `bitmex`."""

    id = "bitmex"
    routes: ClassVar = {
        ("GET", "/api/v1"): Endpoint(_root, public=True),
        ("GET", "/api/v1/apiKey"): Endpoint(_keys),
        ("GET", "/api/v1/address"): Endpoint(_addresses),
        ("GET", "/api/v1/order"): Endpoint(_orders, point="lookup"),
        ("DELETE", "/api/v1/order"): Endpoint(_cancel, needs="trade.spot", point="cancel"),
        ("DELETE", "/api/v1/order/all"): Endpoint(_cancel_all, needs="trade.spot", point="cancel"),
    }
    errors: ClassVar = {
        "key": _bad(401, "Invalid API Key."),
        "signature": _bad(401, "Signature not valid."),
        "address": _bad(403, "This IP address is not allowed to use this key."),
        "permission": _bad(403, "Access Denied"),
        "clock": _bad(401, "This request has expired - `expires` is in the past. Current time: 1586433426"),
        "rate": _bad(429, "Rate limit exceeded, retry in 1 seconds.", **{"Retry-After": "1"}),
        "ban": _bad(429, "Rate limit exceeded, retry in 60 seconds.", **{"Retry-After": "60"}),
        "maintenance": _bad(503, "The system is currently overloaded. Please try again later."),
    }

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        """Make a key of 24 characters and a secret of 48, as BitMEX does (from memory)."""
        return SimKey(token(24), token(48), now_ms)

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check api-signature: HMAC-SHA256 of verb, path with query, expires and body; expires is s and ahead."""
        headers = request.headers
        key = world.keys.get(headers.get("api-key", ""))
        if key is None:
            return "key"
        target = request.path + (f"?{request.query}" if request.query else "")
        expires = headers.get("api-expires", "")
        text = request.method + target + expires + request.body
        ours = hmac.new(key.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(ours, headers.get("api-signature", "")):
            return "signature"
        return key if expires.isdigit() and int(expires) * 1000 >= now_ms else "clock"


DIALECT = Bitmex

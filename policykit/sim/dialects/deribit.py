"""Deribit v2 reads: time, the list of keys with every secret in it, a token's scope, the account.

Sources: docs.deribit.com (read 2026-11) articles/authentication, private/list_api_keys, public/auth,
private/get_account_summaries, private/get_address_book; the errors' words as ccxt 4.5.90 lists them. How an old time
stamp is worded is from memory.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any, ClassVar

from policykit.sim.dialects import deribit_orders
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, Reading, near, params_of
from policykit.sim.drift import ABSENT
from policykit.sim.keys import SimKey, token

#: The scope that a grant stands for.
_NAMES = {
    "trade.spot": "trade",
    "trade.margin": "trade",
    "trade.derivatives": "trade",
    "trade.options": "trade",
    "trade.other": "block_trade",
    "transfer": "wallet",
    "withdraw": "wallet",
    "key_admin": "account",
}
_GROUPS = ("account", "block_trade", "trade", "wallet")
#: A signature is valid for 60 s.
_WINDOW_MS = 60_000


def _ok(result: Any, now_ms: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "result": result, "usIn": now_ms * 1000, "usOut": now_ms * 1000 + 90, "usDiff": 90}


def _bad(status: int, code: int, message: str, reason: str = "") -> Reply:
    error: dict[str, Any] = {"message": message, "code": code}
    if reason:
        error["data"] = {"reason": reason}
    return Reply(status, {"jsonrpc": "2.0", "error": error, "testnet": False, "usDiff": 90}, code=code)


def _scope(key: SimKey) -> dict[str, str]:
    """Return group -> read, read_write or none."""
    writes = {_NAMES[grant] for grant in key.grants if grant in _NAMES}
    rest = "read" if "read" in key.grants else "none"
    return {group: "read_write" if group in writes else rest for group in _GROUPS}


def _time(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok(now_ms, now_ms)


def _keys(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    assert key is not None
    if getattr(key, "second_factor", False):
        challenge = {"security_keys": [{"type": "tfa", "name": "tfa"}], "rp_id": "sim", "challenge": token(32)}
        return _ok(challenge, now_ms)
    drift, rows = world.drift, []
    for number, one in enumerate(world.keys.values(), 1):
        scopes = [f"{group}:{may}" for group, may in _scope(one).items()] + [f"{name}:read" for name in drift.strange]
        row = {
            "timestamp": drift.time(one.created_ms, "ms"),
            "max_scope": " ".join(scopes),
            "id": number,
            "enabled": not one.revoked,
            "default": number == 1,
            "client_secret": one.secret,
            "client_id": one.key,
            "name": one.label,
            "enabled_features": [],
            "ip_whitelist": drift.addresses(one.addresses, list(one.addresses), ABSENT),
        }
        rows.append(row)
    return _ok(rows, now_ms)


def _auth(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    params = params_of(request)
    found = world.keys.get(params.get("client_id", ""))
    if found is None or found.revoked or found.refused is not None:
        kind = "key" if found is None or found.refused in (None, "revoked") else found.refused
        return Deribit.errors[kind]
    if params.get("grant_type") == "client_credentials":
        proved = hmac.compare_digest(params.get("client_secret", ""), found.secret)
    else:
        stamp = params.get("timestamp", "")
        text = f"{stamp}\n{params.get('nonce', '')}\n{params.get('data', '')}"
        ours = hmac.new(found.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        proved = hmac.compare_digest(ours, params.get("signature", "")) and stamp.isdigit()
        if proved and not near(int(stamp), now_ms, _WINDOW_MS):
            return Deribit.errors["clock"]
    if not proved:
        return Deribit.errors["signature"]
    scope = _scope(found)
    if scope["wallet"] == "read_write":
        scope["wallet"] = "read"  # "some scopes could be narrowed by the server"
    return _ok(
        {
            "access_token": token(120),
            "expires_in": 31_536_000,
            "refresh_token": token(120),
            "scope": " ".join(f"{group}:{may}" for group, may in scope.items()) + " connection mainaccount",
            "enabled_features": [],
            "token_type": "bearer",
        },
        now_ms,
    )


def _summaries(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    world.venue.settle(now_ms)
    summaries = [
        {"currency": asset, "balance": str(held.total), "equity": str(held.total), "available_funds": str(held.free)}
        for asset, held in world.venue.balances.items()
    ]
    return _ok({"id": 10, "email": "sim@example.com", "type": "main", "summaries": summaries}, now_ms)


def _currencies(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok(
        [{"currency": name, "coin_type": name, "withdrawal_priorities": []} for name in ("BTC", "ETH", "USDT")], now_ms
    )


def _instruments(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """List the spot pairs; there is no contract in the simulation."""
    return _ok(
        [
            {
                "kind": "spot",
                "instrument_name": f"{one.base}_{one.quote}",
                "base_currency": one.base,
                "counter_currency": one.quote,
                "quote_currency": one.quote,
                "settlement_currency": one.quote,
                "min_trade_amount": float(one.min_quantity),
                "contract_size": 1.0,
                "tick_size": float(one.tick),
                "is_active": True,
            }
            for one in world.venue.symbols.values()
        ],
        now_ms,
    )


def _prices(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    rows = []
    for one in world.venue.symbols.values():
        bid, ask = world.venue.touch(one, now_ms)
        if one.base == params_of(request).get("currency"):
            row = {"instrument_name": f"{one.base}_{one.quote}", "bid_price": float(bid), "ask_price": float(ask)}
            rows.append({**row, "last": float(bid), "base_currency": one.base, "creation_timestamp": now_ms})
    return _ok(rows, now_ms)


def _none(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok([], now_ms)


def _book(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    row = {
        "creation_timestamp": now_ms,
        "beneficiary_first_name": "John",
        "currency": "BTC",
        "address": "2NBqqD5GRJ8wHy1PYyCXTe9ke5226FhavBz",
        "type": "withdrawal",
        "status": "waiting",
        "label": "Main Address",
    }
    return _ok([row] if params_of(request).get("currency") == "BTC" else [], now_ms)


@dataclass(slots=True)
class GuardedKey(SimKey):
    """A key whose account asks for a second factor before its keys are listed."""

    second_factor: bool = True


class Deribit(Reading):
    """The dialect `deribit`."""

    id = "deribit"
    routes: ClassVar = {
        ("GET", "/api/v2/public/get_time"): Endpoint(_time, public=True),
        ("GET", "/api/v2/public/auth"): Endpoint(_auth, public=True),
        ("GET", "/api/v2/public/get_currencies"): Endpoint(_currencies, public=True),
        ("GET", "/api/v2/public/get_instruments"): Endpoint(_instruments, public=True),
        ("GET", "/api/v2/public/get_book_summary_by_currency"): Endpoint(_prices, public=True),
        ("GET", "/api/v2/private/get_positions"): Endpoint(_none, needs="read"),
        ("GET", "/api/v2/private/get_open_orders_by_instrument"): Endpoint(_none, needs="read"),
        **deribit_orders.ROUTES,
        ("GET", "/api/v2/private/list_api_keys"): Endpoint(_keys, needs="read"),
        ("GET", "/api/v2/private/get_account_summaries"): Endpoint(_summaries, needs="read"),
        ("GET", "/api/v2/private/get_address_book"): Endpoint(_book, needs="read"),
    }
    errors: ClassVar = {
        "key": _bad(400, 13004, "invalid_credentials"),
        "signature": _bad(401, 13009, "unauthorized", "invalid_signature"),
        "address": _bad(401, 13009, "unauthorized"),  # the documents have no word for it
        "permission": _bad(403, 13021, "forbidden"),
        "clock": _bad(401, 13009, "unauthorized", "invalid_timestamp"),
        "rate": _bad(429, 10028, "too_many_requests"),
        "ban": _bad(429, 10028, "too_many_requests"),
        "maintenance": _bad(503, 11051, "system_maintenance"),
    }

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check `deri-hmac-sha256`: HMAC-SHA256 of time, nonce, method, URI and body by lines."""
        header = request.headers.get("authorization", "")
        said = dict(part.split("=", 1) for part in re.sub(r"\Aderi-hmac-sha256 ", "", header).split(",") if "=" in part)
        key = world.keys.get(said.get("id", ""))
        if key is None:
            return "key"
        uri = request.path + (f"?{request.query}" if request.query else "")
        stamp = said.get("ts", "")
        text = "\n".join((stamp, said.get("nonce", ""), request.method, uri, request.body, ""))
        ours = hmac.new(key.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(ours, said.get("sig", "")):
            return "signature"
        return key if stamp.isdigit() and near(int(stamp), now_ms, _WINDOW_MS) else "clock"


DIALECT = Deribit

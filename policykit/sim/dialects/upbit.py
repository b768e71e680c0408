"""Upbit v1 reads: the list of keys, accounts, registered withdrawal addresses.

Sources: docs.upbit.com/kr (v1.6.4, read 2026-11): auth (JWT, HS512; HS256 is taken too, which ccxt signs),
list-api-keys, rest-api-guide (statuses and error names). A request has no time in it: no clock can be wrong.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any, ClassVar
from urllib.parse import unquote

from policykit.clock import iso
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, Reading, params_of
from policykit.sim.keys import DAY_MS, SimKey, token

_HASHES = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}


def _bad(status: int, name: str, message: str) -> Reply:
    return Reply(status, {"error": {"name": name, "message": message}}, code=status)


def _keys(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """List every key; each ends a year after it was made, or earlier."""
    rows = []
    for one in world.keys.values():
        ends = one.created_ms + 365 * DAY_MS if one.expires_ms is None else one.expires_ms
        at = world.drift.time(ends, "iso")
        rows.append({"access_key": one.key, "expire_at": f"{iso(ends)[:19]}+00:00" if at == iso(ends) else at})
    return rows


def _accounts(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    world.venue.settle(now_ms)
    return [
        {
            "currency": asset,
            "balance": str(held.free),
            "locked": str(held.locked),
            "avg_buy_price": "0",
            "avg_buy_price_modified": False,
            "unit_currency": "KRW",
        }
        for asset, held in world.venue.balances.items()
    ]


def _book(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return [
        {
            "currency": "BTC",
            "net_type": "BTC",
            "network_name": "Bitcoin",
            "withdraw_address": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf0uyj",
            "secondary_address": None,
            "beneficiary_name": "Hong Gildong",
        }
    ]


def _markets(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return [
        {"market": f"{one.quote}-{one.base}", "korean_name": one.base, "english_name": one.base}
        for one in world.venue.symbols.values()
    ]


def _tickers(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    wanted = str(params_of(request).get("markets")).split(",")
    return [
        {
            "market": f"{one.quote}-{one.base}",
            "trade_timestamp": now_ms,
            "trade_price": float(world.venue.touch(one, now_ms)[0]),
        }
        for one in world.venue.symbols.values()
        if f"{one.quote}-{one.base}" in wanted
    ]


def _none(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return []


def _part(text: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return None


class Upbit(Reading):
    """The dialect `upbit`."""

    id = "upbit"
    routes: ClassVar = {
        ("GET", "/v1/api_keys"): Endpoint(_keys),
        ("GET", "/v1/accounts"): Endpoint(_accounts, needs="read"),
        ("GET", "/v1/withdraws/coin_addresses"): Endpoint(_book, needs="read"),
        ("GET", "/v1/orders/open"): Endpoint(_none, needs="read"),
        ("GET", "/v1/market/all"): Endpoint(_markets, public=True),
        ("GET", "/v1/ticker"): Endpoint(_tickers, public=True),
    }
    errors: ClassVar = {
        "key": _bad(401, "invalid_access_key", "잘못된 엑세스 키입니다."),
        "signature": _bad(401, "jwt_verification", "Jwt 토큰 검증에 실패했습니다."),
        "address": _bad(401, "no_authorization_ip", "This is not a verified IP."),
        "permission": _bad(401, "out_of_scope", "권한이 부족합니다."),
        "clock": _bad(401, "jwt_verification", "Jwt 토큰 검증에 실패했습니다."),
        "rate": Reply(429, "Too many API requests.", {"Remaining-Req": "group=default; min=1800; sec=0"}, 429),
        "ban": Reply(418, "Blocked for 60 seconds.", code=418),
        "maintenance": Reply(500, "<html><body>Internal Server Error</body></html>", code=500),
    }

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        """Make keys of 40 characters, as Upbit does (from memory)."""
        return SimKey(token(40), token(40), now_ms)

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check the bearer token: its signature, its access_key, and the hash of the query as it is unescaped."""
        header, _, rest = request.headers.get("authorization", "").removeprefix("Bearer ").partition(".")
        payload, _, signature = rest.partition(".")
        algorithm, claims = _part(header), _part(payload)
        if not isinstance(algorithm, dict) or not isinstance(claims, dict):
            return "signature"
        key = world.keys.get(str(claims.get("access_key")))
        hashed = _HASHES.get(str(algorithm.get("alg")))
        if key is None or hashed is None:
            return "key"
        ours = hmac.new(key.secret.encode(), f"{header}.{payload}".encode(), hashed).digest()
        if not hmac.compare_digest(base64.urlsafe_b64encode(ours).rstrip(b"=").decode(), signature):
            return "signature"
        if request.query:
            expected = hashlib.sha512(unquote(request.query).encode()).hexdigest()
            if claims.get("query_hash") != expected or claims.get("query_hash_alg") != "SHA512":
                return "signature"
        return key if claims.get("nonce") else "signature"


DIALECT = Upbit

"""OKX v5 reads: time, the key report, the account.

Source: okx.com/docs-v5 (EEA edition, stored index file 52294603372, read 2026-11-21): "REST Authentication", "Get
account configuration"; its error table in rosssaunders/coincise@6b283f191 docs/okx/error_codes.md (2026-11-21).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import uuid
from datetime import datetime
from typing import Any, ClassVar

from policykit.sim.dialects import okx_orders
from policykit.sim.dialects._ending import ended
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, Reading, near, params_of
from policykit.sim.keys import SimKey, token

#: A request may be this far from the server's time, ms (error 50102).
WINDOW_MS = 30_000
#: Grants that the one permission `trade` stands for; there is none for key_admin.
_TRADE = frozenset(("trade.spot", "trade.margin", "trade.derivatives", "trade.options", "trade.other", "transfer"))


def _ok(*rows: Any) -> dict[str, Any]:
    return {"code": "0", "data": list(rows), "msg": ""}


def _bad(status: int, code: int, message: str) -> Reply:
    return Reply(status, {"msg": message, "code": str(code)}, code=code)


def _time(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"ts": str(now_ms)})


def _config(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    assert key is not None
    drift = world.drift
    names = ["read_only"]
    names += ["withdraw"] if "withdraw" in key.grants else []
    names += ["trade"] if key.grants & _TRADE else []
    return _ok(
        {
            "acctLv": "2",
            "acctStpMode": "cancel_maker",
            "autoLoan": False,
            "ctIsoMode": "automatic",
            "enableSpotBorrow": False,
            "greeksType": "PA",
            "feeType": "0",
            "ip": drift.addresses(key.addresses, ",".join(key.addresses), ""),
            "type": "0",
            "kycLv": "3",
            "label": key.label,
            "level": "Lv1",
            "levelTmp": "",
            "liquidationGear": "-1",
            "mainUid": "44705892343619584",
            "mgnIsoMode": "automatic",
            "opAuth": "1",
            "perm": ",".join((*names, *drift.strange)),
            "posMode": "long_short_mode",
            "roleType": "0",
            "spotBorrowAutoRepay": False,
            "spotOffsetType": "",
            "spotRoleType": "0",
            "spotTraderInsts": [],
            "stgyType": "0",
            "traderInsts": [],
            "uid": "44705892343619584",
            "settleCcy": "USDC",
            "settleCcyList": ["USD", "USDC", "USDG"],
        }
    )


def _balance(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    world.venue.settle(now_ms)
    details = [
        {
            "ccy": asset,
            "eq": str(held.total),
            "cashBal": str(held.total),
            "availBal": str(held.total - held.locked),
            "frozenBal": str(held.locked),
            "uTime": str(now_ms),
        }
        for asset, held in world.venue.balances.items()
    ]
    return _ok({"uTime": str(now_ms), "totalEq": "", "details": details})


def _instruments(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    if "instType=SPOT" not in request.query:
        return _ok()
    rows = [
        {
            "instType": "SPOT",
            "instId": f"{symbol.base}-{symbol.quote}",
            "baseCcy": symbol.base,
            "quoteCcy": symbol.quote,
            "settleCcy": "",
            "uly": "",
            "instFamily": "",
            "lotSz": str(symbol.step),
            "minSz": str(symbol.min_quantity),
            "tickSz": str(symbol.tick),
            "maxMktSz": str(symbol.max_quantity),
            "maxLmtSz": str(symbol.max_quantity),
            "listTime": "1606468572000",
            "expTime": "",
            "state": "live",
        }
        for symbol in world.venue.symbols.values()
    ]
    return _ok(*rows)


def _tickers(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    if "instType=SPOT" not in request.query:
        return _ok()
    rows = []
    for symbol in world.venue.symbols.values():
        bid, ask = world.venue.touch(symbol, now_ms)
        name = f"{symbol.base}-{symbol.quote}"
        rows.append({"instType": "SPOT", "instId": name, "bidPx": str(bid), "askPx": str(ask), "ts": str(now_ms)})
    return _ok(*rows)


def _delete_sub(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer POST /api/v5/users/subaccount/delete-apikey (docs/okx delete_the_api_key_of_sub_accounts.md)."""
    params = params_of(request)
    if not ended(world, params.get("apiKey"), params.get("subAcct")):
        return _bad(200, 50111, "Invalid OK-ACCESS-KEY")
    return _ok({"subAcct": params["subAcct"]})


def _none(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok()


class Okx(Reading):
    """The dialect `okx`."""

    id = "okx"
    routes: ClassVar = {
        ("GET", "/api/v5/public/time"): Endpoint(_time, public=True),
        ("GET", "/api/v5/public/instruments"): Endpoint(_instruments, public=True),
        ("GET", "/api/v5/market/tickers"): Endpoint(_tickers, public=True),
        ("GET", "/api/v5/account/config"): Endpoint(_config),
        ("GET", "/api/v5/account/balance"): Endpoint(_balance),
        ("GET", "/api/v5/account/positions"): Endpoint(_none),
        ("GET", "/api/v5/asset/balances"): Endpoint(_none),
        ("GET", "/api/v5/asset/currencies"): Endpoint(_none),
        ("POST", "/api/v5/users/subaccount/delete-apikey"): Endpoint(_delete_sub, needs="trade.spot", point="other"),
        **okx_orders.ROUTES,
    }
    #: No ban of an address is documented: too much is refused with the limit's own error again.
    errors: ClassVar = {
        "key": _bad(401, 50111, "Invalid OK-ACCESS-KEY"),
        "signature": _bad(401, 50113, "Invalid signature"),
        "passphrase": _bad(401, 50105, 'Request header "OK-ACCESS-PASSPHRASE" incorrect.'),
        "address": _bad(401, 50110, "Your IP 198.51.100.9 is not included in your API key's IP whitelist."),
        "permission": _bad(200, 50120, "This API key doesn't have permission to use this function"),
        "clock": _bad(401, 50102, "Timestamp request expired."),
        "rate": _bad(429, 50011, "Too Many Requests"),
        "ban": _bad(429, 50011, "Too Many Requests"),
        "maintenance": _bad(503, 50001, "Service temporarily unavailable. Please try again later."),
    }

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        """Make a key as OKX does: a UUID, 32 hex digits, and the passphrase that a person chose."""
        secret = secrets.token_hex(16).upper()
        return SimKey(str(uuid.uuid4()), secret, now_ms, passphrase=f"{token(20)}!1")

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check OK-ACCESS-SIGN: base64 of HMAC-SHA256 over timestamp, method, path with query, body."""
        headers = request.headers
        key = world.keys.get(headers.get("ok-access-key", ""))
        if key is None:
            return "key"
        stamp = headers.get("ok-access-timestamp", "")
        path = request.path + (f"?{request.query}" if request.query else "")
        signed = hmac.new(key.secret.encode(), f"{stamp}{request.method}{path}{request.body}".encode(), hashlib.sha256)
        ours = base64.b64encode(signed.digest()).decode()
        if not hmac.compare_digest(ours, headers.get("ok-access-sign", "")):
            return "signature"
        if not hmac.compare_digest(key.passphrase, headers.get("ok-access-passphrase", "")):
            return "passphrase"
        try:
            at_ms = datetime.fromisoformat(stamp).timestamp() * 1000
        except ValueError:
            return "clock"
        return key if near(at_ms, now_ms, WINDOW_MS) else "clock"


DIALECT = Okx

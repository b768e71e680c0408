"""HTX reads: the time, the user's id, the list of keys, the spot and the contract account, on two hosts.

Source: huobiapi.github.io/docs/spot/v1/en "Authentication" (read November 2026): base64 of HMAC-SHA256 of method, host,
path and the sorted query, a line each; "the host in signature text should be the same as the host in your API request".
The list of keys: HTX.Net@f9b44a3 GetApiKeyInfo.txt. Words of errors: traits/htx.py says where they were seen.
"""

from __future__ import annotations

import base64
import calendar
import hashlib
import hmac
import time
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, quote, urlencode

from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, Reading, near, params_of
from policykit.sim.keys import DAY_MS, SimKey, token

CONTRACTS: Final = "api.hbdm.vn"
UID: Final = 63_628_520
ACCOUNT: Final = 654_321
#: "The value is valid within 5 minutes".
WINDOW_MS: Final = 300_000
_TRADES: Final = frozenset(
    ("trade.spot", "trade.margin", "trade.derivatives", "trade.options", "trade.other", "transfer")
)


def _ok(data: Any) -> dict[str, Any]:
    return {"code": 200, "message": "success", "data": data, "ok": True}


def _bad(code: str, message: str) -> Reply:
    return Reply(200, {"status": "error", "err-code": code, "err-msg": message, "data": None}, code=400)


def _time(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return {"status": "ok", "data": now_ms}


def _uid(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok(UID)


def _keys(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    assert key is not None
    if params_of(request).get("uid") != str(UID):
        return {"code": 2002, "message": "invalid field value in `uid`"}
    rows = [_row(world, one, now_ms) for one in world.keys.values() if one.account == key.account]
    return _ok(rows)


def _row(world: World, key: SimKey, now_ms: int) -> dict[str, Any]:
    drift = world.drift
    names = ["readOnly"] if "read" in key.grants else []
    names += ["trade"] if key.grants & _TRADES else []
    names += ["withdraw"] if "withdraw" in key.grants else []
    return {
        "accessKey": key.key,
        "status": "normal",
        "note": key.label,
        "permission": ",".join((*names, *drift.strange)),
        "ipAddresses": drift.addresses(key.addresses, ",".join(key.addresses), ""),
        # Days left, no moment: it does not drift as moments do.
        "validDays": -1 if key.expires_ms is None else max(0, (key.expires_ms - now_ms) // DAY_MS),
        "createTime": drift.time(key.created_ms, "ms"),
        "updateTime": drift.time(key.created_ms, "ms"),
    }


def _symbols(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    rows = [
        {
            "base-currency": one.base.lower(),
            "quote-currency": one.quote.lower(),
            "symbol": f"{one.base}{one.quote}".lower(),
            "price-precision": 2,
            "amount-precision": 6,
            "value-precision": 8,
            "state": "online",
        }
        for one in world.venue.symbols.values()
    ]
    return {"status": "ok", "data": rows}


def _tickers(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    rows = []
    for one in world.venue.symbols.values():
        bid, ask = world.venue.touch(one, now_ms)
        name = f"{one.base}{one.quote}".lower()
        rows.append({"symbol": name, "bid": float(bid), "bidSize": 1.0, "ask": float(ask), "askSize": 1.0})
    return {"status": "ok", "ts": now_ms, "data": rows}


def _linear(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    row = {"symbol": "BTC", "contract_code": "BTC-USDT", "contract_size": 0.001, "price_tick": 0.1, "business_type": "swap"}  # fmt: skip  # noqa: E501
    return {"status": "ok", "data": [{**row, "contract_status": 1, "pair": "BTC-USDT"}], "ts": now_ms}


def _inverse(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    row = {"symbol": "BTC", "contract_code": "BTC-USD", "contract_size": 100, "price_tick": 0.1, "contract_status": 1}
    return {"status": "ok", "data": [row], "ts": now_ms}


def _accounts(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return {"status": "ok", "data": [{"id": ACCOUNT, "type": "spot", "subtype": "", "state": "working"}]}


def _balance(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    world.venue.settle(now_ms)
    rows = []
    for asset, held in world.venue.balances.items():
        rows.append({"currency": asset.lower(), "type": "trade", "balance": str(held.total - held.locked)})
        rows.append({"currency": asset.lower(), "type": "frozen", "balance": str(held.locked)})
    return {"status": "ok", "data": {"id": ACCOUNT, "type": "spot", "state": "working", "list": rows}}


def _none(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return {"status": "ok", "data": []}


def _contract_balance(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"state": "normal", "details": []})


def _contract_none(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok([])


class Htx(Reading):
    """The dialect `htx`."""

    id = "htx"
    routes: ClassVar = {
        ("GET", "/v1/common/timestamp"): Endpoint(_time, public=True),
        ("GET", "/v1/common/symbols"): Endpoint(_symbols, public=True),
        ("GET", "/market/tickers"): Endpoint(_tickers, public=True),
        ("GET", "/v2/user/uid"): Endpoint(_uid),
        ("GET", "/v2/user/api-key"): Endpoint(_keys),
        ("GET", "/v1/account/accounts"): Endpoint(_accounts, needs="read"),
        ("GET", f"/v1/account/accounts/{ACCOUNT}/balance"): Endpoint(_balance, needs="read"),
        ("GET", "/v1/order/openOrders"): Endpoint(_none, needs="read"),
        ("GET", "/linear-swap-api/v1/swap_contract_info"): Endpoint(_linear, public=True, host=CONTRACTS),
        ("GET", "/swap-api/v1/swap_contract_info"): Endpoint(_inverse, public=True, host=CONTRACTS),
        ("GET", "/api/v1/contract_contract_info"): Endpoint(_inverse, public=True, host=CONTRACTS),
        ("GET", "/v5/account/balance"): Endpoint(_contract_balance, needs="read", host=CONTRACTS),
        ("GET", "/v5/trade/position/opens"): Endpoint(_contract_none, needs="read", host=CONTRACTS),
        ("GET", "/v5/trade/order/opens"): Endpoint(_contract_none, needs="read", host=CONTRACTS),
        ("GET", "/v5/algo/order/opens"): Endpoint(_contract_none, needs="read", host=CONTRACTS),
    }
    errors: ClassVar = {
        "key": _bad("api-signature-not-valid", "Signature not valid: Incorrect Access key [Access key错误]"),
        "signature": _bad("api-signature-not-valid", "Signature not valid: Verification failure [校验失败]"),
        "address": _bad("api-signature-not-valid", "Signature not valid: Incorrect IP address [IP地址错误]:127.0.0.1"),
        "clock": _bad("api-signature-not-valid", "Signature not valid: Invalid submission time [无效的提交时间]"),
        "permission": Reply(200, {"code": 403, "message": "forbidden"}, code=403),
        "rate": _bad("too-many-requests", "Too many requests."),
        # No ban is documented: who goes on is throttled on.
        "ban": _bad("too-many-requests", "Too many requests."),
        "maintenance": _bad("system-maintenance", "System is in maintenance!"),
    }

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        """Make the credentials of a key."""
        return SimKey("-".join(token(8) for _ in range(4)), token(32), now_ms)

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check the Signature in the query: it covers the host that was asked, whatever path prefix names it."""
        params = dict(parse_qsl(request.query, keep_blank_values=True))
        key = world.keys.get(params.get("AccessKeyId", ""))
        if key is None or params.get("SignatureMethod") != "HmacSHA256" or params.get("SignatureVersion") != "2":
            return "key"
        given = params.pop("Signature", "")
        query = urlencode(sorted(params.items()), quote_via=quote, safe="")
        lines = (request.method, request.headers.get("host", "").lower(), request.path, query)
        ours = base64.b64encode(hmac.new(key.secret.encode(), "\n".join(lines).encode(), hashlib.sha256).digest())
        if not hmac.compare_digest(ours.decode(), given):
            return "signature"
        try:
            stamp_ms = calendar.timegm(time.strptime(params.get("Timestamp", ""), "%Y-%m-%dT%H:%M:%S")) * 1000
        except ValueError:
            return "clock"
        return key if near(stamp_ms, now_ms, WINDOW_MS) else "clock"


DIALECT = Htx

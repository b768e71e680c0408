"""BingX reads: time, both forms of the key report, the user's id, spot and swap accounts.

Source: bingx-api.github.io/docs "Signature Description" (stored index file 19452051116, read November 2026): the hex of
HMAC-SHA256 of the parameters as text, sorted; BingX-API/api-ai-skills authentication.md: recvWindow 1 to 5000 ms.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, ClassVar, Final
from urllib.parse import unquote

from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, Reading, near, params_of
from policykit.sim.keys import SimKey

#: The number of each grant; nothing is known of options and of managing sub-accounts.
_NUMBERS: Final = {"trade.spot": 1, "read": 2, "trade.derivatives": 3, "transfer": 4, "withdraw": 5}
WINDOW_MS: Final = 5_000


def _ok(data: Any) -> dict[str, Any]:
    return {"code": 0, "msg": "", "debugMsg": "", "data": data}


def _bad(code: int, message: str) -> Reply:
    return Reply(200, {"code": code, "msg": message, "timestamp": 1_739_291_708_037}, code=code)


def _time(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"serverTime": now_ms})


def _permissions(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    assert key is not None
    drift = world.drift
    numbers: list[Any] = sorted(number for grant, number in _NUMBERS.items() if grant in key.grants)
    return _ok(
        {
            "apiKey": key.key,
            "permissions": [*numbers, *drift.strange],
            "ipAddresses": drift.addresses(key.addresses, list(key.addresses), []),
            "note": key.label,
        }
    )


def _restrictions(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer as the older document has it: without an envelope."""
    assert key is not None
    return {
        "ipRestrict": bool(key.addresses),
        "createTime": world.drift.time(key.created_ms, "ms"),
        "permitsUniversalTransfer": "transfer" in key.grants,
        "enableReading": "read" in key.grants,
        "enableFutures": "trade.derivatives" in key.grants,
        "enableSpotAndMarginTrading": bool(key.grants & {"trade.spot", "trade.margin"}),
    }


def _uid(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"uid": 16_477_999})


def _symbols(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    rows = [
        {
            "symbol": f"{one.base}-{one.quote}",
            "minNotional": 5,
            "maxNotional": 20_000,
            "status": 1,
            "tickSize": float(one.tick),
            "stepSize": float(one.step),
            "apiStateSell": True,
            "apiStateBuy": True,
            "timeOnline": 0,
        }
        for one in world.venue.symbols.values()
    ]
    return _ok({"symbols": rows})


def _tickers(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    rows = []
    for one in world.venue.symbols.values():
        bid, ask = world.venue.touch(one, now_ms)
        name = f"{one.base}-{one.quote}"
        rows.append({"symbol": name, "lastPrice": str(bid), "bidPrice": str(bid), "askPrice": str(ask)})
    return _ok(rows)


def _spot_balance(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    world.venue.settle(now_ms)
    rows = [
        {"asset": asset, "free": str(held.total - held.locked), "locked": str(held.locked)}
        for asset, held in world.venue.balances.items()
    ]
    return _ok({"balances": rows})


def _position_mode(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"dualSidePosition": "false"})


def _rows(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok([])


def _orders(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"orders": []})


def _twaps(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"list": [], "total": 0})


class BingX(Reading):
    """The dialect `bingx`."""

    id = "bingx"
    routes: ClassVar = {
        ("GET", "/openApi/swap/v2/server/time"): Endpoint(_time, public=True),
        ("GET", "/openApi/spot/v1/common/symbols"): Endpoint(_symbols, public=True),
        ("GET", "/openApi/spot/v1/ticker/24hr"): Endpoint(_tickers, public=True),
        ("GET", "/openApi/swap/v2/quote/contracts"): Endpoint(_rows, public=True),
        ("GET", "/openApi/cswap/v1/market/contracts"): Endpoint(_rows, public=True),
        ("GET", "/openApi/v1/account/apiPermissions"): Endpoint(_permissions),
        ("GET", "/openApi/v1/account/apiRestrictions"): Endpoint(_restrictions),
        ("GET", "/openApi/account/v1/uid"): Endpoint(_uid, needs="read"),
        ("GET", "/openApi/spot/v1/account/balance"): Endpoint(_spot_balance, needs="read"),
        ("GET", "/openApi/spot/v1/trade/openOrders"): Endpoint(_orders, needs="read"),
        ("GET", "/openApi/swap/v3/user/balance"): Endpoint(_rows, needs="read"),
        ("GET", "/openApi/swap/v2/user/positions"): Endpoint(_rows, needs="read"),
        ("GET", "/openApi/swap/v2/trade/openOrders"): Endpoint(_orders, needs="read"),
        ("GET", "/openApi/swap/v1/twap/openOrders"): Endpoint(_twaps, needs="read"),
        ("GET", "/openApi/swap/v1/positionSide/dual"): Endpoint(_position_mode, needs="read"),
    }
    errors: ClassVar = {
        "key": _bad(100413, "Incorrect apiKey"),
        "signature": _bad(100001, "Signature verification failed"),
        "address": _bad(
            100419,
            "your current request IP is 198.51.100.9 does not match IP whitelist , please go to "
            "https://bingx.com/en/account/api/ to verify the ip you have set",
        ),
        "permission": _bad(
            100004,
            "Permission denied as the API key was created without the permission,this api need Spot Trading "
            "permission, please config it in https://bingx.com/en/account/api",
        ),
        "clock": _bad(100421, "Null timestamp or timestamp mismatch, try to run our sample code"),
        "rate": _bad(100410, "rate limited"),
        "ban": _bad(
            100410,
            "code:100410:The endpoint trigger frequency limit rule is currently in the disabled period and will be "
            "unblocked after 1727193814249",
        ),
        "maintenance": _bad(100503, "Server busy"),
    }

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check the signature in the query: it covers the other parameters, sorted, as they stand before encoding."""
        key = world.keys.get(request.headers.get("x-bx-apikey", ""))
        if key is None:
            return "key"
        parts = [unquote(part) for part in request.query.split("&") if part]
        given = [part.partition("=")[2] for part in parts if part.startswith("signature=")]
        signed = "&".join(sorted(part for part in parts if not part.startswith("signature=")))
        ours = hmac.new(key.secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if len(given) != 1 or not hmac.compare_digest(ours, given[0]):
            return "signature"
        stamp, window = str(params_of(request).get("timestamp", "")), params_of(request).get("recvWindow", "5000")
        longest = min(WINDOW_MS, int(window)) if str(window).isdigit() else WINDOW_MS
        return key if stamp.isdigit() and near(int(stamp), now_ms, longest) else "clock"


DIALECT = BingX

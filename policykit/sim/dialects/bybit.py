"""Bybit v5 reads: time, the key report, the wallet, the address book; markets and contracts are bybit_account.py's.

Source: bybit-exchange/docs@072c197d0 (2026-07-24) docs/v5: guide.mdx "authentication", user/apikey-info.mdx, error.mdx,
asset/withdraw/withdraw-address.mdx (fields from memory).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, ClassVar

from policykit.sim.dialects import bybit_account
from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.bybit_account import bad as _bad
from policykit.sim.dialects.bybit_account import ok as _ok
from policykit.sim.dialects.reading import Endpoint, Reading, near
from policykit.sim.drift import ABSENT
from policykit.sim.keys import SimKey

#: The permissions that a grant stands for: group and name.
_NAMES: dict[str, tuple[tuple[str, str], ...]] = {
    "read": (),
    "trade.spot": (("Spot", "SpotTrade"),),
    "trade.margin": (("Spot", "SpotTrade"),),
    "trade.derivatives": (
        ("ContractTrade", "Order"),
        ("ContractTrade", "Position"),
        ("Derivatives", "DerivativesTrade"),
    ),
    "trade.options": (("Options", "OptionsTrade"),),
    "trade.other": (("Earn", "Earn"),),
    "transfer": (("Wallet", "AccountTransfer"),),
    "withdraw": (("Wallet", "Withdraw"),),
    "key_admin": (),
}
_GROUPS = (
    "ContractTrade Spot Wallet Options Derivatives CopyTrading BlockTrade Exchange NFT Affiliate Earn FiatP2P "
    "FiatConvertBroker FiatGlobalPay FiatBitPay BitCard ByXPost"
)


def _time(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    return _ok({"timeSecond": str(now_ms // 1000), "timeNano": str(now_ms * 1_000_000)}, now_ms)


def _key(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    assert key is not None
    drift = world.drift
    groups: dict[str, list[str]] = {name: [] for name in _GROUPS.split()}
    for grant in sorted(key.grants):
        for group, name in _NAMES[grant]:
            if name not in groups[group]:
                groups[group].append(name)
    groups["Wallet"] += drift.strange
    writes = any(groups.values())
    return _ok(
        {
            "id": "2208369",
            "note": key.label,
            "apiKey": key.key,
            "readOnly": 0 if writes else 1,
            "secret": "",
            "permissions": groups,
            "ips": drift.addresses(key.addresses, list(key.addresses), ["*"]),
            "type": 1,
            "deadlineDay": -2 if key.expires_ms is None else (key.expires_ms - now_ms) // 86_400_000,
            "expiredAt": drift.time(key.expires_ms, "iso", "1970-01-01T00:00:00Z"),
            "createdAt": drift.time(key.created_ms, "iso"),
            "unified": 0,
            "uta": 1,
            "userID": 1448939,
            "inviterID": 0,
            "vipLevel": "No VIP",
            "mktMakerLevel": "0",
            "affiliateID": 0,
            "rsaPublicKey": "",
            "isMaster": True,
            "parentUid": "0",
            "kycLevel": "LEVEL_1",
            "kycRegion": ABSENT,
        },
        now_ms,
    )


def _wallet(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    world.venue.settle(now_ms)
    coins = [
        {"coin": asset, "walletBalance": str(held.total), "locked": str(held.locked), "equity": str(held.total)}
        for asset, held in world.venue.balances.items()
    ]
    return _ok({"list": [{"accountType": "UNIFIED", "coin": coins}]}, now_ms)


def _addresses(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    rows = [
        {
            "coin": row["coin"],
            "chain": row["network"],
            "address": row["address"],
            "tag": "",
            "remark": f"book-{index}",
            "status": 0,
            "addressType": 0,
            "verified": 1 if row["allowlisted"] else 0,
            "createdAt": str(now_ms // 1000),
        }
        for index, row in enumerate(world.addresses, 1)
    ]
    return _ok({"rows": rows, "nextPageCursor": ""}, now_ms)


class Bybit(Reading):
    """The dialect `bybit`."""

    id = "bybit"
    routes: ClassVar = {
        ("GET", "/v5/market/time"): Endpoint(_time, public=True),
        ("GET", "/v5/user/query-api"): Endpoint(_key),
        ("GET", "/v5/account/wallet-balance"): Endpoint(_wallet),
        ("GET", "/v5/asset/withdraw/query-address"): Endpoint(_addresses, needs="withdraw"),
        ("GET", "/v5/asset/coin/query-info"): Endpoint(bybit_account.coins),
        ("GET", "/v5/market/instruments-info"): Endpoint(bybit_account.instruments, public=True),
        ("GET", "/v5/market/tickers"): Endpoint(bybit_account.tickers, public=True),
        ("GET", "/v5/position/list"): Endpoint(bybit_account.positions),
        ("GET", "/v5/order/realtime"): Endpoint(bybit_account.orders),
    }
    errors: ClassVar = {
        "key": _bad(10003, "API key is invalid."),
        "signature": _bad(10004, "error sign! please check your signature generation algorithm."),
        "address": _bad(10010, "Unmatched IP, please check your API key's bound IP addresses."),
        "permission": _bad(10005, "Permission denied, please check your API key permissions."),
        "clock": _bad(10002, "invalid request, please check your server timestamp or recv_window param."),
        "rate": _bad(10006, "Too many visits. Exceeded the API Rate Limit."),
        "ban": Reply(403, "access too frequent", code=403),
        "maintenance": _bad(10016, "Server error."),
    }

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Check X-BAPI-SIGN: HMAC-SHA256 of timestamp, key, window and the query (or body) as sent."""
        headers = request.headers
        key = world.keys.get(headers.get("x-bapi-api-key", ""))
        if key is None:
            return "key"
        stamp, window = headers.get("x-bapi-timestamp", ""), headers.get("x-bapi-recv-window", "5000")
        signed = stamp + key.key + window + (request.body if request.method == "POST" else request.query)
        ours = hmac.new(key.secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(ours, headers.get("x-bapi-sign", "")):
            return "signature"
        return key if stamp.isdigit() and window.isdigit() and near(int(stamp), now_ms, int(window)) else "clock"


DIALECT = Bybit

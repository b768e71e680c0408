"""Bybit v5: time, key report, wallet, address book; markets are in bybit_account.py, orders in bybit_orders.py.

Source: bybit-exchange/docs@072c197d0 (2026-07-24) docs/v5: guide.mdx "authentication", user/apikey-info.mdx, error.mdx,
asset/withdraw/withdraw-address.mdx (fields from memory).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, ClassVar

from policykit.sim.dialects import bybit_account, bybit_orders, bybit_streams
from policykit.sim.dialects._ending import ended
from policykit.sim.dialects.base import Call, Reply, Request, World
from policykit.sim.dialects.bybit_forms import bad as _bad
from policykit.sim.dialects.bybit_forms import ok as _ok
from policykit.sim.dialects.reading import Endpoint, Reading, near, params_of
from policykit.sim.drift import ABSENT
from policykit.sim.futures import Refused
from policykit.sim.keys import MAIN, SimKey
from policykit.sim.venue import Quirks, Rejected

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
_DAY_MS = 86_400_000
#: How the transaction log calls what moved the wallet of contracts (enum.mdx "type(uta-translog)").
_LOGGED = {"FUNDING_FEE": "SETTLEMENT", "INSURANCE_CLEAR": "LIQUIDATION"}
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
    world.linear.settle(now_ms)
    balances = world.venue.balances_seen(now_ms, world.lag_balances)
    return _ok({"list": [bybit_account.wallet(world, balances, now_ms)]}, now_ms)


def _info(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer GET /v5/account/info (account/account-info.mdx): a unified account, 2.0, of regular margin."""
    info = {"unifiedMarginStatus": 5, "marginMode": "REGULAR_MARGIN", "spotHedgingStatus": "OFF"}
    return _ok(info | {"isMasterTrader": False, "updatedTime": str(now_ms)}, now_ms)


def _log(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer GET /v5/account/transaction-log of transfers and of what contracts moved; of fills of spot it has none."""
    params = params_of(request)
    since = int(params.get("startTime") or now_ms - _DAY_MS)
    until = int(params.get("endTime") or since + _DAY_MS)
    if until - since > 7 * _DAY_MS:
        return _bad(10001, "Request parameter error: the time range is over 7 days.")
    world.linear.settle(now_ms)
    told = [(row["coin"], "TRANSFER_IN", row["amount"], row["time_ms"]) for row in world.deposits]
    told += [(row["coin"], "TRANSFER_OUT", f"-{row['amount']}", row["time_ms"]) for row in world.withdrawals]
    told += [
        (row.asset, _LOGGED.get(row.kind, "TRADE"), str(row.amount), row.time_ms) for row in world.linear.book.income
    ]
    rows = [
        {
            "currency": asset,
            "type": kind,
            "change": change,
            "transactionTime": str(at_ms),
            "category": "" if kind.startswith("TRANSFER") else "linear",
        }
        for asset, kind, change, at_ms in told
        if since <= at_ms <= until and params.get("type") in (None, "", kind)
    ]
    return _ok({"list": rows, "nextPageCursor": ""}, now_ms)


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


def _delete_sub(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer POST /v5/user/delete-sub-api (user/rm-sub-apikey.mdx): the key named, or the one that asks."""
    assert key is not None
    if not key.grants & {"transfer", "withdraw"}:
        return _bad(10005, "Permission denied, please check your API key permissions.")
    return (
        _ok({}, now_ms)
        if ended(world, params_of(request).get("apikey") or key.key)
        else _bad(10003, "API key is invalid.")
    )


def _delete_own(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Answer POST /v5/user/delete-api (user/rm-master-apikey.mdx): the main account's key that asks."""
    assert key is not None
    if not key.grants & {"transfer", "withdraw"} or key.account != MAIN:
        return _bad(10005, "Permission denied, please check your API key permissions.")
    key.revoked = True
    return _ok({}, now_ms)


def _written(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    """Stand in the table of routes for what `Bybit.run` does with the quirks of a fault."""
    raise AssertionError("a write is run by Bybit.run")


class Bybit(Reading):
    """The dialect `bybit`."""

    id = "bybit"
    routes: ClassVar = {
        ("GET", "/v5/market/time"): Endpoint(_time, public=True),
        ("GET", "/v5/user/query-api"): Endpoint(_key),
        ("GET", "/v5/account/wallet-balance"): Endpoint(_wallet),
        ("GET", "/v5/account/info"): Endpoint(_info),
        ("GET", "/v5/account/transaction-log"): Endpoint(_log),
        ("GET", "/v5/asset/withdraw/query-address"): Endpoint(_addresses, needs="withdraw"),
        ("GET", "/v5/asset/coin/query-info"): Endpoint(bybit_account.coins),
        ("GET", "/v5/market/instruments-info"): Endpoint(bybit_account.instruments, public=True),
        ("GET", "/v5/market/tickers"): Endpoint(bybit_account.tickers, public=True),
        ("GET", "/v5/market/orderbook"): Endpoint(bybit_account.orderbook, public=True),
        ("GET", "/v5/market/recent-trade"): Endpoint(bybit_account.recent_trades, public=True),
        ("GET", "/v5/account/fee-rate"): Endpoint(bybit_account.fees),
        ("GET", "/v5/position/list"): Endpoint(bybit_account.positions),
        ("POST", "/v5/user/delete-sub-api"): Endpoint(_delete_sub, point="other"),
        ("POST", "/v5/user/delete-api"): Endpoint(_delete_own, point="other"),
        **bybit_orders.READS,
        **{path: Endpoint(_written, point=one.point) for path, one in bybit_orders.WRITES.items()},
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

    def gate(self, world: World, call: Call, now_ms: int) -> Reply | None:
        """Check as every dialect does, and what a write needs: a scope by its category."""
        refused = super().gate(world, call, now_ms)
        write = bybit_orders.WRITES.get((call.request.method, call.request.path))
        if refused is not None or write is None:
            return refused
        key = self.authenticate(world, call.request, now_ms)
        needs = "trade.spot" if params_of(call.request).get("category") == "spot" else "trade.derivatives"
        return None if isinstance(key, SimKey) and needs in key.grants else self.error("permission", now_ms)

    def run(self, world: World, call: Call, now_ms: int, quirks: Quirks) -> Reply:
        """Answer a read, or do what is asked."""
        write = bybit_orders.WRITES.get((call.request.method, call.request.path))
        try:
            if write is None:
                return super().run(world, call, now_ms, quirks)
            return Reply(200, _ok(write.handler(world, params_of(call.request), now_ms, quirks), now_ms))
        except bybit_orders.Bad as error:
            return error.reply
        except (Refused, Rejected) as error:
            return bybit_orders.refusal(error).reply


DIALECT = Bybit
SPEECH = bybit_streams.BybitSpeech

"""Binance sapi: the key report, coins, deposits and withdrawals, and the margin lists that stock ccxt asks for."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from policykit.sim.dialects._ending import ended
from policykit.sim.dialects.base import Reply, Route, World
from policykit.sim.dialects.binance_forms import bad, number
from policykit.sim.drift import ABSENT
from policykit.sim.venue import ZERO, Quirks

Params = Mapping[str, str]


def restrictions(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /sapi/v1/account/apiRestrictions for the key that asks."""
    key, drift = world.keys[params["apiKey"]], world.drift
    flags: dict[str, Any] = dict(key.flags)
    answer = {
        "ipRestrict": flags.pop("ipRestrict"),
        "createTime": drift.time(key.created_ms, "ms"),
        # Absent unless the trade authority ends (binance-connector-java, test of the same call).
        "tradingAuthorityExpirationTime": drift.time(key.expires_ms, "ms", ABSENT),
        **flags,
        **dict.fromkeys(drift.strange, True),
    }
    return Reply(200, drift.body(answer))


def address_book(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /sapi/v1/capital/withdraw/address/list."""
    rows = [
        {
            "address": row["address"],
            "addressTag": "",
            "coin": row["coin"],
            "name": f"book-{index}",
            "network": row["network"],
            "origin": "bla",
            "originType": "others",
            "whiteStatus": row["allowlisted"],
        }
        for index, row in enumerate(world.addresses, 1)
    ]
    return Reply(200, rows)


def coins(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /sapi/v1/capital/config/getall."""
    return Reply(200, [_coin(asset, b.free, b.locked) for asset, b in world.venue.balances.items()])


def _coin(asset: str, free: Any, locked: Any) -> dict[str, Any]:
    zero = number(ZERO)
    network = {
        "coin": asset,
        "network": "SIM",
        "name": "Simulated network",
        "isDefault": True,
        "depositEnable": True,
        "withdrawEnable": True,
        "withdrawFee": "0.00010000",
        "withdrawMin": "0.00100000",
        "withdrawMax": "9999.00000000",
        "withdrawIntegerMultiple": "0.00000001",
        "minConfirm": 1,
        "unLockConfirm": 0,
        "addressRegex": "^sim[a-z0-9]{20}$",
        "memoRegex": "",
        "sameAddress": False,
        "busy": False,
    }
    return {
        "coin": asset,
        "name": asset,
        "free": number(free),
        "locked": number(locked),
        "freeze": zero,
        "withdrawing": zero,
        "ipoing": zero,
        "ipoable": zero,
        "storage": zero,
        "isLegalMoney": False,
        "trading": True,
        "depositAllEnable": True,
        "withdrawAllEnable": True,
        "networkList": [network],
    }


def deposits(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /sapi/v1/capital/deposit/hisrec."""
    return Reply(200, _listed(world.deposits, "insertTime", params))


def withdrawals(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /sapi/v1/capital/withdraw/history."""
    return Reply(200, _listed(world.withdrawals, "time_ms", params))


def _listed(rows: list[dict[str, Any]], time_key: str, params: Params) -> list[dict[str, Any]]:
    start, end = int(params.get("startTime", "0")), int(params.get("endTime", str(2**53)))
    kept = [
        {name: value for name, value in row.items() if name != "time_ms"}
        for row in rows
        if start <= row[time_key] <= end and params.get("coin", row["coin"]) == row["coin"]
    ]
    return kept[::-1]


def transfers(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /sapi/v1/asset/transfer: between spot and USD-M, as the futures' income has them."""
    sign = {"MAIN_UMFUTURE": 1, "UMFUTURE_MAIN": -1}.get(params.get("type", ""), 0)
    start, end = int(params.get("startTime", "0")), int(params.get("endTime", str(2**53)))
    rows = [
        {
            "asset": row.asset,
            "amount": number(abs(row.amount)),
            "type": params["type"],
            "status": "CONFIRMED",
            "tranId": index,
            "timestamp": row.time_ms,
        }
        for index, row in enumerate(world.linear.book.income, 1)
        if row.kind == "TRANSFER" and row.amount * sign > 0 and start <= row.time_ms <= end
    ]
    return Reply(200, {"total": len(rows), "rows": rows} if rows else {"total": 0})


def nothing(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer with an empty list: margin pairs, which nobody has here."""
    return Reply(200, [])


def _debt(asset: str, amount: Decimal) -> dict[str, Any]:
    zero = number(ZERO)
    return {
        "asset": asset,
        "borrowed": number(amount),
        "free": zero,
        "interest": zero,
        "locked": zero,
        "netAsset": number(-amount),
    }


def margin_account(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /sapi/v1/margin/account: cross margin, of which only what is owed is kept here."""
    rows = [_debt(asset, amount) for (pair, asset), amount in world.loans.items() if not pair]
    return Reply(200, {"borrowEnabled": True, "tradeEnabled": True, "accountType": "MARGIN_1", "userAssets": rows})


def isolated_account(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /sapi/v1/margin/isolated/account: every pair that owes anything."""
    rows = []
    for symbol in world.venue.symbols.values():
        base, quote = (world.loans.get((symbol.id, asset)) for asset in (symbol.base, symbol.quote))
        if base is not None or quote is not None:
            debts = {"baseAsset": _debt(symbol.base, base or ZERO), "quoteAsset": _debt(symbol.quote, quote or ZERO)}
            rows.append({"symbol": symbol.id, "isolatedCreated": True, "enabled": True, **debts})
    return Reply(200, {"assets": rows})


def borrow_repay(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer POST /sapi/v1/margin/borrow-repay: the debt moves, and what was borrowed is not kept here."""
    pair = params.get("symbol", "") if params.get("isIsolated") == "TRUE" else ""
    moved = Decimal(params["amount"]) * (1 if params["type"] == "BORROW" else -1)
    world.loans[pair, params["asset"]] = world.loans.get((pair, params["asset"]), ZERO) + moved
    return Reply(200, {"tranId": len(world.loans), "clientTag": ""})


def system_status(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /sapi/v1/system/status."""
    return Reply(200, {"status": 0, "msg": "normal"})


def account_status(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer GET /sapi/v1/account/status."""
    return Reply(200, {"data": "Normal"})


def delete_sub_key(world: World, params: Params, now_ms: int, quirks: Quirks) -> Reply:
    """Answer DELETE /sapi/v1/sub-account/subAccountApi: for the main account, by the sub-account's e-mail.

    Its words for a key that is not there are documented nowhere; here those of a key that may not do something.
    """
    if not ended(world, params.get("subAccountApiKey"), params.get("email", "")):
        return bad(-2015, "Invalid API-key, IP, or permissions for action.")
    return Reply(200, {})


_READ = "enableReading"
_LIST: tuple[tuple[str, int, Any, str, str], ...] = (
    ("/sapi/v1/account/apiRestrictions", 1, restrictions, "any", "account"),
    ("/sapi/v1/account/status", 1, account_status, _READ, "account"),
    ("/sapi/v1/system/status", 1, system_status, "none", "market"),
    ("/sapi/v1/capital/config/getall", 10, coins, _READ, "account"),
    ("/sapi/v1/capital/deposit/hisrec", 1, deposits, _READ, "account"),
    ("/sapi/v1/capital/withdraw/history", 18, withdrawals, _READ, "account"),
    ("/sapi/v1/capital/withdraw/address/list", 10, address_book, _READ, "account"),
    ("/sapi/v1/asset/transfer", 1, transfers, _READ, "account"),
    ("/sapi/v1/margin/account", 10, margin_account, _READ, "other"),
    ("/sapi/v1/margin/isolated/account", 10, isolated_account, _READ, "other"),
    ("/sapi/v1/margin/openOrders", 10, nothing, _READ, "lookup"),
    ("/sapi/v1/margin/allPairs", 1, nothing, _READ, "account"),
    ("/sapi/v1/margin/isolated/allPairs", 10, nothing, _READ, "account"),
)


def _weight(cost: int) -> Any:
    return lambda params: cost


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", path): Route(f"GET {path}", point, _weight(cost), handler, security, "sapi")
    for path, cost, handler, security, point in _LIST
}
ROUTES["DELETE", "/sapi/v1/sub-account/subAccountApi"] = Route(
    "DELETE /sapi/v1/sub-account/subAccountApi",
    "other",
    _weight(1),
    delete_sub_key,
    "enableSpotAndMarginTrading",
    "sapi",
)
ROUTES["POST", "/sapi/v1/margin/borrow-repay"] = Route(
    "POST /sapi/v1/margin/borrow-repay", "other", _weight(1), borrow_repay, "enableMargin", "sapi"
)

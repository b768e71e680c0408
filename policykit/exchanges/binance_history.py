"""What happened on a Binance account since a moment: fills, and what came in and went out beside them.

Sources: rest-api.md (a5e0bc3) "Account trade list"; developers.binance.com wallet ("Deposit History", "Withdraw
History", "User Universal Transfer") and derivatives usds-margined-futures ("Account Trade List", "Get Income History";
client order ids of forced orders: user data streams "Event: Order Update"), read 2026-11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from policykit.exchanges import binance_account
from policykit.exchanges.adapter import Adapter
from policykit.exchanges.base import Answer, CallFailed, Fill, Income, Read, Steps, wallet_key
from policykit.units import exact

#: Rows of a page, and pages that are read; more cannot be counted, which is an error.
MAX_ROWS: Final = 1000
MAX_PAGES: Final = 20
#: A deposit is looked for so long before the span in which it was credited, ms: confirmations take minutes to hours.
CREDIT_MS: Final = 2 * 86_400_000
#: wallet "deposit history" status: 1 success, 6 credited but not yet to be withdrawn: both are in the balance.
CREDITED: Final = frozenset(("1", "6"))
#: wallet "withdraw history" status: 1 cancelled, 3 rejected, 5 failure: the balance came back.
RETURNED: Final = frozenset(("1", "3", "5"))
#: Between spot and the other wallets of the same person, by what it is for spot ("User Universal Transfer": `type`).
TRANSFERS: Final = {
    f"{a}_{b}": 1 if b == "MAIN" else -1
    for other in ("UMFUTURE", "CMFUTURE", "MARGIN", "FUNDING")
    for a, b in (("MAIN", other), (other, "MAIN"))
}
_TRANSFER_ROWS: Final = 100
#: "Get Income History": `incomeType`, in our words; another one is not understood, and explains nothing.
INCOMES: Final = {
    "REALIZED_PNL": "fill",
    "COMMISSION": "fee",
    "POSITION_LIMIT_INCREASE_FEE": "fee",
    "FUNDING_FEE": "funding",
    "INSURANCE_CLEAR": "liquidation",
    "DELIVERED_SETTELMENT": "settlement",  # spelt so in the documents
    "TRANSFER": "transfer",
    "INTERNAL_TRANSFER": "transfer",
    "CROSS_COLLATERAL_TRANSFER": "transfer",
    "COIN_SWAP_DEPOSIT": "transfer",
    "COIN_SWAP_WITHDRAW": "transfer",
    "STRATEGY_UMFUTURES_TRANSFER": "transfer",
    "AUTO_EXCHANGE": "transfer",
    "COMMISSION_REBATE": "rebate",
    "API_REBATE": "rebate",
    "REFERRAL_KICKBACK": "rebate",
    "FEE_RETURN": "rebate",
    "WELCOME_BONUS": "bonus",
    "CONTEST_REWARD": "bonus",
    "BFUSD_REWARD": "bonus",
}


#: Client order ids that the exchange gives orders of its own, and why it places them.
FORCED: Final = {"adl_autoclose": "adl", "settlement_autoclose-": "settlement", "autoclose-": "liquidation"}


def forced(client_order_id: str) -> str | None:
    """Tell why the exchange itself placed an order; None: it did not."""
    return next((why for start, why in FORCED.items() if client_order_id.startswith(start)), None)


def spot_fills(adapter: Adapter, markets: Mapping[str, str], since_ms: int) -> Steps[tuple[Fill, ...]]:
    """Read fills on spot; `markets` has our symbol by the exchange's name."""
    found: list[Fill] = []
    for market, symbol in markets.items():
        for row in (yield from _all(adapter, "privateGetMyTrades", market, since_ms)):
            quantity = _number(adapter, row.get("qty"))
            buys = row.get("isBuyer") is True
            cost = _number(adapter, row.get("quoteQty"))
            found.append(_fill(adapter, row, symbol, quantity if buys else -quantity, cost))
    return tuple(found)


def contract_fills(adapter: Adapter, markets: Mapping[str, str], since_ms: int) -> Steps[tuple[Fill, ...]]:
    """Read fills on contracts."""
    found: list[Fill] = []
    for market, symbol in markets.items():
        for row in (yield from _all(adapter, "fapiPrivateGetUserTrades", market, since_ms)):
            quantity = _number(adapter, row.get("qty"))
            signed = quantity if str(row.get("side")) == "BUY" else -quantity
            one = _fill(adapter, row, symbol, signed, _number(adapter, row.get("quoteQty")))
            leg = str(row.get("positionSide", "BOTH")).lower()
            found.append(one._replace(leg="" if leg == "both" else leg))
    return tuple(found)


def _all(adapter: Adapter, method: str, market: str, since_ms: int) -> Steps[list[Mapping[str, Any]]]:
    """Read every page of a list of fills: the first by time, the rest by the id after the last one."""
    rows: list[Mapping[str, Any]] = []
    asked: dict[str, Any] = {"startTime": since_ms}
    for _ in range(MAX_PAGES):
        answer = yield Read(method, {"symbol": market, "limit": MAX_ROWS, **asked})
        page = binance_account.rows(adapter, answer, "fills")
        rows += page
        if len(page) < MAX_ROWS:
            return rows
        asked = {"fromId": int(_number(adapter, page[-1].get("id"))) + 1}
    raise adapter.bad_answer(f"under {MAX_PAGES * MAX_ROWS} fills")


def _fill(adapter: Adapter, row: Mapping[str, Any], symbol: str, quantity: Decimal, cost: Decimal) -> Fill:
    return Fill(
        trade_id=str(row.get("id")),
        order_id=str(row.get("orderId")),
        symbol=symbol,
        quantity=quantity,
        cost=cost,
        fee=_number(adapter, row.get("commission")),
        fee_asset=str(row.get("commissionAsset", "")),
        at_ms=int(_number(adapter, row.get("time"))),
    )


def contract_incomes(adapter: Adapter, since_ms: int, unified: Callable[[str], str]) -> Steps[tuple[Income, ...]]:
    """Read what moved the wallet of contracts."""
    found: list[Income] = []
    for page in range(1, MAX_PAGES + 1):
        asked = {"startTime": since_ms, "limit": MAX_ROWS, "page": page}
        rows = binance_account.rows(adapter, (yield Read("fapiPrivateGetIncome", asked)), "incomes")
        for row in rows:
            kind = str(row.get("incomeType"))
            found.append(
                Income(
                    key=wallet_key(str(row.get("asset"))),
                    amount=_number(adapter, row.get("income")),
                    why=INCOMES.get(kind, "unknown"),
                    at_ms=int(_number(adapter, row.get("time"))),
                    trade_id=str(row.get("tradeId") or ""),
                    symbol=unified(str(row["symbol"])) if row.get("symbol") else "",
                )
            )
        if len(rows) < MAX_ROWS:
            return tuple(found)
    raise adapter.bad_answer(f"under {MAX_PAGES * MAX_ROWS} incomes")


def spot_incomes(
    adapter: Adapter, since_ms: int, until_ms: int | None = None, *, both: bool = False
) -> Steps[tuple[Income, ...]]:
    """Read deposits, withdrawals, and transfers between spot and the account's other wallets, of a span.

    `both`: without those between spot and USD-M, where both wallets are counted together.
    """
    asked = binance_account.span(max(0, since_ms - CREDIT_MS), until_ms) | {"limit": MAX_ROWS}
    found: list[Income] = []
    for row in _whole(adapter, (yield Read("sapiGetCapitalDepositHisrec", asked)), "deposits"):
        # The list goes by when a deposit was first seen; it is in the balance once it is credited.
        stamp = row.get("completeTime") or row.get("insertTime")
        at_ms = since_ms if stamp is None else int(_number(adapter, stamp))
        if str(row.get("status")) in CREDITED:
            found.append(Income(str(row.get("coin")), _number(adapter, row.get("amount")), "deposit", at_ms))
    asked = binance_account.span(since_ms, until_ms) | {"limit": MAX_ROWS}
    for row in _whole(adapter, (yield Read("sapiGetCapitalWithdrawHistory", asked)), "withdrawals"):
        if str(row.get("status")) not in RETURNED:
            amount = _number(adapter, row.get("amount")) + _number(adapter, row.get("transactionFee", "0"))
            stamp = row.get("applyTime")
            at_ms = since_ms if stamp is None else max(since_ms, _moment(adapter, stamp))
            found.append(Income(str(row.get("coin")), -amount, "withdrawal", at_ms))
    for kind, sign in TRANSFERS.items():
        if not (both and "UMFUTURE" in kind):
            found += yield from _transfers(adapter, kind, sign, binance_account.span(since_ms, until_ms))
    return tuple(one for one in found if since_ms <= one.at_ms and (until_ms is None or one.at_ms < until_ms))


def _transfers(adapter: Adapter, kind: str, sign: int, span: dict[str, int]) -> Steps[list[Income]]:
    answer = yield Read("sapiGetAssetTransfer", {"type": kind, "size": _TRANSFER_ROWS, **span})
    told = adapter.mapping(answer.data, what="transfers").get("rows") or []  # left out where there is none
    rows = binance_account.rows(adapter, answer._replace(data=told), "transfers")
    if len(rows) >= _TRANSFER_ROWS:
        raise adapter.bad_answer(f"under {_TRANSFER_ROWS} transfers")
    return [
        Income(
            str(row.get("asset")),
            sign * _number(adapter, row.get("amount")),
            "transfer",
            int(_number(adapter, row.get("timestamp"))),
        )
        for row in rows
        if row.get("status") == "CONFIRMED"
    ]


def _whole(adapter: Adapter, answer: Answer, what: str) -> list[Mapping[str, Any]]:
    """Return a list that was not cut."""
    rows = binance_account.rows(adapter, answer, what)
    if len(rows) >= MAX_ROWS:
        raise adapter.bad_answer(f"under {MAX_ROWS} {what}")
    return rows


def named(adapter: Adapter, method: str, market: str, order_id: str) -> Steps[str]:
    """Return the client order id of an order; empty when the exchange has no such order."""
    try:
        answer = yield Read(method, {"symbol": market, "orderId": order_id})
    except CallFailed as failed:
        if failed.code != "ORDER_NOT_FOUND":
            raise
        return ""
    return str(adapter.mapping(answer.data, what="an order").get("clientOrderId") or "")


def _moment(adapter: Adapter, text: object) -> int:
    """Read `2019-10-12 11:12:02` (UTC) as the middle of that second, ms."""
    try:
        moment = datetime.fromisoformat(str(text)).replace(tzinfo=UTC)
    except ValueError:
        raise adapter.bad_answer("made of times") from None
    return int(moment.timestamp() * 1000) + 500


def _number(adapter: Adapter, value: object) -> Decimal:
    try:
        return exact(value)
    except ValueError:
        raise adapter.bad_answer("made of numbers") from None

"""Binance's key report: `GET /sapi/v1/account/apiRestrictions`.

Source: binance/binance-connector-python@29da3291 (2026-08-21), clients/wallet/tests/unit/rest_api/test_account_api.py,
and developers.binance.com wallet/account/api-key-permission.
"""

from __future__ import annotations

from typing import Final

from policykit.exchanges.forms import Fields, KeyForm, moment
from policykit.snapshot import KeyReport

ENDPOINT: Final = "GET /sapi/v1/account/apiRestrictions"
_FLAGS: Final = (
    "ipRestrict",
    "enableReading",
    "enableSpotAndMarginTrading",
    "enableMargin",
    "enableFutures",
    "enableVanillaOptions",
    "enablePortfolioMarginTrading",
    "enableFixApiTrade",
    "enableFixReadOnly",
    "enableInternalTransfer",
    "permitsUniversalTransfer",
    "enableWithdrawals",
)


def report(fields: Fields, at_ms: int, exchange: str = "binance") -> KeyReport:
    """Read the answer; `at_ms` is when the request was sent. `name` and `id` are the caller's to fill in."""
    form = KeyForm(exchange, ENDPOINT, fields, at_ms)
    form.flags("read", ("enableReading",))
    form.flags("trade.spot", ("enableSpotAndMarginTrading",))
    form.flags("trade.margin", ("enableSpotAndMarginTrading", "enableMargin"))
    form.flags("trade.derivatives", ("enableFutures",))
    form.flags("trade.options", ("enableVanillaOptions",))
    form.flags("trade.other", ("enablePortfolioMarginTrading", "enableFixApiTrade"), how="any")
    form.flags("transfer", ("enableInternalTransfer", "permitsUniversalTransfer"), how="any")
    form.flags("withdraw", ("enableWithdrawals",))
    form.ignore("enableFixReadOnly")
    form.restricted_only("ipRestrict")
    form.time("created_at", "createTime")
    form.time("expires_at", "tradingAuthorityExpirationTime")
    if moment(fields.get("tradingAuthorityExpirationTime")) is None:
        form.unknown("expires_at", f"{exchange} reports the end of the trade authority only, and only when one is set")
    return form.report(*_FLAGS, "createTime", "tradingAuthorityExpirationTime")

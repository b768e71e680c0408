"""KuCoin: `GET /api/v1/user/api-key` over stock ccxt.

Sources: Kucoin/kucoin-universal-sdk@78c90c77 (2025-11-04) spec/rest/api/openapi-account-account.json; Kucoin.Net
(2026-08-07) for the answer of a unified account: no `ipWhitelist` when no address is bound. What each name grants: the
universal SDK says what each call asks for, and docs.kucoin.com (stored index file 48979806261, read 2026-11-21) that
`Transfer` is deposits *and withdrawals*; `InnerTransfer` is what the web page calls Flex Transfers.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import Read, Steps
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import Fields, KeyForm, as_text, flag, moment
from policykit.snapshot import KeyReport

_KEY: Final = "GET /api/v1/user/api-key"
_PERMISSIONS: Final[dict[str, tuple[str, ...]]] = {
    "General": ("read",),
    "Spot": ("trade.spot",),
    "Margin": ("trade.margin",),
    "Futures": ("trade.derivatives",),
    "Unified": ("trade.spot", "trade.margin", "trade.derivatives"),  # one account for all three
    "Earn": ("trade.other",),
    "InnerTransfer": ("transfer",),
    "Transfer": ("transfer", "withdraw"),
    # Names of older keys and of the web page, should they come: what they say, at least. The documented list is whole
    # and has none for options, so a key that has only names of the list does not trade them.
    "Trade": ("trade.spot", "trade.margin", "trade.derivatives"),
    "Options": ("trade.options",),
    "FlexTransfers": ("transfer",),
    "Withdrawal": ("withdraw",),
}
_TRADES: Final = ("trade.spot", "trade.margin", "trade.derivatives")


class Kucoin(Adapter):
    """The adapter."""

    id = "kucoin"
    public = (
        calls("GET", "/api/v1/", "timestamp contracts/active market/allTickers")
        | calls("GET", "/api/v2/", "symbols")
        | calls("GET", "/api/v3/", "currencies")
        | calls("GET", "/api/ua/v1/", "asset/currencies market/instrument market/ticker")
    )
    reads = (
        calls(
            "GET",
            "/api/v1/",
            "user/api-key isolated/symbols hf/accounts/opened accounts account-overview positions hf/orders/active "
            "stop-order orders stopOrders",
        )
        | calls("GET", "/api/v2/", "position/getPositionMode")
        | calls("GET", "/api/v3/", "margin/symbols")
        | calls("GET", "/api/ua/v1/", "account/mode account/balance")
        | calls("GET", "/api/ua/v1/*/", "account/balance order/open-list position/open-list")
    )
    asks: ClassVar = {
        "server_time": ("GET /api/v1/timestamp",),
        "key_report": (_KEY,),
        # What a classic account is asked; ccxt asks a unified one the same at other paths.
        "account": (
            "GET /api/ua/v1/account/mode",
            "GET /api/v3/currencies",
            "GET /api/v2/symbols",
            "GET /api/v3/margin/symbols",
            "GET /api/v1/isolated/symbols",
            "GET /api/v1/contracts/active",
            "GET /api/v1/hf/accounts/opened",
            *("GET /api/v1/accounts",) * 2,
            "GET /api/v1/hf/orders/active",
            "GET /api/v1/stop-order",
            "GET /api/v1/account-overview",
            "GET /api/v1/positions",
            "GET /api/v1/orders",
            "GET /api/v1/stopOrders",
            "GET /api/v2/position/getPositionMode",
            "GET /api/v1/market/allTickers",
        ),
    }
    #: Orders of spot can be listed by symbol only. OCO orders and margin accounts are not listed: ccxt 4.5.90 has no
    #: unified call for the first, and one list for each margin mode of the second.
    live: ClassVar = {
        "spot": LiveReads(
            balances=({}, {"type": "main"}), orders=(("order", {}), ("stop", {"trigger": True})), by_symbol=True
        ),
        "swap": LiveReads(
            balances=({"type": "swap", "code": "USDT"},),
            positions=({},),
            orders=(("order", {"type": "swap"}), ("stop", {"type": "swap", "trigger": True})),
        ),
    }

    def prepare(self, client: Any) -> None:
        """Keep ccxt from asking every ticker for the sake of fees."""
        client.options["fetchMarkets"] = {**client.options.get("fetchMarkets", {}), "fetchTickersFees": False}

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms (the whole of `data`)."""
        answer = yield Read("publicGetTimestamp")
        stamp = as_text(Fields(answer.data).get("data"))
        if len(stamp) != 13 or moment(stamp) is None:
            raise self.bad_answer("the time")
        return int(stamp)

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do."""
        answer = yield Read("privateGetUserApiKey")
        fields = self.mapping(answer.data, "data")
        form = KeyForm(self.id, _KEY, fields, answer.sent_ms)
        form.permissions("permission", _PERMISSIONS)
        # Documented for the unified account: no field, no restriction. In an answer of another shape it is unknown.
        form.addresses("ipWhitelist", missing="no" if "permission" in fields else "unknown")
        form.time("created_at", "createdAt")
        form.label("remark")
        master = flag(fields.get("isMaster"))
        form.account("uid", sub_account=None if master is None else not master)
        form.ignore("isMaster", "apiKey", "subName", "region", "kycStatus", "siteType")
        report = form.report("permission", "apiVersion")
        said = report.permissions
        if said["transfer"] == "denied" and any(said[scope] == "granted" for scope in _TRADES):
            why = "kucoin documents older transfers that ask only Spot or Futures, and not whether they still answer"
            form.scope("transfer", None, why)
        form.scope(
            "key_admin", None, "kucoin asks only General of a main account's key to manage its sub-accounts' keys"
        )
        return report


ADAPTER: Final = Kucoin()

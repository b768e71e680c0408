"""What each request to Binance is, by method and path: public, read, write, or refused.

Allow-lists, never the HTTP verb: what is not listed is refused. Sources: ccxt 4.5.90's endpoint table and
github.com/binance/binance-spot-api-docs rest-api.md (a5e0bc3), read 2026-11.
"""

from __future__ import annotations

from typing import Final

from policykit.exchanges.base import Call
from policykit.exchanges.calls import calls, name_of, params_of
from policykit.traits.base import Exchange, cost

_SPOT_PUBLIC: Final = (
    "ping time exchangeInfo depth trades historicalTrades aggTrades klines uiKlines avgPrice ticker ticker/24hr "
    "ticker/tradingDay ticker/price ticker/bookTicker executionRules referencePrice referencePrice/calculation "
    "historicalBlockTrades"
)
_SPOT_READ: Final = (
    "order openOrders allOrders account myTrades rateLimit/order orderList allOrderList openOrderList "
    "myPreventedMatches myAllocations account/commission"
)
#: Wallet and margin reads: the key report, what `load_markets` and `fetch_balance` ask, transfers in and out.
_SAPI_READ: Final = (
    "account/apiRestrictions account/status account/apiTradingStatus capital/config/getall capital/deposit/hisrec "
    "capital/withdraw/history capital/withdraw/address/list asset/tradeFee asset/transfer asset/wallet/balance "
    "margin/account margin/isolated/account margin/allPairs margin/isolated/allPairs margin/allAssets "
    "margin/openOrders margin/order margin/allOrders margin/myTrades"
)
_FUTURES_PUBLIC: Final = (
    "ping time exchangeInfo depth trades aggTrades klines markPriceKlines indexPriceKlines premiumIndex fundingRate "
    "fundingInfo ticker/24hr ticker/price ticker/bookTicker openInterest constituents"
)
_FUTURES_READ: Final = (
    "account balance positionRisk openOrders openOrder order allOrders userTrades income commissionRate "
    "leverageBracket symbolConfig accountConfig positionSide/dual multiAssetsMargin rateLimit/order openAlgoOrders "
    "algoOrder allAlgoOrders"
)


PUBLIC: Final = frozenset(
    calls("GET", "/api/v3/", _SPOT_PUBLIC)
    | calls("GET", "/fapi/v1/", _FUTURES_PUBLIC)
    | calls("GET", "/dapi/v1/", _FUTURES_PUBLIC)
    | calls("GET", "/eapi/v1/", "ping time exchangeInfo depth trades klines mark index ticker openInterest")
    | calls("GET", "/sapi/v1/", "system/status")
)
# INVARIANT I19: the read-only client sends what is listed here and in PUBLIC, and nothing else.
READS: Final = frozenset(
    calls("GET", "/api/v3/", _SPOT_READ)
    | calls("GET", "/sapi/v1/", _SAPI_READ)
    | frozenset().union(*(calls("GET", f"/fapi/v{n}/", _FUTURES_READ) for n in (1, 2, 3)))
    | frozenset().union(*(calls("GET", f"/dapi/v{n}/", _FUTURES_READ) for n in (1, 2)))
)

#: One call for both; its `type` says which.
BORROW_REPAY: Final = "POST /sapi/v1/margin/borrow-repay"
#: Method and path -> (action, order family). Families that traits do not know have no fence.
WRITES: Final[dict[str, tuple[str, str]]] = {
    "POST /api/v3/order": ("order.create", "order"),
    "POST /api/v3/order/test": ("order.create", "order"),
    "POST /api/v3/sor/order": ("order.create", "order"),
    "POST /api/v3/order/oco": ("order.create", "list"),
    "POST /api/v3/orderList/oco": ("order.create", "list"),
    "POST /api/v3/orderList/oto": ("order.create", "list"),
    "POST /api/v3/orderList/otoco": ("order.create", "list"),
    "POST /api/v3/orderList/opo": ("order.create", "list"),
    "POST /api/v3/orderList/opoco": ("order.create", "list"),
    "POST /api/v3/order/cancelReplace": ("order.amend", "order"),
    "PUT /api/v3/order/amend/keepPriority": ("order.amend", "order"),
    "DELETE /api/v3/order": ("order.cancel", "order"),
    "DELETE /api/v3/orderList": ("order.cancel", "list"),
    "DELETE /api/v3/openOrders": ("orders.cancel_all", "order"),
    "POST /sapi/v1/margin/order": ("order.create", "margin"),
    "DELETE /sapi/v1/margin/order": ("order.cancel", "margin"),
    "DELETE /sapi/v1/margin/openOrders": ("orders.cancel_all", "margin"),
    BORROW_REPAY: ("margin.borrow", "margin"),
    "POST /sapi/v1/convert/acceptQuote": ("convert", "convert"),
    **{
        f"{verb} /{api}/v1/{name}": (action, family)
        for api, family in (("fapi", "usdm"), ("dapi", "coinm"))
        for verb, name, action in (
            ("POST", "order", "order.create"),
            ("POST", "batchOrders", "order.create"),
            ("PUT", "order", "order.amend"),
            ("PUT", "batchOrders", "order.amend"),
            ("DELETE", "order", "order.cancel"),
            ("DELETE", "batchOrders", "order.cancel"),
            ("DELETE", "allOpenOrders", "orders.cancel_all"),
            ("POST", "algoOrder", "order.create"),
            ("DELETE", "algoOrder", "order.cancel"),
            ("DELETE", "algoOpenOrders", "orders.cancel_all"),
            ("POST", "leverage", "account.configure"),
            ("POST", "marginType", "account.configure"),
            ("POST", "positionMargin", "account.configure"),
            ("POST", "positionSide/dual", "account.configure"),
        )
    },
}
#: Listen keys of private streams: they change nothing but are no read; a protected client lets them pass, the
#: read-only one does not (`action` is set).
STREAMS: Final = frozenset(
    f"{verb} {path}"
    for verb in ("POST", "PUT", "DELETE")
    for path in ("/api/v3/userDataStream", "/fapi/v1/listenKey", "/dapi/v1/listenKey", "/sapi/v1/userDataStream")
)
#: Refused whatever the policy says; named so that the refusal can say what it was.
REFUSED: Final[dict[str, str]] = {
    "POST /sapi/v1/capital/withdraw/apply": "withdraw",
    "POST /sapi/v1/asset/transfer": "transfer",
    "POST /sapi/v1/futures/transfer": "transfer",
    "POST /sapi/v1/margin/transfer": "transfer",
    "POST /sapi/v1/sub-account/universalTransfer": "transfer",
}


def classify(exchange: Exchange, method: str, url: str, body: str | None) -> Call:
    """Tell what a request is and what it weighs."""
    name = name_of(method, url)
    weight = cost(exchange, "request-weight", name, _variant(url, body))
    if name in PUBLIC:
        return Call("public", name, weight=weight)
    if name in READS:
        return Call("read", name, weight=weight)
    if name in WRITES:
        action, family = WRITES[name]
        if name == BORROW_REPAY and params_of(url, (body,)).get("type") == "REPAY":
            action = "margin.repay"
        return Call("write", name, action, family, weight)
    if name in STREAMS:
        return Call("read", name, "stream.connect", None, weight)
    return Call("refused", name or "a path that is not plain", REFUSED.get(name), None, weight)


def _variant(url: str, body: str | None) -> str:
    params = params_of(url, (body,))
    if "limit" in params and params["limit"].isdigit():
        limit = int(params["limit"])
        return next((f"<={step}" for step in (100, 500, 1000, 5000) if limit <= step), "<=5000")
    return "" if "symbol" in params else "all"

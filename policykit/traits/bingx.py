"""BingX: what its documents say, each fact with source and date."""

from __future__ import annotations

from typing import Final

from policykit.traits.base import (
    CancelAll,
    ClientOrderId,
    DeadManSwitch,
    ErrorMeaning,
    Exchange,
    Family,
    KeyExpiry,
    Product,
    RateWindow,
    Revocation,
)

#: BingX-API/api-ai-skills (stored index files 54122410926 and 51849591553, read November 2026).
_SKILLS: Final = "BingX-API/api-ai-skills bingx-sub-account (read November 2026)"
#: "Notes" of the page where keys are made.
_PAGE: Final = "bingx.com/en-gb/account/api (stored copy, read November 2026)"
_LIMITS: Final = "bingx.com/en/support/articles/31103871611289 (for 2025-10-16)"
_CCXT: Final = "ccxt 4.5.90 bingx.py"
_DAY_MS: Final = 86_400_000


def encode_id(identity: str) -> str:
    """Render our 26-character id in lower case, `pk` in front: "the system will convert this field to lowercase".

    Our ids are upper case only, so no two become one.
    """
    return f"pk{identity.lower()}"


SPOT_ORDER: Final = Family(
    client_order_id=ClientOrderId(
        param="newClientOrderId",
        pattern=r"[a-z0-9_-]{1,40}",
        unique="open",  # "different orders cannot use the same"; for how long an id stays taken is not said
        encode=encode_id,
    ),
    validity_default_ms=5_000,  # "invalid if it was sent 5000 milliseconds ago"
    validity_max_ms=5_000,  # recvWindow: integer, 1-5000 ms (authentication.md, "Replay Protection")
    # How long to the engine and until look-ups show an order is not documented: no fence.
    cancel_all=CancelAll("POST /openApi/spot/v1/trade/cancelOpenOrders", "symbol", source=f"{_CCXT} cancelAllOrders"),
    source=f"{_SKILLS}; {_CCXT}",
)
#: Stop and take-profit orders are of the same list and cancel.
SWAP_ORDER: Final = Family(
    client_order_id=ClientOrderId(
        param="clientOrderId",
        pattern=r"[a-z0-9_-]{1,40}",  # "1 to 40 characters", LIMIT and MARKET orders only
        unique="open",
        encode=encode_id,
    ),
    validity_default_ms=5_000,
    validity_max_ms=5_000,
    cancel_all=CancelAll("DELETE /openApi/swap/v2/trade/allOpenOrders", "symbol", source=f"{_CCXT} cancelAllOrders"),
    source=f"{_SKILLS}; {_CCXT}",
)
_SPOT: Final = {
    "order.create": "POST /openApi/spot/v1/trade/order",
    "order.cancel": "POST /openApi/spot/v1/trade/cancel",
    "orders.cancel_all": "POST /openApi/spot/v1/trade/cancelOpenOrders",
}
_SWAP: Final = {
    "order.create": "POST /openApi/swap/v2/trade/order",
    "order.cancel": "DELETE /openApi/swap/v2/trade/order",
    "orders.cancel_all": "DELETE /openApi/swap/v2/trade/allOpenOrders",
}
#: What counts against the allowance of market data by address, not against that of accounts.
_MARKET: Final = (
    "spot/v1/common/symbols spot/v1/server/time spot/v1/ticker/24hr spot/v1/market/depth swap/v2/server/time "
    "swap/v2/quote/contracts swap/v2/quote/ticker swap/v2/quote/price cswap/v1/market/contracts cswap/v1/market/ticker"
)
_PRIVATE: Final = (
    "v1/account/apiPermissions v1/account/apiRestrictions account/v1/uid spot/v1/account/balance "
    "spot/v1/trade/openOrders swap/v3/user/balance swap/v2/user/positions swap/v2/trade/openOrders "
    "swap/v1/twap/openOrders swap/v1/positionSide/dual"
)
_COSTS: Final = {
    "requests": {f"GET /openApi/{name}": 0 for name in _MARKET.split()},
    "market-requests": {f"GET /openApi/{name}": 0 for name in _PRIVATE.split()},
    "orders-spot": {_SPOT["order.create"]: 1},
    "orders-swap": {_SWAP["order.create"]: 1},
}
_CLOCK: Final = ErrorMeaning("CLOCK", "no", "the request was signed outside its window; set this host's clock")
_RATE: Final = ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait")
_BUSY: Final = ErrorMeaning("MAINTENANCE", "unknown", "the server is busy or has an error; wait")
_SYMBOL: Final = ErrorMeaning("BAD_SYMBOL", "unknown", "no such symbol")

EXCHANGE: Final = Exchange(
    id="bingx",
    products={
        "spot": Product(
            families={"order": SPOT_ORDER},
            position_key="base",
            calls=_SPOT,
            dead_man_switch=DeadManSwitch(
                call="POST /openApi/spot/v1/trade/cancelAllAfter",
                unit="s",  # timeOut; `type` is ACTIVATE or CLOSE, so there is no number that disarms it
                scope="account",
                source=f"{_CCXT} cancelAllOrdersAfter; its bounds (10 to 120 s) are from memory, so not given",
            ),
        ),
        "swap": Product(
            families={"order": SWAP_ORDER},
            position_key="symbol",
            calls=_SWAP,
            dead_man_switch=DeadManSwitch(
                call="POST /openApi/swap/v2/trade/cancelAllAfter",
                unit="s",
                scope="account",
                source=f"{_CCXT} cancelAllOrdersAfter: linear contracts only",
            ),
        ),
    },
    rate_windows=(
        RateWindow(
            "requests",
            2_000,
            10_000,
            "rolling",  # fixed or rolling is not said; rolling is the careful one
            "ip",
            # X-RateLimit-Requests-Remain tells of an endpoint's own limit, by user: not of this one.
            source=f"{_LIMITS}: account interfaces, 2,000 in 10 s by address since 2025-09-10",
        ),
        RateWindow(
            "market-requests",
            500,
            10_000,
            "rolling",
            "ip",
            source=f"{_LIMITS}: market data of spot and futures together, 500 in 10 s by address",
        ),
        RateWindow("orders-spot", 5, 1_000, "rolling", "account", source=f"{_LIMITS}: spot/v1/trade/order, 5 a second"),
        RateWindow(
            "orders-swap", 10, 1_000, "rolling", "account", source=f"{_LIMITS}: swap/v2/trade/order, 10 a second"
        ),
    ),
    costs=_COSTS,
    errors={
        "100001": ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong; check the secret of this key"),
        "100412": ErrorMeaning("KEY_REJECTED", "no", "the request had no signature"),
        "100413": ErrorMeaning("KEY_REJECTED", "no", "no such key; check the key, and whether it is of this host"),
        # OctoBot-Tentacles bingx_exchange.py: "Permission denied as the API key was created without the permission"
        "100004": ErrorMeaning("PERMISSION_MISSING", "no", "the key lacks a permission; check its scopes"),
        "100419": ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "this address is not on the key's allowlist"),
        "100414": ErrorMeaning("KEY_REJECTED", "no", "the account is suspended; ask the exchange"),
        # docs common/sub-account: "rate limited", and "in the disabled period and will be unblocked after <time>".
        "100410": ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait", coarse=True),
        "429": _RATE,
        "http:429": _RATE,
        "418": ErrorMeaning("BANNED", "no", "this address is banned; wait"),
        # 100421 is "Null timestamp or timestamp mismatch" there, and a wrong symbol or "busy" elsewhere.
        "100421": ErrorMeaning("BAD_SYMBOL", "unknown", "a symbol or a time is refused", coarse=True),
        "80014": ErrorMeaning("ORDER_REJECTED", "unknown", "a parameter is refused", coarse=True),
        "109400": ErrorMeaning("ORDER_REJECTED", "unknown", "a parameter is refused", coarse=True),
        "100500": _BUSY,
        "100503": _BUSY,
        "109500": _BUSY,
        "80016": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order"),
        "80017": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order"),
        "109421": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order"),
        "101481": ErrorMeaning("DUPLICATE_ID", "unknown", "the client order id was used before"),
        "109201": ErrorMeaning("DUPLICATE_ID", "unknown", "the same order was sent within a second"),
        "100202": ErrorMeaning("ORDER_REJECTED", "unknown", "the account holds too little"),
        "101204": ErrorMeaning("ORDER_REJECTED", "unknown", "the account holds too little margin"),
        "109425": _SYMBOL,
        "109418": _SYMBOL,
    },
    error_texts=(
        ("disabled period", ErrorMeaning("BANNED", "no", "the endpoint is closed to this account for a while; wait")),
        ("can retry after time", ErrorMeaning("BANNED", "no", "too many errors; wait")),
        # Whole phrases: "timestamp" alone stands in every answer and every address that was asked.
        ("Null timestamp", _CLOCK),
        ("timestamp mismatch", _CLOCK),
        ("timestamp is invalid", _CLOCK),
    ),
    ban_ms=300_000,  # spot/base-info: "the system will automatically restrict the request and recover after 5 minutes"
    bundles=(("trade.spot", "trade.margin"),),
    transfer_separable=True,
    sub_accounts=True,
    key_page="BingX > Account > API Management > Edit",
    scope_labels={
        "read": "Read",
        "trade.spot": "Spot Trading",
        "trade.derivatives": "Perpetual Futures Trading",
        "transfer": "Universal Transfer, and Allow internal transfer of sub-accounts",
        "withdraw": "Withdraw",
        "ip_allowlist": "Link IP address",
    },
    addresses_readable=True,
    key_expiries=(
        KeyExpiry(
            after_ms=14 * _DAY_MS,
            counts_from="last_use",
            only_without_address=True,
            scopes=("trade.spot", "trade.derivatives", "transfer", "key_admin"),
            source=f"{_PAGE}, note 5: deleted after 14 days of inactivity",
        ),
    ),
    revocation=Revocation(
        by_master="POST /openApi/subAccount/v1/apiKey/del",
        account_is="the sub-account's UID",
        master_needs=("key_admin",),  # "Manage Subaccounts"
        makes="POST /openApi/subAccount/v1/apiKey/create",
        steps=(
            "BingX > Account > API Management",
            "Delete, beside the key",
            "confirm with the second factor",
        ),
        source=f"{_SKILLS} 3.3; no call ends a main account's key, and the steps are from memory",
    ),
    most_addresses=20,  # the page's note 4
)

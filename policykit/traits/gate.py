"""Gate: what its documents say, each fact with source and date.

Sources: the pages of gate.com/docs/developers/apiv4 as kept in rosssaunders/coincise docs/gateio (57a93e9cd
authentication.md; account page: stored index file 2407054484; limits and labels: 2418310249; all read 2026-11-21),
gate/gateapi-python@151ac72c, Gate's help "How to create an API key" (faq/17521, read 2026-11-21), ccxt 4.5.90 gate.py.
"""

from __future__ import annotations

from typing import Final

from policykit.traits.base import (
    CancelAll,
    CancelRate,
    ClientOrderId,
    DeadManSwitch,
    ErrorMeaning,
    Exchange,
    Family,
    KeyExpiry,
    Product,
    RateWindow,
    Revocation,
    SymbolAllowlist,
)

_CANCELS: Final = (
    "gate.com/docs/developers/apiv4 frequency limit rule (stored index file 2557108473, 2026-11-22), by UID"
)
_LIMITS: Final = "gate.com/docs/developers/apiv4 Frequency limit rule (stored index file 2418310249, 2026-11-21)"
_HELP: Final = "gate.com/help/guide/faq/17521 (2026-11-21)"
_SDK: Final = "gate/gateapi-python@151ac72c docs/SpotApi.md, FuturesApi.md (2026-11-21)"
_DAY_MS: Final = 86_400_000
#: "Timestamp": the gap between request and server must not exceed 60 s (authentication.md).
_WINDOW_MS: Final = 60_000


def encode_id(identity: str) -> str:
    """Render our 26-character id as Gate's `text`: `t-`, then `pk` in front; the 28 bytes after `t-` are all it has."""
    return f"t-pk{identity}"


_OID: Final = ClientOrderId(
    param="text",
    # Stored index file 2403379619: `t-`, then no longer than 28 bytes of 0-9, A-Z, a-z, `_`, `-`, `.`.
    pattern=r"t-[0-9A-Za-z_.-]{1,28}",
    unique="none",  # duplicates have labels (REPEATED_CREATION, ORDER_EXISTS), but among which orders is not said
    encode=encode_id,
)


def _family(cancel_all: CancelAll | None) -> Family:
    """Return a family. Its header x-gate-exptime bounds a request; the longest is not documented: no fence."""
    return Family(
        client_order_id=_OID,
        validity_default_ms=_WINDOW_MS,
        ahead_ms=_WINDOW_MS,
        cancel_all=cancel_all,
        source="gate.com/docs/developers/apiv4 (stored index files 2403379619, 2717105669, 2026-11-21)",
    )


ORDER: Final = _family(CancelAll("DELETE /api/v4/spot/orders", "symbol", source=_SDK))
PRICE: Final = _family(CancelAll("DELETE /api/v4/spot/price_orders", "symbol", source=_SDK))
FUTURES: Final = _family(CancelAll("DELETE /api/v4/futures/usdt/orders", "symbol", source=_SDK))
FUTURES_PRICE: Final = _family(CancelAll("DELETE /api/v4/futures/usdt/price_orders", "symbol", source=_SDK))


def _switch(call: str) -> DeadManSwitch:
    """Return Gate's countdown: seconds, at least 5; 0 ends it. Without a market it is for all of them."""
    return DeadManSwitch(call, "s", "account", least_ms=5_000, off=0, source=_SDK)


_KEY: Final = "check the key"
_BUSY: Final = "the server has an internal error or is too busy; wait"
_USED: Final = ErrorMeaning("DUPLICATE_ID", "unknown", "the client order id was used before")
_GONE: Final = ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order")
_SYMBOL: Final = ErrorMeaning("BAD_SYMBOL", "unknown", "no such symbol")
_ADDRESS: Final = ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "this address is not on the key's allowlist")
#: Gate's codes are words (`label`); refused are the requests that these tell of before anything is done.
ERRORS: Final[dict[str, ErrorMeaning]] = {
    "INVALID_CREDENTIALS": ErrorMeaning("KEY_REJECTED", "no", f"the credentials are not valid; {_KEY}"),
    "INVALID_KEY": ErrorMeaning("KEY_REJECTED", "no", f"no such key; {_KEY}"),
    "INVALID_SIGNATURE": ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong; check the secret of this key"),
    "MISSING_REQUIRED_HEADER": ErrorMeaning("KEY_REJECTED", "no", "the request lacked key, time or signature"),
    "AUTHENTICATION_FAILED": ErrorMeaning("KEY_REJECTED", "no", f"the key is not accepted; {_KEY}"),
    "ACCOUNT_LOCKED": ErrorMeaning("KEY_REJECTED", "no", "the account is locked; ask the exchange"),
    "IP_FORBIDDEN": _ADDRESS,
    "READ_ONLY": ErrorMeaning("PERMISSION_MISSING", "no", "the key only reads; check its scopes"),
    "FORBIDDEN": ErrorMeaning("PERMISSION_MISSING", "no", "the key lacks a permission; check its scopes", coarse=True),
    "REQUEST_EXPIRED": ErrorMeaning("CLOCK", "no", "the request's time is not the server's; set this host's clock"),
    "TOO_MANY_REQUESTS": ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait"),
    "TOO_FAST": ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait"),
    "INTERNAL": ErrorMeaning("MAINTENANCE", "unknown", _BUSY),
    "SERVER_ERROR": ErrorMeaning("MAINTENANCE", "unknown", _BUSY),
    "TOO_BUSY": ErrorMeaning("MAINTENANCE", "unknown", _BUSY),
    "ORDER_NOT_FOUND": _GONE,
    "CLIENT_ID_NOT_FOUND": _GONE,
    "INVALID_CURRENCY_PAIR": _SYMBOL,
    "CONTRACT_NOT_FOUND": _SYMBOL,
    "REPEATED_CREATION": _USED,
    "ORDER_EXISTS": _USED,
    "DUPLICATE_REQUEST": _USED,
}
_CALLS: Final = {
    "order.create": "POST /api/v4/spot/orders",
    "order.cancel": "DELETE /api/v4/spot/orders/{order_id}",
    "orders.cancel_all": "DELETE /api/v4/spot/orders",
}

EXCHANGE: Final = Exchange(
    id="gate",
    products={
        "spot": Product(
            families={"order": ORDER, "price": PRICE},
            position_key="base",
            calls=_CALLS,
            polls={
                "orders": "GET /api/v4/spot/open_orders",
                "account": "GET /api/v4/spot/accounts",
                "time": "GET /api/v4/spot/time",
            },
            dead_man_switch=_switch("POST /api/v4/spot/countdown_cancel_all"),
        ),
        "swap": Product(
            families={"order": FUTURES, "price": FUTURES_PRICE},
            position_key="symbol",
            calls={
                "order.create": "POST /api/v4/futures/usdt/orders",
                "order.cancel": "DELETE /api/v4/futures/usdt/orders/{order_id}",
                "orders.cancel_all": "DELETE /api/v4/futures/usdt/orders",
            },
            polls={
                "orders": "GET /api/v4/futures/usdt/orders",
                "account": "GET /api/v4/futures/usdt/positions",
                "time": "GET /api/v4/spot/time",
            },
            dead_man_switch=_switch("POST /api/v4/futures/usdt/countdown_cancel_all"),
        ),
    },
    rate_windows=(
        RateWindow(
            "requests",
            150,
            10_000,
            "rolling",  # fixed or rolling is not said; rolling is the one that is never too many
            "account",
            source=f"{_LIMITS}: each endpoint has 200 in 10 s (some private ones 150); here all share the least",
        ),
        RateWindow("orders", 10, 1_000, "rolling", "account", source=f"{_LIMITS}: spot, 10 a second for each market"),
    ),
    cancel_rates=(
        CancelRate(
            (
                "DELETE /api/v4/spot/orders",
                "DELETE /api/v4/spot/orders/*",
                "POST /api/v4/spot/cancel_batch_orders",
            ),
            200,
            1_000,
            source=f"{_CANCELS}: spot, batch or single, 200 a second",
        ),
        CancelRate(
            ("DELETE /api/v4/futures/*/orders", "DELETE /api/v4/futures/*/orders/*"),
            200,
            1_000,
            source=f"{_CANCELS}: perpetual futures, bulk or single, 200 a second",
        ),
        CancelRate(
            ("DELETE /api/v4/delivery/*/orders", "DELETE /api/v4/delivery/*/orders/*"),
            500,
            10_000,
            source=f"{_CANCELS}: delivery, 500 in 10 s",
        ),
        CancelRate(
            ("DELETE /api/v4/spot/price_orders", "DELETE /api/v4/spot/price_orders/*"),
            200,
            10_000,
            source=f"{_CANCELS}: the others, 200 in 10 s for each endpoint",
        ),
    ),
    costs={
        # A window of an account counts only what is listed: what a key report and a snapshot ask.
        "requests": {
            "GET /api/v4/account/main_keys": 1,
            "GET /api/v4/account/detail": 1,
            "GET /api/v4/spot/accounts": 1,
            "GET /api/v4/spot/open_orders": 1,
            "GET /api/v4/spot/price_orders": 1,
            "GET /api/v4/futures/usdt/accounts": 1,
            "GET /api/v4/futures/btc/accounts": 1,
            "GET /api/v4/delivery/usdt/accounts": 1,
            "GET /api/v4/futures/usdt/positions": 1,
            "GET /api/v4/futures/btc/positions": 1,
            "GET /api/v4/delivery/usdt/positions": 1,
            "GET /api/v4/futures/usdt/orders": 1,
            "GET /api/v4/futures/btc/orders": 1,
            "GET /api/v4/delivery/usdt/orders": 1,
            "GET /api/v4/futures/usdt/price_orders": 1,
            "GET /api/v4/futures/btc/price_orders": 1,
            "GET /api/v4/delivery/usdt/price_orders": 1,
        },
        "orders": {"POST /api/v4/spot/orders": 1},
    },
    errors=ERRORS,
    # `{"label":"FORBIDDEN","message":"Request IP not in whitelist: ..."}` (stored index file 62437825382, 2026-11-21).
    error_texts=(("not in whitelist", _ADDRESS),),
    # authentication.md: transfers are the group "wallet", apart from "spot"; wallet and withdrawals stand together in
    # the key report, which has no name for withdrawals alone.
    transfer_separable=True,
    bundles=(("trade.spot", "trade.margin"),),  # the name "spot" is "spot/margin" (AccountKeyInfo)
    sub_accounts=True,
    symbol_allowlist=SymbolAllowlist(
        scopes=("trade.spot", "trade.margin"),
        sub_accounts_only=False,
        most=30,
        source=f"{_HELP}: trading pairs allowlist; currency_pairs of the key report, at most 30",
    ),
    key_page="Gate > Profile > API Management > Edit",
    scope_labels={
        "read": "Read Only",
        "trade.spot": "Spot trade (Read and Write)",
        "trade.margin": "Spot/margin trade, Unified account (Read and Write)",
        "trade.derivatives": "Perpetual futures, Delivery (Read and Write)",
        "trade.options": "Options (Read and Write)",
        "trade.other": "Earn, Lending, Copy trading (Read and Write)",
        "transfer": "Wallet (Read and Write)",
        "withdraw": "Withdrawal, Wallet (Read and Write)",
        "ip_allowlist": "IP Permission",
    },
    addresses_readable=True,
    key_expiries=(
        KeyExpiry(
            after_ms=90 * _DAY_MS,
            counts_from="creation",
            only_without_address=True,
            source=f"{_HELP}: a key without a bound address is valid for 90 days",
        ),
    ),
    revocation=Revocation(
        own="",  # no call by which a key ends itself
        by_master="DELETE /api/v4/sub_accounts/{user_id}/keys/{key}",
        account_is="the sub-account's user id",
        makes="POST /api/v4/sub_accounts/{user_id}/keys",
        steps=("Gate > Profile > API Management", "Delete, beside the key", "confirm with the second factor"),
        source="gate/gateapi-python@151ac72c docs/SubAccountApi.md (2026-11-21)",
    ),
    most_addresses=20,  # authentication.md: up to 20 IPv4 addresses a key, no ranges
)

"""MEXC: what its documents say, each fact with source and date."""

from __future__ import annotations

from typing import Final

from policykit.traits.base import (
    CancelAll,
    ClientOrderId,
    ErrorMeaning,
    Exchange,
    Family,
    KeyExpiry,
    Product,
    RateWindow,
    Revocation,
)

_DOCS: Final = "www.mexc.com/api-docs (read 2026-11)"
_CCXT: Final = "ccxt 4.5.90 mexc.py"
_DAY_MS: Final = 86_400_000


def encode_id(identity: str) -> str:
    """Render our 26-character id, `pk` in front."""
    return f"pk{identity}"


ORDER: Final = Family(
    client_order_id=ClientOrderId(
        param="newClientOrderId",
        pattern=r"[A-Za-z0-9_-]{1,32}",  # at most 32 from memory: ours has 28
        unique="none",  # whether one may come twice is not said
        encode=encode_id,
    ),
    validity_default_ms=5_000,
    validity_max_ms=60_000,
    # The time to the matching engine and the lag of look-ups are not documented: no fence.
    cancel_all=CancelAll(
        "DELETE /api/v3/openOrders", "symbol", source=f"{_DOCS} spot-v3: symbol is needed, at most 5 from memory"
    ),
    source=f"{_DOCS} spot-v3 general-info: recvWindow 5000 by default, less than 60000",
)
_SWAP: Final = Family(
    client_order_id=ClientOrderId(param="externalOid", pattern=r"[A-Za-z0-9_-]{1,32}", unique="none", encode=encode_id),
    cancel_all=CancelAll("POST /api/v1/private/order/cancel_all", "account", source=_CCXT),
    source=f"{_CCXT}, api.contract",
)
_TRIGGER: Final = Family(
    client_order_id=None,
    cancel_all=CancelAll("POST /api/v1/private/planorder/cancel_all", "account", source=_CCXT),
    source=f"{_CCXT}, api.contract: plan orders have lists and calls of their own",
)
_LIMIT: Final = ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait")
_PERMISSION: Final = ErrorMeaning("PERMISSION_MISSING", "no", "the key lacks a permission; check its scopes")
_MAINTENANCE: Final = ErrorMeaning("MAINTENANCE", "unknown", "the service is not available; wait")
_KEY: Final = ErrorMeaning("KEY_REJECTED", "no", "no such key; check the key, and whether it is over 90 days old")

EXCHANGE: Final = Exchange(
    id="mexc",
    products={
        "spot": Product(
            families={"order": ORDER},
            position_key="base",
            calls={
                "order.create": "POST /api/v3/order",
                "order.cancel": "DELETE /api/v3/order",
                "orders.cancel_all": "DELETE /api/v3/openOrders",
            },
        ),
        "swap": Product(
            families={"order": _SWAP, "trigger": _TRIGGER},
            position_key="symbol",
            calls={
                "order.create": "POST /api/v1/private/order/submit",
                "order.cancel": "POST /api/v1/private/order/cancel",
                "orders.cancel_all": "POST /api/v1/private/order/cancel_all",
            },
        ),
    },
    rate_windows=(
        RateWindow(
            "requests",
            300,
            10_000,
            "rolling",
            "ip",
            source="api-evangelist/mexc rate-limits (2026-06-13): 300 in 10 s by address; that each endpoint has an "
            "allowance of its own is not counted on",
        ),
        RateWindow("account", 500, 10_000, "rolling", "account", source=f"{_DOCS} spot-v3 general-info"),
    ),
    costs={
        "requests": {  # ccxt's table
            "GET /api/v3/time": 1,
            "GET /api/v3/exchangeInfo": 25,
            "GET /api/v3/account": 10,
            "GET /api/v3/openOrders": 3,
            "GET /api/v3/order": 2,
            "GET /api/v3/capital/config/getall": 10,
            "GET /api/v3/capital/withdraw/address": 10,
            "GET /api/v1/contract/detail": 100,
            "GET /api/v1/private/account/assets": 2,
            "GET /api/v1/private/position/open_positions": 2,
            "GET /api/v1/private/order/list/open_orders": 2,
            "GET /api/v1/private/planorder/list/orders": 2,
            "GET /api/v1/private/position/position_mode": 2,
            "GET /api/v3/ticker/24hr": 25,
        },
        "account": {"POST /api/v3/order": 1, "DELETE /api/v3/order": 1, "DELETE /api/v3/openOrders": 1},
    },
    errors={  # words: ccxt's table
        "10072": _KEY,
        "402": ErrorMeaning("KEY_REJECTED", "no", "the key has expired; make a new one"),
        "401": _KEY,
        # The same words are answered for a wrong secret and for a key that has expired.
        "700001": ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong, or the key has expired; check both"),
        "700002": ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong, or the key has expired; check both"),
        "602": ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong; check the secret of this key"),
        "700003": ErrorMeaning("CLOCK", "no", "the request was signed outside its window; set this host's clock"),
        "700005": ErrorMeaning("CLOCK", "no", "the request's window is too long; at most 60 s may be"),
        "10073": ErrorMeaning("CLOCK", "no", "the request's time is refused; set this host's clock"),
        "700006": ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "this address is not on the key's allowlist"),
        "406": ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "this address is not on the key's allowlist"),
        "700007": _PERMISSION,
        "403": _PERMISSION,
        "511": _PERMISSION,
        "701": _PERMISSION,
        "702": _PERMISSION,
        "703": _PERMISSION,
        "704": _PERMISSION,
        "429": _LIMIT,
        "510": _LIMIT,
        "418": ErrorMeaning("BANNED", "no", "this address is banned; wait"),
        "500": _MAINTENANCE,
        "501": _MAINTENANCE,
        "503": _MAINTENANCE,
        "604": _MAINTENANCE,
        "801": _MAINTENANCE,
        "-2011": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order"),
        "http:429": _LIMIT,
    },
    ban_ms=120_000,  # from 2 minutes to 3 days
    transfer_separable=True,  # SPOT_TRANSFER_WRITE
    sub_accounts=True,
    key_page="MEXC > API Management",
    scope_labels={
        "read": "Spot Account Info: Read",
        "trade.spot": "Spot Trade: Order Placement",
        "trade.derivatives": "Futures: Order Placement",
        "transfer": "Transfer",
        "withdraw": "Withdraw",
        "ip_allowlist": "Link IP Address",
    },
    key_expiries=(
        KeyExpiry(
            after_ms=90 * _DAY_MS,
            counts_from="creation",
            only_without_address=True,
            source=f"{_DOCS} create API key: a key without a linked address is valid for 90 days",
        ),
    ),
    most_addresses=10,  # the FAQ of 2025; the API page says 20
    revocation=Revocation(
        by_master="DELETE /api/v3/sub-account/apiKey",
        account_is="the sub-account's name",
        makes="POST /api/v3/sub-account/apiKey",
        steps=("MEXC > API Management", "Delete, beside the key", "confirm with the second factor"),
        source="www.mexc.com/api-docs/spot-v3/subaccount-endpoints (2026-11)",
    ),
    evidence="declared",  # no call tells what a key of the main account may do
)

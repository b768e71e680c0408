"""HTX (formerly Huobi): what its documents say, each fact with source and date."""

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

#: The text of huobiapi.github.io/docs/spot/v1/en (stored index file 8883842350, read November 2026).
_DOCS: Final = "huobiapi.github.io/docs/spot/v1/en (read November 2026)"
_CCXT: Final = "ccxt 4.5.90 htx.py"
_DAY_MS: Final = 86_400_000


def encode_id(identity: str) -> str:
    """Render our 26-character id: letters and digits only, `pk` in front."""
    return f"pk{identity}"


ORDER: Final = Family(
    client_order_id=ClientOrderId(
        param="client-order-id",
        pattern=r"[A-Za-z0-9_-]{1,64}",  # exchanges.json: 64 characters
        # "The uniqueness of the clientOrderId passed in when you place an order will no longer be verified": an order
        # that is sent twice is two orders, and a look-up finds the later one only.
        unique="none",
        encode=encode_id,
        retention_ms=2 * 3_600_000,  # exchanges.json: 8 h while open, 2 h once closed
    ),
    validity_default_ms=300_000,  # "The value is valid within 5 minutes"; the questions section says one minute
    validity_max_ms=300_000,
    # How long to the engine and until look-ups show an order is not documented: no fence.
    cancel_all=CancelAll(
        "POST /v1/order/orders/batchCancelOpenOrders", "loop", most=100, source=f"{_CCXT} cancelAllOrders: size 1-100"
    ),
    source=_DOCS,
)
#: Conditional orders: an endpoint, a list and a cancel of their own.
ALGO: Final = Family(
    client_order_id=ClientOrderId(
        param="clientOrderId", pattern=r"[A-Za-z0-9_-]{1,64}", unique="none", encode=encode_id
    ),
    validity_default_ms=300_000,
    validity_max_ms=300_000,
    cancel_all=CancelAll("POST /v2/algo-orders/cancellation", "loop", most=50, source="50 a call from memory"),
    source=f"{_CCXT}: v2/algo-orders",
)
#: Contracts: `client_order_id` is a whole number (ccxt reads it with safe_integer), and 63 bits do not hold our 128.
SWAP: Final = Family(
    client_order_id=None,
    validity_default_ms=300_000,
    validity_max_ms=300_000,
    cancel_all=CancelAll("POST /v5/trade/cancel_all_orders", "symbol", source=f"{_CCXT} cancelAllOrders"),
    source=_CCXT,
)
_SPOT: Final = {
    "order.create": "POST /v1/order/orders/place",
    "order.cancel": "POST /v1/order/orders/submitCancelClientOrder",
    "orders.cancel_all": "POST /v1/order/orders/batchCancelOpenOrders",
}
_SWAP: Final = {
    "order.create": "POST /v5/trade/order",
    "order.cancel": "POST /v5/trade/cancel_order",
    "orders.cancel_all": "POST /v5/trade/cancel_all_orders",
}
#: Each counts one; ccxt's finer costs are those of endpoints with a limit of their own, by user.
_PUBLIC: Final = (
    "/v1/common/timestamp /v1/common/symbols /linear-swap-api/v1/swap_contract_info /swap-api/v1/swap_contract_info "
    "/api/v1/contract_contract_info /market/tickers"
)
_PRIVATE: Final = (
    "/v2/user/uid /v2/user/api-key /v1/account/accounts "
    "/v1/order/openOrders /v2/algo-orders/opening /v5/account/balance /v5/trade/position/opens /v5/trade/order/opens "
    "/v5/algo/order/opens"
)
_RATE: Final = ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait")
_ADDRESS: Final = ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "this address is not on the key's allowlist")
_CLOCK: Final = ErrorMeaning("CLOCK", "no", "the request's time is refused; set this host's clock")

EXCHANGE: Final = Exchange(
    id="htx",
    products={
        "spot": Product(
            families={"order": ORDER, "algo": ALGO},
            position_key="base",
            calls=_SPOT,
            dead_man_switch=DeadManSwitch(
                call="POST /v2/algo-orders/cancel-all-after",
                unit="s",
                scope="account",  # all spot orders, 500 at most
                least_ms=5_000,
                off=0,
                source=f"{_DOCS} Dead man's switch: 0, or 5 seconds and more; at most 500 orders",
            ),
        ),
        "swap": Product(families={"order": SWAP}, position_key="symbol", calls=_SWAP),
    },
    rate_windows=(
        RateWindow(
            "requests",
            10,
            1_000,
            "rolling",  # fixed or rolling is not said; rolling is the careful one
            "key",
            # X-HB-RateLimit-Requests-Remain tells of an endpoint's own limit, by user: not of this one.
            source=f"{_DOCS} Rate Limiting Rule: each API Key 10 times a second, unless an endpoint has its own",
        ),
        RateWindow("public-requests", 10, 1_000, "rolling", "ip", source=f"{_DOCS} Rate Limiting Rule: without a key"),
    ),
    costs={
        "requests": {f"GET {path}": 1 for path in _PRIVATE.split()},
        "public-requests": {
            **{f"GET {path}": 1 for path in _PUBLIC.split()},
            **{f"GET {path}": 0 for path in _PRIVATE.split()},
        },
    },
    errors={
        # One code for a wrong key, signature, address and time; err-msg says which.
        "api-signature-not-valid": ErrorMeaning(
            "KEY_REJECTED", "no", "the key or its signature is refused; check key and secret", coarse=True
        ),
        "api-signature-check-failed": ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong; check the secret"),
        "login-required": ErrorMeaning("KEY_REJECTED", "no", "the request had no key or no signature"),
        "1002": ErrorMeaning("KEY_REJECTED", "no", "the key is refused; check the key"),
        "1003": ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong; check the secret of this key"),
        # "All other APIs couldn't be accessed by sub user, otherwise the API will return error-code 403".
        "403": ErrorMeaning(
            "PERMISSION_MISSING",
            "no",
            "the key lacks a permission, or is of a sub-user, which may not ask; check its scopes",
            coarse=True,  # on the contract host 403 is "Verification failure" too (huobi_Python issue 126, 2022-01)
        ),
        "429": _RATE,
        "too-many-requests": _RATE,
        "rate-too-many-requests": _RATE,
        "base-request-exceed-frequency-limit": _RATE,
        "system-maintenance": ErrorMeaning("MAINTENANCE", "unknown", "the exchange is under maintenance; wait"),
        "gateway-internal-error": ErrorMeaning("MAINTENANCE", "unknown", "the gateway has an error; wait"),
        "500": ErrorMeaning("MAINTENANCE", "unknown", "the server has an internal error; wait"),
        "2002": ErrorMeaning("BAD_ANSWER", "no", "a field's value is refused"),
        "base-record-invalid": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order"),
        "base-symbol-error": ErrorMeaning("BAD_SYMBOL", "unknown", "no such symbol"),
        "account-frozen-balance-insufficient-error": ErrorMeaning(
            "ORDER_REJECTED", "unknown", "the account holds too little"
        ),
    },
    error_texts=(
        # huobi_Python issue 110 (2021-05-12): "Signature not valid: Incorrect IP address [IP地址错误]:104.128.67.45";
        # REST-API-demos issue 9 (2018-02-18): "Signature not valid: ip地址错误".
        ("Incorrect IP address", _ADDRESS),
        ("ip地址错误", _ADDRESS),
        # REST-API-demos issue 4 (2018-01-22): "Signature not valid: 无效的提交时间"; the English is from memory.
        ("submission time", _CLOCK),
        ("无效的提交时间", _CLOCK),
        # "Signature not valid: Incorrect Access key [Access key错误]" (documents, Technical Support).
        ("Incorrect Access key", ErrorMeaning("KEY_REJECTED", "no", "no such key; check the key")),
        ("Verification failure", ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong; check the secret")),
        (
            "API key has no permission",
            ErrorMeaning("PERMISSION_MISSING", "no", "the key lacks a permission; check its scopes"),
        ),
    ),
    transfer_separable=False,  # questions, Q2: "Trade permission: it is used to place order, cancel order and transfer"
    bundles=(("trade.spot", "trade.margin", "trade.derivatives", "trade.options", "trade.other", "transfer"),),
    sub_accounts=True,
    key_page="HTX > Account > API Management > Edit",
    scope_labels={
        "read": "Read-only",
        "trade.spot": "Trade",
        "trade.margin": "Trade",
        "trade.derivatives": "Trade",
        "trade.options": "Trade",
        "trade.other": "Trade",
        "transfer": "Trade",
        "withdraw": "Withdraw",
        "ip_allowlist": "Bind IP address",
    },
    addresses_readable=True,
    key_expiries=(
        KeyExpiry(
            after_ms=90 * _DAY_MS,
            counts_from="creation",
            only_without_address=True,
            source=f"{_DOCS} Best Practice: expired after 90 days if it is not bound with any IP",
        ),
    ),
    revocation=Revocation(
        by_master="POST /v2/sub-user/api-key-deletion",
        account_is="the sub-user's UID",
        master_needs=("trade.spot",),  # the permission that the call asks for is Trade
        makes="POST /v2/sub-user/api-key-generation",
        steps=(
            "HTX > Account > API Management",
            "Delete, beside the key",
            "confirm with the second factor",
        ),
        source="huobi.com/support/en-us/detail/900001195006 (2020-06-05); no call ends a main user's key",
    ),
    # The announcement of 2020-06-05 took 10 addresses for a sub-user's key, a later one raised it (2020-06-15).
    most_addresses=None,
)

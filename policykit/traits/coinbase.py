"""Coinbase (Advanced Trade v3): what its documents say, each fact with source and date."""

from __future__ import annotations

from typing import Final

from policykit.traits.base import (
    CancelAll,
    ClientOrderId,
    ErrorMeaning,
    Exchange,
    Family,
    Product,
    RateWindow,
    Revocation,
)

_DOCS: Final = "docs.cdp.coinbase.com (stored copy, read November 2026)"
_SCOPES: Final = f"{_DOCS} coinbase-app/advanced-trade-apis/rest-scopes.md"
_CCXT: Final = "ccxt 4.5.90 coinbase.py"


def encode_id(identity: str) -> str:
    """Render our 26-character id: `pk` in front. Any text is taken; a UUID is only advised."""
    return f"pk{identity}"


ORDER: Final = Family(
    client_order_id=ClientOrderId(
        param="client_order_id",
        pattern=r"[A-Za-z0-9_-]{1,36}",  # free text by the page; 36 is a UUID, the longest form that is advised
        # From memory: a second order with an id returns the first. Not documented, so nothing is built on it.
        unique="none",
        encode=encode_id,
    ),
    # A token lives 120 s (ccxt `create_auth_token`; the SDK's jwt_generator.py@1a458b7 makes them for 60 s), but what
    # it takes to the matching engine and until look-ups show an order is not documented: no fence.
    validity_default_ms=120_000,
    cancel_all=CancelAll(
        "POST /api/v3/brokerage/orders/batch_cancel", "loop", source=f"{_CCXT}: order_ids; how many is not said"
    ),
    source=f"{_DOCS} api-reference/advanced-trade-api/rest-api/orders/create-order; {_CCXT} create_auth_token",
)
_PRODUCT: Final = {
    "order.create": "POST /api/v3/brokerage/orders",
    "order.amend": "POST /api/v3/brokerage/orders/edit",
    "order.cancel": "POST /api/v3/brokerage/orders/batch_cancel",
    "orders.cancel_all": "POST /api/v3/brokerage/orders/batch_cancel",
}
#: ccxt counts a call without a key thrice: 10 a second by address against 30 a second by user.
_PUBLIC: Final = "time market/products market/product_book"
_PRIVATE: Final = (
    "key_permissions accounts orders/historical/batch orders/historical/fills transaction_summary portfolios "
    "cfm/balance_summary cfm/positions"
)
_COSTS: Final = {
    **{f"GET /api/v3/brokerage/{name}": 3 for name in _PUBLIC.split()},
    **{f"GET /api/v3/brokerage/{name}": 1 for name in _PRIVATE.split()},
    **{f"GET /v2/{name}": 11 for name in ("currencies", "currencies/crypto", "exchange-rates", "accounts")},
}
#: A refused token says "Unauthorized" and no more (ccxt issue 22182, 2024-04-17; the SDK's issue 56, 2024-06-09). That
#: an address outside the key's allowlist and a token out of its time are answered so is from memory.
_UNAUTHORIZED: Final = ErrorMeaning(
    "KEY_REJECTED",
    "no",
    "the key is refused, and Coinbase does not say why; check key and private key, this host's clock, and whether "
    "this address is on the key's allowlist",
)
_SCOPE: Final = ErrorMeaning("PERMISSION_MISSING", "no", "the key lacks a permission; check its scopes")
_RATE: Final = ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait")

EXCHANGE: Final = Exchange(
    id="coinbase",
    products={
        "spot": Product(families={"order": ORDER}, position_key="base", calls=_PRODUCT),
        "swap": Product(families={"order": ORDER}, position_key="symbol", calls=_PRODUCT),
    },
    rate_windows=(
        RateWindow(
            "requests",
            30,
            1_000,
            "rolling",  # fixed or rolling is not said; rolling is the careful one
            "account",
            source="api-evangelist/coinbase rate-limits/coinbase-rate-limits.yml (2026-05-05): 30 a second by user",
        ),
        RateWindow(
            "public-requests",
            10,
            1_000,
            "rolling",
            "ip",
            source="api-evangelist/coinbase rate-limits/coinbase-rate-limits.yml (2026-05-05): 10 a second by address",
        ),
    ),
    costs={
        "requests": _COSTS,
        "public-requests": {f"GET /api/v3/brokerage/{name}": 0 for name in _PRIVATE.split()},
    },
    errors={
        "http:401": _UNAUTHORIZED,
        # OctoBot-Tentacles@005cdb4 coinbase_exchange.py quotes both: PERMISSION_DENIED and unknown, each with
        # "Missing required scopes"; PERMISSION_DENIED comes for other things too ("not allowed to convert crypto").
        "PERMISSION_DENIED": _SCOPE,
        "unknown": ErrorMeaning("UNKNOWN", "unknown", "an error that is not named", coarse=True),
        "authentication_error": _UNAUTHORIZED,  # ccxt's table, this and the next four
        "unauthorized": _UNAUTHORIZED,
        "invalid_token": _UNAUTHORIZED,
        "revoked_token": ErrorMeaning("KEY_REJECTED", "no", "the key was revoked; make a new one"),
        "expired_token": ErrorMeaning("CLOCK", "no", "the token is out of its time; set this host's clock"),
        "invalid_scope": _SCOPE,
        # coinbase-app/api-architecture/rate-limiting: 429 with rate_limit_exceeded
        "rate_limit_exceeded": _RATE,
        "resource_exhausted": _RATE,
        "http:429": _RATE,
        "NOT_FOUND": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order"),
        "INSUFFICIENT_FUND": ErrorMeaning("ORDER_REJECTED", "unknown", "the account holds too little"),
        "INVALID_ARGUMENT": ErrorMeaning("ORDER_REJECTED", "unknown", "an argument is wrong"),
        "internal_server_error": ErrorMeaning("MAINTENANCE", "unknown", "the server has an internal error; wait"),
    },
    error_texts=(
        ("Missing required scopes", _SCOPE),
        ("request timestamp expired", ErrorMeaning("CLOCK", "no", "the request is too old; set this host's clock")),
    ),
    transfer_separable=True,  # can_transfer is apart from can_trade; it is transfer and withdrawal in one (bundles)
    bundles=(("transfer", "withdraw"), ("trade.spot", "trade.derivatives")),
    sub_accounts=True,  # portfolios, each with keys of its own: coinbase-app/advanced-trade-apis/guides/portfolios
    key_page="Coinbase Developer Platform > API keys > Edit",
    scope_labels={
        "read": "View",
        "trade.spot": "Trade",
        "trade.derivatives": "Trade",
        "transfer": "Transfer",
        "withdraw": "Transfer",
        "ip_allowlist": "IP allowlist",
    },
    addresses_readable=False,
    revocation=Revocation(
        steps=(
            "portal.cdp.coinbase.com > API keys",
            "the key's menu > Delete",
            "confirm with the second factor",
        ),
        source="exchanges.json: no call of the Advanced Trade API ends a key; the steps are from memory",
    ),
)

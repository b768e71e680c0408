"""BitMEX: what its documents say, each fact with source and date. ccxt 4.5.90 has no class for it."""

from __future__ import annotations

from typing import Final

from policykit.traits.base import (
    Aftermath,
    CancelAll,
    ClientOrderId,
    DeadManSwitch,
    ErrorMeaning,
    Exchange,
    Family,
    Product,
    RateWindow,
    Revocation,
)

_SWAGGER: Final = "BitMEX/api-connectors@9f8f5e69 swagger.json (read 2026-11)"


def encode_id(identity: str) -> str:
    """Render our 26-character id, `pk` in front."""
    return f"pk{identity}"


ORDER: Final = Family(
    client_order_id=ClientOrderId(
        param="clOrdID",
        # At most 36 characters by the swagger; which ones is not said, so letters and digits.
        pattern=r"[A-Za-z0-9_-]{1,36}",
        unique="none",  # there is an error "Duplicate clOrdID" (old ccxt), but among which orders is not said
        encode=encode_id,
    ),
    # `api-expires` is any moment the client chooses: no default and no bound are documented, so no fence.
    cancel_all=CancelAll("DELETE /api/v1/order/all", "account", source=f"{_SWAGGER} Order.cancelAll"),
    source=_SWAGGER,
)
_CALLS: Final = {
    "order.create": "POST /api/v1/order",
    "order.amend": "PUT /api/v1/order",
    "order.cancel": "DELETE /api/v1/order",
    "orders.cancel_all": "DELETE /api/v1/order/all",
}
_SWITCH: Final = DeadManSwitch(
    call="POST /api/v1/order/cancelAllAfter",
    unit="ms",
    scope="account",
    off=0,
    source=f"{_SWAGGER} Order.cancelAllAfter: timeout in ms, 0 cancels the timer; example: every 15 s with 60000",
)
_READS: Final = "apiKey user/margin user/wallet address position order instrument/active"
_PERMISSION: Final = ErrorMeaning("PERMISSION_MISSING", "no", "the key lacks a permission; check its scopes")

EXCHANGE: Final = Exchange(
    id="bitmex",
    products={
        "spot": Product(families={"order": ORDER}, position_key="base", calls=_CALLS, dead_man_switch=_SWITCH),
        "swap": Product(families={"order": ORDER}, position_key="symbol", calls=_CALLS, dead_man_switch=_SWITCH),
    },
    rate_windows=(
        RateWindow(
            "requests",
            120,
            60_000,
            "rolling",
            "account",
            header="x-ratelimit-remaining",  # from memory
            reports="remaining",
            source="BitMEX.Net guard and nautilus_bitmex (docs, read 2026-11): 120 a minute with a key, 30 without",
        ),
        RateWindow("orders", 10, 1_000, "rolling", "account", source="nautilus_bitmex: 10 a second for orders"),
    ),
    costs={
        "requests": {"GET /api/v1": 1}
        | {f"GET /api/v1/{name}": 1 for name in _READS.split()}
        | dict.fromkeys(_CALLS.values(), 1),
        "orders": dict.fromkeys(_CALLS.values(), 1),
    },
    # {"error": {"message": ..., "name": "HTTPError"}}: there are no codes, the text tells. Texts as seen by several
    # clients (ccxt of 2024, ex_bitmex, neo; read 2026-11).
    error_texts=(
        ("This request has expired", ErrorMeaning("CLOCK", "no", "the request had expired; set this host's clock")),
        ("Signature not valid", ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong; check the key's secret")),
        ("Invalid API Key", ErrorMeaning("KEY_REJECTED", "no", "no such key; check the key, and whether it is live")),
        (
            "This key is disabled",
            ErrorMeaning("KEY_REJECTED", "no", "the key is disabled; enable it or make a new one"),
        ),
        (
            "IP address is not allowed",
            ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "this address is not on the key's allowlist"),
        ),
        ("Access Denied", _PERMISSION),
        ("Rate limit exceeded", ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait")),
        ("overloaded", ErrorMeaning("MAINTENANCE", "unknown", "the system is overloaded; wait")),
        ("Duplicate clOrdID", ErrorMeaning("DUPLICATE_ID", "unknown", "the client order id was used before")),
        ("Service unavailable", ErrorMeaning("MAINTENANCE", "unknown", "the service is not available; wait")),
    ),
    errors={"http:429": ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait")},
    # Which permission a transfer between own accounts needs is not documented.
    bundles=(("trade.spot", "trade.margin", "trade.derivatives", "trade.options"),),  # `order`
    sub_accounts=True,
    key_page="BitMEX > Account > API Keys",
    scope_labels={
        "read": "(every key)",
        "trade.spot": "Order",
        "trade.derivatives": "Order",
        "withdraw": "Withdraw",
        "ip_allowlist": "CIDR",
    },
    addresses_readable=True,
    aftermath=Aftermath(changes="GET /api/v1/userEvent", source=f"{_SWAGGER} UserEvent.get: logins and changes"),
    revocation=Revocation(
        steps=("BitMEX > Account > API Keys", "Disable or Remove, beside the key", "confirm with the second factor"),
        source="support.bitmex.com: API keys cannot create or change keys; the swagger of 2026 has GET /apiKey only",
    ),
)

"""KuCoin: what its documents say, each fact with source and date.

Sources: the pages of kucoin.com/docs-new as kept in rosssaunders/coincise docs/kucoin (4f82af677 unless said otherwise,
read 2026-11-21), what each call asks for in KuCoin's universal SDK (zainkhan-afk/kucoin-universal-sdk@8790e7c34, a copy
of the official one, read 2026-11-21), the older docs.kucoin.com (stored index file 48979806261, read 2026-11-21), and
"How to Create API" (kucoin.com/support/360015102174, read 2026-11-21).
"""

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

_DOCS: Final = "coincise@4f82af677 docs/kucoin (2026-11-21)"
_LIMITS: Final = "coincise@507744627 docs/kucoin/rate_limits.md (2026-11-21), VIP0"
_HELP: Final = "kucoin.com/support/360015102174 (2026-11-21)"
_DAY_MS: Final = 86_400_000
#: docs.kucoin.com, "Selecting a Timestamp": within 5 s of the service's time, or the request has expired.
_WINDOW_MS: Final = 5_000


def encode_id(identity: str) -> str:
    """Render our 26-character id: letters and digits only, `pk` in front."""
    return f"pk{identity}"


_PATTERN: Final = r"[A-Za-z0-9_-]{1,40}"
SPOT: Final = Family(
    client_order_id=ClientOrderId(
        param="clientOid",
        pattern=_PATTERN,
        unique="none",  # "please do not initiate requests using the same clientOid": not that the second is refused
        encode=encode_id,
    ),
    # allowMaxTimeWindow bounds an order further when it is given; its longest is not said, nor the time to the engine.
    validity_default_ms=_WINDOW_MS,
    ahead_ms=_WINDOW_MS,
    cancel_all=CancelAll("DELETE /api/v1/hf/orders/cancelAll", "account", source=f"{_DOCS}: spot orders only"),
    source=f"{_DOCS}: post_api_v1_hf_orders.md",
)
STOP: Final = Family(
    client_order_id=ClientOrderId(param="clientOid", pattern=_PATTERN, unique="none", encode=encode_id),
    validity_default_ms=_WINDOW_MS,
    ahead_ms=_WINDOW_MS,
    cancel_all=CancelAll("DELETE /api/v1/stop-order/cancel", "account", source=_DOCS),
    source=f"{_DOCS}: delete_api_v1_stop_order_cancel.md",
)
FUTURES: Final = Family(
    client_order_id=ClientOrderId(
        param="clientOid",
        pattern=_PATTERN,
        unique="open",  # 300018 "clientOid parameter repeated"; for how long an id stays taken is not said
        encode=encode_id,
    ),
    validity_default_ms=_WINDOW_MS,
    ahead_ms=_WINDOW_MS,
    cancel_all=CancelAll("DELETE /api/v3/orders", "symbol", source=f"{_DOCS}: without stop orders"),
    source="Kucoin futures documents, error codes (stored index file 33122272281, 2026-11-21)",
)
FUTURES_STOP: Final = Family(
    client_order_id=FUTURES.client_order_id,
    validity_default_ms=_WINDOW_MS,
    ahead_ms=_WINDOW_MS,
    cancel_all=CancelAll("DELETE /api/v1/stopOrders", "account", source=_DOCS),
    source=f"{_DOCS}: delete_api_v1_stoporders.md",
)

_CHECK_KEY: Final = "check the key, and its version"
ERRORS: Final[dict[str, ErrorMeaning]] = {
    "400100": ErrorMeaning("UNKNOWN", "unknown", "a parameter of the request is not taken", coarse=True),
    "400001": ErrorMeaning("KEY_REJECTED", "no", "the request lacked key, signature, time or passphrase"),
    "400002": ErrorMeaning("CLOCK", "no", "the request's time is over 5 s from the server's; set this host's clock"),
    "400003": ErrorMeaning("KEY_REJECTED", "no", f"no such key; {_CHECK_KEY}"),
    "400004": ErrorMeaning("KEY_REJECTED", "no", "the passphrase is wrong; check the passphrase of this key"),
    "400005": ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong; check the secret of this key"),
    "400006": ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "this address is not on the key's allowlist"),
    "400007": ErrorMeaning("PERMISSION_MISSING", "no", "the key lacks a permission; check its scopes"),
    "400401": ErrorMeaning("KEY_REJECTED", "no", f"the key is not signed in; {_CHECK_KEY}"),
    "400500": ErrorMeaning("ADDRESS_NOT_ALLOWED", "unknown", "the service refuses the place this address is in"),
    "411100": ErrorMeaning("KEY_REJECTED", "no", "the account is frozen; ask the exchange"),
    "429000": ErrorMeaning("RATE_LIMIT", "no", "too many requests of this account, or of everybody; wait"),
    "500000": ErrorMeaning("MAINTENANCE", "unknown", "the server has an internal error; wait"),
    "900001": ErrorMeaning("BAD_SYMBOL", "unknown", "no such symbol"),
    # Both as Kucoin.Net (2026-08-07) reads them; 300018 is documented.
    "102426": ErrorMeaning("DUPLICATE_ID", "unknown", "the client order id was used before"),
    "300018": ErrorMeaning("DUPLICATE_ID", "unknown", "the client order id was used before"),
    # The older docs: an address or account is suspended for 2 minutes to 7 days; Cloudflare answers 403, error 1015.
    "http:403": ErrorMeaning("BANNED", "no", "this address is refused: too many requests, or its country; wait"),
}
#: Weights of the pool each call counts against (ccxt 4.5.90 kucoin.py); all are counted against one pool here.
WEIGHTS: Final[dict[str, int]] = {
    "GET /api/v1/user/api-key": 20,
    "GET /api/v1/timestamp": 4,
    "GET /api/v3/currencies": 3,
    "GET /api/v2/symbols": 4,
    "GET /api/v3/margin/symbols": 3,
    "GET /api/v1/isolated/symbols": 3,
    "GET /api/v1/contracts/active": 6,
    "GET /api/v1/hf/accounts/opened": 2,
    "GET /api/ua/v1/account/mode": 60,
    "GET /api/v1/accounts": 5,
    "GET /api/v1/account-overview": 10,
    "GET /api/v1/positions": 4,
    "GET /api/v1/hf/orders/active": 2,
    "GET /api/v1/stop-order": 8,
    "GET /api/v1/orders": 4,
    "GET /api/v1/stopOrders": 12,
    "GET /api/v1/market/allTickers": 15,
    "GET /api/v2/position/getPositionMode": 2,
    "GET /api/ua/v1/unified/account/balance": 10,
    "GET /api/ua/v1/account/balance": 10,
    "GET /api/ua/v1/unified/order/open-list": 8,
    "GET /api/ua/v1/asset/currencies": 3,
    "GET /api/ua/v1/market/instrument": 4,
    "GET /api/ua/v1/market/ticker": 15,
    "GET /api/ua/v1/unified/position/open-list": 6,
}

EXCHANGE: Final = Exchange(
    id="kucoin",
    products={
        "spot": Product(
            families={"order": SPOT, "stop": STOP},
            position_key="base",
            calls={
                "order.create": "POST /api/v1/hf/orders",
                "order.cancel": "DELETE /api/v1/hf/orders/*",
                "orders.cancel_all": "DELETE /api/v1/hf/orders/cancelAll",
            },
            polls={"orders": "GET /api/v1/hf/orders/active", "account": "GET /api/v1/accounts"},
            dead_man_switch=DeadManSwitch(
                call="POST /api/v1/hf/orders/dead-cancel-all",
                unit="s",
                scope="account",  # of every pair, or of up to 50 that are named
                least_ms=5_000,
                most_ms=86_400_000,
                off=-1,
                source=f"{_DOCS}: post_api_v1_hf_orders_dead_cancel_all.md",
            ),
        ),
        "swap": Product(
            families={"order": FUTURES, "stop": FUTURES_STOP},
            position_key="symbol",
            calls={
                "order.create": "POST /api/v1/orders",
                "order.cancel": "DELETE /api/v1/orders/*",
                "orders.cancel_all": "DELETE /api/v3/orders",
            },
            polls={"orders": "GET /api/v1/orders", "account": "GET /api/v1/positions"},
        ),
    },
    rate_windows=(
        # Key reports and accounts count here; the header is of whatever pool a call counted against.
        RateWindow(
            "management",
            2_000,
            30_000,
            "fixed",  # 30 s from the first request of the user
            "account",
            header="gw-ratelimit-remaining",
            reports="remaining",
            source=_LIMITS,
        ),
        RateWindow("spot", 4_000, 30_000, "fixed", "account", source=_LIMITS),
        RateWindow("futures", 2_000, 30_000, "fixed", "account", source=_LIMITS),
        RateWindow("public", 2_000, 30_000, "fixed", "ip", source=_LIMITS),
    ),
    costs={
        "management": WEIGHTS,
        "spot": {"POST /api/v1/hf/orders": 1},  # ccxt 4.5.90
        "futures": {"POST /api/v1/orders": 2},  # ccxt 4.5.90
    },
    errors=ERRORS,
    error_texts=(
        # ccxt 4.5.90 kucoin.py: {"code":"400100","msg":"order_not_exist_or_not_allow_to_cancel"}
        ("order_not_exist", ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order is open")),
    ),
    ban_ms=120_000,  # docs.kucoin.com "Rate Limit": from 2 minutes to 7 days
    # InnerTransfer (flex transfer) is a permission of its own, but the older calls /api/v2/accounts/inner-transfer and
    # sub-transfer ask only Spot, and transfer-in and -out only Futures (universal SDK, api_transfer.py, deprecated);
    # whether they are still answered is not said.
    transfer_separable=None,
    sub_accounts=True,
    key_page="KuCoin > avatar > API Management > Edit",
    scope_labels={
        "read": "General",
        "trade.spot": "Spot Trading",
        "trade.margin": "Margin Trading",
        "trade.derivatives": "Futures Trading",
        "trade.other": "Earn",
        "transfer": "Flex Transfers",
        "withdraw": "Withdrawal",
        "ip_allowlist": "IP Restriction",
    },
    addresses_readable=False,  # the answer masks them: `203.**.154,103.**.34`
    key_expiries=(
        KeyExpiry(
            after_ms=30 * _DAY_MS,
            counts_from="last_use",
            only_without_address=True,
            scopes=("trade.spot", "trade.margin", "trade.derivatives"),
            source=f"{_HELP}: deleted, or its trade permissions disabled, after 30 days of inactivity",
        ),
    ),
    revocation=Revocation(
        own="",  # no call by which a key ends itself
        by_master="DELETE /api/v1/sub/api-key",
        account_is="the sub-account's name",
        notes=("the key's own passphrase is asked for",),
        makes="POST /api/v1/sub/api-key",
        steps=("KuCoin > avatar > API Management", "Delete, beside the key", "confirm with password, mail and code"),
        source="universal SDK api_sub_account.py",
        steps_source=_HELP,
    ),
    most_addresses=20,  # universal SDK, add_sub_account_api: up to 20 IPs
)

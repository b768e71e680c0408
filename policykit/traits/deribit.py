"""Deribit (v2): what its documents say, each fact with source and date."""

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

_DOCS: Final = "docs.deribit.com (read 2026-11)"
_CCXT: Final = "ccxt 4.5.90 deribit.py, table of errors with Deribit's own words"


def encode_id(identity: str) -> str:
    """Render our 26-character id, `pk` in front."""
    return f"pk{identity}"


ORDER: Final = Family(
    client_order_id=ClientOrderId(
        param="label",
        pattern=r"[A-Za-z0-9_-]{1,64}",  # at most 64 characters; which ones is not said
        unique="none",  # labels group orders: the exchange does not deduplicate
        encode=encode_id,
    ),
    # "valid for 60 seconds since generation" is said of the signature's time stamp (official deribit-api-clients, text
    # of "Deribit signature credentials"); `valid_until` on buy and sell sets an earlier end.
    validity_default_ms=60_000,
    validity_max_ms=60_000,
    # The time to the matching engine and the lag of look-ups are not documented: no fence.
    cancel_all=CancelAll(
        "GET /api/v2/private/cancel_all", "account", source=f"{_DOCS} private/cancel_all: all, trigger orders too"
    ),
    source=_DOCS,
)
_CALLS: Final = {
    "order.create": "GET /api/v2/private/buy",  # or .../sell: the path tells, never the verb
    "order.amend": "GET /api/v2/private/edit",
    "order.cancel": "GET /api/v2/private/cancel",
    "orders.cancel_all": "GET /api/v2/private/cancel_all",
}
_SWITCH: Final = DeadManSwitch(
    call="private/enable_cancel_on_disconnect",
    unit="ms",
    scope="session",  # or every connection that is opened later, with scope=account
    on="disconnect",  # web socket only; not when the connection ends with private/logout
    source=f"{_DOCS} private/enable_cancel_on_disconnect",
)
#: The calls that are read, each 500 credits of 50,000, refilled at 10,000 a second.
_READS: Final = (
    "public/get_time public/auth public/get_currencies public/get_instruments public/get_book_summary_by_currency "
    "private/list_api_keys "
    "private/get_account_summaries private/get_account_summary private/get_positions private/get_address_book "
    "private/get_open_orders_by_instrument private/get_open_orders_by_currency private/get_order_state_by_label"
)
_REFUSED: Final = "the key, its secret, or this address is refused; check the key and its addresses"

EXCHANGE: Final = Exchange(
    id="deribit",
    products={
        "spot": Product(families={"order": ORDER}, position_key="base", calls=_CALLS, dead_man_switch=_SWITCH),
        "swap": Product(families={"order": ORDER}, position_key="symbol", calls=_CALLS, dead_man_switch=_SWITCH),
        "option": Product(families={"order": ORDER}, position_key="symbol", calls=_CALLS, dead_man_switch=_SWITCH),
    },
    rate_windows=(
        RateWindow(
            "requests",
            20,
            1_000,
            "rolling",
            "account",
            source=f"{_DOCS} articles/rate-limits: credits by sub-account; nautilus_deribit: 500 a request, 50,000 at "
            "most, 10,000 back a second (the burst of 100 is not counted on)",
        ),
        RateWindow("orders", 5, 1_000, "rolling", "account", source=f"{_DOCS} articles/rate-limits: lowest tier"),
    ),
    costs={
        "requests": {f"GET /api/v2/{name}": 1 for name in _READS.split()},
        "orders": {
            "GET /api/v2/private/buy": 1,
            "GET /api/v2/private/sell": 1,
            "GET /api/v2/private/edit": 1,
            "GET /api/v2/private/cancel": 1,
            "GET /api/v2/private/cancel_all": 1,
        },
    },
    errors={  # words: _CCXT; 13668: articles/authentication "Two-Factor Authentication using API"
        "9999": ErrorMeaning("PERMISSION_MISSING", "no", "the account has not switched its API on"),
        "10000": ErrorMeaning("KEY_REJECTED", "no", _REFUSED, coarse=True),
        "10004": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order"),
        "11044": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "the order is not open"),
        "10028": ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait until credits are back"),
        "10047": ErrorMeaning("RATE_LIMIT", "unknown", "too many requests wait for the matching engine; wait"),
        "10040": ErrorMeaning("MAINTENANCE", "unknown", "the request cannot be processed now; wait"),
        "10041": ErrorMeaning("MAINTENANCE", "unknown", "the daily settlement is running, for seconds; wait"),
        "11042": ErrorMeaning("PERMISSION_MISSING", "no", "the permission for this was denied; check the key's scopes"),
        "11051": ErrorMeaning("MAINTENANCE", "unknown", "the exchange is under maintenance; wait"),
        "11094": ErrorMeaning("MAINTENANCE", "unknown", "the server has an internal error; wait"),
        "12005": ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "the country of this address is refused"),
        "13002": ErrorMeaning("KEY_REJECTED", "no", "the account is blocked"),
        "13003": ErrorMeaning("PERMISSION_MISSING", "no", "the call needs a second factor, which no bot has"),
        "13004": ErrorMeaning("KEY_REJECTED", "no", _REFUSED, coarse=True),
        "13007": ErrorMeaning("KEY_REJECTED", "no", "the account is not known"),
        # "wrong or expired authorization token or bad signature"
        "13009": ErrorMeaning("KEY_REJECTED", "no", _REFUSED, coarse=True),
        "13012": ErrorMeaning("PERMISSION_MISSING", "no", "a sub-account's key may not do this; check the permission"),
        "13021": ErrorMeaning("PERMISSION_MISSING", "no", "the key lacks a permission; check its scopes"),
        "13025": ErrorMeaning("MAINTENANCE", "no", "the call is switched off for now; wait"),
        "13668": ErrorMeaning("PERMISSION_MISSING", "no", "the call needs a second factor, which no bot has"),
        "http:429": ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait until credits are back"),
    },
    # How an old time stamp or a foreign address is worded is from memory: these only tell what the code lumps together.
    error_texts=(
        ("_timestamp", ErrorMeaning("CLOCK", "no", "the request's time is refused; set this host's clock")),
        (" timestamp", ErrorMeaning("CLOCK", "no", "the request's time is refused; set this host's clock")),
        ("whitelist", ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "this address is not on the key's allowlist")),
    ),
    transfer_separable=True,  # wallet:read_write is apart from trade:read_write
    bundles=(  # articles/access-scope: each is one scope text
        ("trade.spot", "trade.derivatives", "trade.options"),
        ("transfer", "withdraw"),
    ),
    sub_accounts=True,
    key_page="Deribit > Account > API > edit the key",
    scope_labels={
        "read": "account: read, trade: read, wallet: read",
        "trade.spot": "trade: read_write",
        "trade.margin": "trade: read_write",
        "trade.derivatives": "trade: read_write",
        "trade.options": "trade: read_write",
        "trade.other": "block_trade: read_write, block_rfq: read_write",
        "transfer": "wallet: read_write",
        "withdraw": "wallet: read_write",
        "key_admin": "account: read_write",
        "ip_allowlist": "IP whitelist",
    },
    addresses_readable=True,
    aftermath=Aftermath(
        logins="GET /api/v2/private/get_access_log", source=f"{_DOCS} private/get_access_log: account:read"
    ),
    revocation=Revocation(
        own="GET /api/v2/private/disable_api_key",
        own_needs=("key_admin",),  # scope account:read_write, and a second factor: no bot can
        by_other="GET /api/v2/private/remove_api_key",  # scope account:read_write
        steps=("Deribit > Account > API", "Disable or Remove, beside the key", "confirm with the second factor"),
        source=f"{_DOCS} private/disable_api_key, private/remove_api_key (TFA required)",
    ),
)

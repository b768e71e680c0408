"""OKX (v5): what its documents say, each fact with source and date.

Sources: the text of okx.com/docs-v5 (EEA edition, stored index file 52294603372, read 2026-11-21), its pages and error
table in rosssaunders/coincise docs/okx (6b283f191, read 2026-11-21), and the OKX API FAQ (okx.com/en-eu/help/
api-faq-eea, 2026-08-26). Regional accounts have hosts of their own: `myokx` (EEA) and `okxus` are other ccxt ids.
"""

from __future__ import annotations

from typing import Final

from policykit.traits.base import (
    Aftermath,
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
)

_DOCS: Final = "okx.com/docs-v5 (2026-11-21)"
_CANCELS: Final = "docs-v5 trade, algo trading (copy of 2026-07-21): by user and instrument, batches by their orders"
_DAY_MS: Final = 86_400_000
#: "REST Authentication": the server rejects what differs from its time by more.
_WINDOW_MS: Final = 30_000
#: Everything that the one permission `trade` grants (docs-v5 "API key permissions").
TRADE: Final = ("trade.spot", "trade.margin", "trade.derivatives", "trade.options", "trade.other", "transfer")


def encode_id(identity: str) -> str:
    """Render our 26-character id: letters and digits only, no `-` or `_`, `pk` in front."""
    return f"pk{identity}"


ORDER: Final = Family(
    client_order_id=ClientOrderId(
        param="clOrdId",
        pattern=r"[A-Za-z0-9]{1,32}",  # "case-sensitive alphanumerics, all numbers, or all letters of up to 32"
        unique="open",  # 51016 "Duplicated client order ID"; for how long an id stays taken is not said
        encode=encode_id,
    ),
    # A request whose OK-ACCESS-TIMESTAMP is over 30 s away from the server's time is refused (50102). The header
    # `expTime` bounds it further; its longest span is not said, nor the time to the engine and the lag of look-ups.
    validity_default_ms=_WINDOW_MS,
    ahead_ms=_WINDOW_MS,
    cancel_all=CancelAll(
        "POST /api/v5/trade/cancel-batch-orders", "loop", most=20, source=f"{_DOCS}: cancel multiple orders"
    ),
    source=f"{_DOCS}: place order, transaction timeouts",
)
ALGO: Final = Family(
    client_order_id=ClientOrderId(
        param="algoClOrdId",
        pattern=r"[A-Za-z0-9]{1,32}",
        unique="open",
        encode=encode_id,
    ),
    validity_default_ms=_WINDOW_MS,
    ahead_ms=_WINDOW_MS,
    cancel_all=CancelAll("POST /api/v5/trade/cancel-algos", "loop", most=10, source="10 a call from memory"),
    source="coincise@1dd4f2058 docs/okx get_algo_order_list.md (2026-11-21)",
)
_CALLS: Final = {
    "order.create": "POST /api/v5/trade/order",
    "order.amend": "POST /api/v5/trade/amend-order",
    "order.cancel": "POST /api/v5/trade/cancel-order",
    "orders.cancel_all": "POST /api/v5/trade/cancel-batch-orders",
}
_POLLS: Final = {
    "orders": "GET /api/v5/trade/orders-pending",
    "order": "GET /api/v5/trade/order",
    "account": "GET /api/v5/account/balance",
    "time": "GET /api/v5/public/time",
}
SWITCH: Final = DeadManSwitch(
    call="POST /api/v5/trade/cancel-all-after",
    unit="s",
    scope="account",  # every symbol of the order book, spread trading apart; whether algo orders too is not said
    least_ms=10_000,
    most_ms=120_000,
    off=0,
    source=f"{_DOCS}: cancel all after, timeOut 0 or 10 to 120; one request a second",
)

_KEY: Final = "check the key, and whether it is of this host and of this environment (demo or live)"
#: coincise docs/okx/error_codes.md, by code; the same code comes with 200, 401 or 429, so the status decides nothing.
ERRORS: Final[dict[str, ErrorMeaning]] = {
    "50001": ErrorMeaning("MAINTENANCE", "unknown", "the service is temporarily unavailable; wait"),
    "50004": ErrorMeaning("NETWORK", "unknown", "the endpoint timed out; the request may have been done"),
    "50005": ErrorMeaning("MAINTENANCE", "unknown", "the endpoint is not available; wait"),
    "50011": ErrorMeaning("RATE_LIMIT", "no", "too many requests to this endpoint; wait"),
    "50013": ErrorMeaning("MAINTENANCE", "unknown", "the systems are busy; wait"),
    "50026": ErrorMeaning("MAINTENANCE", "unknown", "the system has an error; wait"),
    "50030": ErrorMeaning("PERMISSION_MISSING", "no", "the key may not use this endpoint; check its permissions"),
    "50035": ErrorMeaning("PERMISSION_MISSING", "no", "this endpoint needs a key that is bound to addresses"),
    "50036": ErrorMeaning("CLOCK", "no", "the request had expired when it was sent; set this host's clock"),
    "50037": ErrorMeaning("ORDER_REJECTED", "no", "the order had expired before it was processed"),
    "50040": ErrorMeaning("RATE_LIMIT", "unknown", "too many operations; wait"),
    "50061": ErrorMeaning("RATE_LIMIT", "no", "too many orders of this account; wait"),
    "50100": ErrorMeaning("KEY_REJECTED", "no", "the key is frozen; ask the exchange"),
    "50101": ErrorMeaning("KEY_REJECTED", "no", f"the key is of another environment; {_KEY}"),
    "50102": ErrorMeaning("CLOCK", "no", "the request was signed over 30 s away from now; set this host's clock"),
    "50103": ErrorMeaning("KEY_REJECTED", "no", "the request had no key"),
    "50104": ErrorMeaning("KEY_REJECTED", "no", "the request had no passphrase"),
    "50105": ErrorMeaning("KEY_REJECTED", "no", "the passphrase is wrong; check the passphrase of this key"),
    "50106": ErrorMeaning("KEY_REJECTED", "no", "the request had no signature"),
    "50107": ErrorMeaning("KEY_REJECTED", "no", "the request had no time"),
    "50110": ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "this address is not on the key's allowlist"),
    "50111": ErrorMeaning("KEY_REJECTED", "no", f"no such key; {_KEY}"),
    "50112": ErrorMeaning("CLOCK", "no", "the request's time cannot be read; set this host's clock"),
    "50113": ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong; check the secret of this key"),
    "50114": ErrorMeaning("KEY_REJECTED", "no", "the authorization is refused; check key, secret and passphrase"),
    "50118": ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "the key is linked to a broker whose address is not known"),
    "50119": ErrorMeaning("KEY_REJECTED", "no", f"no such key, or it has expired; {_KEY}"),
    "50120": ErrorMeaning("PERMISSION_MISSING", "no", "the key lacks a permission; check Read, Trade and Withdraw"),
    "50121": ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "the service refuses this address, or the place it is in"),
    "51001": ErrorMeaning("BAD_SYMBOL", "unknown", "no such instrument"),
    "51016": ErrorMeaning("DUPLICATE_ID", "unknown", "the client order id was used before"),
    "51400": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order is open"),
    "51603": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order"),
}

#: Cost of a read in twentieths of what its endpoint allows in 2 s (ccxt 4.5.90 okx.py, rounded up): limits are kept for
#: each endpoint apart, so a client that keeps the sum under 20 breaks none.
READS: Final[dict[str, int]] = {
    "GET /api/v5/public/time": 2,
    "GET /api/v5/public/instruments": 1,
    "GET /api/v5/account/config": 4,
    "GET /api/v5/account/balance": 2,
    "GET /api/v5/account/positions": 2,
    "GET /api/v5/asset/balances": 2,
    "GET /api/v5/asset/currencies": 2,
    "GET /api/v5/trade/order": 1,
    "GET /api/v5/trade/orders-pending": 1,
    "GET /api/v5/trade/orders-algo-pending": 1,
    "GET /api/v5/trade/orders-history": 1,
    "GET /api/v5/trade/fills": 1,
    "GET /api/v5/trade/account-rate-limit": 1,
    "GET /api/v5/market/ticker": 1,
    "GET /api/v5/market/tickers": 1,
    "GET /api/v5/market/books": 1,
}

EXCHANGE: Final = Exchange(
    id="okx",
    products={
        "spot": Product(
            families={"order": ORDER, "algo": ALGO},
            position_key="base",
            # A setting of the account (enableSpotBorrow, autoLoan) decides whether a sale can borrow.
            calls=_CALLS,
            polls=_POLLS,
            dead_man_switch=SWITCH,
        ),
        "swap": Product(
            families={"order": ORDER, "algo": ALGO},
            position_key="symbol",
            calls=_CALLS,
            polls={**_POLLS, "account": "GET /api/v5/account/positions"},
            dead_man_switch=SWITCH,
        ),
    },
    rate_windows=(
        RateWindow(
            "requests",
            20,
            2_000,
            "rolling",  # fixed or rolling is not said; rolling is the one that is never too many
            "account",
            source=f"{_DOCS}: rate limits; private by User ID, public by IP, each endpoint by itself, most 20 in 2 s",
        ),
        RateWindow(
            "orders",
            60,
            2_000,
            "rolling",
            "account",
            source=f"{_DOCS}: place order, 60 requests in 2 s for each instrument",
        ),
        RateWindow(
            "orders-account",
            1_000,
            2_000,
            "rolling",
            "account",
            source=f"{_DOCS}: sub-account rate limit, new and amended orders; error 50061",
        ),
    ),
    cancel_rates=(
        CancelRate(("POST /api/v5/trade/cancel-order",), 60, 2_000, each="symbol", source=_CANCELS),
        CancelRate(("POST /api/v5/trade/cancel-batch-orders",), 300, 2_000, "orders", "symbol", source=_CANCELS),
        CancelRate(("POST /api/v5/trade/cancel-algos",), 20, 2_000, "orders", "symbol", source=_CANCELS),
    ),
    costs={
        "requests": READS,
        "orders": {"POST /api/v5/trade/order": 1},
        "orders-account": {"POST /api/v5/trade/order": 1, "POST /api/v5/trade/amend-order": 1},
    },
    errors=ERRORS,
    bundles=(
        ("trade.spot", "trade.margin", "trade.derivatives", "trade.options", "trade.other", "transfer"),
    ),  # "Trade"
    transfer_separable=False,  # "Trade: can place and cancel orders, funding transfer, make settings"
    sub_accounts=True,
    key_page="OKX > Profile > API and connections > the key",  # API FAQ, "How do I manage or edit the API key"
    scope_labels={
        "read": "Read",
        **dict.fromkeys(TRADE, "Trade"),
        "withdraw": "Withdraw",
        "ip_allowlist": "IP address allowlist",
    },
    addresses_readable=True,
    key_expiries=(
        KeyExpiry(
            after_ms=14 * _DAY_MS,
            counts_from="last_use",
            only_without_address=True,
            scopes=(*TRADE, "withdraw"),
            source=f"{_DOCS}: API key security; keys of demo trading do not expire",
        ),
    ),
    revocation=Revocation(
        own="",  # no call by which a key ends itself
        by_master="POST /api/v5/users/subaccount/delete-apikey",
        account_is="the sub-account's name",
        master_needs=("trade.spot",),  # one box: Trade, and an address
        makes="POST /api/v5/users/subaccount/apikey",
        steps=("OKX > Profile > API and connections", "Delete, beside the key", "confirm with the second factor"),
        source="coincise@347e06ddf docs/okx delete_the_api_key_of_sub_accounts.md (2026-11-21)",
        steps_source="okx.com/en-eu/help/api-faq-eea (2026-08-26)",
    ),
    aftermath=Aftermath(source="exchanges.json: API activity is in the Security Center of the web page only"),
    most_addresses=20,  # docs-v5, API key security: up to 20, IPv4, IPv6 and network segments
)

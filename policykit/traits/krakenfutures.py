"""Kraken Futures: what its documents say, each fact with source and date. Its keys are not those of Kraken's spot."""

from __future__ import annotations

from typing import Final

from policykit.traits.base import (
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

#: Copies of docs.kraken.com pages, taken 2026-05-27 to 2026-06-12 (github.com/qiuham/crypto-api-docs docs/kraken).
_DOCS: Final = "docs.kraken.com/api/docs/futures-api (2026-06)"
_LIMITS: Final = "docs.kraken.com/exchange/guides/futures/ratelimits (2026-11)"


def encode_id(identity: str) -> str:
    """Render our 26-character id: `pk` in front, so that our orders are told from a person's."""
    return f"pk{identity}"


ORDER: Final = Family(
    client_order_id=ClientOrderId(
        param="cliOrdId",
        pattern=r"[A-Za-z0-9_-]{1,100}",  # trading/send-order: at most 100 characters; which ones is not said
        unique="forever",  # ibid.: "It must be globally unique"; how long it is kept is not said
        encode=encode_id,
    ),
    # send-order has `processBefore`, a moment; without it there is no end, and no longest is documented: no fence.
    cancel_all=CancelAll("POST /derivatives/api/v3/cancelallorders", "account", source=f"{_DOCS}/trading"),
    source=f"{_DOCS}/trading/send-order",
)

EXCHANGE: Final = Exchange(
    id="krakenfutures",
    products={
        "swap": Product(
            families={"order": ORDER},
            position_key="symbol",
            calls={
                "order.create": "POST /derivatives/api/v3/sendorder",
                "order.amend": "POST /derivatives/api/v3/editorder",
                "order.cancel": "POST /derivatives/api/v3/cancelorder",
                "orders.cancel_all": "POST /derivatives/api/v3/cancelallorders",
            },
            dead_man_switch=DeadManSwitch(
                call="POST /derivatives/api/v3/cancelallordersafter",
                unit="s",
                scope="account",
                off=0,
                # Whether it stays off once it has fired is not said here (it does on spot).
                source=f"{_DOCS}/trading/cancel-all-orders-after: every 15 to 20 s with 60 s",
            ),
        ),
    },
    rate_windows=(
        # trading/*, error `apiLimitExceeded`: "The API limit for the calling IP address has been exceeded".
        RateWindow("derivatives", 500, 10_000, "rolling", "ip", source=f"{_LIMITS}: 500 every 10 seconds"),
    ),
    costs={
        "derivatives": {
            # ratelimits, the table; public calls cost nothing.
            "POST /derivatives/api/v3/sendorder": 10,
            "POST /derivatives/api/v3/editorder": 10,
            "POST /derivatives/api/v3/cancelorder": 10,
            "GET /derivatives/api/v3/accounts": 2,
            "GET /derivatives/api/v3/openpositions": 2,
            "GET /derivatives/api/v3/openorders": 2,  # from memory, as the rest of this table
            "GET /derivatives/api/v3/fills": 25,
            "POST /derivatives/api/v3/batchorder": 19,
            "POST /derivatives/api/v3/cancelallorders": 25,
            "POST /derivatives/api/v3/cancelallordersafter": 25,
            "GET /derivatives/api/v3/instruments": 0,
            "GET /derivatives/api/v3/instruments/status": 0,
            "GET /derivatives/api/v3/tickers": 0,
        },
    },
    errors={
        # trading/*, "Error description"
        "authenticationError": ErrorMeaning(
            "KEY_REJECTED",
            "no",
            "the key, its signature, a permission or this address is refused; it does not say which",
        ),
        # auth/check-v-3-api-key: 401 "API key is not found or request signature is invalid"; a refused address is not
        # documented.
        "http:401": ErrorMeaning(
            "KEY_REJECTED",
            "no",
            "there is no such key, its signature is wrong, or this address is not on its allowlist",
        ),
        "http:403": ErrorMeaning("KEY_REJECTED", "unknown", "the key, its permission or this address is refused"),
        "apiLimitExceeded": ErrorMeaning("RATE_LIMIT", "no", "too many requests from this address; wait"),
        "nonceBelowThreshold": ErrorMeaning("CLOCK", "no", "the request's number is too low; set this host's clock"),
        "nonceDuplicate": ErrorMeaning("CLOCK", "no", "the request's number was used before; set this host's clock"),
        "Unavailable": ErrorMeaning("MAINTENANCE", "unknown", "the service is not available; wait"),
        "unavailable": ErrorMeaning("MAINTENANCE", "unknown", "the service is not available; wait"),
        "Server Error": ErrorMeaning("MAINTENANCE", "unknown", "the server has an internal error; wait"),
        "marketUnavailable": ErrorMeaning("MAINTENANCE", "unknown", "the market is not available; wait"),
        "accountInactive": ErrorMeaning("NOT_SUPPORTED", "no", "the account has no futures yet"),
        "contractNotFound": ErrorMeaning("BAD_SYMBOL", "unknown", "no such contract"),
    },
    transfer_separable=False,  # trading/transfer: "General API key with full access", which trades too
    sub_accounts=True,  # trading/list-subaccounts
    key_page="Kraken Futures > Settings > API Keys",  # from memory
    scope_labels={
        # auth/check-v-3-api-key: `general` and `transfer`, each NO_ACCESS, READ_ONLY or FULL_ACCESS; the page's words
        # are from memory.
        "read": "General API: Full access where it trades, else Read only",
        "trade.derivatives": "General API: Full access",
        "transfer": "General API: Full access; Withdrawal API: Full access",
        "withdraw": "Withdrawal API: Full access",
        "ip_allowlist": "IP address restriction",
    },
    addresses_readable=True,
    revocation=Revocation(
        steps=("Kraken Futures > Settings > API Keys", "Delete, beside the key"), source="from memory; no call is known"
    ),
)

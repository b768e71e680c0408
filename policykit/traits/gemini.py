"""Gemini: what its documents say, each fact with source and date."""

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

#: Gemini's own OpenAPI and pages as api-evangelist/gemini-trust keeps them (2026-09-18).
_OPENAPI: Final = "developer.gemini.com OpenAPI (2026-09-18)"
_ERRORS: Final = "developer.gemini.com/error-codes (2026-09-18)"
_LIMITS: Final = "developer.gemini.com/rate-limit (2026-11)"


def encode_id(identity: str) -> str:
    """Render our 26-character id: `pk` in front, so that our orders are told from a person's."""
    return f"pk{identity}"


ORDER: Final = Family(
    client_order_id=ClientOrderId(
        param="client_order_id",
        pattern=r"[A-Za-z0-9_.:#-]{1,99}",  # error-codes: "under 100 characters"; the characters are from memory
        unique="none",  # from memory: a second order of the same id is taken
        encode=encode_id,
    ),
    # A request has no validity: a nonce only (or, by choice of the key, one within 30 s of the clock). No fence.
    cancel_all=CancelAll("POST /v1/order/cancel/all", "account", source=_OPENAPI),
    source=_OPENAPI,
)
_CALLS: Final = {
    "order.create": "POST /v1/order/new",
    "order.cancel": "POST /v1/order/cancel",
    "orders.cancel_all": "POST /v1/order/cancel/all",
}
#: For keys made with "Requires Heartbeat": any message of the session resets it, and there is no call to arm it.
_HEARTBEAT: Final = DeadManSwitch(
    call="POST /v1/heartbeat",
    unit="s",
    scope="session",
    least_ms=30_000,  # from memory: 30 s, fixed
    most_ms=30_000,
    source=f"{_OPENAPI}, /v1/heartbeat: only of sessions with the require heartbeat flag; the time-out is from memory",
)
_KEY: Final = "there is no such key, or it is not signed with its secret"
_READS: Final = (
    "roles balances orders order/status mytrades account transfers notionalvolume positions margin "
    "tradevolume heartbeat"
)

EXCHANGE: Final = Exchange(
    id="gemini",
    products={
        "spot": Product(families={"order": ORDER}, position_key="base", calls=_CALLS, dead_man_switch=_HEARTBEAT),
        "swap": Product(families={"order": ORDER}, position_key="symbol", calls=_CALLS, dead_man_switch=_HEARTBEAT),
    },
    rate_windows=(
        RateWindow("private", 600, 60_000, "rolling", "key", source=f"{_LIMITS}: 600 a minute, 5 a second advised"),
        RateWindow("public", 120, 60_000, "rolling", "ip", source=f"{_LIMITS}: 120 a minute, 1 a second advised"),
    ),
    costs={
        "private": {
            **{f"POST /v1/{name}": 1 for name in _READS.split()},
            **dict.fromkeys(_CALLS.values(), 1),
        },
        "public": dict.fromkeys((*(f"POST /v1/{name}" for name in _READS.split()), *_CALLS.values()), 0),
    },
    errors={
        "InvalidSignature": ErrorMeaning("KEY_REJECTED", "no", _KEY),
        "InvalidApiKey": ErrorMeaning("KEY_REJECTED", "no", _KEY),
        "MissingApikeyHeader": ErrorMeaning("KEY_REJECTED", "no", _KEY),
        "AccountClosed": ErrorMeaning("KEY_REJECTED", "no", "the key's account is closed"),
        "ApiKeyIpFilteringFailure": ErrorMeaning(
            "ADDRESS_NOT_ALLOWED", "no", "this address is not on the key's allowlist"
        ),
        "RemoteAddressForbidden": ErrorMeaning(
            "ADDRESS_NOT_ALLOWED", "no", "this address is not on the group's allowlist"
        ),
        "MissingRole": ErrorMeaning("PERMISSION_MISSING", "no", "the key lacks a role; check its roles"),
        "NotGroupApiCompatible": ErrorMeaning("PERMISSION_MISSING", "no", "this needs the key of one account"),
        "InvalidNonce": ErrorMeaning(
            "CLOCK",
            "no",
            "the request's number is not above the key's last one, or the key uses a time based nonce, in seconds and "
            "within 30 of the exchange's clock, which ccxt does not send; give each program a key of its own",
        ),
        "InvalidTimestampInPayload": ErrorMeaning(
            "CLOCK", "no", "the request's time is refused; set this host's clock"
        ),
        "RateLimit": ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait"),
        "Too Many Requests": ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait"),
        "http:429": ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait"),
        "Maintenance": ErrorMeaning("MAINTENANCE", "unknown", "the exchange is under maintenance; wait"),
        "System": ErrorMeaning("MAINTENANCE", "unknown", "the server has an internal error; wait"),
        "Internal Server Error": ErrorMeaning("MAINTENANCE", "unknown", "the server has an internal error; wait"),
        "InvalidSymbol": ErrorMeaning("BAD_SYMBOL", "unknown", "no such symbol"),
        "OrderNotFound": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order"),
        "InsufficientFunds": ErrorMeaning("ORDER_REJECTED", "unknown", "the account has too little for the order"),
    },
    error_texts=(
        # ccxt's own refusal (gemini.py `sign`), before anything is sent.
        (
            "requires an account-key",
            ErrorMeaning("KEY_REJECTED", "no", "this is no key of one account (account-...); ccxt signs with no other"),
        ),
    ),
    transfer_separable=True,  # roles: Fund Manager is apart from Trader
    bundles=(("transfer", "withdraw"),),  # Fund Manager both withdraws and moves
    sub_accounts=True,  # /v1/account/create: accounts of a group, each with keys of its own
    key_page="Gemini > Account > Settings > API",
    scope_labels={
        # developer.gemini.com/roles (2026-09-18); the words of the page
        "read": "Auditor (or any other role)",
        "trade.spot": "Trader",
        "trade.margin": "Trader",
        "trade.derivatives": "Trader",
        "trade.other": "Trader or Fund Manager",
        "transfer": "Fund Manager",
        "withdraw": "Fund Manager",
        "key_admin": "Administrator (master keys only)",
        "ip_allowlist": "Trusted IPs only",
    },
    revocation=Revocation(
        steps=("Gemini > Account > Settings > API", "Delete, beside the key", "confirm with the second factor"),
        source="from memory; no call is known",
    ),
)

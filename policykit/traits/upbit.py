"""Upbit (Korea): what its documents say, each fact with source and date."""

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

_DOCS: Final = "docs.upbit.com/kr (v1.6.4, read 2026-11)"
_DAY_MS: Final = 86_400_000


def encode_id(identity: str) -> str:
    """Render our 26-character id, `pk` in front."""
    return f"pk{identity}"


ORDER: Final = Family(
    client_order_id=ClientOrderId(
        param="identifier",
        pattern=r"[A-Za-z0-9_-]{1,36}",  # neither length nor characters are documented: ours is short and plain
        unique="none",  # that an identifier may never come again is from memory only: not counted on
        encode=encode_id,
    ),
    # A request carries no time and no validity: nothing ends an old one, so no fence.
    cancel_all=CancelAll(
        "DELETE /v1/orders/open", "loop", most=20, source="ccxt 4.5.90 upbit.py, one in 2 s; 20 at a time from memory"
    ),
    source=_DOCS,
)
_CALLS: Final = {
    "order.create": "POST /v1/orders",
    "order.amend": "POST /v1/orders/cancel_and_new",
    "order.cancel": "DELETE /v1/order",
    "orders.cancel_all": "DELETE /v1/orders/open",
}
_READS: Final = "api_keys accounts orders/open orders/closed order withdraws/coin_addresses"
_REJECTED: Final = "the signature is refused; check the key's secret (no request has a time: the clock is not why)"

EXCHANGE: Final = Exchange(
    id="upbit",
    products={"spot": Product(families={"order": ORDER}, position_key="base", calls=_CALLS)},
    rate_windows=(
        RateWindow(
            "requests",
            30,
            1_000,
            "rolling",
            "account",  # of one pocket, which all of its keys share
            source=f"{_DOCS} rate-limits: group exchange default, 30 a second",
        ),
        RateWindow(
            "orders",
            12,
            1_000,
            "rolling",
            "account",
            source="docs.upbit.com/kr/changelog/order-rate-limit-update: 12 a second since 2026-08-21, 8 before",
        ),
        RateWindow(
            "quotation", 10, 1_000, "rolling", "ip", source=f"{_DOCS} rate-limits: 10 a second and address for markets"
        ),
    ),
    costs={
        "requests": {f"GET /v1/{name}": 1 for name in _READS.split()}
        | {
            "GET /v1/market/all": 1,
            "GET /v1/ticker": 1,
            "DELETE /v1/order": 1,
        },
        "orders": {"POST /v1/orders": 1, "POST /v1/orders/cancel_and_new": 1},
    },
    # rest-api-guide, table of HTTP statuses and error names (v1.6.4, read 2026-11): all of these are refusals.
    errors={
        "invalid_access_key": ErrorMeaning("KEY_REJECTED", "no", "no such key; check the key"),
        "expired_access_key": ErrorMeaning("KEY_REJECTED", "no", "the key has expired after its year; make a new one"),
        "jwt_verification": ErrorMeaning("KEY_REJECTED", "no", _REJECTED),
        "invalid_query_payload": ErrorMeaning("KEY_REJECTED", "no", _REJECTED),
        "no_authorization_token": ErrorMeaning("KEY_REJECTED", "no", _REJECTED),
        "nonce_used": ErrorMeaning("KEY_REJECTED", "no", "the request was signed with a nonce used before; sign anew"),
        "no_authorization_ip": ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "this address is not on the key's allowlist"),
        "out_of_scope": ErrorMeaning("PERMISSION_MISSING", "no", "the key lacks a permission; check its scopes"),
        "thirdparty_agreement_required": ErrorMeaning("PERMISSION_MISSING", "no", "the account must agree to terms"),
        "too_many_requests": ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait"),
        "order_not_found": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order"),
        "http:429": ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait"),
        "http:418": ErrorMeaning("BANNED", "no", "this address or account is banned for a while; wait"),
        "http:500": ErrorMeaning("MAINTENANCE", "unknown", "the server has an internal error; wait"),
    },
    transfer_separable=True,
    sub_accounts=True,  # pockets, since 2026-06-01
    key_page="Upbit (PC web) > My page > Open API 관리",
    scope_labels={
        "read": "자산조회, 주문조회 (view assets, view orders)",
        "trade.spot": "주문하기 (make orders)",
        "transfer": "자산이전, 포켓관리 (asset transfer, pocket management)",
        "withdraw": "출금하기 (withdraw)",
        "ip_allowlist": "IP 주소 등록 (register IP addresses)",
    },
    addresses_readable=False,  # not even that: a key must have some when it is made, and no call tells which
    key_expiries=(
        KeyExpiry(
            after_ms=365 * _DAY_MS,
            counts_from="creation",
            only_without_address=False,
            source="docs.upbit.com changelog 2026-08-21: a key is valid for one year and cannot be extended",
        ),
    ),
    most_addresses=10,
    revocation=Revocation(
        steps=("Upbit (PC web) > My page > Open API 관리", "삭제 (delete), beside the key", "confirm with 2FA"),
        source=f"{_DOCS} api-key",
        steps_source=f"{_DOCS} api-key",
    ),
)

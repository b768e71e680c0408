"""Bitfinex (v2): what its documents and ccxt's tables say, each fact with source and date."""

from __future__ import annotations

import hashlib
from typing import Final

from policykit.traits.base import (
    Aftermath,
    CancelAll,
    ClientOrderId,
    ErrorMeaning,
    Exchange,
    Family,
    Product,
    RateWindow,
    Revocation,
)

_CCXT: Final = "ccxt 4.5.90 bitfinex.py"
#: Bits of a client order id, from memory: `cid` is an "int45".
_BITS: Final = 45


def encode_id(identity: str) -> str:
    """Render our id as a whole number of 45 bits: a hash of it.

    Not injective: 128 bits do not fit. Of 100,000 ids of one day two are the same number with a chance of 1 in 7,000.
    """
    digest = hashlib.sha256(identity.encode()).digest()
    return str(int.from_bytes(digest, "big") >> 256 - _BITS or 1)


ORDER: Final = Family(
    client_order_id=ClientOrderId(
        param="cid",
        pattern=r"[1-9][0-9]{0,13}",
        # From memory: unique in a UTC day, looked up with `cid_date`; that a second one is refused is not documented,
        # and ours may meet: nothing is proved by it.
        unique="none",
        encode=encode_id,
    ),
    # Requests have no time, only a nonce: no validity, so no fence.
    cancel_all=CancelAll("POST /v2/auth/w/order/cancel/multi", "account", source=f"{_CCXT}: with all=1"),
    source=_CCXT,
)
_PRODUCT: Final = {
    "order.create": "POST /v2/auth/w/order/submit",
    "order.amend": "POST /v2/auth/w/order/update",
    "order.cancel": "POST /v2/auth/w/order/cancel",
    "orders.cancel_all": "POST /v2/auth/w/order/cancel/multi",
}

EXCHANGE: Final = Exchange(
    id="bitfinex",
    products={
        # The timer is a flag of a WebSocket session (from memory: `dms: 4`): there is no call to arm it.
        "spot": Product(families={"order": ORDER}, position_key="base", calls=_PRODUCT),
        "swap": Product(families={"order": ORDER}, position_key="symbol", calls=_PRODUCT),
    },
    rate_windows=(
        RateWindow(
            "requests",
            90,
            60_000,
            "rolling",
            "ip",
            source="docs.bitfinex.com/reference/key-permissions (2025-06-10): 90 requests a minute; "
            "v1/docs/rest-general: between 10 and 90 by endpoint and load",
        ),
    ),
    costs={
        "requests": {
            # ccxt's table: 90 a minute cost 2.7; book 240 a minute, platform/status 30, alerts 45, addresses 10.
            "GET /v2/platform/status": 3,
            "POST /v2/auth/r/alerts": 2,
            "POST /v2/auth/r/deposit/address/all": 9,
        },
    },
    errors={
        "10001": ErrorMeaning("PERMISSION_MISSING", "no", "the key lacks a permission; check its scopes"),
        # Seen with "apikey: invalid" and "apikey: digest invalid"; of a refused address nothing is documented.
        "10100": ErrorMeaning(
            "KEY_REJECTED",
            "no",
            "there is no such key, its signature is wrong, or this address is not on its allowlist",
        ),
        "10114": ErrorMeaning(
            "CLOCK",
            "no",
            "the request's number is not above the key's last one: another program uses this key, or this host's clock "
            "went back; give each program a key of its own",
        ),
        "11010": ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait"),
        "20060": ErrorMeaning("MAINTENANCE", "unknown", "the exchange is under maintenance; wait"),
        "http:429": ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait"),
    },
    error_texts=(
        ("ERR_RATE_LIMIT", ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait")),
        ("temporarily_unavailable", ErrorMeaning("MAINTENANCE", "unknown", "the service is not available; wait")),
    ),
    bundles=(("trade.spot", "trade.margin", "trade.derivatives"),),  # `orders`
    transfer_separable=True,  # reference/key-permissions: `wallets` beside `orders`
    sub_accounts=True,  # from memory
    key_page="Bitfinex > Account > API Keys",  # from memory, as are the words below
    scope_labels={
        "read": "Read, beside each of the permissions",
        "trade.spot": "Orders: Create and cancel orders",
        "trade.margin": "Orders: Create and cancel orders; Margin Trading: Claim a position",
        "trade.derivatives": "Orders: Create and cancel orders; Margin Trading: Claim a position",
        "trade.other": "Margin Funding: Offer, cancel and close funding",
        "transfer": "Wallets: Transfer between your wallets",
        "withdraw": "Withdrawals: Create a new withdrawal",
        "ip_allowlist": "IP access restrictions",
    },
    aftermath=Aftermath(
        logins="POST /v2/auth/r/logins/hist",
        changes="POST /v2/auth/r/audit/hist",
        source="docs.bitfinex.com/reference/rest-auth-logins-hist, rest-auth-audit-hist; ccxt 4.5.90 bitfinex.py",
    ),
    revocation=Revocation(
        steps=("Bitfinex > Account > API Keys", "Revoke, beside the key", "confirm with the second factor"),
        source="from memory; no call is known",
    ),
)

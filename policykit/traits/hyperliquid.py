"""Hyperliquid: what its documents say, each fact with source and date."""

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

_DOCS: Final = "hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api (read 2026-11)"
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def encode_id(identity: str) -> str:
    """Render our 26-character id as its 128 bits in hex: `0x` and 32 digits. One id, one cloid."""
    number = 0
    for character in identity:
        number = number << 5 | _ALPHABET.index(character)
    return f"0x{number % (1 << 128):032x}"


ORDER: Final = Family(
    client_order_id=ClientOrderId(
        param="cloid",
        pattern=r"0x[0-9a-f]{32}",  # ccxt 4.5.90: "optional 128 bit hex string"
        unique="none",  # whether a cloid may come twice is not said
        encode=encode_id,
    ),
    # expiresAfter may be put on an action, without one only the nonce's window of days bounds it: no fence.
    cancel_all=CancelAll("POST /exchange", "loop", source=f"{_DOCS} exchange endpoint: cancel takes a list"),
    source=_DOCS,
)
_CALLS: Final = {
    "order.create": "POST /exchange",
    "order.amend": "POST /exchange",
    "order.cancel": "POST /exchange",
    "orders.cancel_all": "POST /exchange",
}
_SWITCH: Final = DeadManSwitch(
    call="POST /exchange",  # action scheduleCancel; without a time it is taken off
    unit="at_ms",
    scope="account",
    least_ms=5_000,
    most_a_day=10,
    source="hyperliquid-python-sdk schedule_cancel: at least 5 s ahead, at most 10 triggers a UTC day",
)
_LIMIT: Final = ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait")

EXCHANGE: Final = Exchange(
    id="hyperliquid",
    products={
        "spot": Product(families={"order": ORDER}, position_key="base", calls=_CALLS, dead_man_switch=_SWITCH),
        "swap": Product(families={"order": ORDER}, position_key="symbol", calls=_CALLS, dead_man_switch=_SWITCH),
    },
    rate_windows=(
        RateWindow(
            "requests",
            1_200,
            60_000,
            "rolling",
            "ip",
            source=f"{_DOCS} rate-limits-and-user-limits: weight of 1200 a minute by address",
        ),
    ),
    costs={
        "requests": {
            "POST /info": 20,
            "POST /info l2Book": 2,
            "POST /info allMids": 2,
            "POST /info clearinghouseState": 2,
            "POST /info orderStatus": 2,
            "POST /info spotClearinghouseState": 2,
            "POST /info exchangeStatus": 2,
            "POST /info userRole": 60,
            "POST /exchange": 1,  # and 1 more for each 40 orders of a batch
        }
    },
    errors={"http:429": _LIMIT},
    error_texts=(
        ("Too many cumulative requests sent", _LIMIT),  # by account: 10,000 and one for each USDC traded
        (
            "User or API Wallet",  # "... 0x... does not exist."
            ErrorMeaning("KEY_REJECTED", "no", "the signer is no agent of an account (any longer); approve a new one"),
        ),
        ("Order was never placed", ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order")),
        ("unknownOid", ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order")),
    ),
    # An agent cannot pay; whether it may move money to a vault or a sub-account is not documented.
    bundles=(("trade.spot", "trade.margin", "trade.derivatives"),),  # an agent signs any order
    sub_accounts=True,
    key_page="Hyperliquid > More > API",
    scope_labels={
        "read": "(public by address)",
        "trade.spot": "an approved API wallet",
        "trade.margin": "an approved API wallet",
        "trade.derivatives": "an approved API wallet",
        "withdraw": "the account's own key only",
        "key_admin": "the account's own key only",
    },
    addresses_readable=True,  # there are none: every agent works from everywhere
    most_addresses=0,
    revocation=Revocation(
        steps=(
            "Hyperliquid > More > API",
            "Remove, beside the API wallet, or approve a new one under the same name",
            "sign with the account's own wallet",
        ),
        source="df-hyperliquid-core 0.0.9: there is no revoke call; approving a name again replaces that agent",
    ),
)

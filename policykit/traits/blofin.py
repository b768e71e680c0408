"""BloFin: what its documents say, each fact with source and date."""

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

_DOCS: Final = "blofin/blofin-api-docs@032a81d index.md (read November 2026)"
_CCXT: Final = "ccxt 4.5.90 blofin.py"
_DAY_MS: Final = 86_400_000


def encode_id(identity: str) -> str:
    """Render our 26-character id: letters and digits only, `pk` in front; 28 of the 32 that are taken."""
    return f"pk{identity}"


_ID: Final = ClientOrderId(
    param="clientOrderId",
    pattern=r"[A-Za-z0-9]{1,32}",  # errors.md 152009 takes an underscore as well
    unique="open",  # 102002 "Duplicate customized order ID"; for how long an id stays taken is not said
    encode=encode_id,
)
ORDER: Final = Family(
    client_order_id=_ID,
    # 152405 "need to be within 60s"; how long to the engine and until look-ups show an order is not said: no fence.
    validity_default_ms=60_000,
    validity_max_ms=60_000,
    ahead_ms=60_000,
    cancel_all=CancelAll(
        "POST /api/v1/trade/cancel-batch-orders", "loop", most=20, source="errors.md 152006: up to 20 at once"
    ),
    source=_DOCS,
)
#: Take-profit and stop-loss orders, and trigger orders: lists and cancels of their own.
TPSL: Final = Family(
    client_order_id=_ID,
    validity_default_ms=60_000,
    validity_max_ms=60_000,
    cancel_all=CancelAll("POST /api/v1/trade/cancel-tpsl", "loop", source=_CCXT),
    source=_DOCS,
)
TRIGGER: Final = Family(
    client_order_id=_ID,
    validity_default_ms=60_000,
    validity_max_ms=60_000,
    cancel_all=CancelAll("POST /api/v1/trade/cancel-algo", "loop", source=_CCXT),
    source=_DOCS,
)
_SWAP: Final = {
    "order.create": "POST /api/v1/trade/order",
    "order.amend": "POST /api/v1/trade/amend-order",
    "order.cancel": "POST /api/v1/trade/cancel-order",
    "orders.cancel_all": "POST /api/v1/trade/cancel-batch-orders",
}
#: Spot came later; of its orders only ccxt's table of paths is known.
_SPOT: Final = {
    "order.create": "POST /api/v1/spot/trade/order",
    "order.cancel": "POST /api/v1/spot/trade/cancel-order",
}
_ORDERS: Final = dict.fromkeys((*_SWAP.values(), *_SPOT.values()), 1)
_RATE: Final = ErrorMeaning("RATE_LIMIT", "no", "too many requests; BloFin answers nothing for 5 minutes at least")
_CLOCK: Final = "set this host's clock"

EXCHANGE: Final = Exchange(
    id="blofin",
    products={
        "spot": Product(families={"order": ORDER}, position_key="base", calls=_SPOT),
        "swap": Product(
            families={"order": ORDER, "tpsl": TPSL, "trigger": TRIGGER}, position_key="symbol", calls=_SWAP
        ),
    },
    rate_windows=(
        RateWindow(
            "requests",
            500,
            60_000,
            "rolling",  # fixed or rolling is not said; rolling is the careful one
            "ip",
            source=f"{_DOCS} REST API Limits: over it, nothing for 5 minutes",
        ),
        RateWindow(
            "requests-5m",
            1_500,
            300_000,
            "rolling",
            "ip",
            source=f"{_DOCS} REST API Limits: over it, nothing for an hour",
        ),
        RateWindow("orders", 30, 10_000, "rolling", "account", source=f"{_DOCS} REST API Limits: trading, by user"),
    ),
    connects=RateWindow("connects", 1, 1_000, "rolling", "ip", source=f"{_DOCS}: one new connection a second"),
    costs={"orders": _ORDERS},
    # Codes of errors.md@1745d92 (to 15xxx), those of 1524xx by ccxt's table with the exchange's own words beside them.
    errors={
        "401": ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong; check the secret of this key"),
        "429": ErrorMeaning("RATE_LIMIT", "no", "too many requests; BloFin answers nothing for 5 minutes at least"),
        "http:429": ErrorMeaning(
            "RATE_LIMIT", "no", "too many requests; BloFin answers nothing for 5 minutes at least"
        ),
        # index.md "Network Firewall Restrictions": mostly excessive requests, five minutes; longer when malicious.
        "http:403": ErrorMeaning("BANNED", "no", "the firewall refuses this address; wait"),
        "500": ErrorMeaning("MAINTENANCE", "unknown", "the server has an internal error; wait"),
        "103013": ErrorMeaning("MAINTENANCE", "unknown", "the server has an internal error; wait"),
        "152013": ErrorMeaning("PERMISSION_MISSING", "no", "the key is bound to another broker; check its permission"),
        "152401": ErrorMeaning("KEY_REJECTED", "no", "no such key; check the key, and whether it is of this host"),
        "152402": ErrorMeaning("KEY_REJECTED", "no", "the key has expired; make a new one"),
        "152404": ErrorMeaning("PERMISSION_MISSING", "no", "the key lacks a permission; check its scopes"),
        "152405": ErrorMeaning("CLOCK", "no", f"the request was signed over 60 s away from now; {_CLOCK}"),
        "152406": ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "this address is not on the key's allowlist"),
        # ccxt's nonce is the millisecond: two requests of one key in one millisecond collide.
        "152407": ErrorMeaning("CLOCK", "no", "the nonce was used within 60 s; ask again"),
        "152408": ErrorMeaning("KEY_REJECTED", "no", "the passphrase is wrong; check the passphrase of this key"),
        "152409": ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong; check the secret of this key"),
        "152410": ErrorMeaning("CLOCK", "no", f"the request's time is no time; {_CLOCK}"),
        "152014": ErrorMeaning("BAD_SYMBOL", "unknown", "no such symbol"),
        "102002": ErrorMeaning("DUPLICATE_ID", "unknown", "the client order id was used before"),
        "102067": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order"),
        "102068": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "the order is filled, triggered, cancelled or unknown"),
        "103003": ErrorMeaning("ORDER_REJECTED", "unknown", "the account holds too little margin"),
    },
    ban_ms=300_000,
    transfer_separable=True,
    bundles=(("trade.spot", "trade.derivatives"),),
    sub_accounts=True,
    key_page="BloFin > Account > API Management > Edit",
    scope_labels={
        "read": "READ",
        "trade.spot": "TRADE",
        "trade.derivatives": "TRADE",
        "transfer": "TRANSFER",
        "ip_allowlist": "IP whitelist",
    },
    addresses_readable=True,
    key_expiries=(
        KeyExpiry(
            after_ms=90 * _DAY_MS,
            counts_from="creation",
            only_without_address=True,
            source=f"{_DOCS}: API Keys that are not bound to IPs will expire after 90 days",
        ),
    ),
    revocation=Revocation(
        steps=(
            "BloFin > Account > API Management",
            "Delete, beside the key",
            "confirm with the second factor",
        ),
        source="exchanges.json: no call ends a key; the steps are from memory",
    ),
    most_addresses=20,  # index.md: "Each API Key can be linked with up to 20 IP addresses"
)

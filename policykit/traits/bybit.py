"""Bybit (v5): what its documents say, each fact with source and date."""

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

_CANCELS: Final = "bybit-exchange.github.io/docs/v5/rate-limit (stored index file 54034437779, 2026-11-22), by UID"
_DOCS: Final = "bybit-exchange/docs@072c197d0 (2026-07-24) docs/v5"
_DAY_MS: Final = 86_400_000


def encode_id(identity: str) -> str:
    """Render our 26-character id: letters and digits only, `pk` in front."""
    return f"pk{identity}"


ORDER: Final = Family(
    client_order_id=ClientOrderId(
        param="orderLinkId",
        pattern=r"[A-Za-z0-9_-]{1,36}",
        unique="forever",  # order/create-order.mdx: 110072, 170141 "duplicate"; how long it is kept is not said
        encode=encode_id,
    ),
    validity_default_ms=5_000,  # guide.mdx "recv_window", default 5000
    # No fence. Not documented (guide.mdx@0032268a, open-order.mdx, create-order.mdx; read 2026-11-21): the longest
    # recv_window, the time to the matching engine ("successfully accepted" is all that an answer says; 170007 is a
    # time-out of the backend without its length), and the lag of look-ups.
    ahead_ms=1_000,  # guide.mdx: server_time - recv_window <= timestamp < server_time + 1000
    cancel_all=CancelAll(
        "POST /v5/order/cancel-all", "loop", most=500, source=f"{_DOCS}/order/cancel-all.mdx: 500, picked at random"
    ),
    source=_DOCS,
)
_PRODUCT: Final = {
    "order.create": "POST /v5/order/create",
    "order.amend": "POST /v5/order/amend",
    "order.cancel": "POST /v5/order/cancel",
    "orders.cancel_all": "POST /v5/order/cancel-all",
}

#: What the exchange answers to an order that it did not take (error.mdx@029bda0c; of spot, 170xxx, and 110094 as ccxt
#: 4.5.90 has them): an order that it took is told by its id, never by a code.
_REFUSED: Final = {
    "10001": "a parameter of the request is wrong",
    "110003": "the price is out of the permissible range",
    "110004": "the wallet has not enough",
    "110006": "the position's margin cannot be afforded",
    "110007": "the balance that is available is not enough",
    "110012": "the balance that is available is not enough",
    "110017": "a reduce-only order would not reduce",
    "110020": "too many orders are open",
    "110094": "the order is smaller than the market takes",
    "170121": "there is no such symbol",
    "170124": "the order is larger than the market takes",
    "170130": "a parameter of the request is wrong",
    "170131": "the balance is not enough",
    "170134": "the price has more decimals than the market takes",
    "170136": "the quantity is smaller than the market takes",
    "170137": "the quantity has more decimals than the market takes",
    "170140": "the order is smaller than the market takes",
    "170218": "a post-only order would have been filled at once",
}

EXCHANGE: Final = Exchange(
    id="bybit",
    products={
        "spot": Product(
            families={"order": ORDER},
            position_key="base",
            calls=_PRODUCT,
            polls={
                "orders": "GET /v5/order/realtime",
                "order": "GET /v5/order/realtime",
                "account": "GET /v5/account/wallet-balance",
                "prices": "GET /v5/market/tickers",
                "time": "GET /v5/market/time",
            },
        ),
        "swap": Product(
            families={"order": ORDER},
            position_key="symbol",
            calls=_PRODUCT,
            dead_man_switch=DeadManSwitch(
                call="POST /v5/order/disconnected-cancel-all",
                unit="s",
                scope="account",
                least_ms=3_000,
                most_ms=300_000,
                on="disconnect",  # it fires when the private stream breaks; institutional accounts only
                source=f"{_DOCS}/order/dcp.mdx",
            ),
        ),
    },
    rate_windows=(
        RateWindow(
            "requests",
            600,
            5_000,
            "rolling",
            "ip",
            source=f"{_DOCS}/rate-limit.mdx: 600 requests in 5 s by address; over it, 403 for 10 minutes",
        ),
        RateWindow("orders-spot", 20, 1_000, "rolling", "account", source=f"{_DOCS}/rate-limit.mdx"),
        RateWindow("orders-linear", 10, 1_000, "rolling", "account", source=f"{_DOCS}/rate-limit.mdx"),
    ),
    connects=RateWindow(
        "connects",
        500,
        300_000,
        "rolling",
        "ip",
        source="bybit-exchange.github.io/docs/v5/rate-limit: 500 connections in 5 minutes by address (read 2026-11)",
    ),
    cancel_rates=(
        CancelRate(("POST /v5/order/cancel",), 20, 1_000, kind="spot", source=_CANCELS),
        CancelRate(("POST /v5/order/cancel",), 10, 1_000, kind="contract", source=_CANCELS),
        CancelRate(("POST /v5/order/cancel-batch",), 20, 1_000, "orders", kind="spot", source=_CANCELS),
        CancelRate(("POST /v5/order/cancel-batch",), 10, 1_000, "orders", kind="contract", source=_CANCELS),
        CancelRate(("POST /v5/order/cancel-all",), 20, 1_000, kind="spot", source=_CANCELS),
        CancelRate(("POST /v5/order/cancel-all",), 10, 1_000, kind="contract", source=_CANCELS),
        CancelRate(("GET /v5/order/realtime",), 50, 1_000, source=_CANCELS),
    ),
    costs={
        "orders-spot": {"POST /v5/order/create": 1},
        "orders-linear": {"POST /v5/order/create": 1},
    },
    errors={
        "10002": ErrorMeaning("CLOCK", "no", "the request was signed outside its window; set this host's clock"),
        "10003": ErrorMeaning("KEY_REJECTED", "no", "no such key; check the key, and whether it is of this host"),
        "10004": ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong; check the secret of this key"),
        "10005": ErrorMeaning("PERMISSION_MISSING", "no", "the key lacks a permission; check its scopes"),
        "10006": ErrorMeaning("RATE_LIMIT", "no", "too many requests of this account; wait"),
        "10007": ErrorMeaning("KEY_REJECTED", "no", "the user could not be told; check the key"),
        "10009": ErrorMeaning("BANNED", "no", "this address is banned; wait"),
        "10010": ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "this address is not on the key's allowlist"),
        "10016": ErrorMeaning("MAINTENANCE", "unknown", "the server has an internal error; wait"),
        "10018": ErrorMeaning("RATE_LIMIT", "no", "too many requests from this address; wait"),
        "33004": ErrorMeaning("KEY_REJECTED", "no", "the key has expired; make a new one"),
        **{code: ErrorMeaning("ORDER_REJECTED", "no", words) for code, words in _REFUSED.items()},
        "170213": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order"),
        "110001": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order"),
        "110072": ErrorMeaning("DUPLICATE_ID", "unknown", "the client order id was used before"),
        "170141": ErrorMeaning("DUPLICATE_ID", "unknown", "the client order id was used before"),
        # rate-limit.mdx: "403, access too frequent", for 10 minutes; also what a refused country is answered.
        "http:403": ErrorMeaning("BANNED", "no", "this address is refused: too many requests, or its country; wait"),
    },
    ban_ms=600_000,
    transfer_separable=True,
    bundles=(("trade.spot", "trade.margin"),),  # margin orders of a unified account are spot orders with isLeverage
    sub_accounts=True,
    key_page="Bybit > Account & Security > API Management > Edit",
    scope_labels={
        # One of two: readOnly 0 is "Read and Write", 1 "Read only" (user/create-subuid-apikey, read 2026-11-21).
        "read": "Read-Write where it trades, else Read-Only",
        "trade.spot": "Unified Trading > Spot > Trade",
        "trade.margin": "Unified Trading > Spot > Trade",
        "trade.derivatives": "Unified Trading > Contract > Orders and Positions",
        "trade.options": "Unified Trading > USDC Options > Trade",
        "trade.other": "Exchange, Earn, P2P, Copy Trading",
        "transfer": "Assets > Wallet > Account Transfer and Subaccount Transfer",
        "withdraw": "Assets > Wallet > Withdrawal",
        "ip_allowlist": "Only IPs with permissions granted are allowed to access the OpenAPI",
    },
    addresses_readable=True,
    key_expiries=(
        KeyExpiry(
            after_ms=90 * _DAY_MS,
            counts_from="creation",
            only_without_address=True,
            source=f"{_DOCS}/user/create-subuid-apikey.mdx: a key without a bound address is invalid after 90 days",
        ),
    ),
    aftermath=Aftermath(
        freeze="POST /v5/user/frozen-sub-member",
        source="bybit-exchange/docs@072c197d0 (2026-07-24) docs/v5/user/froz-subuid.mdx",
    ),
    revocation=Revocation(
        own="POST /v5/user/delete-api",
        own_needs=("transfer", "withdraw"),  # user/rm-master-apikey.mdx: any of the wallet permissions
        by_master="POST /v5/user/delete-sub-api",
        master_needs=(
            "transfer",
            "withdraw",
        ),  # user/rm-sub-apikey.mdx: Account Transfer, Sub Member Transfer, Withdrawal
        makes="POST /v5/user/create-sub-api",
        steps=(
            "Bybit > Account & Security > API Management",
            "Delete, beside the key",
            "confirm with the second factor",
        ),
        source=f"{_DOCS}/user/rm-master-apikey.mdx",
    ),
)

"""Binance: what its documents and its client library say, each fact with source and date.

`swap` are its USD-M contracts; those of COIN-M are alike but for the host (binancecoinm.py). Both have hosts and
windows of their own: `rate_windows` are spot's, those of USD-M stand with its product.
Options are unknown to this version: no fence, so no re-send.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from policykit.traits.base import (
    Aftermath,
    CancelAll,
    ClientOrderId,
    Exchange,
    Family,
    Product,
    RateWindow,
    Revocation,
    SymbolAllowlist,
)
from policykit.traits.binance_costs import COSTS, WEIGHTS
from policykit.traits.binance_errors import ERRORS, TEXTS
from policykit.traits.binance_futures import ORDER_ID, WINDOWS, encode_id, families, switch

_REST: Final = "github.com/binance/binance-spot-api-docs rest-api.md (a5e0bc3, read 2026-11)"
_WS: Final = "github.com/binance/binance-spot-api-docs web-socket-api.md (a5e0bc3, read 2026-11)"

#: Orders that one call places: what the ORDERS allowance counts (rest-api.md, "Unfilled Order Count").
ORDERS_PLACED: Final[dict[str, int]] = {
    "POST /api/v3/order": 1,
    "POST /api/v3/order/cancelReplace": 1,
    "POST /api/v3/sor/order": 1,
    "POST /api/v3/order/oco": 2,
    "POST /api/v3/orderList/oco": 2,
    "POST /api/v3/orderList/oto": 2,
    "POST /api/v3/orderList/opo": 2,
    "POST /api/v3/orderList/otoco": 3,
    "POST /api/v3/orderList/opoco": 3,
}


#: The range that Binance's own -1100 names ("legal range is '^[a-zA-Z0-9-_]{1,36}$'") is narrower on some servers; ours
#: uses only letters and digits. errors.md: -2010 "Duplicate order sent." only while the earlier order is open.
CLIENT_ORDER_ID: Final = ORDER_ID

ORDER: Final = Family(
    client_order_id=CLIENT_ORDER_ID,
    validity_default_ms=5_000,  # rest-api.md "Timing security": recvWindow defaults to 5000
    validity_max_ms=60_000,  # ibid.: cannot be greater than 60000
    ahead_ms=1_000,  # ibid.: timestamp < serverTime + 1 s
    processing_ms=10_000,  # "General Information": a request times out after 10 s at the matching engine (-1007)
    # Not documented ("some delay in the response is normal and expected", "Data Sources"): an assumed bound.
    visibility_lag_ms=2_000,
    assumed=frozenset(("visibility_lag_ms",)),
    # "Cancels all active orders on a symbol. This includes orders that are part of an order list."
    cancel_all=CancelAll("DELETE /api/v3/openOrders", "symbol", source=_REST),
    source=_REST,
)
#: OCO, OTO, OTOCO, OPO, OPOCO: their legs are orders in the same engine, with ids of their own, and in its open orders.
ORDER_LIST: Final = replace(
    ORDER,
    client_order_id=ClientOrderId(
        param="listClientOrderId",
        pattern=r"[a-zA-Z0-9_-]{1,36}",  # the length is not documented; from memory, the narrowest
        unique="open",  # rest-api.md: "accepted only when the previous one is filled or completely expired"
        encode=encode_id,
    ),
)
#: The same orders over the websocket: `order.place`, timing security and ids as over REST.
WS_API: Final = replace(ORDER, cancel_all=CancelAll("openOrders.cancelAll", "symbol", source=_WS), source=_WS)
#: Where a person ends a key. No call of the wallet SDK (13.3.0) ends a key of the main account.
REVOCATION: Final = Revocation(
    by_master="DELETE /sapi/v1/sub-account/subAccountApi",
    steps=(
        "Binance > Profile > API Management",
        "Delete, beside the key",
        "confirm with the second factor",
    ),
    account_is="the sub-account's e-mail",
    makes="POST /sapi/v1/sub-account/subAccountApi",
    notes=("not for asset management sub-accounts", "the caller's address must be allowed", "weight 3000"),
    source="binance/binance-connector-python@29da3291 (2026-08-21) clients/sub_account; developers.binance.com "
    "legacy-docs/sub_account/api-management/Delete-Sub-account-API-Key (2026-11)",
)
AFTERMATH: Final = Aftermath(
    freeze_steps=("Binance > Profile > Security", "Disable account", "Disable this account; support reopens it"),
    source="binance.com/support/faq/115003800652 (2018-01-05): how to disable an account",
)

EXCHANGE: Final = Exchange(
    id="binance",
    products={
        "spot": Product(
            families={"order": ORDER, "list": ORDER_LIST, "ws-api": WS_API},
            position_key="base",
            auto_borrow=False,  # POST /api/v3/order has no borrowing; sideEffectType is of /sapi/v1/margin/order only
            calls={
                "order.create": "POST /api/v3/order",
                "order.amend": "POST /api/v3/order/cancelReplace",
                "order.cancel": "DELETE /api/v3/order",
                "orders.cancel_all": "DELETE /api/v3/openOrders",
            },
            polls={
                "orders": "GET /api/v3/openOrders",
                "order": "GET /api/v3/order",
                "account": "GET /api/v3/account",
                "prices": "GET /api/v3/ticker/bookTicker",
                "time": "GET /api/v3/time",
            },
            # exchangeInfo, filter NOTIONAL `minNotional`: the lowest of its USDT markets (others ask for 10).
            # Markets of another quote are unknown here. Not re-read from the exchange itself: lint only says of a
            # cap below it that nothing can be bought, so the lowest figure is the careful one.
            min_notional={"USDT": Decimal(5)},
        ),
        # No calls and polls: they count against windows that are not here.
        "swap": Product(
            families=families("fapi"), position_key="symbol", dead_man_switch=switch("fapi"), rate_windows=WINDOWS
        ),
    },
    rate_windows=(
        RateWindow(
            name="request-weight",
            limit=6_000,
            per_ms=60_000,
            window="fixed",  # web-socket-api "rate-limits": a 1 MINUTE interval starts every minute
            scope="ip",
            header="X-MBX-USED-WEIGHT-1M",
            source=f"{_REST}, exchangeInfo",
        ),
        RateWindow(
            name="orders",
            limit=50,  # the documented example; exchangeInfo of the account may publish more, a snapshot reads it
            per_ms=10_000,
            window="fixed",
            scope="account",
            header="X-MBX-ORDER-COUNT-10S",
            source=f"{_REST}, GET /api/v3/rateLimit/order",
        ),
        RateWindow(
            name="orders-day",
            limit=160_000,
            per_ms=86_400_000,
            window="fixed",
            scope="account",
            header="X-MBX-ORDER-COUNT-1D",
            source=f"{_REST}, GET /api/v3/rateLimit/order",
        ),
    ),
    connects=RateWindow(
        "connects",
        300,
        300_000,
        "rolling",  # fixed or rolling is not said; rolling is the careful one
        "ip",
        source="binance-spot-api-docs web-socket-streams.md: 300 connections every 5 minutes by address (read 2026-11)",
    ),
    # A bot on both hosts counts in one budget, each call with its own weight: a limit for USD-M is at most 2,400.
    costs={
        "request-weight": WEIGHTS | COSTS["fapi"] | COSTS["dapi"],
        "orders": ORDERS_PLACED,
        "orders-day": ORDERS_PLACED,
    },
    default_cost=1,
    errors=ERRORS,
    error_texts=TEXTS,
    ban_ms=120_000,  # rest-api.md "IP Limits": from 2 minutes to 3 days
    transfer_separable=True,  # apiRestrictions has enableInternalTransfer and permitsUniversalTransfer of their own
    sub_accounts=True,  # wallet SDK, /sapi/v1/sub-account/*: keys of sub-accounts, made by the main account
    symbol_allowlist=SymbolAllowlist(
        scopes=("trade.spot", "trade.margin"),
        sub_accounts_only=True,
        most=30,
        source="binance.com/en/support/faq/96dde1d806a44a67924f322f4f8092f6 (Enable Symbol Whitelist, read 2026-11)",
    ),
    key_page="Binance > Profile > API Management > Edit restrictions",
    scope_labels={
        "read": "Enable Reading",
        "trade.spot": "Enable Spot & Margin Trading",
        "trade.margin": "Enable Margin Loan, Repay & Transfer",
        "trade.derivatives": "Enable Futures",
        "trade.options": "Enable European Options",
        "trade.other": "Enable Portfolio Margin Trading",
        "transfer": "Permits Universal Transfer / Enable Internal Transfer",
        "withdraw": "Enable Withdrawals",
        "ip_allowlist": "Restrict access to trusted IPs only",
    },
    addresses_readable=False,  # apiRestrictions has only the boolean ipRestrict
    # The trade authority of keys without an address ended after 30 days (announcement cda0a4b5, 2021-07-08), 90 in 2022
    # (freqtrade#6783); since 2026 such keys "will be deleted", no span named (freqtrade#13089, 2026-04-25). No span is
    # sure, and the key report tells when the authority ends.
    key_expiries=(),
    revocation=REVOCATION,
    aftermath=AFTERMATH,
)

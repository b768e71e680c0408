"""Kraken (spot): what its documents say, each fact with source and date.

Futures are another exchange here (`krakenfutures`), with keys of their own.
"""

from __future__ import annotations

from typing import Final

from policykit.traits._ids import number_of
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
_DOCS: Final = "docs.kraken.com/api/docs (2026-06)"
_ERRORS: Final = "docs.kraken.com/exchange/guides/general/errors (2026-11)"


def encode_id(identity: str) -> str:
    """Render our id as a long UUID: 32 hex digits with four dashes, all 128 bits of it."""
    digits = f"{number_of(identity):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


ORDER: Final = Family(
    client_order_id=ClientOrderId(
        # add-order: long UUID, short UUID, or free text of up to 18 characters: too short for our id.
        param="cl_ord_id",
        pattern=r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        unique="open",  # ibid.: "uniquely identifies an open order for each client"
        encode=encode_id,
    ),
    # add-order: `deadline`, 500 ms to 60 s from now, 5 s when it is not given; the engine matches no order after it.
    validity_default_ms=5_000,
    validity_max_ms=60_000,
    # The engine itself holds the deadline ("will prevent this order from matching after this time"; spot-websocket-v2
    # batch_add, unified-ws batch_add, read 2026-11-21). The lag of look-ups is not documented: no fence.
    processing_ms=0,
    cancel_all=CancelAll("POST /0/private/CancelAll", "account", source=f"{_DOCS}/rest-api/cancel-all-orders"),
    source=f"{_DOCS}/rest-api/add-order",
)
_READS: Final = (
    "Balance BalanceEx TradeBalance OpenOrders QueryOrders QueryTrades OpenPositions QueryLedgers TradeVolume "
    "GetApiKeyInfo WithdrawAddresses WithdrawMethods WithdrawStatus DepositStatus CancelAll CancelAllOrdersAfter"
)
_OTHERS: Final = "Ledgers TradesHistory AddOrder AmendOrder EditOrder CancelOrder AddOrderBatch CancelOrderBatch"

EXCHANGE: Final = Exchange(
    id="kraken",
    products={
        "spot": Product(
            families={"order": ORDER},
            position_key="base",
            auto_borrow=False,  # add-order: margin only with `leverage`
            calls={
                "order.create": "POST /0/private/AddOrder",
                "order.amend": "POST /0/private/AmendOrder",
                "order.cancel": "POST /0/private/CancelOrder",
                "orders.cancel_all": "POST /0/private/CancelAll",
            },
            dead_man_switch=DeadManSwitch(
                call="POST /0/private/CancelAllOrdersAfter",
                unit="s",
                scope="account",
                most_ms=86_400_000,  # api-evangelist/kraken's schema: 86400; the page itself names no bound
                off=0,
                rearm_after_fired=True,  # "the timer remains disabled until the client provides a new timeout"
                source="docs.kraken.com/api-reference/trading/cancel-all-orders-after-x (2026-11): "
                "every 15 to 30 s with 60 s",
            ),
        ),
    },
    rate_windows=(
        # guides/spot-rest-ratelimits: a counter a key, at most 15, that falls by 0.33 a second (Starter, the smallest
        # tier; 20 and 0.5 or 1 above): what fits into 45 s from empty to full.
        RateWindow("calls", 15, 45_000, "rolling", "key", source=f"{_DOCS}/guides/spot-rest-ratelimits: Starter"),
        RateWindow("public", 1, 1_000, "rolling", "ip", source="from memory: about one public call a second"),
    ),
    costs={
        # ibid.: ledgers and trade history 2, others 1, AddOrder and CancelOrder none (the matching engine's limiter).
        "calls": {
            **{f"POST /0/private/{name}": 1 for name in _READS.split()},
            "POST /0/private/Ledgers": 2,
            "POST /0/private/TradesHistory": 2,
        },
        # Private calls count in their key's counter only.
        "public": {f"POST /0/private/{name}": 0 for name in f"{_READS} {_OTHERS}".split()},
    },
    errors={
        "EAPI:Invalid key": ErrorMeaning(
            "KEY_REJECTED", "no", "there is no such key, it has expired, or this address is not on its allowlist"
        ),
        "EAPI:Invalid signature": ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong; check the key's secret"),
        "EAPI:Invalid nonce": ErrorMeaning(
            "CLOCK",
            "no",
            "the request's number is not above the key's last one: another program uses this key, or this host's clock "
            "went back; give each program a key of its own",
        ),
        "EGeneral:Permission denied": ErrorMeaning(
            "PERMISSION_MISSING", "no", "the key lacks a permission; check its scopes and addresses"
        ),
        "EAPI:Rate limit exceeded": ErrorMeaning("RATE_LIMIT", "no", "too many requests of this key; wait"),
        "EGeneral:Too many requests": ErrorMeaning("RATE_LIMIT", "no", "too many requests from this address; wait"),
        "EOrder:Rate limit exceeded": ErrorMeaning("RATE_LIMIT", "no", "too many orders on this pair; wait"),
        "EService:Throttled": ErrorMeaning("RATE_LIMIT", "no", "too many requests at the same time; wait"),
        "EService: Throttled": ErrorMeaning("RATE_LIMIT", "no", "too many requests at the same time; wait"),
        "EGeneral:Temporary lockout": ErrorMeaning(
            "BANNED", "no", "the account is locked for some minutes after too many wrong keys; wait, do not try again"
        ),
        "EService:Unavailable": ErrorMeaning("MAINTENANCE", "unknown", "the service is not available; wait"),
        "EService:Busy": ErrorMeaning("MAINTENANCE", "unknown", "the service is busy; wait"),
        "EGeneral:Internal error": ErrorMeaning("MAINTENANCE", "unknown", "the server has an internal error; wait"),
        "EService:Market in cancel_only mode": ErrorMeaning("MAINTENANCE", "unknown", "orders are only cancelled now"),
        "EService:Market in post_only mode": ErrorMeaning("MAINTENANCE", "unknown", "orders may only rest now"),
        "EOrder:Unknown order": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order"),
        "EQuery:Unknown asset pair": ErrorMeaning("BAD_SYMBOL", "unknown", "no such pair"),
    },
    ban_ms=900_000,  # from memory: 15 minutes; _ERRORS says "typically a few minutes"
    # wallet-transfer asks for "Funds permissions - Query" only, account-transfer for Withdraw: none of its own.
    bundles=(("trade.spot", "trade.margin"),),  # "Create & modify orders" takes a leverage
    transfer_separable=False,
    sub_accounts=True,  # create-subaccount: institutional clients
    key_page="Kraken > Settings > API > Edit",
    scope_labels={
        # get-api-key-info, table of permissions (2026-05-27)
        "read": "Funds permissions - Query; Orders and trades - Query open orders & trades, Query closed orders & "
        "trades",
        "trade.spot": "Orders and trades - Create & modify orders, Cancel & close orders",
        "trade.margin": "Orders and trades - Create & modify orders, Cancel & close orders",
        "trade.other": "Funds permissions - Earn",
        "transfer": "Funds permissions - Withdraw",
        "withdraw": "Funds permissions - Withdraw",
        "ip_allowlist": "IP address restriction",  # from memory
    },
    addresses_readable=True,
    revocation=Revocation(
        steps=("Kraken > Settings > API", "Delete, beside the key", "confirm with the second factor"),
        source="from memory; the API has no call for an ordinary key",
    ),
)

"""Bitget: what its documents say, each fact with source and date.

Sources: the pages of bitget.com/api-doc as kept in rosssaunders/coincise docs/bitget (commits named, read 2026-11-21)
and its "UTA API - Account" (stored index file 55377609951, read 2026-11-21); what each call of a unified account asks
for, as UnipayFI/go-bitget transcribes it (stored index files 56739078592, 56754636766, 56855111576, read 2026-11-21);
words of error codes in ccxt 4.5.90 bitget.py and coincise@030a0d69a docs/bitget/error_codes.md.
"""

from __future__ import annotations

from typing import Final

from policykit.traits.base import (
    CancelAll,
    CancelRate,
    ClientOrderId,
    DeadManSwitch,
    ErrorMeaning,
    Exchange,
    Family,
    Product,
    RateWindow,
    Revocation,
)

_CANCELS: Final = "bitget.com/api-doc/uta/trade (stored index file 55484219347, read 2026-11-22), by UID"
_START: Final = "coincise@c836b4969 docs/bitget/common/quick-start.md (2026-11-21)"
_ORDER: Final = "coincise@030a0d69a docs/bitget post_api_v2_spot_trade_place_order.md (2026-11-21)"


def encode_id(identity: str) -> str:
    """Render our 26-character id: letters and digits only, `pk` in front."""
    return f"pk{identity}"


_OID: Final = ClientOrderId(
    param="clientOid",
    pattern=r"[A-Za-z0-9_.:/-]{1,32}",  # from memory of the unified account's page; 40305 allows 50 (ccxt 4.5.90)
    unique="open",  # Bitget.Net@ed0db8f reads 40786, 43118, 45034, 50060, 25212 as duplicates; how long is not said
    encode=encode_id,
)
ORDER: Final = Family(
    client_order_id=_OID,
    # receiveWindow bounds an order when it is given; none is the default. 40079: "must be less than 60s". The time to
    # the matching engine and the lag of look-ups are not documented: no fence.
    validity_max_ms=59_999,
    cancel_all=CancelAll("POST /api/v3/trade/cancel-symbol-order", "symbol", source="ccxt 4.5.90 bitget.py"),
    source=_ORDER,
)
PLAN: Final = Family(
    client_order_id=_OID,
    source="ccxt 4.5.90 bitget.py: orders-plan-pending, current-plan-order, unfilled-strategy-orders",
)
SWITCH: Final = DeadManSwitch(
    call="POST /api/v3/trade/countdown-cancel-all",  # unified accounts only
    unit="s",
    scope="account",
    least_ms=5_000,
    most_ms=60_000,
    off=0,
    source="tiagosiebler/bitget-api@e4224c3 types: countdown 5 to 60, 0 switches it off",
)

_BUSY: Final = "the system has an error; wait"
_USED: Final = ErrorMeaning("DUPLICATE_ID", "unknown", "the client order id was used before")
_GONE: Final = ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order")
ERRORS: Final[dict[str, ErrorMeaning]] = {
    "429": ErrorMeaning("RATE_LIMIT", "no", "too many requests; wait"),
    "40001": ErrorMeaning("KEY_REJECTED", "no", "the request had no key"),
    "40002": ErrorMeaning("KEY_REJECTED", "no", "the request had no signature"),
    "40003": ErrorMeaning("KEY_REJECTED", "no", "the request had no signature"),
    "40004": ErrorMeaning("CLOCK", "no", "the request's time has expired; set this host's clock"),
    "40005": ErrorMeaning("CLOCK", "no", "the request's time cannot be read; set this host's clock"),
    "40006": ErrorMeaning("KEY_REJECTED", "no", "no such key; check the key"),
    "40008": ErrorMeaning("CLOCK", "no", "the request's time has expired; set this host's clock"),
    "40009": ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong; check the secret of this key"),
    "40010": ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong; check the secret of this key"),
    "40011": ErrorMeaning("KEY_REJECTED", "no", "the request had no passphrase"),
    "40012": ErrorMeaning("KEY_REJECTED", "no", "key or passphrase is wrong; check both"),
    "40013": ErrorMeaning("KEY_REJECTED", "no", "the account's status is abnormal; ask the exchange"),
    "40014": ErrorMeaning("PERMISSION_MISSING", "no", "the key lacks a permission; check its scopes"),
    "40015": ErrorMeaning("MAINTENANCE", "unknown", _BUSY),
    "40018": ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "this address is not on the key's allowlist"),
    "40031": ErrorMeaning("KEY_REJECTED", "no", "the account was cancelled"),
    "40037": ErrorMeaning("KEY_REJECTED", "no", "no such key; check the key"),
    "40041": ErrorMeaning("KEY_REJECTED", "no", "no such key; check the key"),
    "40078": ErrorMeaning("CLOCK", "no", "the request came after its receiveWindow; set this host's clock"),
    "40079": ErrorMeaning("ORDER_REJECTED", "no", "receiveWindow has to be less than 60 s"),
    "40084": ErrorMeaning("NOT_SUPPORTED", "no", "this is a classic account, which has no unified one"),
    "25245": ErrorMeaning("NOT_SUPPORTED", "no", "this is a classic account, which has no unified one"),
    "40085": ErrorMeaning("NOT_SUPPORTED", "no", "this is a unified account, which has no classic one"),
    "40099": ErrorMeaning("KEY_REJECTED", "no", "the key is of another environment (demo or live)"),
    "40103": ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "the service refuses the place this address is in"),
    "40104": ErrorMeaning("ADDRESS_NOT_ALLOWED", "unknown", "the service refuses the place this address is in"),
    "40200": ErrorMeaning("MAINTENANCE", "unknown", "the server is being upgraded; wait"),
    "40308": ErrorMeaning("MAINTENANCE", "unknown", "the contract is under maintenance; wait"),
    "40604": ErrorMeaning("MAINTENANCE", "unknown", "the server is busy; wait"),
    "40786": _USED,
    "43118": _USED,
    "45034": _USED,
    "50060": _USED,
    "25212": _USED,
    "22001": _GONE,
    "40109": _GONE,
    "40768": _GONE,
    "43001": _GONE,  # ccxt 4.5.90 bitget.py, exceptions
}
_CALLS: Final = {
    "order.create": "POST /api/v3/trade/place-order",
    "order.cancel": "POST /api/v3/trade/cancel-order",
    "orders.cancel_all": "POST /api/v3/trade/cancel-symbol-order",
}
_POLLS: Final = {
    "orders": "GET /api/v3/trade/unfilled-orders",
    "account": "GET /api/v3/account/assets",
    "time": "GET /api/v2/public/time",
}

EXCHANGE: Final = Exchange(
    id="bitget",
    products={
        "spot": Product(
            families={"order": ORDER, "plan": PLAN},
            position_key="base",
            calls=_CALLS,
            polls=_POLLS,
            dead_man_switch=SWITCH,
        ),
        "swap": Product(
            families={"order": ORDER, "plan": PLAN},
            position_key="symbol",
            calls=_CALLS,
            polls={**_POLLS, "account": "GET /api/v3/position/current-position"},
            dead_man_switch=SWITCH,
        ),
    },
    rate_windows=(
        RateWindow(
            "requests",
            6_000,
            60_000,
            "rolling",  # fixed or rolling is not said; rolling is the one that is never too many
            "ip",
            source=f"{_START}: the overall rate limit is 6000/IP/Min; each endpoint has its own by UID besides",
        ),
        RateWindow("orders", 10, 1_000, "rolling", "account", source=f"{_ORDER}: 10 requests/second/UID"),
        # The slowest reads: 1 a second for each UID (account info of a classic account, the withdrawal addresses).
        RateWindow(
            "slow-reads",
            1,
            1_000,
            "rolling",
            "account",
            source="coincise@9805e8374 docs/bitget/spot/account_Get-Account-Info.md (2026-11-21)",
        ),
    ),
    cancel_rates=(
        CancelRate(("POST /api/v3/trade/cancel-order",), 10, 1_000, source=_CANCELS),
        CancelRate(("POST /api/v3/trade/cancel-batch",), 5, 1_000, source=_CANCELS),
        CancelRate(("POST /api/v3/trade/cancel-symbol-order",), 5, 1_000, source=_CANCELS),
        CancelRate(("GET /api/v3/trade/unfilled-orders",), 20, 1_000, source=_CANCELS),
    ),
    costs={
        "orders": {"POST /api/v3/trade/place-order": 1, "POST /api/v2/spot/trade/place-order": 1},
        "slow-reads": {"GET /api/v2/spot/account/info": 1, "GET /api/v3/account/withdraw-address": 1},
    },
    errors=ERRORS,
    bundles=(("trade.spot", "trade.margin", "trade.derivatives"),),  # unified: uta_trade; a classic key has one each
    transfer_separable=True,  # classic: wtow; unified: management (uta_mgt) transfers, trading (uta_trade) does not
    sub_accounts=True,
    key_page="Bitget > Profile > API Keys > Edit",
    scope_labels={
        "read": "Read-only",
        "trade.spot": "Trade (unified account trading; classic: Spot trade)",
        "trade.margin": "Trade (unified account trading; classic: Margin trade)",
        "trade.derivatives": "Trade (unified account trading; classic: Futures orders and holdings)",
        "trade.other": "Copy trading, P2P, Pledge loan",
        "transfer": "Transfer (unified account management; classic: Wallet transfer)",
        "withdraw": "Withdraw",
        "key_admin": "Unified account management; classic: Subaccount manage",
        "ip_allowlist": "IP address",
    },
    addresses_readable=True,
    # "You can only withdraw coins through an whitelisted IP address" (quick start). No rule by which keys end is known.
    revocation=Revocation(
        own="",  # no call by which a key ends itself
        by_master="POST /api/v3/user/delete-sub-api",
        makes="POST /api/v3/user/create-sub-api",
        steps=("Bitget > Profile > API Keys", "Delete, beside the key", "confirm with the second factor"),
        source="ccxt 4.5.90 bitget.py; stored index file 29574951534 (create-sub-api: main account only)",
    ),
    most_addresses=30,  # coincise@6ca2dec27 vsubaccount_Create-Virtual-Subaccount-ApiKey.md: up to 30, IPv4 only
)

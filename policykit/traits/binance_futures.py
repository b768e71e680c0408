"""What Binance's futures have in common, USD-M (fapi) and COIN-M (dapi): each fact with source and date.

A plain order of USD-M has a fence: since 2023-04-18 the matching engine itself holds recvWindow (change-log 2023-04-17;
error-code -5028), so what it lets in later than that it refuses. Only the lag of look-ups is in no document: assumed.
No other family has one (general-info, error-code, change-log, websocket-api-general-info, New-Algo-Order, Query-Order,
as kept 2026-05-28, read 2026-11-21):
- algo: its endpoint is not among those whose orders the engine checks, and 408, -1007 and 503 do not say after how long
  the backend gives up. One was acknowledged and then not found "for a very long time", while it was open
  (freqtrade#12681, 2026-01-02: 3 s, 40 s and later): no lag that is a bound is known.
- ws-api: `order.place` is not among those endpoints either.
- COIN-M: the same check is announced there with its release date "TBD" (-4188).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal

from policykit.traits.base import (
    CancelAll,
    ClientOrderId,
    DeadManSwitch,
    ErrorMeaning,
    Exchange,
    Family,
    Product,
    RateWindow,
)
from policykit.traits.binance_costs import COSTS
from policykit.traits.binance_errors import CODES, MALFORMED, UNPROVEN

#: Which futures: USD-M, COIN-M.
Api = Literal["fapi", "dapi"]
_PAGES: Final[Mapping[str, str]] = {"fapi": "usds-margined-futures", "dapi": "coin-margined-futures"}
_DOCS: Final = "developers.binance.com/docs/derivatives"
#: Rate limits on Binance Futures: 2,400 a minute by address, 1,200 orders a minute and 300 in 10 s by account.
_FAQ: Final = "binance.com/en/support/faq/rate-limits-on-binance-futures-281596e222414cdd9051664ea621cdc3 (2023-08-04)"
_RETENTION_MS: Final = 3 * 86_400_000


def encode_id(identity: str) -> str:
    """Render our 26-character id: `pk` in front, so that our orders are told from a person's."""
    return f"pk{identity}"


#: Of orders on spot and futures alike. New-Order (read 2026-11): "A unique id among open orders", this range.
ORDER_ID: Final = ClientOrderId(
    param="newClientOrderId", pattern=r"[.A-Z:/a-z0-9_-]{1,36}", unique="open", encode=encode_id
)


def _source(api: Api, page: str) -> str:
    return f"{_DOCS}/{_PAGES[api]}/{page} (as kept 2026-06-26, read 2026-11)"


def families(api: Api) -> dict[str, Family]:
    """Return the order families; conditional orders are in the algo service only since 2025-12-09 (-4120)."""
    order = Family(
        # Query-Order: a cancelled or expired order without a fill is not found 3 days after it was made.
        client_order_id=replace(ORDER_ID, retention_ms=_RETENTION_MS),
        validity_default_ms=5_000,  # general-info "Timing security": recvWindow defaults to 5000
        ahead_ms=1_000,  # ibid.: timestamp < serverTime + 1000
        cancel_all=CancelAll(
            f"DELETE /{api}/v1/allOpenOrders", "symbol", source=_source(api, "trade/rest-api/Cancel-All-Open-Orders")
        ),
        source=_source(api, "general-info"),
    )
    algo = replace(
        order,
        client_order_id=replace(ORDER_ID, param="clientAlgoId"),  # New-Algo-Order: unique among open orders, same range
        cancel_all=CancelAll(
            f"DELETE /{api}/v1/algoOpenOrders",
            "symbol",
            source=_source(api, "trade/rest-api/Cancel-All-Algo-Open-Orders"),
        ),
        source=_source(api, "trade/rest-api/New-Algo-Order"),
    )
    # The websocket has order.place and algoOrder.place, and no call that cancels all.
    return {
        "order": _fenced(order) if api == "fapi" else order,
        "algo": algo,
        "ws-api": replace(order, cancel_all=None, source=_source(api, "websocket-api-general-info")),
    }


def _fenced(order: Family) -> Family:
    """Return the plain orders of USD-M with their fence.

    change-log 2023-04-17, released 2023-04-18: "the order placing requests are valid if recvWindow + timestamp =>
    matching engine timestamp", of POST and PUT order and batchOrders.
    """
    return replace(
        order,
        validity_max_ms=60_000,  # the rule is for any recvWindow; no longer one than spot's most is relied on
        # The rule leaves nothing to wait for. Assumed all the same: that what passed the check is booked 1 s later; in
        # simulation 50 ms of it against a fence without this second doubled 5 of 232,554 orders.
        processing_ms=1_000,
        # Not documented; five times what is assumed of spot, where an order was not found after 2 s (freqtrade#3116,
        # 2020-03-29). The *history* of USD-M lacked new orders for hours once (Binance.Net#592, 2021-02-11).
        visibility_lag_ms=10_000,
        assumed=frozenset(("processing_ms", "visibility_lag_ms")),
    )


def switch(api: Api) -> DeadManSwitch:
    """Return the countdown of one symbol. Whether algo orders go with it is not documented: suppose that they stay."""
    return DeadManSwitch(
        call=f"POST /{api}/v1/countdownCancelAll",
        unit="ms",
        scope="symbol",
        off=0,  # "0 to cancel the timer"; neither the least nor the most is documented (example: 120000 every 30 s)
        source=_source(api, "trade/rest-api/Auto-Cancel-All-Open-Orders"),
    )


def _refused(words: str) -> ErrorMeaning:
    return ErrorMeaning("ORDER_REJECTED", "no", words)


_LATE: Final = ErrorMeaning("CLOCK", "no", "the order reached the matching engine after its validity; send it anew")
#: general-info, "HTTP Return Codes": 4XX is "used for malformed requests; the issue is on the sender's side", -1008 is
#: "100% failure"; error-code: 20xx are "processing issues" named rejections, 40xx and 50xx "filters and other issues".
#: -1000, -1001, -1006, -1007 and 503 say nothing of an order; a duplicate id may be that of the order itself.
ERRORS: Final[dict[str, ErrorMeaning]] = {
    **{str(code): MALFORMED for code in range(-1199, -1099)},
    **{code: CODES[code] for code in ("-1002", "-1003", "-1008", "-1014", "-1015", "-1016", "-1020", "-1021", "-1022")},
    **{code: CODES[code] for code in ("-1099", "-1121", "-2008", "-2014", "-2015")},
    "-1000": UNPROVEN,
    "-1001": UNPROVEN,
    "-1006": UNPROVEN,
    "-1007": UNPROVEN,
    "-1010": UNPROVEN,
    "-1011": ErrorMeaning("ADDRESS_NOT_ALLOWED", "no", "this address may not use this call"),
    "-2007": _refused("the callback rate of a trailing stop is out of range"),
    "-2010": ErrorMeaning("ORDER_REJECTED", "unknown", "the order was rejected"),
    "-2011": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "the order to cancel is not open"),
    "-2013": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order"),
    "-2017": ErrorMeaning("PERMISSION_MISSING", "no", "the keys of this account are locked"),  # ccxt 4.5.90
    "-2018": _refused("the balance is insufficient"),
    "-2019": _refused("the margin is insufficient"),
    "-2020": _refused("the order cannot be filled"),
    "-2021": _refused("the stop price would trigger at once"),
    "-2022": _refused("reduce-only, and it would not only reduce"),
    "-2023": _refused("the account is being liquidated"),
    "-2024": _refused("the position is not sufficient"),
    "-2025": _refused("too many open orders"),
    "-2026": _refused("this order type cannot be reduce-only"),
    "-2027": _refused("the position would be over what the leverage allows"),
    "-2028": _refused("the margin is not enough for this leverage"),
    "-4003": _refused("the quantity is under zero"),
    "-4004": _refused("the quantity is under the symbol's minimum"),
    "-4005": _refused("the quantity is over the symbol's maximum"),
    "-4014": _refused("the price is no multiple of the symbol's tick"),
    "-4016": _refused("the price is over the symbol's limit"),
    "-4023": _refused("the quantity is no multiple of the symbol's step"),
    "-4024": _refused("the price is under the symbol's limit"),
    "-4028": _refused("the leverage is not valid"),
    "-4045": _refused("too many stop orders"),
    "-4046": _refused("the margin mode is so already"),
    "-4047": _refused("the margin mode cannot change while orders are open"),
    "-4048": _refused("the margin mode cannot change while a position is open"),
    "-4059": _refused("the position mode is so already"),
    "-4060": _refused("the position side is not valid"),
    "-4061": _refused("the order's position side is not that of the account's mode"),
    "-4067": _refused("the position mode cannot change while orders are open"),
    "-4068": _refused("the position mode cannot change while a position is open"),
    "-4116": ErrorMeaning("DUPLICATE_ID", "unknown", "the client order id is that of an open order"),  # ccxt 4.5.90
    "-4120": _refused("conditional orders are taken by the algo service only"),
    "-4130": _refused("an order that closes the position in this direction is open already"),
    "-4131": _refused("the best price on the other side is too far from the mark"),
    "-4136": _refused("closePosition does not go with this order"),
    "-4161": _refused("isolated leverage cannot be lowered while a position is open"),
    "-4164": _refused("the notional is under the symbol's minimum"),  # ccxt 4.5.90
    "-5021": _refused("a fill-or-kill order that cannot fill whole"),
    "-5022": _refused("a post-only order that would take at once"),
    "-5028": _LATE,
    "-4188": _LATE,  # of COIN-M
    "http:403": ErrorMeaning("ADDRESS_NOT_ALLOWED", "unknown", "the web application firewall refuses this address"),
    "http:408": UNPROVEN,
    "http:503": UNPROVEN,
}
WINDOWS: Final = (
    RateWindow("request-weight", 2_400, 60_000, "fixed", "ip", header="X-MBX-USED-WEIGHT-1M", source=_FAQ),
    RateWindow("orders", 300, 10_000, "fixed", "account", header="X-MBX-ORDER-COUNT-10S", source=_FAQ),
    RateWindow("orders-minute", 1_200, 60_000, "fixed", "account", header="X-MBX-ORDER-COUNT-1M", source=_FAQ),
)
#: Orders that one call places at most; a batch takes five.
_PLACED: Final = {"order": 1, "batchOrders": 5, "algoOrder": 1}


def exchange(of: Exchange, exchange_id: str, api: Api) -> Exchange:
    """Return the facts of an id that has futures only; `of` is Binance itself, whose account and keys they share."""
    placed = {f"POST /{api}/v1/{name}": count for name, count in _PLACED.items()}
    return replace(
        of,
        id=exchange_id,
        products={
            "swap": Product(
                families=families(api),
                position_key="symbol",
                calls={
                    "order.create": f"POST /{api}/v1/order",
                    "order.amend": f"PUT /{api}/v1/order",
                    "order.cancel": f"DELETE /{api}/v1/order",
                    "orders.cancel_all": f"DELETE /{api}/v1/allOpenOrders",
                },
                polls={
                    "orders": f"GET /{api}/v1/openOrders",
                    "order": f"GET /{api}/v1/order",
                    "account": "GET /fapi/v3/account" if api == "fapi" else "GET /dapi/v1/account",
                    "prices": f"GET /{api}/v1/ticker/bookTicker",
                    "time": f"GET /{api}/v1/time",
                    "dead_man": f"POST /{api}/v1/countdownCancelAll",
                },
                dead_man_switch=switch(api),
            )
        },
        rate_windows=WINDOWS,
        errors=ERRORS,
        error_texts=(),
        costs={"request-weight": COSTS[api], "orders": placed, "orders-minute": placed},
        symbol_allowlist=None,  # it is of spot and margin
    )

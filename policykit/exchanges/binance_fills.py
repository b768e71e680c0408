"""The last witness of a Binance order that no look-up shows: a fill of it, on spot and on USD-M alike.

A fill names the exchange's id of its order and not ours (myTrades, Account-Trade-List, read 2026-11): the order of one
that no list shows is asked for, and says whose it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from policykit.exchanges import binance_account
from policykit.exchanges.adapter import Adapter
from policykit.exchanges.base import CallFailed, Read, Steps

#: Fills asked for at once; from a moment on, the oldest come first.
MAX_FILLS: Final = 1000
#: Orders asked for one by one, because a fill names them and no list does; with more of them nothing is proved.
MAX_UNLISTED: Final = 20


class Calls(NamedTuple):
    """ccxt's implicit methods for fills, and for one order."""

    fills: str
    order: str


SPOT: Final = Calls("privateGetMyTrades", "privateGetOrder")
USDM: Final = Calls("fapiPrivateGetUserTrades", "fapiPrivateGetOrder")


def named(client_order_id: str, row: Mapping[str, Any]) -> bool:
    """Tell whether a row is of the order with this id."""
    return client_order_id in (row.get("clientOrderId"), row.get("origClientOrderId"), row.get("clientAlgoId"))


def ids_of(rows: Collection[Mapping[str, Any]]) -> set[str]:
    """Return the exchange's ids of listed orders; an algo order's is that of the order that it placed."""
    return {str(row.get("actualOrderId" if "algoId" in row else "orderId")) for row in rows}


def find(
    adapter: Adapter, calls: Calls, market: str, client_order_id: str, since_ms: int, listed: Collection[str]
) -> Steps[Mapping[str, Any] | None]:
    """Return our order as a fill since a moment leads to it; None: every fill is of another order.

    Where the moment is 0 the latest fills are asked for. `listed` are the exchange's ids of the orders that were seen
    and are not ours. Raise CallFailed for a fill whose order does not show: it may be of ours.
    """
    since = {"startTime": since_ms} if since_ms else {}  # without it the latest ones are told
    answer = yield Read(calls.fills, {"symbol": market, "limit": MAX_FILLS} | since)
    filled = [str(row.get("orderId")) for row in binance_account.rows(adapter, answer, "fills")]
    unlisted = [one for one in dict.fromkeys(filled) if one not in listed]
    if len(unlisted) > MAX_UNLISTED:
        raise adapter.bad_answer(f"of under {MAX_UNLISTED} orders that no list shows")
    for order_id in unlisted:
        try:
            order = yield Read(calls.order, {"symbol": market, "orderId": order_id})
        except CallFailed as failed:
            if failed.code != "ORDER_NOT_FOUND":
                raise
            raise adapter.bad_answer("complete: there is a fill of an order that does not show") from None
        if isinstance(order.data, Mapping) and named(client_order_id, order.data):
            return order.data
    return None

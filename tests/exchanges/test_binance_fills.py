"""A fill of an order that no list shows: it is followed to its order, and proves that nothing is absent until then."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.binance import ADAPTER
from policykit.exchanges.binance_fills import MAX_UNLISTED
from policykit.sim import SimClock
from tests.exchanges.fakes import Scripted
from tests.exchanges.test_binance_reads import NOT_FOUND, ROW, STATE

SWAP = "BTC/USDT:USDT"
THEIRS = {**ROW, "orderId": 6, "clientOrderId": "theirs"}
LOST = ccxt.RequestTimeout("binance GET https://x")
USDM = {
    "fapiPrivateGetAlgoOrder": [NOT_FOUND],
    "fapiPrivateGetOpenOrders": [[]],
    "fapiPrivateGetOpenAlgoOrders": [[]],
    "fapiPrivateGetAllAlgoOrders": [[]],
}


def spot(*fills: int, orders: tuple[Any, ...] = (), listed: tuple[Any, ...] = ()) -> tuple[Scripted, Any]:
    """Look ours up where only fills of these orders show; `orders` are the answers when one is asked for by its id."""
    client = Scripted(
        privateGetOrder=[NOT_FOUND, *orders],
        privateGetOpenOrders=[[]],
        privateGetAllOrders=[list(listed)],
        privateGetMyTrades=[[{"orderId": one} for one in fills]],
    )
    return client, run(ADAPTER, client, ADAPTER.find_order("BTC/USDT", "pkA"), SimClock())


def test_a_fill_leads_to_its_order() -> None:
    """Each order that fills name and no list does is asked for once, until it is ours; a listed one is not."""
    client, found = spot(5, 6, 6, 7, orders=(THEIRS, ROW), listed=({**ROW, "orderId": 5, "clientOrderId": "other"},))
    assert found == STATE
    asked = [params["orderId"] for name, params in client.asked if "orderId" in params]
    assert asked == ["6", "7"]
    assert "startTime" not in client.asked[3][1]  # from when is not known: the latest ones


def test_fills_of_other_orders_are_none_of_ours() -> None:
    """Neither an order that a list shows nor one that is asked for and has another id."""
    assert spot()[1] is None
    assert spot(6, orders=(THEIRS,))[1] is None
    assert spot(6, listed=(THEIRS,))[1] is None


@pytest.mark.parametrize(("orders", "code"), [((NOT_FOUND,), "BAD_ANSWER"), ((LOST,), "NETWORK")])
def test_a_fill_whose_order_does_not_show_is_no_answer(orders: tuple[Any, ...], code: str) -> None:
    """It may be of ours: nothing is concluded."""
    with pytest.raises(CallFailed) as failed:
        spot(6, orders=orders)
    assert (failed.value.code, failed.value.failure.executed) == (code, "unknown")


def test_so_many_orders_are_asked_for_and_no_more() -> None:
    """More of them than the bound prove nothing, and cost nothing."""
    many = tuple(range(100, 100 + MAX_UNLISTED))
    assert spot(*many, orders=(THEIRS,) * MAX_UNLISTED)[1] is None
    with pytest.raises(CallFailed, match="under 20 orders"):
        spot(*many, 99)


def test_of_contracts_too() -> None:
    """An order that an algo order placed is listed by the id that it has there."""
    algo = {"algoId": 1, "clientAlgoId": "other", "actualOrderId": "8"}
    ours = {**ROW, "positionSide": "BOTH", "avgPrice": "1"}
    client = Scripted(
        **USDM | {"fapiPrivateGetAllAlgoOrders": [[algo]]},
        fapiPrivateGetOrder=[NOT_FOUND, ours],
        fapiPrivateGetAllOrders=[[]],
        fapiPrivateGetUserTrades=[[{"orderId": 8}, {"orderId": 7}]],
    )
    found = run(ADAPTER, client, ADAPTER.find_order(SWAP, "pkA", since_ms=7), SimClock())
    assert found is not None
    assert (found.order_id, found.client_order_id, found.symbol) == ("7", "pkA", SWAP)
    assert client.asked[-1] == ("fapiPrivateGetOrder", {"symbol": "BTCUSDT", "orderId": "7"})

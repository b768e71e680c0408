"""Amends that are not what they look like: what a request names, what an answer shows, and what is not known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from policykit import Denied
from policykit.decision import Hold
from policykit.errors import StoreUnavailable
from policykit.exchanges.base import CallFailed, Failure
from policykit.guard.amends import after_amend, named, search, swapped
from policykit.order import Order
from policykit.orders.intent import Intent, Outcome
from policykit.units import MAX_COUNTER
from tests.guard.test_amends import Desk, code
from tests.guard.world import World

Start = Callable[..., World]
POSITION = Hold("binance/main|position|BTC", 10**8, 5 * 10**8, "position", "risk.max_position_notional")
OPEN = Hold("binance/main|open_orders", 1, 20, "sum", "risk.max_open_orders")


def intent(order: Order, *holds: Hold, **more: Any) -> Intent:
    """Return an intent that the exchange acknowledged."""
    made = Intent("one", "binance/main", order, "pkone", "order", holds, False, "bot", "host", 1, 0, 250, 5_000)
    return replace(made, **{"state": "acknowledged", "order_id": "7", **more})


def meant(quantity: str, symbol: str = "BTC/USDT") -> Order:
    """Return a buy for this quantity in the place of one for 1."""
    before = Order(symbol, "buy", "limit", Decimal(1), Decimal(60_000), client_order_id="pkone")
    return Order(symbol, "buy", "limit", Decimal(quantity), Decimal(60_000), action="order.amend", amends=before)


def test_of_two_orders_of_which_one_can_fill_the_larger_is_asked_for() -> None:
    """The new one claims all of itself under a limit that leaves room for the old one; it counts once."""
    target = intent(meant("1"), POSITION, OPEN)
    window = Hold("binance/main|amends", 1, 5, "window", "risk.max_amends", 60_000)
    more = swapped((POSITION._replace(amount=2 * 10**8), window), meant("3"), target)
    assert more == (
        POSITION._replace(amount=3 * 10**8, limit=6 * 10**8),
        window,
        OPEN._replace(limit=MAX_COUNTER),
    )
    assert swapped((window,), meant("0.5"), target)[1] == POSITION._replace(amount=10**8 // 2, limit=MAX_COUNTER)
    sells = intent(meant("1"), POSITION._replace(amount=-(10**8)))
    assert swapped((), meant("0.5"), sells) == (POSITION._replace(amount=-(10**8) // 2, limit=MAX_COUNTER),)
    assert swapped((), meant("1e12"), target)[0] == POSITION._replace(amount=MAX_COUNTER, limit=MAX_COUNTER)
    assert swapped((window,), meant("0.5"), intent(meant("1"))) == (window,)


def test_a_request_names_the_order_that_was_decided_on(start: Start) -> None:
    """By our id, and by no other number; the one that takes its place carries its own id."""
    adapter = Desk(start, "binance").guard.adapter
    url = "https://x/fapi/v1/order?origClientOrderId=pkone&orderId="
    amend, target = intent(meant("2"), client_order_id="pktwo", amends="one"), intent(meant("1"))
    assert named(adapter, amend, target, f"{url}7", None)
    assert not named(adapter, amend, target, f"{url}8", None)
    assert not named(adapter, amend, target, "https://x/fapi/v1/order?orderId=7", None)
    new = intent(meant("2"), client_order_id="pktwo")
    replaces = "https://x/api/v3/order/cancelReplace?cancelOrigClientOrderId=pkone&newClientOrderId="
    assert named(adapter, new, None, f"{replaces}pktwo", None)
    assert not named(adapter, new, None, f"{replaces}pkthree", None)
    assert not named(adapter, intent(Order("BTC/USDT")), None, f"{replaces}pktwo", None)


def answer(**changes: Any) -> dict[str, Any]:
    """Return what USD-M answers to an amend."""
    row = {"orderId": 7, "symbol": "BTCUSDT", "status": "NEW", "clientOrderId": "pkone", "price": "60000"}
    return row | {"origQty": "2", "executedQty": "0", "side": "BUY", "positionSide": "BOTH", **changes}


def test_an_answer_must_show_what_was_meant(start: Start) -> None:
    """Another order's, or one that shows the old order, proves nothing; one that ended by the amend does."""
    guard = Desk(start, "binanceusdm").guard
    amend = intent(meant("2", "BTC/USDT:USDT"), client_order_id="pktwo", amends="one")
    settled = Outcome("settled", 5, "7", closed=True)
    assert after_amend(guard, amend, answer(), 5) == settled
    assert after_amend(guard, amend, answer(status="CANCELED", origQty="1"), 5) == settled
    assert after_amend(guard, amend, answer(origQty="1"), 5) is None
    assert after_amend(guard, amend, answer(price="59000"), 5) is None
    assert after_amend(guard, amend, answer(clientOrderId="pkthree"), 5) is None


def test_an_answer_of_another_order_is_no_replacement(start: Start) -> None:
    """Spot: the new order must be ours, and as it was meant."""
    guard = Desk(start, "binance").guard
    new = intent(meant("2"), client_order_id="pktwo", state="intended", order_id=None)
    row = {**answer(clientOrderId="pktwo"), "cummulativeQuoteQty": "0"}
    row.pop("positionSide")
    told = {"cancelResponse": {**row, "origClientOrderId": "pkone", "status": "CANCELED"}, "newOrderResponse": row}
    assert after_amend(guard, new, told, 5) == Outcome("acknowledged", 5, "7", Decimal(0), cost=Decimal(0))
    assert after_amend(guard, new, {**told, "newOrderResponse": {**row, "clientOrderId": "pkx"}}, 5) is None
    assert after_amend(guard, new, {**told, "newOrderResponse": {**row, "origQty": "3"}}, 5) is None


def test_an_order_that_does_not_show_says_nothing_of_its_amend(start: Start) -> None:
    """Neither found nor absent: the amend stays unknown until the order shows, or a person says what became of it."""
    guard = Desk(start, "binanceusdm").guard
    amend = intent(meant("2", "BTC/USDT:USDT"), client_order_id="pktwo", amends="one")
    steps = search(guard, amend, thorough=False)
    with pytest.raises(CallFailed, match="the order that was to be amended does not show"):
        next(steps)
        while True:
            steps.throw(CallFailed(Failure("unknown", "ORDER_NOT_FOUND", "no such order")))


def test_without_the_store_no_order_is_known(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """An amend needs what is kept of the order: it is denied with the store's code, a cancel passes."""
    desk = Desk(start, "binance")
    ident = desk.buy()

    def gone(*args: Any, **kwargs: Any) -> Any:
        raise StoreUnavailable("the store cannot be read")

    monkeypatch.setattr(desk.guard.store, "intents", gone)
    with pytest.raises(Denied) as denied:
        desk.edit(ident, 0.005)
    assert code(denied) == "STORE_DOWN"
    desk.client.cancel_order(ident, desk.symbol)


def test_an_order_of_which_nobody_knows_is_not_amended(start: Start) -> None:
    """Its outcome first; by its client order id it is known, by the exchange's it is not."""
    desk = Desk(start, "binance", {"at": "order", "do": "drop", "when": [1]}, wait="2s")
    with pytest.raises(Exception, match="unknown"):
        desk.buy()
    lost = desk.guard.store.intents()[0]
    with pytest.raises(Denied, match="is not known yet; wait until it is settled"):
        desk.edit(lost.client_order_id, 0.005)


def test_a_stop_and_an_order_by_value_are_not_amended(start: Start) -> None:
    """What an exchange makes of those is not known well enough."""
    desk = Desk(start, "binanceusdm")
    desk.client.create_order(desk.symbol, "market", "buy", 0.01)
    params = {"stopPrice": 55_000, "reduceOnly": True}
    stop = desk.client.create_order(desk.symbol, "limit", "sell", 0.01, 55_000, params)
    with pytest.raises(Denied, match="an amend of such an order is not tracked on binanceusdm"):
        desk.client.edit_order(stop["id"], desk.symbol, "limit", "sell", 0.01, 54_000)


def test_shadow_mode_sends_it_and_records_what_would_have_been(start: Start) -> None:
    """Over the cap: the order is amended all the same, under ccxt's own id."""
    desk = Desk(start, "binance")
    guard = desk.world.guard()
    guard.mode = "shadow"
    client = guard.protect(desk.world.sim.client())
    made = client.create_order(desk.symbol, "limit", "buy", 0.01, 59_000)
    client.edit_order(made["id"], desk.symbol, "limit", "buy", 0.05, 59_000)
    assert desk.open == [(Decimal("0.05"), Decimal(59_000))]

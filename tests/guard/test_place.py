"""`guard.place`: one order from the policy's words to its end, on the guard's own client or the bot's."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policykit import Denied, Order, OutcomeUnknown
from policykit.guard.placing import arguments_of
from policykit.guard.steps import order_of
from tests.guard.world import SYMBOL, kinds, policy_text, world

BUY = Order(SYMBOL, "buy", "limit", Decimal("0.02"), Decimal(50_000))
NUMBER = st.decimals("0.0001", 100_000, places=4)


def test_it_places_on_a_client_of_its_own(tmp_path: Path) -> None:
    """Decided, journaled, sent once, recorded; twice is two orders."""
    with world(tmp_path) as w:
        guard = w.guard()
        order = guard.place(BUY)
        assert (order["symbol"], order["side"], order["status"]) == (SYMBOL, "buy", "open")
        assert guard.place(BUY)["id"] != order["id"]
        assert w.sent == [("buy", Decimal("0.02"))] * 2
        assert kinds(guard)[-4:] == ["decision allow", "acknowledged"] * 2


def test_what_the_policy_denies_is_not_sent(tmp_path: Path) -> None:
    """The denial says what limit it was."""
    with world(tmp_path) as w:
        guard = w.guard()
        with pytest.raises(Denied, match="over max_order_notional"):
            guard.place(Order(SYMBOL, "buy", "limit", Decimal(1), Decimal(50_000)))
        assert w.sent == []


def test_an_async_client_is_awaited(tmp_path: Path) -> None:
    """The bot's own client is put behind the guard."""

    async def place(w: Any) -> Any:
        client = w.sim.client(async_=True)
        try:
            return await w.guard().place(BUY, client)
        finally:
            await client.close()

    with world(tmp_path) as w:
        assert asyncio.run(place(w))["status"] == "open"
        assert w.sent == [("buy", Decimal("0.02"))]


@pytest.mark.parametrize("do", ["lost_reply", "drop"])
def test_an_answer_that_is_lost_costs_no_second_order(tmp_path: Path, do: str) -> None:
    """Found, or proved absent and sent again: one order either way."""
    text = policy_text().replace("max_age: 10s", "max_age: 60s")  # no maintenance here to keep the facts fresh
    with world(tmp_path, {"at": "order", "do": do, "when": [1], "after": 3}, text=text) as w:
        assert w.guard().place(BUY)["status"] == "open"
        assert w.sent == [("buy", Decimal("0.02"))]


def test_what_stays_unknown_names_its_intent(tmp_path: Path) -> None:
    """The caller gets the intent's id, and the next increase waits."""
    text = policy_text().replace("expires_after: 30s", "expires_after: 30s, wait: 1s")
    with world(tmp_path, {"at": "order", "do": "drop", "when": [1]}, text=text) as w:
        guard = w.guard()
        with pytest.raises(OutcomeUnknown) as caught:
            guard.place(BUY)
        intent = guard.store.intent(caught.value.intent)
        assert intent is not None
        assert intent.state == "unknown"
        with pytest.raises(Denied, match="is not known yet"):
            guard.place(BUY)


#: What an order may say beside its size; each is there or not.
SAID = {
    "client_order_id": "mine-1",
    "stop_price": Decimal("49000.5"),
    "reduce_only": True,
    "time_in_force": "IOC",
    "position_side": "short",
    "stop_loss_price": Decimal(48_000),
    "take_profit_price": Decimal(70_000),
    "self_trade_prevention": "expire_taker",
}


@given(st.sets(st.sampled_from(sorted(SAID))), NUMBER, NUMBER)
def test_what_is_sent_is_what_was_meant(names: set[str], quantity: Decimal, price: Decimal) -> None:
    """Read back as a protected client does, it is the same order."""
    order = Order("BTC/USDT:USDT", "sell", "limit", quantity, price, **{name: SAID[name] for name in names})
    assert order_of(*arguments_of(order)) == order


@pytest.mark.parametrize(
    "order",
    [
        Order(SYMBOL, "buy", "market", quote_quantity=Decimal(100)),
        Order("BTC/USDT:USDT", "sell", "stop_market", stop_price=Decimal(50_000), close_position=True),
    ],
)
def test_an_order_without_a_quantity_too(order: Order) -> None:
    """In quote quantity, or as large as the position."""
    assert order_of(*arguments_of(order)) == order


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (Order(SYMBOL, action="order.cancel"), "only order.create"),
        (Order(SYMBOL, "sell", "trailing_stop_market", Decimal(1), trailing=True), "trailing distance"),
        (Order(SYMBOL, "buy"), "symbol, side and type"),
    ],
)
def test_what_cannot_be_told_is_an_error(order: Order, why: str) -> None:
    """Not half of it sent."""
    with pytest.raises(ValueError, match=why):
        arguments_of(order)

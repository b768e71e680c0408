"""Orders that change after they were placed, in the matching core: amended, trailing, with exits attached."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from policykit.sim.venue import Balance, Order, Rejected, Venue
from tests.sim.test_venue import BTC, T, order, venue


def pinned(v: Venue, price: int, at_s: int) -> None:
    """Let the mid price be somewhere at a time."""
    v.path.pin(BTC, Decimal(price))
    v.settle(T + at_s * 1_000)


def test_an_amend_changes_size_price_and_what_is_locked() -> None:
    """Smaller gives back, larger takes more; what filled stays, and a price that crosses fills."""
    v = venue()
    placed = v.place(order(price="59000"), T)
    v.amend(placed, Decimal("0.2"), Decimal(58_000), T)
    assert (placed.quantity, placed.new.price) == (Decimal("0.2"), Decimal(58_000))
    assert v.balances["USDT"] == Balance(Decimal(88_400), Decimal(11_600))
    v.amend(placed, Decimal("0.1"), Decimal(58_000), T)
    assert v.balances["USDT"] == Balance(Decimal(94_200), Decimal(5_800))
    v.amend(placed, Decimal("0.1"), Decimal(61_000), T)
    assert (placed.status, v.balances["BTC"].free) == ("FILLED", Decimal("0.1"))
    assert v.balances["USDT"].locked == 0


def test_what_cannot_be_amended_stays_as_it_is() -> None:
    """An order that is over, one at the market, a size below what filled, and more than there is."""
    v = venue(btc="1")
    stop = v.place(order("SELL", price=None, type="STOP_LOSS", stop="50000", cid="s"), T)
    done = v.place(order(price="61000", cid="d"), T)
    rests = v.place(order(price="59000"), T)
    for target, size, kind in (
        (stop, "0.1", "cancel"),
        (done, "0.2", "cancel"),
        (rests, "0", "cancel"),
        (rests, "9", "order"),
    ):
        with pytest.raises(Rejected) as caught:
            v.amend(target, Decimal(size), Decimal(59_000), T)
        assert caught.value.kind == kind
    assert (rests.quantity, v.balances["USDT"].locked) == (Decimal("0.1"), Decimal(5_900))


@pytest.mark.parametrize(
    ("side", "kind", "path", "fills_at"),
    [
        ("SELL", "STOP_LOSS", (60_000, 62_000, 61_500, 61_300), 3),
        ("BUY", "STOP_LOSS", (60_000, 58_000, 58_400, 58_600), 3),
        ("SELL", "TAKE_PROFIT", (60_000, 58_000, 58_400, 58_600), 3),
        ("BUY", "TAKE_PROFIT", (60_000, 62_000, 61_500, 61_300), 3),
    ],
)
def test_a_trailing_order_triggers_when_the_price_came_back(
    side: str, kind: str, path: tuple[int, ...], fills_at: int
) -> None:
    """faqs/trailing-stop-faq.md: 1 % from the best price that it has seen, high or low by its kind."""
    v = venue(btc="1")
    placed = v.place(replace(order(side, price=None, type=kind), trailing_delta=100), T)
    for step, price in enumerate(path):
        pinned(v, price, step + 1)
        assert (placed.status == "FILLED") == (step >= fills_at), price


def test_a_trailing_order_with_a_stop_price_begins_there() -> None:
    """Before that no price counts."""
    v = venue(btc="1")
    placed = v.place(replace(order("SELL", price=None, type="STOP_LOSS", stop="59000"), trailing_delta=100), T)
    for step, price in enumerate((63_000, 60_000, 58_900)):
        pinned(v, price, step + 1)
        assert placed.status == "NEW"
    pinned(v, 58_200, 5)
    assert placed.status == "FILLED"


def bracket(v: Venue) -> tuple[Order, list[Order]]:
    """Fill an entry with a stop and a target; return it with its exits."""
    legs = (("STOP_LOSS", Decimal(57_000)), ("TAKE_PROFIT", Decimal(63_000)))
    entry = v.place(replace(order(price="61000"), attached=legs), T)
    return entry, [one for one in v.orders.values() if one is not entry]


@pytest.mark.parametrize(("price", "first"), [(56_900, 0), (63_100, 1)])
def test_of_two_exits_one_ends_the_other(price: int, first: int) -> None:
    """What came in less the fee is locked once, and sold once."""
    v = venue(fee="0.001")
    entry, exits = bracket(v)
    assert entry.status == "FILLED"
    assert [(e.quantity, e.new.client_order_id) for e in exits] == [(Decimal("0.0999"), "")] * 2
    assert v.balances["BTC"] == Balance(Decimal(0), Decimal("0.0999"))
    pinned(v, price, 1)
    assert [e.status for e in exits] == (["FILLED", "CANCELED"] if first == 0 else ["CANCELED", "FILLED"])
    assert v.balances["BTC"] == Balance(Decimal(0), Decimal(0))


def test_an_exit_that_is_cancelled_leaves_the_other() -> None:
    """Which locks what both would have sold."""
    v = venue()
    _, exits = bracket(v)
    v.cancel(BTC, T, exits[0].id, None)
    assert [e.status for e in exits] == ["CANCELED", "NEW"]
    assert v.balances["BTC"] == Balance(Decimal(0), Decimal("0.1"))
    pinned(v, 63_100, 1)
    assert exits[1].status == "FILLED"

"""The paper book by itself: what fills, what does not, and that its rows say all of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policykit.guard.paper_book import MAX_FILLS, Book
from policykit.guard.paper_form import Account, Level, Market, PaperOrder, Print, Refused, Terms

SPOT = Terms("BTC", "USDT", "", Decimal(1), Decimal("0.001"), Decimal("0.0005"), "get", Decimal("0.001"))
QUOTED = Terms("BTC", "USDT", "", Decimal(1), Decimal("0.001"), Decimal("0.0005"), "quote", Decimal("0.001"))


def d(text: str | float) -> Decimal:
    """Read a number."""
    return Decimal(str(text))


def market(bid: str = "99", ask: str = "101", size: str = "1", prints: tuple[Print, ...] = ()) -> Market:
    """Show three levels on either side."""
    bids = tuple(Level(d(bid) - n, d(size)) for n in range(3))
    return Market(bids, tuple(Level(d(ask) + n, d(size)) for n in range(3)), prints)


def trade(number: int, price: str, quantity: str = "1") -> Print:
    """Return a trade; its number is its time."""
    return Print(str(number), number, d(price), d(quantity))


def an_order(number: int, side: Any, quantity: str, price: str | None = None, **more: Any) -> PaperOrder:
    """Return an order, a market order without a price."""
    values: dict[str, Any] = {
        "type": "limit" if price else "market",
        "price": None if price is None else d(price),
        "trigger": None,
        "rising": True,
        "time_in_force": "GTC",
        "reduce_only": False,
        "status": "open",
        "waiting": False,
        "created_ms": 0,
        "updated_ms": 0,
        "terms": SPOT,
    }
    return PaperOrder(number, f"c{number}", "BTC/USDT", side, quantity=d(quantity), **(values | more))


def a_book(**balances: str) -> Book:
    """Return the book of an account that has this."""
    return Book(Account(balances={asset: d(amount) for asset, amount in balances.items()}))


def seen(book: Book, *prints: Print, **more: Any) -> list[tuple[int, Decimal, str]]:
    """Let the book meet a market; return what changed."""
    shown = market(prints=prints, **more)
    return [(one.number, one.filled, one.status) for one in book.meet("BTC/USDT", shown, 9)]


def test_a_trade_through_the_price_fills_by_its_quantity_once() -> None:
    """The better price first, the older order first; a trade at the price, or seen before, fills nothing."""
    book = a_book(USDT="1000")
    seen(book, trade(1, "100"))
    for number, price in ((1, "98"), (2, "98.5"), (3, "98")):
        book.place(an_order(number, "buy", "1", price), market())
    assert seen(book, trade(1, "90"), trade(2, "98")) == [(2, d(1), "closed")]
    assert seen(book, trade(2, "98")) == []
    assert seen(book, trade(3, "97", "1.4")) == [(1, d(1), "closed"), (3, d("0.4"), "open")]
    assert book.account.balances["BTC"] == d("2.4") * (1 - d("0.0005"))
    assert seen(book, trade(3, "97", "9")) == []  # the same moment and id


def test_a_standing_book_beyond_the_price_fills_by_what_it_holds() -> None:
    """And by it once: what was taken of a level is gone until that level is."""
    book = a_book(USDT="1000")
    book.place(an_order(1, "buy", "3", "98"), market())
    assert seen(book, bid="96", ask="97.5") == [(1, d(1), "open")]
    assert seen(book, bid="96", ask="97.5") == []
    assert seen(book, bid="96", ask="97.6") == [(1, d(2), "open")]
    assert seen(book, bid="95", ask="97.5") == [(1, d(3), "closed")]
    assert {fill.price for fill in book.open.values() for fill in fill.fills} == set()


@pytest.mark.parametrize(
    ("order", "status", "filled"),
    [
        (an_order(1, "buy", "5", "101.5", time_in_force="IOC"), "expired", 1),
        (an_order(1, "buy", "5", "101.5", time_in_force="FOK"), "expired", 0),
        (an_order(1, "buy", "2", "102", time_in_force="FOK"), "closed", 2),
        (an_order(1, "buy", "5"), "expired", 3),
        (an_order(1, "buy", "5", "101.5"), "open", 1),
        (an_order(1, "buy", "1", "101", time_in_force="PO"), "refused", 0),
        (an_order(1, "buy", "1", None, trigger=d(90)), "refused", 0),
        (an_order(1, "sell", "1", "120"), "refused", 0),
        (an_order(1, "buy", "20", "100"), "refused", 0),
        (an_order(1, "buy", "9", "110", terms=QUOTED), "closed", 9),
    ],
)
def test_what_an_order_comes_to_at_once(order: PaperOrder, status: str, filled: int) -> None:
    """By its time in force, its price, its trigger, and the money that is there."""
    book, wide = a_book(USDT="1000"), market(size="9") if order.quantity == 9 else market()
    try:
        book.place(order, wide)
    except Refused:
        order.status = "refused"
    assert (order.status, order.filled) == (status, filled)
    assert (1 in book.open) == (status == "open")


def test_nothing_to_take_is_refused() -> None:
    """An empty side of the book has no price for a market order."""
    with pytest.raises(Refused, match="nothing stands in the book"):
        a_book(USDT="1000").place(an_order(1, "buy", "1"), Market((), ()))


def test_a_stop_that_meets_a_worse_price_buys_what_the_money_is_worth() -> None:
    """It was affordable at its trigger; the rest expires."""
    book = a_book(USDT="330")
    stop = an_order(1, "buy", "3", None, trigger=d(110))
    book.place(stop, market())
    assert seen(book, trade(1, "100")) == []
    assert seen(book, trade(2, "111"), bid="119", ask="120") == [(1, d("2.729"), "expired")]
    assert book.account.balances["USDT"] >= 0
    falls = an_order(2, "sell", "1", None, trigger=d(90), rising=False)
    book.place(falls, market())
    assert seen(book, bid="88", ask="89") == [(2, d(1), "closed")]


def test_fills_beyond_the_last_one_told_apart_become_one_with_it() -> None:
    """So that a row has a bound; sums stay as they were."""
    book = a_book(USDT="100000")
    order = an_order(1, "buy", "60", "98")
    book.place(order, market())
    seen(book, trade(1, "98"))
    for number in range(60):
        seen(book, trade(number + 2, "97"))
    assert (len(order.fills), order.filled, order.cost) == (MAX_FILLS, d(60), d(60 * 98))


def test_an_amend_that_cannot_be_leaves_the_order() -> None:
    """Less than what filled, or more than the money."""
    book = a_book(USDT="300")
    order = an_order(1, "buy", "2", "101")
    book.place(order, market())
    for quantity in ("1", "9"):
        with pytest.raises(Refused):
            book.amend(order, d(quantity), d(100), market(), 5)
    assert (order.quantity, order.price, book.open) == (d(2), d(101), {1: order})
    book.amend(order, d("1.5"), d(103), market(), 5)
    assert order.status == "closed"


@given(st.lists(st.tuples(st.sampled_from(["buy", "sell"]), st.integers(90, 110), st.integers(1, 5)), max_size=12))
def test_no_money_is_made_and_rows_say_all(orders: list[tuple[str, int, int]]) -> None:
    """Balances never fall below zero, what is spent was bought, and a row read back is the order it was of."""
    book = a_book(USDT="500", BTC="3")
    for number, (side, price, size) in enumerate(orders, 1):
        order = an_order(number, side, str(size), str(price))
        try:
            book.place(order, market())
        except Refused:
            continue
        for changed in book.meet("BTC/USDT", market(prints=(trade(number, str(price)),)), number):
            assert changed.filled <= changed.quantity
        assert PaperOrder.from_dict(order.to_dict()) == order
        assert min(book.account.balances.values()) >= 0
        assert book.free("USDT") >= 0
        assert book.free("BTC") >= 0
    assert Account.from_dict(book.account.to_dict()) == book.account

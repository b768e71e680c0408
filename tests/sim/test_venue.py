"""The matching core, against binance-spot-api-docs (rest-api.md "New order", filters.md, errors.md; read 2026-11)."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest

from policykit.sim.clock import START_MS
from policykit.sim.market import DEFAULT_SYMBOLS, PricePath
from policykit.sim.venue import Balance, NewOrder, Quirks, Rejected, Venue

BTC = DEFAULT_SYMBOLS[0]
T = START_MS


def venue(btc: str = "0", fee: str = "0") -> Venue:
    """Make a flat market at 60,000 (bid 59,994, ask 60,006) with 100,000 USDT."""
    return Venue(PricePath(1, 0), T, {"USDT": Decimal(100_000), "BTC": Decimal(btc)}, fee=Decimal(fee))


def order(
    side: str = "BUY", quantity: str = "0.1", price: str | None = "60000", cid: str = "a", **more: str
) -> NewOrder:
    """Make an order; LIMIT with a price, MARKET without."""
    kind = more.pop("type", "MARKET" if price is None else "LIMIT")
    limit = None if price is None else Decimal(price)
    stop = Decimal(more.pop("stop")) if "stop" in more else None
    return NewOrder(BTC, side, kind, cid, Decimal(quantity), None, limit, stop, more.pop("tif", "GTC"))


def refusal(v: Venue, new: NewOrder) -> tuple[str, str]:
    """Place an order that must be refused; return kind and text."""
    with pytest.raises(Rejected) as caught:
        v.place(new, T)
    return caught.value.kind, caught.value.text


def test_a_limit_order_below_the_ask_rests_and_locks_its_quote() -> None:
    """A buy that does not cross is NEW and locks price times quantity."""
    v = venue()
    placed = v.place(order(), T)
    assert (placed.status, placed.filled()) == ("NEW", Decimal(0))
    assert v.balances["USDT"] == Balance(Decimal(94_000), Decimal(6_000))


def test_a_crossing_order_fills_at_the_touch_and_gives_back_what_it_did_not_need() -> None:
    """A buy limit above the ask fills at the ask; the fee is taken of what is received."""
    v = venue(fee="0.001")
    placed = v.place(order(price="61000"), T)
    assert (placed.status, placed.filled_quote()) == ("FILLED", Decimal("6000.6"))
    assert v.balances["BTC"] == Balance(Decimal("0.0999"), Decimal(0))
    assert v.balances["USDT"] == Balance(Decimal("93999.4"), Decimal(0))


def test_a_resting_order_fills_when_the_price_comes_to_it() -> None:
    """A resting buy fills as maker at its own price once the ask has fallen to it."""
    v = venue()
    placed = v.place(order(price="59000"), T)
    v.settle(T + 5_000)
    assert placed.status == "NEW"
    v.path.pin(BTC, Decimal(58_000))
    v.settle(T + 6_000)
    assert [(t.price, t.quantity, t.maker) for t in placed.trades] == [(Decimal(59_000), Decimal("0.1"), True)]
    assert (placed.status, v.balances["USDT"]) == ("FILLED", Balance(Decimal(94_100), Decimal(0)))


def test_client_order_ids_are_unique_among_open_orders_only() -> None:
    """An id in use by an open order is refused; once that one is filled or cancelled it is taken again."""
    v = venue()
    v.place(order(price="50000"), T)
    assert refusal(v, order()) == ("order", "Duplicate order sent.")
    v.cancel(BTC, T, None, "a")
    assert v.place(order(price="61000"), T).status == "FILLED"
    assert v.place(order(price="61000"), T).status == "FILLED"


@pytest.mark.parametrize(
    ("new", "told"),
    [
        (order(price="60000.001"), ("filter", "Filter failure: PRICE_FILTER")),
        (order(price="1000001"), ("filter", "Filter failure: PRICE_FILTER")),
        (order(quantity="0.000001"), ("filter", "Filter failure: LOT_SIZE")),
        (order(quantity="9000.1"), ("filter", "Filter failure: LOT_SIZE")),
        (order(quantity="0.00001", price="60000"), ("filter", "Filter failure: NOTIONAL")),
        (order(quantity="2"), ("order", "Account has insufficient balance for requested action.")),
        (order(side="SELL"), ("order", "Account has insufficient balance for requested action.")),
        (order(price="61000", type="LIMIT_MAKER"), ("order", "Order would immediately match and take.")),
    ],
)
def test_what_breaks_a_filter_or_the_balance_is_refused_in_the_documented_words(
    new: NewOrder, told: tuple[str, str]
) -> None:
    """errors.md, "Filter failures" and "Messages for -2010": each refusal has its text, and nothing is locked."""
    v = venue()
    assert refusal(v, new) == told
    assert v.balances["USDT"] == Balance(Decimal(100_000), Decimal(0))


def test_partial_fills_finish_while_the_order_rests() -> None:
    """A partly filled limit order keeps its rest on the book and fills it at later steps."""
    v = venue()
    placed = v.place(order(price="61000"), T, Quirks(fill_share=Decimal("0.4")))
    assert (placed.status, placed.filled()) == ("PARTIALLY_FILLED", Decimal("0.04"))
    v.settle(T + 10_000)
    assert (placed.status, placed.filled(), len(placed.trades)) == ("FILLED", Decimal("0.1"), 4)


def test_market_and_ioc_orders_that_fill_partly_expire_and_fok_fills_nothing() -> None:
    """enums: EXPIRED is the end of an IOC or MARKET order that filled partly, and of a FOK that could not fill."""
    v = venue()
    part = Quirks(fill_share=Decimal("0.5"))
    seen = [
        v.place(new, T, part)
        for new in (order(price=None), order(price="61000", tif="IOC"), order(price="61000", tif="FOK"))
    ]
    assert [(o.status, o.filled()) for o in seen] == [
        ("EXPIRED", Decimal("0.05")),
        ("EXPIRED", Decimal("0.05")),
        ("EXPIRED", Decimal(0)),
    ]
    assert v.balances["USDT"].locked == 0


def test_a_stop_waits_for_its_price() -> None:
    """A stop-loss sell does nothing until the bid has fallen to its stop, then sells at the market."""
    v = venue(btc="1")
    stop = v.place(order("SELL", "1", None, type="STOP_LOSS", stop="58000"), T)
    v.settle(T + 5_000)
    assert (stop.status, stop.working) == ("NEW", False)
    v.path.pin(BTC, Decimal(57_000))
    v.settle(T + 6_000)
    assert (stop.status, stop.trades[0].price) == ("FILLED", Decimal("56994.30"))


def test_a_lagging_order_is_found_only_later() -> None:
    """Look-ups, open orders and trades show an order and its fills only once its lag has passed."""
    v = venue()
    placed = v.place(order(price="61000"), T, Quirks(lag_ms=3_000))
    with pytest.raises(Rejected, match="Order does not exist"):
        v.find(BTC, T + 2_999, None, "a")
    assert (v.visible(T + 2_999), v.visible_trades(BTC, T + 2_999)) == ([], [])
    assert v.balances_seen(T + 2_999, lag=True)["BTC"] == Balance()
    assert v.balances_seen(T + 2_999, lag=False)["BTC"] == Balance(Decimal("0.1"), Decimal(0))
    assert v.find(BTC, T + 3_000, None, "a") is placed
    assert v.visible_trades(BTC, T + 3_000) == placed.trades
    assert v.balances_seen(T + 3_000, lag=True)["BTC"] == Balance(Decimal("0.1"), Decimal(0))


def test_cancel_gives_back_the_rest_and_unknown_orders_are_told() -> None:
    """Cancelling frees what is locked; a filled, cancelled or foreign order is "Unknown order sent."."""
    v = venue()
    placed = v.place(order(price="50000"), T)
    v.place(order(price="50000", cid="b"), T)
    assert v.cancel(BTC, T, placed.id, None) is placed
    assert [o.new.client_order_id for o in v.cancel_all(BTC, T)] == ["b"]
    assert v.balances["USDT"] == Balance(Decimal(100_000), Decimal(0))
    for again in (lambda: v.cancel(BTC, T, placed.id, None), lambda: v.cancel_all(BTC, T)):
        with pytest.raises(Rejected, match="Unknown order sent"):
            again()


def test_money_is_kept_over_many_orders() -> None:
    """Balances change by exactly what was traded, and nothing stays locked without an open order."""
    v = Venue(PricePath(5), T, {"USDT": Decimal(100_000)}, fee=Decimal(0))
    for n in range(200):
        side = "SELL" if n % 3 == 2 else "BUY"
        bid, ask = v.touch(BTC, T + n * 900)
        price = str(ask if side == "BUY" else bid)
        with contextlib.suppress(Rejected):
            v.place(order(side, "0.01", price, f"c{n}"), T + n * 900, Quirks(fill_share=Decimal("0.3")))
    spent = sum((t.price * t.quantity * (1 if t.side == "BUY" else -1) for t in v.trades), Decimal(0))
    held = sum((t.quantity * (1 if t.side == "BUY" else -1) for t in v.trades), Decimal(0))
    assert (v.balances["USDT"].total, v.balances["BTC"].total) == (100_000 - spent, held)
    assert len(v.trades) > 200
    for o in v.visible(T + 10**9, only_open=True):
        v.cancel(BTC, T + 10**9, o.id, None)
    assert [b.locked for b in v.balances.values()] == [0, 0, 0]

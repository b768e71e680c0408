"""Open orders are listed, cancelled and listed again over HTTP, in six dialects and with a fault in every step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from policykit.errors import ExchangeUnavailable
from policykit.exchanges.cancelling import FamilyCount, OpenOrder, load
from policykit.exchanges.cancelling.base import by_symbol
from policykit.exchanges.cancelling.canceller import Canceller, canceller
from policykit.redact import Secret
from policykit.sim import SimClock, SimServer

#: Dialects with orders, and the family that has those which wait for a price (the same one where there is one list).
DIALECTS = {
    "binance": "spot.order",
    "bitmex": "spot.order",
    "bitget": "",  # sim has no waiting ones there
    "bybit": "spot.trigger",
    "deribit": "spot.order",
    "gate": "spot.price",
    "kraken": "spot.order",
    "kucoin": "spot.stop",
    "okx": "spot.algo",
}


@pytest.fixture(params=DIALECTS)
def exchange(request: pytest.FixtureRequest) -> str:
    """Each dialect in turn."""
    return str(request.param)


@contextmanager
def _open(exchange: str, orders: int = 3, *faults: dict[str, Any]) -> Iterator[tuple[SimServer, Canceller]]:
    """Yield an exchange with orders of two pairs resting, some of them waiting for a price, and what cancels there."""
    with SimServer(clock=SimClock(), dialect=exchange, faults=faults) as sim:
        for number in range(orders):
            sim.order("BTC/USDT", "buy", "0.001", 20_000 + number)
            sim.order("ETH/USDT", "sell" if number < 0 else "buy", "0.01", 1_000 + number)
        secrets = {name: Secret(value) for name, value in sim.main_key.credentials().items()}
        with canceller(exchange, secrets, endpoint=sim.url, clock=sim.clock, products={"spot"}) as one:
            yield sim, one


def _resting(sim: SimServer) -> int:
    return sum(order.is_open for order in sim.venue.orders.values())


def test_everything_is_cancelled_and_seen_to_be_gone(exchange: str) -> None:
    """Each family's orders go, and the last list shows none; the counts are what was really there."""
    waits = DIALECTS[exchange]
    with _open(exchange) as (sim, one):
        if waits:
            sim.order("ETH/USDT", "buy", "0.01", 3_100, trigger=3_090)
        counts = one.clear()
        assert _resting(sim) == 0
        assert sum(count.listed for count in counts.values()) == 6 + bool(waits)
        assert sum(count.cancelled for count in counts.values()) == 6 + bool(waits)
        assert counts["spot.order"].flat
        assert all(count.flat for count in counts.values())
        if waits and waits != "spot.order":
            assert counts[waits] == FamilyCount(1, 1)


def test_what_is_kept_stays(exchange: str) -> None:
    """Orders that the caller keeps are counted and left, whatever one call could take at once."""
    with _open(exchange) as (sim, one):
        counts = one.clear(keep=lambda order: order.symbol == "BTC/USDT")
        assert counts["spot.order"] == FamilyCount(listed=6, cancelled=3, kept=3)
        assert _resting(sim) == 3
        assert {order.new.symbol.base for order in sim.venue.orders.values() if order.is_open} == {"BTC"}


def test_an_order_that_arrives_late_is_found(exchange: str) -> None:
    """While orders may still be on their way an empty list is not believed: the late one is cancelled as well."""
    with _open(exchange) as (sim, one):
        sim.order("BTC/USDT", "buy", "0.001", 25_000, arrives_in_s=4)
        counts = one.clear(settle_ms=6_000)
        assert counts["spot.order"] == FamilyCount(listed=7, cancelled=7)
        assert _resting(sim) == 0


def test_without_that_wait_it_would_be_left(exchange: str) -> None:
    """The control of the test above."""
    with _open(exchange) as (sim, one):
        sim.order("BTC/USDT", "buy", "0.001", 25_000, arrives_in_s=120)
        assert one.clear()["spot.order"].flat
        sim.clock.sleep(121)
        assert _resting(sim) == 1


@pytest.mark.parametrize("do", ["lost_reply", "drop", "garbage", "unknown"])
def test_a_cancel_without_an_answer_is_looked_at_again(exchange: str, do: str) -> None:
    """The next list, and no answer, says what is gone: lost, damaged and never sent cancels all end flat."""
    with _open(exchange, 3, {"at": "cancel", "do": do, "when": [1], "executed": do == "garbage"}) as (sim, one):
        counts = one.clear(keep=lambda order: False)
        assert _resting(sim) == 0
        assert counts["spot.order"] == FamilyCount(listed=6, cancelled=6)


def test_a_refused_cancel_is_left_and_said(exchange: str) -> None:
    """Cancels that are refused for ever end the loop: what is left is counted, with the reason; nothing hangs."""
    with _open(exchange, 2, {"at": "cancel", "do": "unknown", "ratio": 1.0, "executed": False}) as (sim, one):
        count = one.clear()["spot.order"]
        assert (count.listed, count.cancelled, count.left, count.flat) == (4, 0, 4, False)
        assert exchange in count.unknown
        assert _resting(sim) == 4


@pytest.mark.parametrize("at", ["any", "lookup"])
def test_a_dead_exchange_is_unknown_and_never_flat(exchange: str, at: str) -> None:
    """No answer to the list: every family is unknown, with the reason, and none of it passes for empty."""
    with _open(exchange, 1, {"at": at, "do": "drop", "ratio": 1.0}) as (sim, one):
        counts = one.clear()
        assert counts
        assert not any(count.flat for name, count in counts.items() if name == "spot.order")
        assert all(count.unknown for name, count in counts.items() if name == "spot.order")
        assert _resting(sim) == 2


def test_a_time_bound_ends_it(exchange: str) -> None:
    """A bound in time is kept: what is left is said."""
    with _open(exchange, 2, {"at": "cancel", "do": "lost_reply", "ratio": 1.0, "after": 1}) as (_, one):
        counts = one.clear(within_ms=0, settle_ms=60_000)
        assert counts["spot.order"].listed == 4


def test_a_full_page_of_kept_orders_hides_others() -> None:
    """What one answer cannot show is not known: a page of kept orders is said, an unkept order behind it too."""
    with SimServer(clock=SimClock(), dialect="bitget", balances={"USDT": 10_000_000}) as sim:
        for number in range(101):
            sim.order("BTC/USDT", "buy", "0.001", 20_000 + number)
        secrets = {name: Secret(value) for name, value in sim.main_key.credentials().items()}
        with canceller("bitget", secrets, endpoint=sim.url, clock=sim.clock, products={"spot"}) as one:
            count = one.clear(keep=lambda order: True)["spot.order"]
            assert (count.kept, count.flat) == (100, False)
            assert "more may be open" in count.unknown
            assert one.clear()["spot.order"].flat
            assert _resting(sim) == 0


def test_an_order_says_what_it_is(exchange: str) -> None:
    """What is listed has the numbers of the order, exact."""
    with _open(exchange, 1) as (_, one):
        order: OpenOrder = next(o for o in one.open_orders().orders["spot.order"] if o.symbol == "BTC/USDT")
        assert (order.side, str(order.quantity.normalize() if order.quantity else ""), order.family) == (
            "buy",
            "0.001",
            "spot.order",
        )
        assert order.price is not None
        assert int(order.price) == 20_000
        assert order.at_ms is not None
        assert order.client_order_id.endswith("sim1") or exchange == "deribit"  # whose labels ccxt takes for none
        assert one.cancel(order)
        if exchange != "bitmex":  # which does not document how it refuses a cancel of what is gone
            assert one.cancel(order) is False  # it is gone: no error


def test_an_exchange_that_cannot_be_cancelled_on_is_said() -> None:
    """No exchange without a file is guessed at."""
    with pytest.raises(ExchangeUnavailable, match=r"this version cannot cancel on bithumb; .* do it in the web page"):
        canceller("bithumb", {})


def test_where_orders_are_listed_by_symbol_the_others_are_unknown() -> None:
    """MEXC's spot shows one symbol at a time: those that nobody named are not seen, and that is said."""
    with SimServer(clock=SimClock(), dialect="mexc") as sim:
        secrets = {name: Secret(value) for name, value in sim.main_key.credentials().items()}
        for symbols, words in ((("BTC/USDT",), "only those of BTC/USDT are seen"), ((), "none is named")):
            with canceller("mexc", secrets, endpoint=sim.url, clock=sim.clock, symbols=symbols) as one:
                assert words in one.open_orders().unknown["spot.order"]
                assert not one.clear()["spot.order"].flat


def test_orders_of_one_list_are_told_apart() -> None:
    """A sale on margin or of a contract can be a short: it never passes for one of what is held."""
    margin = load("kraken").families[0].split  # type: ignore[union-attr]
    assert margin is not None
    rows: list[dict[str, Any]] = [{"info": {"descr": {"leverage": said}}} for said in ("none", "2:1", None)]
    assert [margin(row) for row in (*rows, {"info": None})] == ["spot.order", *["margin.order"] * 3]
    symbols = ("BTC/USDT", "BTC/USD:BTC", "BTC/USD:BTC-261225-90000-C", "")
    assert [by_symbol({"symbol": one}) for one in symbols] == ["spot.order", "swap.order", "option.order", "spot.order"]


def test_a_part_of_one_list_is_cancelled_one_by_one() -> None:
    """Where only spot is to go, the call that takes the whole account, contracts with it, is not made."""
    with SimServer(clock=SimClock(), dialect="deribit") as sim:
        for number in range(2):
            sim.order("BTC/USDT", "buy", "0.001", 20_000 + number)
        secrets = {name: Secret(value) for name, value in sim.main_key.credentials().items()}
        with canceller("deribit", secrets, endpoint=sim.url, clock=sim.clock, products={"spot"}) as one:
            assert one.families == ("spot.order",)
            assert one.clear() == {"spot.order": FamilyCount(2, 2)}
        assert sim.truth.by_route["GET /api/v2/private/cancel_all"] == 0

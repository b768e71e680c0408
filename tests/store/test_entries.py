"""Entries that fill in part, over every back-end alike: when, by how much, and what ends it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from policykit.engine.facts import Facts, Partial
from policykit.order import Order
from policykit.orders.intent import Intent, Outcome
from policykit.store.backed import LedgerStore
from policykit.store.entries import SYMBOLS, Entries
from tests.store.made import ACCOUNT, BTC, NOW, hold_position, reserve, wanted
from tests.store.test_conformance import Again

D = Decimal


@pytest.fixture(autouse=True)
def counted(store: LedgerStore) -> None:
    """A policy asks to count."""
    store.announce(ACCOUNT, "USDT", {"name": "mm", "entries": True}, NOW)


def entry(store: LedgerStore, **more: Any) -> Intent:
    """Reserve an entry of one coin."""
    intent, grant = reserve(store, hold_position(BTC, 2**53 - 1), **more)
    assert grant.granted
    return intent


def told(store: LedgerStore, intent: Intent, at: int, filled: str, state: str = "acknowledged", **more: Any) -> Facts:
    """Report an outcome; return the facts after it."""
    store.outcome(intent.id, Outcome(state, at, filled=D(filled), **more))  # type: ignore[arg-type]
    return store.facts(ACCOUNT, "bot")


def test_a_part_is_seen_and_a_whole_fill_ends_it(store: LedgerStore, reopened: Again) -> None:
    """0.3 of 1, then 0.6, then all of it: what was counted in the symbol is over."""
    assert store.facts(ACCOUNT, "bot").partials == {}
    one = entry(store)
    assert told(store, one, NOW + 5, "0.3").partials == {"BTC/USDT": Partial(NOW + 5, D("0.3"))}
    assert told(store, one, NOW + 6, "0.3").partials == {"BTC/USDT": Partial(NOW + 5, D("0.3"))}
    assert told(store, one, NOW + 9, "0.6").partials == {"BTC/USDT": Partial(NOW + 9, D("0.6"))}
    assert reopened(store).facts(ACCOUNT, "bot").partials == {"BTC/USDT": Partial(NOW + 9, D("0.6"))}
    assert told(store, one, NOW + 12, "1", closed=True).partials == {}


def test_an_entry_that_ends_in_part_is_remembered(store: LedgerStore, reopened: Again) -> None:
    """Cancelled at 0.4: none is out, but one was seen, at its end; one that ended without a fill is nothing."""
    one, none = entry(store), entry(store)
    told(store, one, NOW + 5, "0.4")
    for again in (store, reopened(store)):
        facts = told(again, one, NOW + 50, "0.4", "settled", closed=True)
        assert facts.partials == {"BTC/USDT": Partial(NOW + 50)}
    assert told(store, none, NOW + 60, "0", "settled", closed=True).partials == {"BTC/USDT": Partial(NOW + 50)}
    # What is reported late of an order that is over counts; an older report moves no time back.
    assert told(store, one, NOW + 70, "0.5", "settled").partials == {"BTC/USDT": Partial(NOW + 70)}
    assert told(store, none, NOW + 65, "0.1", "settled").partials == {"BTC/USDT": Partial(NOW + 70)}


def test_the_least_of_those_out_counts(store: LedgerStore) -> None:
    """Two are out with 0.5 and 0.2; a third fills wholly and ends the count, not what the others filled."""
    first, second, third = entry(store), entry(store), entry(store)
    told(store, first, NOW + 1, "0.5")
    assert told(store, second, NOW + 2, "0.2").partials == {"BTC/USDT": Partial(NOW + 2, D("0.2"))}
    assert told(store, first, NOW + 3, "0.5", closed=False).partials == {"BTC/USDT": Partial(NOW + 2, D("0.2"))}
    assert told(store, first, NOW + 3, "0.55").partials == {"BTC/USDT": Partial(NOW + 3, D("0.2"))}
    assert told(store, third, NOW + 3, "1", "settled", closed=True).partials == {"BTC/USDT": Partial(None, D("0.2"))}
    assert told(store, second, NOW + 4, "1", "settled", closed=True).partials == {"BTC/USDT": Partial(None, D("0.55"))}
    assert told(store, first, NOW + 5, "1", "settled", closed=True).partials == {}


def test_a_hundredth_is_no_part(store: LedgerStore) -> None:
    """0.99 of 1 is all but one step of the market; 0.98 is a part."""
    one = entry(store)
    assert told(store, one, NOW + 1, "0.98").partials == {"BTC/USDT": Partial(NOW + 1, D("0.98"))}
    assert told(store, one, NOW + 2, "0.99", "settled", closed=True).partials == {}


def test_exits_are_no_entries(store: LedgerStore) -> None:
    """What can only reduce is not counted, however it fills."""
    one = entry(store, reduces=True, side="sell")
    assert told(store, one, NOW + 1, "0.3").partials == {}


def test_orders_in_quote_quantity_are_told_by_their_cost() -> None:
    """600 of 1,000 spent is 60 %; a cost that nobody told is the least there is."""
    _, plain = wanted()
    order = Order("BTC/USDT", "buy", "market", quote_quantity=D(1_000))
    entries = Entries()
    half = replace(plain, order=order, filled=D("0.01"), cost=D(600))
    assert entries.saw(half, NOW)
    assert entries.view() == {"BTC/USDT": Partial(NOW, D("0.6"))}
    assert entries.saw(replace(half, cost=None), NOW)
    assert entries.view() == {"BTC/USDT": Partial(NOW, D(0))}
    assert entries.saw(replace(half, cost=D(991), state="settled"), NOW)
    assert entries.view() == {}
    assert not entries.saw(replace(half, cost=D(991), state="settled"), NOW)


def test_symbols_are_bounded() -> None:
    """Beyond so many the one that was seen longest ago is forgotten; a checkpoint reads back as it was."""
    _, plain = wanted()
    entries = Entries()
    for number in range(SYMBOLS + 1):
        order = Order(f"A{number}/USDT", "buy", "market", D(1))
        entries.saw(replace(plain, id=str(number), order=order, filled=D("0.1"), state="settled"), NOW)
    assert (len(entries.seen), "A0/USDT" in entries.seen) == (SYMBOLS, False)
    again = Entries()
    again.load(entries.dump())
    assert again.view() == entries.view()


def test_without_being_asked_nothing_is_counted(store: LedgerStore) -> None:
    """Another account's policy asks for nothing: its entries are not known, rather than none."""
    store.announce("binance/other", "USDT", {"name": "b"}, NOW)
    assert store.facts("binance/other", "bot").partials is None

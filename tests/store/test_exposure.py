"""Totals of positions in every back-end: what counts, for whom, on which side, and what moves it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.decision import (
    Hold,
    HoldKind,
    asset_owner,
    gross_counter,
    group_owner,
    net_counter,
    position_counter,
    positions_counter,
)
from policykit.engine.totals import Total, total_of
from policykit.orders.intent import Intent, Outcome
from policykit.store import Observation
from policykit.store.backed import LedgerStore
from policykit.units import MAX_COUNTER
from tests.store.made import ACCOUNT, BTC, NOW, reserve

Again = Callable[[Any], Any]
OTHER = "binanceusdm/main"
GROUP = group_owner("desk", "USDT")
#: 0.0001 USDT.
USDT = 10_000
LONG, SHORT = "BTC/USDT:USDT#long", "BTC/USDT:USDT#short"


def totals(store: Any, owner: str) -> tuple[int, int, int]:
    """Return gross, long and short of an owner, in USDT: a hold that cannot fit is told what is used."""

    def of(kind: HoldKind, counter: str, sign: int) -> int:
        grant = reserve(store, Hold(counter, sign, -MAX_COUNTER, kind, "risk"), now=NOW)[1]
        assert not grant.granted
        return grant.used[0]

    used = of("gross", gross_counter(owner), 1), of("net", net_counter(owner), 1), of("net", net_counter(owner), -1)
    assert all(steps % USDT < 4 for steps in used)  # a step for each position that hedges: it counts as less
    return tuple(steps // USDT for steps in used)  # type: ignore[return-value]


def others(store: Any, key: str) -> int:
    """Return how many positions are open but that at a key."""
    hold = Hold(positions_counter(ACCOUNT, key), 1, -1, "positions", "risk")
    return reserve(store, hold, now=NOW)[1].used[0]


def test_what_is_held_without_a_price_since_a_fill_is_a_fact_at_once(store: Any) -> None:
    """No total counts it, and a cap on totals asks the facts: they are not those from before the fill."""
    seen(store, positions={})
    assert store.facts(ACCOUNT, "bot").unpriced == ()
    hold = Hold(position_counter(ACCOUNT, "DOGE"), 5, MAX_COUNTER, "position", "risk.max_position_notional")
    intent = reserve(store, hold, now=NOW)[0]
    assert store.facts(ACCOUNT, "bot").unpriced == ()
    store.outcome(intent.id, Outcome("settled", NOW, "1", Decimal(1), closed=True))
    assert store.facts(ACCOUNT, "bot").unpriced == ("DOGE",)


def seen(store: Any, account: str = ACCOUNT, at: int = NOW, **facts: Any) -> None:
    """Take facts in; numbers may be plain."""
    given = {name: {k: Decimal(v) for k, v in value.items()} for name, value in facts.items()}
    store.observe(account, Observation(at, at, **given), at)  # type: ignore[arg-type]


def out(store: Any, quantity: int, key: str = "BTC", account: str = ACCOUNT, *caps: Hold, **more: Any) -> Intent:
    """Send an order of whole units; a sell is negative."""
    hold = Hold(position_counter(account, key), quantity * BTC, MAX_COUNTER, "position", "risk")
    side = "buy" if quantity > 0 else "sell"
    intent, grant = reserve(store, hold, *caps, side=side, quantity=str(abs(quantity)), account=account, **more)
    assert grant.granted
    return intent


def test_each_position_counts_at_its_worst(store: LedgerStore, reopened: Again) -> None:
    """|position| with what is out on that side, at what a unit is worth; long and short add in gross, net in net."""
    seen(store, positions={"BTC": 2, LONG: 0, "ETH": -10}, units={"BTC": 100, LONG: 10, "ETH": 7})
    assert totals(store, ACCOUNT) == (200 + 70, 200 - 70, 70 - 200)
    out(store, 3)  # BTC 2 to 5
    assert totals(store, ACCOUNT) == (500 + 70, 500 - 70, 70 - 200)
    out(store, -4, LONG)  # 0 to -4 of 10
    assert totals(store, ACCOUNT) == (500 + 40 + 70, 500 + 0 - 70, 70 + 40 - 200)
    out(store, -1)  # a sell of what is held makes nothing larger, and nets nothing before it filled
    assert totals(store, ACCOUNT) == (610, 430, 110 - 200 + 100)
    out(store, 5, "ETH")  # and neither does a buy against a short
    assert totals(store, ACCOUNT) == (610, 430 + 35, 10)
    assert totals(reopened(store), ACCOUNT) == (610, 465, 10)


def test_assets_are_totals_of_their_own(store: LedgerStore) -> None:
    """Spot, contract and legs of one base asset are one total; another asset is another."""
    seen(store, positions={"BTC": 1, LONG: 2, SHORT: -3, "ETH": 4}, units={"BTC": 10, LONG: 10, SHORT: 10, "ETH": 1})
    assert totals(store, asset_owner(ACCOUNT, "BTC")) == (60, 0, 0)
    assert totals(store, asset_owner(ACCOUNT, "ETH")) == (4, 4, -4)
    assert totals(store, ACCOUNT) == (64, 4, -4)
    assert totals(store, asset_owner(OTHER, "BTC")) == (0, 0, 0)


def test_a_mark_revalues_what_is_out(store: LedgerStore, reopened: Again) -> None:
    """A newer unit counts for what is held and out already; an older one is too late; without one nothing counts."""
    out(store, 2)
    assert (totals(store, ACCOUNT), others(store, "ETH")) == ((0, 0, 0), 0)
    seen(store, units={"BTC": 100})
    assert (totals(store, ACCOUNT), others(store, "ETH")) == ((200, 200, 0), 1)
    seen(store, at=NOW - 1, units={"BTC": 1})
    assert totals(store, ACCOUNT) == (200, 200, 0)
    seen(store, at=NOW + 2, units={"ETH": 9})  # of another position
    seen(store, at=NOW + 1, units={"BTC": 130})
    assert totals(reopened(store), ACCOUNT) == (260, 260, 0)
    assert store.facts(ACCOUNT, "bot").positions["BTC"].unit == 130 * 10**12


def test_an_order_that_ends_gives_back_and_a_fill_stays(store: LedgerStore) -> None:
    """A reject counts no more, an unknown order still does; of a cancel what filled stays, a settled sell frees."""
    seen(store, at=NOW - 60_000, positions={}, units={"BTC": 100})
    rejected, unknown, part = out(store, 1), out(store, 2), out(store, 4)
    assert totals(store, ACCOUNT)[0] == 700
    store.outcome(rejected.id, Outcome("rejected", NOW))
    store.outcome(unknown.id, Outcome("unknown", NOW))
    store.outcome(part.id, Outcome("settled", NOW, filled=Decimal(1)))
    assert totals(store, ACCOUNT) == (300, 300, -100)
    store.outcome(unknown.id, Outcome("absent", NOW))
    assert totals(store, ACCOUNT) == (100, 100, -100)
    seen(store, at=NOW + 60_000, positions={"BTC": 0})
    assert (totals(store, ACCOUNT), others(store, "ETH")) == ((0, 0, 0), 0)


def test_two_orders_in_flight_add_up_under_one_cap(store: LedgerStore) -> None:
    """I8: of three orders of 100 under a cap of 250 two are granted; on the other side of net there is room."""
    seen(store, positions={}, units={"BTC": 100})
    gross = Hold(gross_counter(ACCOUNT), 100 * USDT, 250 * USDT, "gross", "risk")
    net = Hold(net_counter(ACCOUNT), 100 * USDT, 250 * USDT, "net", "risk")
    one = Hold(position_counter(ACCOUNT, "BTC"), BTC, MAX_COUNTER, "position", "risk")
    for _ in range(2):
        assert reserve(store, one, gross, net)[1].granted
    refused = reserve(store, one, gross, net)[1]
    assert (refused.granted, refused.used, refused.failed) == (False, (2 * BTC, 200 * USDT, 200 * USDT), (1, 2))
    short = one._replace(amount=-BTC)
    assert reserve(store, short, net._replace(amount=-100 * USDT), side="sell")[1].granted
    assert totals(store, ACCOUNT) == (200, 200, 100)
    exact = Hold(gross_counter(ACCOUNT), 50 * USDT, 250 * USDT, "gross", "risk")
    assert reserve(store, exact)[1].granted
    assert not reserve(store, exact._replace(amount=50 * USDT + 1))[1].granted


def test_a_group_counts_every_account_that_joined(store: LedgerStore, reopened: Again) -> None:
    """From the moment an account joins, all it has counts; twice is once; who never joined counts nothing."""
    seen(store, positions={"BTC": 2}, units={"BTC": 100})
    seen(store, OTHER, positions={LONG: -3}, units={LONG: 10})
    assert totals(store, GROUP) == (0, 0, 0)
    loaded = {"name": "mm", "groups": [GROUP]}
    store.announce(ACCOUNT, "USDT", loaded, NOW)
    assert totals(store, GROUP) == (200, 200, -200)
    store.announce(OTHER, "USDT", loaded, NOW)
    store.announce(OTHER, "USDT", loaded, NOW)
    assert totals(store, GROUP) == (230, 170, -170)
    out(store, -1, LONG, OTHER)
    assert totals(store, GROUP) == (240, 170, -160)
    again = reopened(store)
    assert totals(again, GROUP) == (240, 170, -160)
    assert again.facts(OTHER, "bot").groups == (GROUP,)
    # A policy that names no group any more takes nothing out of it.
    again.announce(OTHER, "USDT", {"name": "mm"}, NOW)
    assert totals(again, GROUP) == (240, 170, -160)
    store.announce("okx/main", "USDT", loaded, NOW)  # an account without positions
    assert totals(store, GROUP) == (240, 170, -160)


def test_open_positions_are_counted_once_each(store: LedgerStore) -> None:
    """A position counts while it is worth anything at its worst, with what is out; the asked one is left out."""
    seen(store, positions={"BTC": 1, "ETH": 0, LONG: 0}, units={"BTC": 100, "ETH": 10, LONG: 10})
    assert [others(store, key) for key in ("BTC", "ETH", "DOGE")] == [0, 1, 1]
    first, second = out(store, 1, "ETH"), out(store, -1, LONG)
    assert [others(store, key) for key in ("BTC", "ETH", LONG, "DOGE")] == [2, 2, 2, 3]
    store.outcome(first.id, Outcome("rejected", NOW))
    store.outcome(second.id, Outcome("rejected", NOW))
    assert [others(store, key) for key in ("BTC", "ETH")] == [0, 1]
    one = Hold(positions_counter(ACCOUNT, "ETH"), 1, 2, "positions", "risk")
    held = Hold(position_counter(ACCOUNT, "ETH"), BTC, MAX_COUNTER, "position", "risk")
    third = Hold(positions_counter(ACCOUNT, LONG), 1, 2, "positions", "risk")
    assert reserve(store, held, one)[1].granted
    assert reserve(store, held, one)[1].granted  # the same position again
    assert reserve(store, third)[1].failed == (0,)


@pytest.mark.parametrize(
    ("buy", "sell", "unit", "expected"),
    [
        (0, 0, 10**12, Total()),
        (BTC, 0, 0, Total()),
        (BTC, -BTC, 10**12, Total(10_000, 10_000, -9_999, 1)),  # a hedge is a step less than it is
        (1, 0, 10**12, Total(1, 1, 0, 1)),  # 1e-8 units of 1 USDT are a ten-thousandth of a step: rounded up
        (3, -3, 5 * 10**15, Total(2, 2, 0, 1)),  # 1.5 steps: 2 of what is used, 0 of what hedges
        (-BTC, 2 * BTC, 3 * 10**12, Total(60_000, -29_999, 60_000, 1)),
        (-1, 1, 10**12, Total(1, 1, 1, 1)),
    ],
)
def test_totals_are_rounded_against_the_user(buy: int, sell: int, unit: int, expected: Total) -> None:
    """What is used is rounded up; what makes a total smaller down, and by a step, since its unit was rounded up."""
    assert total_of(buy, sell, unit) == expected

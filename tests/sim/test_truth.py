"""The ground truth."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from policykit.sim.truth import Executed, Truth, terms


def executed(tag: str, cid: str) -> Executed:
    """Make the record of one executed order."""
    return Executed(cid, tag, "BTC/USDT", "buy", "LIMIT", Decimal("0.01"), Decimal(50_000), 0)


@pytest.mark.parametrize(
    ("meant", "duplicates"),
    [(None, 2), ({"x": 3, "y": 1}, 0), ({"x": 2, "y": 1}, 1), ({"x": 3}, 1), ({}, 4)],
)
def test_duplicates_are_what_was_executed_beyond_what_was_meant(meant: dict[str, int] | None, duplicates: int) -> None:
    """Without `meant` each intent is meant once; with it as often as it says, and what it does not name never."""
    truth = Truth(executed=[executed("x", "1"), executed("x", "2"), executed("x", "2"), executed("y", "3")])
    assert truth.duplicates(meant) == duplicates
    assert truth.per_tag() == Counter(x=3, y=1)
    assert truth.per_client_order_id() == {"1": 1, "2": 2, "3": 1}


def test_the_worst_of_positions_and_minutes() -> None:
    """Largest holding and value of an asset, most requests and weight of a minute; nothing gives zeros."""
    empty = Truth()
    assert [empty.max_position("BTC"), empty.max_position_notional("BTC")] == [Decimal(0), Decimal(0)]
    assert empty.worst_minute() == (0, 0)
    truth = Truth(positions=[(1, "BTC", Decimal(-2), Decimal(-90)), (2, "BTC", Decimal(1), Decimal(99))])
    found = [truth.max_position("BTC"), truth.max_position_notional("BTC"), truth.max_position("ETH")]
    assert found == [Decimal(2), Decimal(99), Decimal(0)]
    for at_ms, weight in ((0, 1), (59_999, 20), (60_000, 4)):
        truth.note_request(at_ms, "GET /", weight)
    assert truth.worst_minute() == (2, 21)


def test_terms_are_the_same_however_a_number_is_written() -> None:
    """Text, Decimal and float of one value give one tag."""
    told = {terms("BTC/USDT", side, q, p) for side, q, p in (("buy", 0.1, 60000.0), ("BUY", "0.100", Decimal("6E4")))}
    assert told == {"BTC/USDT buy 0.1 @ 60000"}

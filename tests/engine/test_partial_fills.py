"""`risk.partial_fills`: when entries wait, what is counted, that exits never do, and that no field loosens another."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from policykit.decision import Assessment, Hold
from policykit.engine import explain_failed
from policykit.engine.facts import Facts, Partial
from policykit.order import Order
from tests.engine.worlds import NOW, codes, engine, facts, order

D = Decimal
HOUR = 3_600_000
LEAST = {"min_fill_to_act": "10%"}
REENTRIES = {"max_reentries": 3}
COOLDOWN = {"cooldown": "1m"}
ALL = {**LEAST, **REENTRIES, **COOLDOWN}


def known(at_ms: int | None = None, least: str | None = None, symbol: str = "BTC/USDT") -> Facts:
    """Return facts with entries of a symbol that filled in part."""
    return facts(partials={symbol: Partial(at_ms, None if least is None else D(least))})


def judged(fields: dict[str, Any], seen: Facts, asked: Order | None = None, now: int = NOW) -> Assessment:
    """Return what becomes of an entry; assert that an exit passes and holds nothing of it."""
    made = engine({"risk.partial_fills": fields})
    exits = made.assess(seen, order(side="sell"), now)
    assert (exits.reasons, claims(exits)) == ((), [])
    return made.assess(seen, asked or order(), now)


def claims(assessment: Assessment) -> list[Hold]:
    """Return what an order claims of the check."""
    return [hold for hold in assessment.holds if hold.check == "risk.partial_fills"]


def texts(assessment: Assessment) -> list[tuple[str, str]]:
    """Return codes and messages."""
    return [(reason.code, reason.message) for reason in assessment.reasons]


def test_a_crumb_of_a_fill_is_waited_for() -> None:
    """An entry that is out and filled by 9.99 % stops others; at 10 % they go on, and without a fill."""
    text = "an entry into BTC/USDT that is still out has filled by less than min_fill_to_act 10%"
    found = judged(LEAST, known(NOW, "0.0999"))
    assert texts(found) == [("PARTIAL_FILL", f"{text}; let it fill, or cancel it")]
    assert [(r.observed, r.limit, r.unit) for r in found.reasons] == [("9.99", "10", "%")]
    assert judged(LEAST, known(NOW, "0.1")).reasons == ()
    assert judged(LEAST, known(NOW)).reasons == ()
    assert codes(judged(LEAST, known(None, "0.05"))) == ["PARTIAL_FILL"]
    assert judged({"min_fill_to_act": "0%"}, known(NOW, "0.000001")).reasons == ()


def test_entries_wait_after_a_part() -> None:
    """A minute, its last millisecond excluded; a fill that is dated ahead waits as well."""
    found = judged(COOLDOWN, known(NOW - 59_000))
    assert texts(found) == [
        ("PARTIAL_COOLDOWN", "an entry into BTC/USDT filled in part 59 s ago, entries wait 1 s more")
    ]
    assert [(r.observed, r.limit, r.unit) for r in found.reasons] == [("59000", "60000", "ms")]
    assert codes(judged(COOLDOWN, known(NOW - 59_999))) == ["PARTIAL_COOLDOWN"]
    assert judged(COOLDOWN, known(NOW - 60_000)).reasons == ()
    assert codes(judged(COOLDOWN, known(NOW + 5))) == ["PARTIAL_COOLDOWN"]
    assert judged(COOLDOWN, known(None, "0.5")).reasons == ()


def test_entries_after_a_part_are_counted() -> None:
    """Within an hour each claims one of three, by symbol; an hour later, or without such an entry, none does."""
    hold = Hold("binance/main|reentries|BTC/USDT", 1, 3, "window", "risk.partial_fills", HOUR)
    assert claims(judged(REENTRIES, known(NOW - HOUR + 1))) == [hold]
    for seen in (known(NOW - HOUR), known(None, "0.5"), known(NOW, symbol="ETH/USDT"), facts(partials={})):
        found = judged(REENTRIES, seen)
        assert (found.reasons, claims(found)) == ((), [])
    assert claims(judged({"max_reentries": 0}, known(NOW))) == [hold._replace(limit=0)]
    made = engine({"risk.partial_fills": REENTRIES})
    (reason,) = explain_failed(made, order(), (hold,), (3,), (0,), facts=known(NOW), now_ms=NOW)
    assert (reason.code, reason.message) == (
        "PARTIAL_REENTRIES",
        "3 entries into BTC/USDT followed one that filled in part, none filled wholly, max_reentries is 3 in an hour",
    )
    assert (reason.observed, reason.limit, reason.unit) == ("4", "3", "entries")


def test_what_is_not_counted_yet_denies() -> None:
    """Where nobody counts, entries are denied; a malformed order, an amend and a cancel say nothing of it."""
    found = judged(ALL, facts())
    assert texts(found) == [("FACTS_MISSING", "entries that filled in part are not counted yet")]
    assert [reason.failure for reason in found.reasons] == [True]
    assert codes(judged(ALL, facts(), order(quantity="0"))) == ["ORDER_INVALID"]
    assert claims(judged(ALL, known(NOW), order(action="order.amend"))) == []
    assert judged(ALL, facts(), Order("BTC/USDT", action="order.cancel")).reasons == ()


def test_without_a_field_nothing_is_asked() -> None:
    """A section that says nothing, and none at all, are no check."""
    for fields in ({}, None):
        made = engine({"risk.partial_fills": fields})
        assert "risk.partial_fills" not in [check.id for check in made.checks]
        assert made.assess(facts(), order(), NOW).reasons == ()


STATES = [(at, least) for at in (None, NOW, NOW - 30_000, NOW - 2 * HOUR) for least in (None, "0.05", "0.5")]


@pytest.mark.parametrize(
    "fields", [{**a, **b, **c} for a, b, c in product((LEAST, {}), (REENTRIES, {}), (COOLDOWN, {}))]
)
def test_a_field_that_is_set_is_never_looser(fields: dict[str, Any]) -> None:
    """Whatever passes with more fields passes with fewer, and claims no more than it does with more."""
    for at_ms, least in STATES:
        seen = known(at_ms, least) if at_ms or least else facts(partials={})
        fewer, more = judged(fields, seen), judged(ALL, seen)
        assert set(codes(fewer)) <= set(codes(more))
        assert set(claims(fewer)) <= set(claims(more))


def test_what_is_remembered_says_the_same() -> None:
    """No order is remembered for a symbol with a part; for another it is, and then as now."""
    made = engine({"risk.partial_fills": ALL})
    part = known(NOW - 61_000, "0.5")
    assert claims(made.assess(part, order(), NOW))
    assert not made._memo[1]
    assert claims(made.assess(part, order(), NOW + HOUR)) == []
    eth = order(symbol="ETH/USDT", price="2900")
    assert made.assess(part, eth, NOW).reasons == ()
    assert made._memo[1]
    assert made.assess(part, eth, NOW + 1) == engine({"risk.partial_fills": ALL}).assess(part, eth, NOW + 1)

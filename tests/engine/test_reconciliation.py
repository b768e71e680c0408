"""What nothing explains denies increases where it is worth more than its tolerance."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from policykit.engine import explain_failed
from policykit.engine.checks.reconciliation import Reconciliation
from policykit.engine.facts import Drift, Fact
from tests.engine.worlds import FACTS, NOW, engine, order

MOVED = Drift("balance", "BTC", Decimal("-0.5"), Decimal(30_000), "order 7 (web_1) sold 0.5 BTC/USDT")
SMALL = Drift("position", "ETH/USDT:USDT", Decimal("0.001"), Decimal(5))
UNPRICED = Drift("balance", "ABC", Decimal(7), None)
TEXT = (
    "balance BTC: -0.5 is explained by nothing, worth 30,000.00 USDT; tolerance is 5 USDT "
    "(order 7 (web_1) sold 0.5 BTC/USDT); see policykit reconcile"
)


def reasons(section: dict[str, Any], drift: tuple[Drift, ...] = (), **facts: Any) -> list[tuple[str, str]]:
    """Return code and text of each reason against an increase."""
    known = replace(FACTS, drift=drift, **facts)
    assessed = engine({"reconciliation": section}).assess(known, order(), NOW)
    return [(reason.code, reason.message) for reason in assessed.reasons]


def test_what_is_over_its_tolerance_denies_and_names_itself() -> None:
    """Up to the tolerance nothing is denied; what has no price is over every tolerance; exits pass."""
    section = {"tolerance": "5 USDT"}
    assert reasons(section, (SMALL,)) == []
    assert reasons(section, (MOVED, SMALL)) == [("RECONCILE_DRIFT", TEXT)]
    assert [code for code, _ in reasons(section, (UNPRICED,))] == ["RECONCILE_DRIFT"]
    exits = engine({"reconciliation": section}).assess(replace(FACTS, drift=(MOVED,)), order(side="sell"), NOW)
    assert exits.reasons == ()


def test_without_a_tolerance_nothing_is_denied() -> None:
    """Absent is no limit: it is recorded, and that is all."""
    assert reasons({"orders_every": "30s"}, (MOVED,)) == []
    assert reasons({"on_start": "required"}, (MOVED,)) == []


@pytest.mark.parametrize(("word", "denied"), [("warn", 0), ("deny", 1), ("reduce_only", 1), ("halt", 1)])
def test_the_policy_says_what_follows(word: str, denied: int) -> None:
    """To warn lets it pass, with a warning; to halt is asked of the guard."""
    section = {"tolerance": "5 USDT", "on_breach": word}
    assert len(reasons(section, (MOVED,))) == denied
    (check,) = [c for c in engine({"reconciliation": section}).checks if isinstance(c, Reconciliation)]
    (found,) = check.found(replace(FACTS, drift=(MOVED,)))
    assert found.on_breach == {"reduce_only": "deny"}.get(word, word)
    assert (found.observed, found.limit, found.unit) == ("30000", "5", "USDT")


def test_bounds_of_other_kinds() -> None:
    """A share of equity; an amount in another currency by its mark, and without a mark nothing is tolerated."""
    assert reasons({"tolerance": "1% of equity"}, (SMALL,)) == []
    assert [c for c, _ in reasons({"tolerance": "0.001% of equity"}, (MOVED,))] == ["RECONCILE_DRIFT"]
    assert "RECONCILE_DRIFT" in [c for c, _ in reasons({"tolerance": "1% of equity"}, (SMALL,), equity=None)]
    marks = {**FACTS.marks, "BTC/USDT": Fact(Decimal(60_000), NOW)}
    assert reasons({"tolerance": "0.001 BTC"}, (SMALL,), marks=marks) == []
    assert [c for c, _ in reasons({"tolerance": "9 XYZ"}, (SMALL,))] == ["RECONCILE_DRIFT"]


def test_a_comparison_that_is_long_over_due_denies() -> None:
    """Three times late and a minute: what was not compared is no agreement. One that was never made is the start's."""
    section = {"tolerance": "5 USDT", "orders_every": "30s", "positions_every": "60s"}
    assert reasons(section, reconciled_ms=NOW - 240_000) == []
    text = "the account was last compared 240 s ago; see policykit reconcile"
    assert reasons(section, reconciled_ms=NOW - 240_001) == [("RECONCILE_STALE", text)]
    assert reasons(section, reconciled_ms=None) == []
    # Where the policy does not say how often, the guard compares once a minute, and that is no delay.
    assert reasons({"tolerance": "5 USDT"}, reconciled_ms=NOW - 240_000) == []
    assert [c for c, _ in reasons({"tolerance": "5 USDT"}, reconciled_ms=NOW - 240_001)] == ["RECONCILE_STALE"]


def test_a_lane_ends_when_the_comparison_gets_too_old() -> None:
    """What was allowed is judged anew once the comparison is over due."""
    one = engine({"reconciliation": {"tolerance": "5 USDT", "orders_every": "1s", "positions_every": "1s"}})
    facts = replace(FACTS, reconciled_ms=NOW - 62_900)
    assert one.assess(facts, order(), NOW).reasons == ()
    assert one.assess(facts, order(), NOW + 50).reasons == ()
    assert [r.code for r in one.assess(facts, order(), NOW + 101).reasons] == ["RECONCILE_STALE"]


def test_orders_of_others_take_their_place_among_those_that_are_out() -> None:
    """With three of nobody here the limit of the rest is three less, and the reason says so."""
    one = engine({"risk.max_open_orders": 5})
    for foreign, limit in ((0, 5), (3, 2), (9, 0)):
        facts = replace(FACTS, foreign_orders=foreign)
        holds = one.assess(facts, order(), NOW).holds
        (index,) = [i for i, hold in enumerate(holds) if hold.counter.endswith("open_orders")]
        assert holds[index].limit == limit
        used = tuple(2 if i == index else 0 for i in range(len(holds)))
        (reason,) = explain_failed(one, order(), holds, used, (index,), facts=facts, now_ms=NOW)
        others = f", {foreign} of them of nobody here" if foreign else ""
        assert reason.message == f"{2 + foreign} orders are open{others}, max_open_orders is 5"

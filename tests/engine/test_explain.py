"""What a denied bot and a person read."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from policykit.decision import Decision
from policykit.engine import Engine, denial_message, explain_failed
from policykit.engine.facts import Facts, Position
from policykit.order import Order
from tests.engine.worlds import FACTS, NOW, engine, facts, order


def _refused(
    made: Engine, asked: Order, used: dict[str, int], known: Facts = FACTS, *, blind: bool = False
) -> list[tuple[str, str, str | None, str | None, str | None]]:
    """Explain a refusal by a store that found `used` by kind or counter of the hold."""
    holds = made.assess(known, asked, NOW).holds
    found = tuple(used.get(hold.counter, 0) for hold in holds)
    failed = tuple(index for index, hold in enumerate(holds) if hold.counter in used)
    told: Any = {} if blind else {"facts": known, "now_ms": NOW}
    reasons = explain_failed(made, asked, holds, found, failed, **told)
    return [(r.code, r.message, r.observed, r.limit, r.unit) for r in reasons]


WAIT = "wait until it is settled, see: policykit orders --unknown"
REFUSALS = {
    "binance/main|position|BTC": [
        "RISK_POSITION",
        (
            "position BTC/USDT would be 20,100.00 of max_position_notional 20,000.00 USDT "
            "(20% of equity 100,000.00 USDT, 3 s old)"
        ),
        "20100",
        "20000",
        "USDT",
    ],
    "binance/main|unknown|BTC/USDT|buy": [
        "ORDER_OUTCOME_PENDING",
        f"the outcome of an earlier order (BTC/USDT buy) is not known yet; {WAIT}",
        "1",
        "0",
        "orders",
    ],
    "binance/main|open_orders": ["RISK_OPEN_ORDERS", "20 orders are open, max_open_orders is 20", "21", "20", "orders"],
    "binance/main|orders|60000": ["RATE_ORDERS", "30 orders in the last 1m, max_orders is 30", "31", "30", "orders"],
    "binance@fra-1|request-weight|60000|fixed": [
        "RATE_BUDGET",
        "rate budget request-weight: 4200 of 4200 used in 1m (600 more are kept for exits); this needs 1",
        "4201",
        "4200",
        "weight",
    ],
}
USED = dict(zip(REFUSALS, (32_500_000, 1, 20, 30, 4_200), strict=True))


@pytest.mark.parametrize("counter", REFUSALS)
def test_each_refusal_word_for_word(counter: str) -> None:
    """A hold that the store refused becomes a reason with what was found, the limit and the unit."""
    assert _refused(engine(), order(), {counter: USED[counter]}) == [tuple(REFUSALS[counter])]


def test_every_refused_hold_is_told_in_order() -> None:
    """All refused holds are told, not the first alone."""
    told = _refused(engine(), order(), USED)
    assert [reason[0] for reason in told] == [texts[0] for texts in REFUSALS.values()]
    assert _refused(engine(), order(), {"binance/main|unknown|BTC/USDT|buy": 3})[0][1].startswith("the outcome of 3 ea")


def test_position_without_facts_is_told_in_units() -> None:
    """Without facts there is no price: the position is told in base units."""
    found = _refused(engine(), order(), {"binance/main|position|BTC": 32_500_000}, blind=True)
    assert found == [
        (
            "RISK_POSITION",
            "position BTC/USDT would be 0.335 of max_position_notional 0.33333333 BTC",
            "0.335",
            "0.33333333",
            "BTC",
        )
    ]


def test_what_is_sold_already_cannot_be_sold_again() -> None:
    """A reduction that another order took first is told as what is left."""
    made = engine({"rate_budgets": None}, None)
    held = facts(positions={"BTC": Position(Decimal("0.1"), Decimal("0.1"))})
    asked = order(side="sell", quantity="0.1")
    found = _refused(made, asked, {"binance/main|position|BTC": -5_000_000}, held)
    assert found[0][1] == (
        "position BTC/USDT: nothing is left to reduce by 0.10 BTC; 0.05 BTC is held and not yet claimed by other orders"
    )


def test_exits_are_told_without_their_own_reserve() -> None:
    """What an exit could not use is not called kept for exits."""
    made = engine()
    found = _refused(made, order(side="sell"), {"binance@fra-1|request-weight|60000|fixed": 4_800})
    assert found[0][1] == "rate budget request-weight: 4800 of 4800 used in 1m; this needs 1"


def test_explaining_never_raises() -> None:
    """A hold that no check knows is told plainly; a check without words of its own says what its counter said."""
    from policykit.decision import Hold
    from policykit.engine.check import Check

    made = engine()
    alien = Hold("x|y", 1, 2, "sum", "no.such.check")
    (reason,) = explain_failed(made, order(), (alien,), (2,), (0,))
    assert (reason.code, reason.message) == ("CHECK_ERROR", "x|y: 2 of 2 is used (KeyError while explaining)")
    plain = Check.explain(made.checks[0], None, alien, 2)  # type: ignore[arg-type]
    assert plain.message == "x|y: 2 is used, 1 more is over 2"


def test_a_denial_says_why_by_what_and_what_to_do() -> None:
    """OUTPUT's denial: what and why; by which policy line, and what else; what to do; where to look next."""
    made = engine()
    asked = order(quantity="0.5", price="60000")
    found = made.assess(FACTS, asked, NOW)
    decision = Decision(
        "01JD3V7K2M", "deny", "enforce", "order.create", asked, "mm", "sha256:3f9a01c2d4e5", "mm-1", NOW, found.reasons
    )
    place = found.reasons[0].place
    assert denial_message(decision, "mm.yaml") == (
        "order.create denied: order notional 30,000.00 USDT is over max_order_notional 1,500.00 USDT "
        "(1.5% of equity 100,000.00 USDT, 3 s old)\n"
        f"  policy mm sha256:3f9a01c2d4e5, {place}; also: position BTC/USDT would be 36,000.00 "
        "of max_position_notional 20,000.00 USDT "
        "(20% of equity 100,000.00 USDT, 3 s old)\n"
        "  to do: send at most the cap, or have the policy changed\n"
        "  decision 01JD3V7K2M, see: policykit journal show 01JD3V7K2M"
    )
    malformed = made.assess(FACTS, order(price=None), NOW)
    decision = Decision("01X", "deny", "enforce", "order.create", asked, "mm", "v", "b", NOW, malformed.reasons[:1])
    assert denial_message(decision, "mm.yaml").splitlines()[1] == "  policy mm v, mm.yaml"
    twice = (replace(malformed.reasons[0], code="A_PLUGIN_S"), *malformed.reasons[:1] * 2)
    decision = Decision("01X", "deny", "enforce", "order.create", asked, "mm", "v", "b", NOW, twice)
    assert denial_message(decision, "mm.yaml").splitlines()[1:] == [
        "  policy mm v, mm.yaml",
        "  decision 01X, see: policykit journal show 01X",
    ]

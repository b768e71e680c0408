"""What the engine answers at a point, beside what the formulas say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from policykit.decision import Hold, Reason
from policykit.engine import Engine
from policykit.engine.case import Case
from policykit.engine.facts import Facts, Position
from policykit.order import Order
from policykit.units import scale_up
from tests.engine.worlds import NOW
from tests.oracles.smt.ask import holding
from tests.oracles.smt.conditions import Key
from tests.oracles.smt.counted import Denials
from tests.oracles.smt.points import Point
from tests.oracles.smt.space import Space

Used = Callable[[Hold], int]
#: Codes of what a check of the store could not ask, which the engine says.
UNASKED: Final = frozenset(("PRICE_MISSING", "PRICE_STALE", "FACTS_MISSING", "CONTRACT_SIZE_MISSING", "NUMBER_RANGE"))


def keys(reasons: Iterable[Reason]) -> set[Key]:
    """Return check and code of what denies; what only warns does not."""
    return {(reason.check, reason.code) for reason in reasons if reason.on_breach != "warn"}


def with_positions(facts: Facts, used: Used) -> Used:
    """Return uses in which a position is as used as the facts say."""

    def counted(hold: Hold) -> int:
        if hold.kind != "position":
            return used(hold)
        one = facts.positions.get(hold.counter.rpartition("|")[2], Position())
        return scale_up(one.high + one.open_buys) if hold.amount > 0 else scale_up(one.open_sells - one.low)

    return counted


def by_engine(engine: Engine, facts: Facts, order: Order, used: Used) -> set[Key]:
    """Return why the order is denied: by the engine, or by a store that counts as `used` says."""
    found = engine.assess(facts, order, NOW)
    case = Case(engine.setup, facts, order, NOW)
    if found.reasons:
        return keys(found.reasons) - _also(engine, case)
    by_id = {check.id: check for check in engine.checks}
    over = [hold for hold in found.holds if used(hold) + abs(hold.amount) > hold.limit]
    return keys(by_id[hold.check].explain(case, hold, used(hold)) for hold in over)


def _also(engine: Engine, case: Case) -> set[Key]:
    """Return what is added to the explanation of an order that is denied anyway."""
    out: set[Key] = set()
    for check in engine.checks:
        try:
            out |= keys(check.also(case))
        except Exception:
            continue
    return out


def by_formulas(space: Space, denials: Denials, point: Point) -> set[Key]:
    """Return what the formulas say at a point, in the order in which policykit asks: the store last."""
    engine, store = holding(space, denials.engine, point), holding(space, denials.store, point)
    first = engine | {key for key in store if key[1] in UNASKED}
    return first or store

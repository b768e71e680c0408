"""Which limits can never bind, from the strictness of fields and from what lies inside what.

`Meta.inside` says which limits bound the same thing from above. A bound is dead when, in its own dimension, a bound of
each thing that lies around it is tighter whatever is traded; I22 holds that the engine decides the same without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from policykit.model import CountWindow, Meta, Policy, RateBudget, Section
from policykit.model.shape import shapes
from policykit.place import Place
from policykit.policy.never import NOT_ENTAILED, counted
from policykit.rules.base import Inputs
from policykit.rules.budgets import most_in, order_costs
from policykit.rules.caps import bound_place, max_equity, money, worth
from policykit.units import Bound, Duration, Share, dimension

Caps = Mapping[str, tuple[Bound, ...]]


class Dead(NamedTuple):
    """One dead bound: what it is, which field is tighter and how, and where both stand."""

    what: str
    tighter: str
    place: Place
    by: Place


@cache
def limits() -> tuple[tuple[str, Meta, bool], ...]:
    """Return the fields that may hold a dead bound, outside of maps and lists: path, Meta, whether it is a cap."""
    found: list[tuple[str, Meta, bool]] = []

    def look(section: type[Section], path: str) -> None:
        for name, shape in shapes(section).items():
            at = f"{path}.{name}" if path else name
            if shape.kind == "section" and shape.section is not None:
                look(shape.section, at)
            cap = shape.section is None and shape.meta.unit.startswith("amount or share")
            if cap or shape.meta.inside:
                found.append((at, shape.meta, cap))

    look(Policy, "")
    return tuple(found)


def said(policy: Policy, path: str) -> Any:
    """Return what a policy says at a path; None when it says nothing there."""
    value: Any = policy
    for name in path.split("."):
        value = getattr(value, name, None)
    return value


def dead_limits(inputs: Inputs) -> Iterator[Dead]:
    """Yield every bound of the policy, as it is before its stage tightens it, that another limit makes useless."""
    # INVARIANT I22: a bound that is called dead changes no decision of the engine.
    composed = inputs.effective.composed
    for path, meta, cap in limits():
        value = said(composed, path)
        if value is None:
            continue
        if cap:
            yield from _in_its_own_cap(inputs, path, value)
        for outer in meta.inside:
            around = said(composed, outer)
            if around is not None and _around(inputs, path, outer):
                yield from _inside(inputs, path, value, outer, around)


def _around(inputs: Inputs, path: str, outer: str) -> bool:
    """Tell whether a limit holds all that the one inside it does: an order that turns a short is over its position."""
    if (path, outer) in NOT_ENTAILED:
        return _bought(inputs)
    return path != "risk.max_order_notional" or counted(inputs.effective.composed)


def _bought(inputs: Inputs) -> bool:
    """Tell whether all that may be traded is bought and sold back on spot, which does not borrow."""
    model = inputs.effective.composed
    spot = inputs.traits.products.get("spot") if inputs.traits is not None else None
    symbols = (model.risk.symbols if model.risk is not None else None) or ("*",)
    wanted = [symbol for symbol in symbols if not symbol.startswith("!")]
    plain = all(symbol.endswith(f"/{model.account.currency}") for symbol in wanted)
    return plain and spot is not None and spot.auto_borrow is False


def _inside(inputs: Inputs, path: str, value: Any, outer: str, around: Any) -> Iterator[Dead]:
    if isinstance(value, Duration | int):
        if value > around:
            yield Dead(f"{path} {value}", f"{outer} is {around}", inputs.place(path), inputs.place(outer))
    elif isinstance(value, CountWindow) and isinstance(around, CountWindow):
        # What is counted in the shorter span is counted in the longer one, too.
        if value.limit > around.limit and value.per <= around.per:
            what, tighter = (f"{window.limit} per {window.per}" for window in (value, around))
            at, by = inputs.place(f"{path}.limit"), inputs.place(f"{outer}.limit")
            yield Dead(f"{path} {what}", f"{outer} is {tighter}", at, by)
    elif isinstance(value, CountWindow):
        for name, budget in around.items():
            yield from _count(inputs, path, value, f"{outer}.{name}", budget)
    else:
        for capped, bounds in _caps(path, value).items():
            yield from _bounds(inputs, capped, bounds, outer, _caps(outer, around))


def _caps(path: str, value: Any) -> Caps:
    """Return the caps of a field by their path: its own, or those of a map's entries."""
    return {f"{path}.{key}": cap for key, cap in value.items()} if isinstance(value, dict) else {path: value}


def _bounds(inputs: Inputs, path: str, bounds: tuple[Bound, ...], outer: str, around: Caps) -> Iterator[Dead]:
    """Compare a cap with the caps around it; a map without a default leaves some things without one."""
    if not around or (outer not in around and f"{outer}.default" not in around):
        return
    for index, bound in enumerate(bounds):
        tighter = [_tighter(inputs, bound, cap) for cap in around.values()]
        if None not in tighter:
            loosest = max((t for t in tighter if t is not None), key=lambda row: row[0])
            at = f"at most {loosest[1]}" if len(around) > 1 else loosest[1]
            yield Dead(
                f"{path} {bound}", f"{outer} is {at}", bound_place(inputs, path, index), bound_place(inputs, outer)
            )


def _in_its_own_cap(inputs: Inputs, path: str, value: Any) -> Iterator[Dead]:
    """Find amounts that a share of the same cap is always under, at the most equity that there may be."""
    for at, bounds in _caps(path, value).items():
        shares = tuple(b for b in bounds if isinstance(b, Share))
        for index, bound in enumerate(bounds):
            tighter = _tighter(inputs, bound, shares)
            if tighter is not None:
                by = bound_place(inputs, at, bounds.index(shares[0]))
                yield Dead(f"{at} {bound}", f"beside it is {tighter[1]}", bound_place(inputs, at, index), by)


def _tighter(inputs: Inputs, bound: Bound, cap: tuple[Bound, ...]) -> tuple[Decimal, str] | None:
    """Return how a cap is tighter than a bound, as a part of it and in words; None when it need not be."""
    for other in cap:
        if dimension(other) == dimension(bound) and other[0] < bound[0]:
            return other[0] / bound[0], str(other)
    currency, equity = inputs.model.account.currency, max_equity(inputs)
    own = worth(bound, currency, None)
    for other in cap:
        most = worth(other, currency, equity) if isinstance(other, Share) else None
        if own is not None and most is not None and equity is not None and most < own:
            return most / own, f"{other}, {money(most, currency)} of {money(equity, currency)} at most"
    return None


def _count(inputs: Inputs, path: str, window: CountWindow, outer: str, budget: RateBudget) -> Iterator[Dead]:
    """Compare a count of orders with the orders that a rate budget lets through in its span."""
    costs = order_costs(inputs, outer.rpartition(".")[2], budget)
    if not costs or costs[0] == 0:
        return
    most = most_in(budget, budget.for_exits // costs[0], window.per.ms, aligned=False)
    if window.limit > most:
        yield Dead(
            f"{path} {window.limit} per {window.per}",
            f"{outer} lets {most} through",
            inputs.place(f"{path}.limit"),
            inputs.place(f"{outer}.limit"),
        )

"""A cap as a set of bounds, turned into limits of one currency under the facts at hand."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from policykit.engine.case import Case
from policykit.engine.money import DOWN, money, seconds
from policykit.units import Amount, Bound


class Limit(NamedTuple):
    """One bound as an amount of the asked currency, and how it came about, for messages."""

    value: Decimal
    how: str


def limits(case: Case, bounds: tuple[Bound, ...], currency: str) -> tuple[Limit, ...]:
    """Return each bound in `currency`, rounded down, tightest first. Raise Unknown for want of equity or a price."""
    return tuple(sorted((_limit(case, bound, currency) for bound in bounds), key=lambda limit: limit.value))


def _limit(case: Case, bound: Bound, currency: str) -> Limit:
    if isinstance(bound, Amount):
        value = DOWN.multiply(bound.value, case.rate(bound.currency, currency, up=False))
        return Limit(value, "" if bound.currency == currency else f" ({bound})")
    equity = case.equity
    own = case.setup.currency
    share = DOWN.multiply(bound.fraction, equity.value)
    age = seconds(case.age_ms(equity.as_of_ms))
    return Limit(
        DOWN.multiply(share, case.rate(own, currency, up=False)), f" ({bound} {money(equity.value, own)}, {age} old)"
    )

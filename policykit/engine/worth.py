"""What one unit of a position is worth in the account's currency, where positions are added up."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from policykit.engine.case import Case
from policykit.engine.check import Unknown
from policykit.engine.facts import Facts
from policykit.engine.money import UP, ZERO
from policykit.engine.setup import Setup
from policykit.order import Order


def unit_worth(case: Case, price: Decimal | None = None) -> Decimal:
    """Return what one unit is worth in the account's currency, at the higher of mark and `price`. Raise Unknown."""
    assert case.market is not None
    return UP.multiply(case.unit(price), case.rate(case.market.quote, case.setup.currency, up=True))


def counts(case: Case) -> bool:
    """Tell whether a position in this market is exposure: the account's own currency on spot is none."""
    market = case.market
    return market is not None and not (market.settle is None and market.base == case.setup.currency)


def units_of(setup: Setup, facts: Facts, now_ms: int, seen: Iterable[str]) -> dict[str, Decimal]:
    """Return what one unit of each position is worth by the fresh marks; of two markets of one position the higher.

    This is what the store counts positions at; one that no mark says the worth of has none. Only of the assets whose
    markets were `seen`: a bot may tell one price of a thousand.
    """
    bases = {symbol.partition("/")[0] for symbol in seen}
    mode = facts.position_mode.value if facts.position_mode is not None else None
    legs = ("#long", "#short") if "hedge" in (mode, setup.policy.account.position_mode) else ("",)
    units: dict[str, Decimal] = {}
    for symbol in (symbol for symbol in facts.marks if symbol.partition("/")[0] in bases):
        case = Case(setup, facts, Order(symbol, action="data.read"), now_ms)
        if not counts(case):
            continue
        try:
            unit = unit_worth(case)
        except Unknown:
            continue
        key = setup.position_key(symbol)
        for leg in ("",) if key != symbol else legs:
            units[key + leg] = max(unit, units.get(key + leg, ZERO))
    return units

"""What checks share that look at the settings of a contract market."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from policykit.engine.case import Case
from policykit.engine.check import Unknown
from policykit.engine.facts import Contract, Fact
from policykit.engine.money import seconds

#: Shares are shown in steps of 0.01 %.
SHOWN: Final = Decimal("0.0001")


def is_contract(case: Case) -> bool:
    """Tell whether an order is for a contract market and leaves something there."""
    return case.places and not case.complaints and case.market is not None and case.market.settle is not None


def contract(case: Case) -> Contract:
    """Return what the exchange says of the order's market, fresh. Raise Unknown when it was not observed."""
    symbol = case.order.symbol
    found = case.facts.contracts.get(symbol)
    if found is None:
        raise Unknown("FACTS_MISSING", f"the settings of {symbol} were never observed")
    check_age(case, found.as_of_ms, f"the settings of {symbol}")
    return found


def known(case: Case, value: Decimal | None, what: str) -> Decimal:
    """Return a number that was observed. Raise Unknown when it was not, or is none."""
    if value is None or not value.is_finite():
        raise Unknown("FACTS_MISSING", f"the {what} of {case.order.symbol} was not observed")
    return value


def fresh_fact(case: Case, fact: Fact | None, what: str) -> Decimal:
    """Return a number of the account, fresh. Raise Unknown when it was not observed."""
    if fact is None or not fact.value.is_finite():
        raise Unknown("FACTS_MISSING", f"{what} was not observed")
    check_age(case, fact.as_of_ms, what)
    return fact.value


def check_age(case: Case, as_of_ms: int, what: str) -> None:
    """Raise Unknown for what was observed too long ago."""
    most = case.setup.max_age_ms
    if not case.fresh(as_of_ms, most):
        raise Unknown("FACTS_STALE", f"{what}: observed {seconds(case.age_ms(as_of_ms))} ago, over {seconds(most)}")

"""What checks share that look at losses."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from policykit.engine.case import Case
from policykit.engine.check import Unknown
from policykit.engine.facts import Fact
from policykit.engine.money import DOWN, UP, money
from policykit.engine.use import Use
from policykit.units import Amount, Bound

DAY_MS: Final = 86_400_000
WEEK_MS: Final = 7 * DAY_MS


def running(case: Case, base: Fact | None, span_ms: int, code: str, what: str) -> Fact:
    """Return the base of the running day or week. Raise Unknown when it is of another one, or was never taken."""
    if base is None or not base.as_of_ms - case.setup.ahead_ms <= case.now_ms < base.as_of_ms + span_ms:
        raise Unknown(code, f"equity at the start of this {what} was not observed")
    case.until_ms = min(case.until_ms, base.as_of_ms + span_ms)
    return base


def day_base(case: Case) -> Fact:
    """Return the running day's base; all transfers are kept since its start. Raise Unknown."""
    return running(case, case.facts.day_base, DAY_MS, "DAY_BASE_MISSING", "day")


def day_transfers(case: Case) -> Decimal:
    """Return what was transferred since the running day began. Raise Unknown."""
    transfers = case.facts.net_transfers
    if transfers is None:
        raise Unknown("FACTS_MISSING", "transfers since the start of this day were not observed")
    return transfers.value


def lost(base: Decimal, transfers: Decimal, equity: Decimal) -> Decimal:
    """Return base + transfers - equity, so that deposits are no profit and withdrawals no loss. Raise Unknown."""
    loss = UP.subtract(UP.add(base, transfers), equity)
    if not loss.is_finite():
        raise Unknown("FACTS_MISSING", "the base of the loss or the transfers since are no numbers")
    return loss


def held(case: Case, loss: Decimal, bounds: tuple[Bound, ...], base: Decimal, said: str) -> Iterator[Use]:
    """Hold a loss against each bound of its limit, which it reaches at >=; shares are of `base`."""
    for bound in bounds:
        limit, how = _limit_of(case, bound, base, said)
        yield Use(loss, limit, case.setup.currency, not loss < limit, how)


def _limit_of(case: Case, bound: Bound, base: Decimal, said: str) -> tuple[Decimal, str]:
    """Return a bound in the account's currency, rounded down, and how it came about; shares are of `base`."""
    currency = case.setup.currency
    if isinstance(bound, Amount):
        rate = case.rate(bound.currency, currency, up=False)
        return DOWN.multiply(bound.value, rate), "" if bound.currency == currency else f" ({bound})"
    return DOWN.multiply(bound.fraction, base), f" ({bound} {money(base, currency)} {said})"

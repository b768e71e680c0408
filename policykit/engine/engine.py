"""A compiled policy: `assess` is pure, total and deterministic, and deny wins.

Every check runs and every failing one is reported, in a fixed order. An order that is clearly inside an express lane
(lane.py) is allowed there; everything else, each denial included, takes the long way through the checks.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from policykit.decision import Assessment, Hold, Reason
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.facts import Facts
from policykit.engine.lane import Lane
from policykit.engine.money import STEPS, UP, ZERO
from policykit.engine.setup import Setup
from policykit.order import Order

if TYPE_CHECKING:
    from policykit.policy import EffectivePolicy

#: Lanes kept for one set of facts; beyond it they are made anew.
MAX_LANES: Final = 4_096

#: Symbol, side, type, action; `reduce_only` says nothing on the spot markets that lanes are for.
_LaneKey = tuple[str, str | None, str | None, str]
_multiply = UP.multiply
_tuple = tuple.__new__


class Engine:
    """One policy for one account, compiled. Threads may share it: its only state is a memo that is replaced whole."""

    def __init__(self, setup: Setup, checks: tuple[Check, ...]) -> None:
        self.setup = setup
        self.checks = checks
        self._memo: tuple[Facts, dict[_LaneKey, Lane]] = (Facts(), {})

    @property
    def effective(self) -> EffectivePolicy:
        """Return the policy."""
        return self.setup.effective

    # INVARIANT I14: total and deterministic: whatever goes wrong in the lane, the long way decides; it cannot raise.
    def assess(self, facts: Facts, order: Order, now_ms: int) -> Assessment:
        """Judge one order. Never raises; an error in a check is a denial with its own code."""
        try:
            memo = self._memo
            if memo[0] is facts:
                lane = memo[1].get((order.symbol, order.side, order.type, order.action))
                if lane is not None and lane.since_ms <= now_ms < lane.until_ms:
                    allowed = _take(lane, order)
                    if allowed is not None:
                        return allowed
        except Exception:  # noqa: S110, BLE001 - not understood here: the long way says why
            pass
        return self._long_way(facts, order, now_ms)

    def _long_way(self, facts: Facts, order: Order, now_ms: int) -> Assessment:
        try:
            case = Case(self.setup, facts, order, now_ms)
        except Exception as error:  # noqa: BLE001 - total: closed by default
            return Assessment((_error("order.shape", error),), (), False)
        if case.cancels:
            return self._cancel(case)
        assessment = self._judge(case)
        if not assessment.reasons and not assessment.warnings:
            self._remember(case, assessment.holds)
        return assessment

    def _cancel(self, case: Case) -> Assessment:
        holds: list[Hold] = []
        for check in self.checks:
            if check.counts_cancels:
                try:
                    holds += check.holds(case)
                except Exception:  # noqa: S112, BLE001 - a cancel always passes
                    continue
        return Assessment((), tuple(holds), True)

    # INVARIANT I13: every check that applies runs, none sees another's answer, and one reason is enough to deny.
    def _judge(self, case: Case) -> Assessment:
        reasons: list[Reason] = []
        warnings: list[Reason] = []
        holds: list[Hold] = []
        for check in self.checks:
            if case.reads and not check.stops_reads:
                continue
            try:
                if check.stops_reductions or not case.reduces:
                    for reason in check.reasons(case):
                        (warnings if reason.on_breach == "warn" else reasons).append(reason)
                holds += check.holds(case)
            # INVARIANT I12: what cannot be evaluated denies an increase; a reduction passes with a warning.
            except Unknown as unknown:
                (warnings if case.reduces else reasons).append(_unknown(check, unknown))
            except Exception as error:  # noqa: BLE001 - total: closed by default
                (warnings if case.reduces else reasons).append(_error(check.id, error))
        if reasons:
            self._also(case, reasons)
        return Assessment(tuple(reasons), tuple(holds), case.reduces, case.value, tuple(warnings))

    def _also(self, case: Case, reasons: list[Reason]) -> None:
        for check in self.checks:
            try:
                reasons += check.also(case)
            except Exception:  # noqa: S112, BLE001 - it is denied already; this only adds to the explanation
                continue

    def _remember(self, case: Case, holds: tuple[Hold, ...]) -> None:
        try:
            if not Lane.fits(case, holds):
                return
            lane = Lane(case, holds)
            clear = all(check.narrow(case, lane) for check in self.checks)
        except Exception:  # noqa: BLE001 - no lane, then: the long way is always there
            return
        if clear:
            # The case's bound on time is read last: narrowing may look at more facts.
            lane.until_ms = case.until_ms
            facts, lanes = self._memo
            if facts is not case.facts or len(lanes) >= MAX_LANES:
                lanes = {}
                self._memo = (case.facts, lanes)
            order = case.order
            lanes[(order.symbol, order.side, order.type, order.action)] = lane


def _take(lane: Lane, order: Order) -> Assessment | None:
    """Allow an order that is clearly inside the lane; None: not clearly."""
    quantity = order.quantity
    price = order.price
    if type(quantity) is not Decimal or not lane.plain(order):
        return None
    limit = lane.limit
    if lane.price is None:
        if type(price) is not Decimal or not lane.lowest < price <= lane.highest:
            return None
        if price > lane.limit_price and lane.limit_above is not None:
            limit = lane.limit_above(price)
    elif price is None:
        price = lane.price
    else:
        return None
    notional = _multiply(quantity, price)
    # A quantity that is NaN raises here; one that is not over 0 fails; infinity is over every cap or raises in ceil.
    if not quantity > ZERO or not notional <= lane.max_notional:
        return None
    amount = _multiply(quantity, STEPS).__ceil__()
    if amount > lane.max_amount:
        return None
    hold = _tuple(Hold, (lane.position, -amount if lane.sell else amount, limit, "position", lane.check, 0, False))
    value = notional if lane.rate is None else _multiply(notional, lane.rate)
    holds = (hold,) + lane.holds  # noqa: RUF005 - quicker than unpacking
    return _tuple(Assessment, ((), holds, lane.reduces, value, ()))


def _unknown(check: Check, unknown: Unknown) -> Reason:
    return Reason(unknown.code, check.id, str(unknown), place=check.setup.place(check.id), failure=True)


def _error(check: str, error: Exception) -> Reason:
    # The text of a foreign error can hold anything; its class says enough.
    return Reason("CHECK_ERROR", check, f"{check} could not be evaluated: {type(error).__name__}", failure=True)

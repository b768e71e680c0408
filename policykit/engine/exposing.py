"""What checks share that bound the worth of several positions together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar, Final, Literal, Self

from policykit.decision import Hold, Reason, gross_counter, net_counter
from policykit.engine.bounds import limits
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.facts import Position
from policykit.engine.lane import Lane
from policykit.engine.money import exposure_down, exposure_up, money, unit_steps
from policykit.engine.setup import Setup
from policykit.engine.use import RoomOf
from policykit.engine.worth import counts, unit_worth
from policykit.units import EXPOSURE_SCALE, MAX_COUNTER, Bound, plain

#: Why a check of this kind cannot judge an order, which denies.
WHY_NOT: Final = (
    "RISK_QUOTE_ASSET",
    "PRICE_MISSING",
    "PRICE_STALE",
    "CONTRACT_SIZE_MISSING",
    "CONTRACT_QUANTO",
    "FACTS_MISSING",
    "NUMBER_RANGE",
)

#: So many positions without a price are named.
SHOWN: Final = 3


def raised(case: Case) -> str | None:
    """Return the asset that a spot sale raises (ETH/BTC: BTC), which nothing holds before it is observed."""
    if not case.places or case.complaints or case.reduces or not case.crosses or case.order.side != "sell":
        return None
    assert case.market is not None
    return case.market.quote


def opens(case: Case) -> bool:
    """Tell whether an order adds to a position that is counted. Raise Unknown where the store cannot count it yet.

    INVARIANT I8: a position without a unit adds nothing to any total, so an order on it would pass again and again.
    """
    if not case.places or case.complaints or case.reduces or not counts(case):
        return False
    if case.facts.unpriced:
        names = ", ".join(case.facts.unpriced[:SHOWN])
        raise Unknown("PRICE_MISSING", f"{names} is held and no price of it was observed, so no total counts it")
    if not case.facts.positions.get(case.position_key, Position()).unit:
        symbol = case.order.symbol
        raise Unknown(
            "PRICE_MISSING", f"what a position in {symbol} is worth was not observed, so it cannot be counted"
        )
    return True


class Exposing(Check):
    """Hold what an order adds to a total of positions, at the higher of mark and order price.

    An order that nets another position counts as well: it is closed on increase. The store keeps the totals at the
    worst case of every position and moves them with each claim, fill, fact and mark.
    """

    room = RoomOf("exposure")
    #: What the total is of, for messages.
    total: ClassVar[str]
    kind: ClassVar[Literal["gross", "net"]] = "gross"

    def __init__(self, setup: Setup, caps: Mapping[str, tuple[Bound, ...]]) -> None:
        super().__init__(setup)
        #: The bounds of each total that the policy caps, by its name: a group's, or the account's own (`""`).
        self.caps = caps

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        caps = {name: bounds for name, bounds in cls.said(setup) if bounds is not None}
        return cls(setup, caps) if caps else None

    @classmethod
    def said(cls, setup: Setup) -> Iterator[tuple[str, tuple[Bound, ...] | None]]:
        """Yield the caps that the policy states; that of the account, where a check says nothing else."""
        if setup.policy.risk is not None:
            yield "", getattr(setup.policy.risk, cls.id.rpartition(".")[2])

    def owner(self, case: Case, name: str) -> str:
        """Name whose total it is, as the store does (`store/exposure.py`)."""
        return self.setup.account

    def _counter(self, case: Case, name: str) -> str:
        owner = self.owner(case, name)
        return gross_counter(owner) if self.kind == "gross" else net_counter(owner)

    @property
    def field(self) -> str:
        """Return the name of the field, for messages."""
        return self.id.rpartition(".")[2]

    def amount(self, case: Case) -> int:
        """Return what the order adds in exposure steps, rounded up as the store does. Raise Unknown."""
        assert case.amount is not None
        steps = exposure_up(abs(case.amount), unit_steps(unit_worth(case, case.price)))
        if steps > MAX_COUNTER:
            raise Unknown("NUMBER_RANGE", "the order's worth is beyond what counters hold exactly")
        return steps

    def reasons(self, case: Case) -> Iterator[Reason]:
        quote = raised(case)
        if quote is not None:
            yield self.reason(
                f"selling {case.order.symbol} raises {quote}, whose worth {self.field} caps; this version holds the "
                f"base asset only: buy {quote} in a market of its own ({quote}/{self.setup.currency})",
                "RISK_QUOTE_ASSET",
            )

    # INVARIANT I8: the limit is absolute and goes with the amount, so the store needs no policy to keep it.
    def holds(self, case: Case) -> Iterator[Hold]:
        if not opens(case) or not case.amount:
            return
        steps = self.amount(case)
        for name, bounds in self.caps.items():
            if name and self.owner(case, name) not in case.facts.groups:
                raise Unknown("FACTS_MISSING", f"{self.setup.account} is not counted into group {name} yet")
            most = exposure_down(limits(case, bounds, self.setup.currency)[0].value)
            amount = steps if case.amount > 0 else -steps
            yield Hold(self._counter(case, name), amount, min(MAX_COUNTER, most), self.kind, self.id)

    def narrow(self, case: Case, lane: Lane) -> bool:
        return case.reduces  # what an order adds is its own: no lane speaks of it

    def explain(self, case: Case, hold: Hold, used: int) -> Reason:
        after = Decimal(used + abs(hold.amount)) / EXPOSURE_SCALE
        most, currency = Decimal(hold.limit) / EXPOSURE_SCALE, self.setup.currency
        name = next(name for name in self.caps if self._counter(case, name) == hold.counter)
        try:
            how = limits(case, self.caps[name], currency)[0].how
        except Unknown:
            how = ""
        reason = self.reason(
            f"{self.total}{name} would be {money(after)} of {self.field} {money(most, currency)}{how}",
            numbers=(plain(after), plain(most), currency),
        )
        return replace(reason, place=self.setup.place(f"groups.{name}.{self.field}")) if name else reason

"""What a check is. One file in checks/ holds one class; being there is all it takes.

A check's docstring is its documentation: the first line says what it denies, the rest why and how.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Self

from policykit.decision import Hold, OnBreach, Reason

if TYPE_CHECKING:
    from policykit.engine.case import Case
    from policykit.engine.lane import Lane
    from policykit.engine.setup import Setup
    from policykit.engine.use import RoomOf, Use


class Unknown(Exception):
    """What a check needs was not observed, or is too old; the engine makes a Reason of it (`failure` is set)."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Check:
    """One check of one policy, compiled. Pure: the same case gives the same answer."""

    #: The policy field it holds, or what it looks at: "risk.max_order_notional".
    id: ClassVar[str]
    #: The codes it can deny with; the first is the one of its limit.
    codes: ClassVar[tuple[str, ...]]
    #: Reasons and holds come in this order.
    rank: ClassVar[int]
    #: True: stops what can only reduce, too.
    stops_reductions: ClassVar[bool] = False
    #: True: stops (and counts) reads, too.
    stops_reads: ClassVar[bool] = False
    #: True: counts cancels, which always pass.
    counts_cancels: ClassVar[bool] = False
    #: What sort of limit it is, where some of it can be used before it denies (rooms.py).
    room: ClassVar[RoomOf | None] = None

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        """Return the check for this policy; None when the policy sets no such limit."""
        return cls(setup)

    def reasons(self, case: Case) -> Iterable[Reason]:
        """Say why this order is denied; nothing when it is not. May raise Unknown."""
        return ()

    def holds(self, case: Case) -> Iterable[Hold]:
        """Return the claims that the store has to grant."""
        return ()

    def uses(self, case: Case) -> Iterable[Use]:
        """Say how much of a limit that is held against facts is used, reached or not. May raise Unknown."""
        return ()

    def claims(self, case: Case) -> Iterable[Hold]:
        """Return holds whose counters say how much of the limit is used: an order's, unless a check knows better."""
        return self.holds(case)

    def also(self, case: Case) -> Iterable[Reason]:
        """Say, for an order that is denied anyway, what the store would have refused by what the facts show."""
        return ()

    def narrow(self, case: Case, lane: Lane) -> bool:
        """Make the lane narrow enough that every order in it passes this check; False when that cannot be said.

        A lane is for orders of one symbol, side and type under the same facts, until the first moment at which a fact
        read through the case gets too old; so a check that looks at nothing else just returns True.
        """
        return False

    def explain(self, case: Case, hold: Hold, used: int) -> Reason:
        """Say why the store refused a hold of this check: `used` is what it found."""
        return self.reason(f"{hold.counter}: {used} is used, {abs(hold.amount)} more is over {hold.limit}")

    def reason(
        self,
        message: str,
        code: str = "",
        *,
        numbers: tuple[str, str, str] | None = None,
        on_breach: OnBreach | None = None,
    ) -> Reason:
        """Make a reason; `numbers` are (observed, limit, unit).

        What follows a breach of the limit itself is the policy's word (`risk.on_breach`), deny where it says none;
        with another code than the limit's own, the limit could not be judged, and that denies.
        """
        observed, limit, unit = numbers or (None, None, None)
        word = on_breach or ("deny" if code else self.setup.on_breach.get(self.id, "deny"))
        return Reason(code or self.codes[0], self.id, message, observed, limit, unit, self.setup.place(self.id), word)

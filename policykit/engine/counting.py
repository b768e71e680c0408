"""What checks share that count in a rolling window of `risk`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Self

from policykit.decision import Hold, Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup
from policykit.engine.use import RoomOf
from policykit.model.rate import CountWindow
from policykit.units import MAX_COUNTER


class Counting(Check):
    """Count in the rolling window that the field of its id states; what can only reduce counts and is not stopped.

    Nothing is given back: the window is of what was admitted, whatever became of it.
    """

    room = RoomOf("rate")

    def __init__(self, setup: Setup, window: CountWindow) -> None:
        super().__init__(setup)
        self.window = window

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        window = getattr(risk, cls.id.rpartition(".")[2]) if risk is not None else None
        return cls(setup, window) if window is not None else None

    @abstractmethod
    def counter(self, case: Case) -> str | None:
        """Name what this order counts in, after the account; None: it is not counted."""

    @abstractmethod
    def what(self, case: Case) -> str:
        """Name what is counted, for messages."""

    def holds(self, case: Case) -> Iterator[Hold]:
        counter = self.counter(case)
        if counter is not None:
            limit = MAX_COUNTER if case.reduces or case.cancels else self.window.limit
            span = self.window.per.ms
            yield Hold(f"{self.setup.account}|{counter}|{span}", 1, limit, "window", self.id, span)

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # a lane holds one action, symbol and side

    def explain(self, case: Case, hold: Hold, used: int) -> Reason:
        return self.reason(
            f"{used} {self.what(case)} in the last {self.window.per}, "
            f"{self.id.rpartition('.')[2]} is {self.window.limit}",
            numbers=(str(used + 1), str(self.window.limit), self.what(case)),
        )

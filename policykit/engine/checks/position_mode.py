"""One position a symbol, or a long and a short one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup


class PositionMode(Check):
    """Denies increases in contracts while the exchange's position mode is not `account.position_mode`, or not known.

    In hedge mode a sell may open a short leg where in one-way mode it closes a long one. `account.configure` may set
    only the mode that the policy says.
    """

    id = "account.position_mode"
    codes = ("ACCOUNT_POSITION_MODE", "FACTS_MISSING", "FACTS_STALE")
    rank = 47

    def __init__(self, setup: Setup, mode: str) -> None:
        super().__init__(setup)
        self.mode = mode

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        mode = setup.policy.account.position_mode
        return cls(setup, mode) if mode is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        if case.action == "account.configure" and case.order.position_mode is not None:
            mode = case.order.position_mode
        elif case.places and case.market is not None and case.market.settle is not None:
            setting = case.facts.position_mode
            if setting is None:
                raise Unknown("FACTS_MISSING", "the position mode was never observed")
            if not case.fresh(setting.as_of_ms, case.setup.max_age_ms):
                raise Unknown("FACTS_STALE", "the position mode was observed too long ago")
            mode = setting.value
        else:
            return
        if mode != self.mode:
            yield self.reason(
                f"the position mode is {mode}, position_mode is {self.mode}", numbers=(str(mode), self.mode, "mode")
            )

    def narrow(self, case: Case, lane: Lane) -> bool:
        return case.market is not None and case.market.settle is None

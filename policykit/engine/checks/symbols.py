"""What may be traded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup
from policykit.model.symbols import allows


class Symbols(Check):
    """Denies increases in symbols that `risk.symbols` does not name; globs, and `!` for what is left out."""

    id = "risk.symbols"
    codes = ("RISK_SYMBOL",)
    rank = 55

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        return cls(setup) if risk is not None and risk.symbols is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        risk = self.setup.policy.risk
        assert risk is not None
        assert risk.symbols is not None
        if case.market is not None and not allows(risk.symbols, case.order.symbol):
            listed = ", ".join(risk.symbols)
            yield self.reason(
                f"{case.order.symbol} is not in symbols ({listed})", numbers=(case.order.symbol, listed, "symbol")
            )

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # a lane holds one symbol

"""Isolated margin, or all of the account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.contracts import contract, is_contract
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup

_ISOLATED: Final = "isolated"


class MarginMode(Check):
    """Denies increases in contracts that are not on isolated margin while `account.margin_mode` is isolated (G01).

    On cross margin one position can lose all of the account. Neither an order nor a call that configures the account
    may ask for another mode. `cross` allows both.
    """

    id = "account.margin_mode"
    codes = ("ACCOUNT_MARGIN_MODE", "FACTS_MISSING", "FACTS_STALE")
    rank = 48

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        return cls(setup) if setup.policy.account.margin_mode == _ISOLATED else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        symbol, asked = case.order.symbol, case.order.margin_mode
        if asked is not None and (case.action == "account.configure" or case.places):
            yield from self._other(str(asked), f"the margin mode asked for {symbol}")
        if is_contract(case):
            mode = contract(case).margin_mode
            if mode is None:
                raise Unknown("FACTS_MISSING", f"the margin mode of {symbol} was not observed")
            yield from self._other(mode, f"the margin mode of {symbol}")

    def _other(self, mode: str, what: str) -> Iterator[Reason]:
        if mode != _ISOLATED:
            text = f"{what} is {mode}, margin_mode is {_ISOLATED}"
            yield self.reason(text, numbers=(mode, _ISOLATED, "mode"))

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # lanes hold spot that says nothing of margin

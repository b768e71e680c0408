"""What the key that orders are signed with is for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.setup import Setup

#: The purposes that send orders; a key for any other may not, whatever the exchange lets it do.
TRADING: Final = frozenset(("execution", "hedging"))


class KeyPurpose(Check):
    """Denies increases signed with a key whose purpose is not to trade: tracking, market_data, break_glass (G07).

    One purpose a key: what a reader's leaked secret can do must not grow by a bot that uses it for orders. On paper
    nothing is signed with it, and a key that reads is the right one.
    """

    id = "key.purpose"
    codes = ("KEY_PURPOSE",)
    rank = 17

    def __init__(self, setup: Setup, purpose: str) -> None:
        super().__init__(setup)
        self.purpose = purpose

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        key = (setup.policy.keys or {}).get(setup.key or "")
        stops = key is not None and key.purpose not in TRADING and not setup.paper
        return cls(setup, key.purpose) if stops and key is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        trades = ", ".join(sorted(TRADING))
        yield Reason(
            "KEY_PURPOSE",
            self.id,
            f"the key {self.setup.key} is for {self.purpose}; orders are sent with a key for {trades}",
            self.purpose,
            trades,
            "purpose",
            self.setup.place(f"keys.{self.setup.key}.purpose"),
        )

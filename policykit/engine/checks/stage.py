"""How far on the way to full size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.setup import Setup


class StageCheck(Check):
    """Denies what would be sent at `stage: paper`, and at `stage: sandbox` on a live exchange (G41); exits too.

    At these stages no money moves: nothing like an order leaves, exits included, since a position that this policy
    never took is not its to close. On paper a guard simulates orders, and of those this check denies none; it denies
    where a guard that trades for real finds its policy on paper (it was changed while the bot ran: restart it). Orders
    of a sandbox stage go to a sandbox (`environment: sandbox`). Cancels and reads pass.
    """

    id = "stage.current"
    codes = ("STAGE_PAPER", "STAGE_SANDBOX")
    rank = 18
    stops_reductions = True

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        stage = setup.policy.stage
        current = stage.current if stage is not None else ""
        for_real = current == "paper" and not setup.paper
        return cls(setup) if for_real or (current == "sandbox" and setup.policy.environment == "live") else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        stage = self.setup.policy.stage
        if stage is not None and stage.current == "paper":
            yield self.reason(
                "the stage is paper: no order leaves, exits neither, and this guard began to trade for real; "
                "restart it to trade on paper"
            )
        else:
            yield self.reason(
                "the stage is sandbox and the environment is live: no order leaves, exits neither; "
                "set environment: sandbox, or the next stage",
                "STAGE_SANDBOX",
            )

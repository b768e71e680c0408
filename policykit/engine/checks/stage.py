"""How far on the way to full size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.setup import Setup


class StageCheck(Check):
    """Denies every order, reductions too, at `stage: paper`, and at `stage: sandbox` on a live exchange (G41).

    At these stages no money moves: nothing like an order leaves, exits included, since a position that this policy
    never took is not its to close. This version has no paper trading; orders of a sandbox stage go to a sandbox
    (`environment: sandbox`). Cancels and reads pass.
    """

    id = "stage.current"
    codes = ("STAGE_PAPER", "STAGE_SANDBOX")
    rank = 18
    stops_reductions = True

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        stage = setup.policy.stage
        current = stage.current if stage is not None else ""
        stops = current == "paper" or (current == "sandbox" and setup.policy.environment == "live")
        return cls(setup) if stops else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        stage = self.setup.policy.stage
        if stage is not None and stage.current == "paper":
            yield self.reason(
                "the stage is paper: no order leaves, exits neither, and this version has no paper trading; "
                "use a sandbox, or the next stage"
            )
        else:
            yield self.reason(
                "the stage is sandbox and the environment is live: no order leaves, exits neither; "
                "set environment: sandbox, or the next stage",
                "STAGE_SANDBOX",
            )

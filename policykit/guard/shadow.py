"""A candidate policy beside the active one: it judges every order too, says where it differs, and acts on nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from policykit.decision import Assessment, group_owner
from policykit.engine import Engine
from policykit.engine.facts import Facts
from policykit.order import Order


class Shadow:
    """A compiled candidate. What it would reserve is not held: a cap that only the store can count is not judged."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        #: How many orders it judged, of how many it would have decided otherwise, how often it failed.
        self.judged = self.differed = self.failed = 0
        setup = engine.setup
        #: It counts into no group yet; what it would deny once it does is what matters.
        self._groups = tuple(group_owner(name, setup.currency) for name in setup.policy.groups or {})

    def differs(self, order: Order, facts: Facts, now_ms: int, active: Assessment) -> dict[str, Any]:
        """Return what the candidate says where that is not what the active policy says; empty where both agree.

        Never raises: a candidate that fails changes nothing.
        """
        try:
            self.judged += 1
            if self._groups:
                facts = replace(facts, groups=self._groups)
            said = self.engine.assess(facts, order, now_ms)
            codes = [reason.code for reason in said.reasons]
            if codes == [reason.code for reason in active.reasons]:
                return {}
            self.differed += 1
            policy = self.engine.effective
            outcome = "deny" if codes else "allow"
            named = {"name": policy.name, "version": policy.version}
            return {"shadow": {"policy": named, "outcome": outcome, "reasons": codes}}
        except Exception:  # noqa: BLE001 - whatever is wrong with a candidate, the active policy's answer stands
            self.failed += 1
            return {}

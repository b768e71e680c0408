"""A candidate policy beside the active one: it judges every order too, says where it differs, and acts on nothing.

Its checks run on the facts of the active decision. What only the store counts (a window, open orders, a position) is
held against what is used in the step that writes the decision's row: no call is made for it, and nothing is held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from policykit.decision import Assessment, Decision, Hold, Use, group_owner
from policykit.engine import Engine, compile_policy, explain_failed
from policykit.engine.facts import Facts
from policykit.errors import PolicykitError
from policykit.guard.settings import choose_key, told, trading
from policykit.order import CANCELS
from policykit.policy import EffectivePolicy
from policykit.units import MAX_COUNTER

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Counters that move only with the holds of the policy in force: one that it does not hold, nobody counts.
_COUNTED: Final = frozenset(("sum", "window"))
#: What a candidate says of an order that it failed on.
FAILED: Final = "failed"
Meant = Callable[[Assessment], Assessment]


class Shadow:
    """A compiled candidate. `run` names its `policykit shadow start`; empty: the guard was loaded with it."""

    def __init__(self, engine: Engine, run: str = "") -> None:
        self.engine = engine
        self.run = run
        #: How many orders it judged, of how many it would have decided otherwise, how often it failed.
        self.judged = self.differed = self.failed = 0
        #: The checks whose counters the active policy does not count, so that nothing can be held against them.
        self.unjudged: frozenset[str] = frozenset()
        #: Those of them that its row in the journal names.
        self.named: frozenset[str] = frozenset()
        setup = engine.setup
        #: It counts into no group yet; what it would deny once it does is what matters.
        self._groups = tuple(group_owner(name, setup.currency) for name in setup.policy.groups or {})
        self.label = {"name": engine.effective.name, "version": engine.effective.version}

    @classmethod
    def of(cls, candidate: EffectivePolicy, key: str, host: str, *, paper: bool, run: str = "") -> Shadow:
        """Compile a candidate for the key and host of the guard it runs in. Raise PolicykitError where it cannot be."""
        served = trading(candidate, choose_key(candidate, key))
        if served is None:
            raise PolicykitError(f'exchange is "{candidate.model.exchange}"; no guard trades there')
        return cls(compile_policy(candidate, served[0], key, host, paper=paper), run)

    def told(self) -> dict[str, Any]:
        """Return what the row of a policy says of the candidate beside it."""
        self.named = self.unjudged
        said: dict[str, Any] = {**self.label, "policy": told(self.engine.effective)}
        said |= {"run": self.run} if self.run else {}
        return said | ({"unjudged": sorted(self.named)} if self.named else {})

    # INVARIANT I13: whatever is wrong with a candidate, the active policy's answer stands.
    def beside(self, decision: Decision, facts: Facts, active: Assessment, meant: Meant) -> Judged | None:
        """Judge an order before the store is asked; None for a cancel, which passes under every policy.

        `meant` makes of its assessment what was made of the active one: an order sent again, an amend. Never raises.
        """
        if decision.action in CANCELS:
            return None
        self.judged += 1
        try:
            if self._groups:
                facts = replace(facts, groups=self._groups)
            said = meant(self.engine.assess(facts, decision.order, decision.at_ms))
            return Judged(self, decision, facts, active, said)
        except Exception:  # noqa: BLE001 - whatever is wrong with a candidate, the active policy's answer stands
            return Judged(self, decision, facts, active, None)


class Judged:
    """What a candidate makes of one order; the store calls it when it writes the decision's row."""

    __slots__ = ("_active", "_candidate", "_decision", "_facts", "_met", "_said", "_shadow")

    def __init__(
        self, shadow: Shadow, decision: Decision, facts: Facts, active: Assessment, candidate: Assessment | None
    ) -> None:
        self._shadow, self._decision, self._facts = shadow, decision, facts
        self._active, self._candidate = active, candidate
        self._met: Mapping[tuple[str, str], int] = {}
        self._said: dict[str, Any] | None = None

    def met(self, holds: tuple[Hold, ...], used: tuple[int, ...]) -> None:
        """Take in what the store told when it refused the active policy's holds: both are judged on one state."""
        self._met = {(hold.counter, hold.kind): use for hold, use in zip(holds, used, strict=True)}

    def __call__(self, use: Use) -> dict[str, Any]:
        """Return what the candidate says where that is not what the active policy says; empty where both agree.

        Never raises: a candidate that fails changes nothing, and its row says that it failed.
        """
        if self._said is None:
            shadow = self._shadow
            try:
                self._said = self._differs(use)
                shadow.differed += bool(self._said)
            except Exception:  # noqa: BLE001 - whatever is wrong with a candidate, the active policy's answer stands
                shadow.failed += 1
                self._said = {"shadow": {"policy": shadow.label, "outcome": FAILED, "reasons": []}}
        return self._said

    def _differs(self, use: Use) -> dict[str, Any]:
        candidate = self._candidate
        if candidate is None:
            raise ValueError
        unjudged: list[str] = []
        reasons = candidate.reasons
        if not reasons:
            asked = tuple(hold for hold in candidate.holds if hold.limit < MAX_COUNTER)
            used, unjudged = self._used(asked, use)
            failed = tuple(i for i, hold in enumerate(asked) if used[i] + abs(hold.amount) > hold.limit)
            if failed:
                shadow, decision = self._shadow, self._decision
                found = explain_failed(
                    shadow.engine, decision.order, asked, used, failed, facts=self._facts, now_ms=decision.at_ms
                )
                reasons = tuple(reason for reason in found if reason.on_breach != "warn")
        codes = [reason.code for reason in reasons]
        if codes == [reason.code for reason in self._decision.reasons]:
            return {}
        said: dict[str, Any] = {"policy": self._shadow.label, "outcome": "deny" if codes else "allow", "reasons": codes}
        if codes:
            said["checks"] = [reason.check for reason in reasons]
        elif unjudged:
            said["unjudged"] = unjudged
        return {"shadow": said}

    def _used(self, holds: tuple[Hold, ...], use: Use) -> tuple[tuple[int, ...], list[str]]:
        """Return what is used of each counter, and the checks of those of which that is not known: they pass here."""
        counted = {hold.counter for hold in self._active.holds}
        known: dict[tuple[str, str], int | None] = dict(self._met)
        moves = (hold for hold in holds if hold.kind not in _COUNTED or hold.counter in counted)
        ask = tuple(hold for hold in moves if (hold.counter, hold.kind) not in known)
        if ask:
            known |= zip(((hold.counter, hold.kind) for hold in ask), use(ask), strict=True)
        used = [known.get((hold.counter, hold.kind)) for hold in holds]
        missing = sorted({hold.check for hold, one in zip(holds, used, strict=True) if one is None})
        # Where a check of the active policy denied or could not be evaluated, it told of no holds: that is no rule.
        if missing and not self._active.reasons and not self._active.warnings:
            self._shadow.unjudged |= frozenset(missing)
        return tuple(-(2**53) if one is None else one for one in used), missing


def met(decision: Decision, holds: tuple[Hold, ...], used: tuple[int, ...]) -> None:
    """Have a candidate judge what the store refused on the state that it refused it on."""
    if decision.candidate is not None:
        decision.candidate.met(holds, used)

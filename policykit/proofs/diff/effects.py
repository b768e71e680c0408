"""What a changed field can change at all: nothing where other limits of the same policy let no more through.

Each answer is a proof for every order and all facts: a bound that lies outside of a tighter one (rules/dead.py,
I22), an entry for markets that `risk.symbols` keeps out. Anything less leaves the verdict as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from policykit.engine.checks.missing import unenforced
from policykit.engine.setup import Setup
from policykit.model import Policy, Section
from policykit.model.enforced import CHECKS
from policykit.model.languages import beyond
from policykit.policy import Change, EffectivePolicy, compare
from policykit.policy.meaning import Sides
from policykit.proofs.difference import ABSENT
from policykit.rules.base import Inputs
from policykit.rules.dead import dead_limits, limits, said
from policykit.traits import load as load_traits
from policykit.traits.base import cost

_POSITIONS: Final = "risk.max_position_notional"
_QUANTITY: Final = "risk.max_order_quantity"
_ORDER: Final = "risk.max_order_notional"
_GROSS: Final = "risk.max_gross_exposure"


class Effects:
    """What the differences between two policies come to."""

    def __init__(self, old: EffectivePolicy, new: EffectivePolicy) -> None:
        self.old = old
        self.new = new
        self._composed: frozenset[str] | None = None

    def changes(self, now_ms: int | None = None) -> list[Change]:
        """Return every value that is said otherwise, with its exact verdict."""
        found = [self.judged(change) for change in compare(self.old.model, self.new.model, now_ms).changes]
        return [*found, *self.unheld(found)]

    def judged(self, change: Change) -> Change:
        """Return a change with its exact verdict."""
        change = self._costed(change)
        if change.verdict == "equal" or change.identity:
            return change
        looser, tighter = change.verdict in ("looser", "different"), change.verdict in ("tighter", "different")
        # INVARIANT I16: an order that only one of the two allows must pass all other limits of that one.
        more = self._void(change.path, self.new, self.old) if looser else ""
        less = self._void(change.path, self.old, self.new) if tighter else ""
        verdict = Sides(looser and not more, tighter and not less).verdict
        why = "; ".join(dict.fromkeys(text for text in (more, less) if text)) or change.why
        return change._replace(verdict=verdict, why=why)

    def _costed(self, change: Change) -> Change:
        """Judge what a call costs by what the exchange's traits say where a policy says nothing of it."""
        budget, listed, call = change.path.removeprefix("rate_budgets.").partition(".costs.")
        was, now = (_cost(side, budget, call) for side in (self.old, self.new))
        if not listed or was is None or now is None:
            return change
        why = f"{ABSENT} means {was if change.was == ABSENT else now}, as {self.new.model.exchange} counts it"
        why = why if ABSENT in (change.was, change.now) else change.why
        return change._replace(verdict=Sides(now < was, now > was).verdict, why=why)

    def cause(self, change: Change) -> str:
        """Say that a cap is another one by the stage alone."""
        stages = [side.model.stage.current if side.model.stage else "none" for side in (self.old, self.new)]
        if stages[0] == stages[1] or change.path.startswith("stage.") or change.verdict == "equal":
            return ""
        if self._composed is None:
            said = compare(self.old.composed, self.new.composed).changes
            self._composed = frozenset(one.path for one in said)
        return "" if change.path in self._composed else f"by the stage: {stages[0]} -> {stages[1]}"

    def unheld(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Yield what denies every increase in one policy only: a limit that nothing enforces."""
        was, now = (_unheld(side) for side in (self.old, self.new))
        known = {change.path for change in changes if change.verdict in ("looser", "different")}
        if was and not now and not known & set(was):
            yield Change(was[0], "set, and not enforced", "enforced, or not set", "looser", "increases were denied")
        elif now and not was:
            yield Change(now[0], "enforced, or not set", "set, and not enforced", "tighter", "increases are denied")

    def _void(self, path: str, allows: EffectivePolicy, denies: EffectivePolicy) -> str:
        """Say why nothing that `allows` lets through breaks what `denies` says at a path; empty: something may."""
        return _kept_out(path, allows.model) or _dead(path, allows, denies)


def _cost(policy: EffectivePolicy, name: str, call: str) -> int | None:
    """Return what a call costs of a budget under a policy; None where neither it nor any traits say that."""
    budget, traits = (policy.model.rate_budgets or {}).get(name), load_traits(policy.model.exchange)
    listed = (budget.costs or {}).get(call) if budget is not None else None
    if listed is not None or traits is None:
        return listed
    plain, everything, _ = call.partition(" all")
    return cost(traits, name, plain, everything.strip())


def _unheld(policy: EffectivePolicy) -> list[str]:
    if policy.profile:
        return []
    return [one.path for one in unenforced(Setup(policy, load_traits(policy.model.exchange), None), CHECKS)]


def _kept_out(path: str, allows: Policy) -> str:
    """Say that a cap is of a market in which the policy allows no increase."""
    field = next((field for field in (_POSITIONS, _QUANTITY) if path.startswith(f"{field}.")), None)
    risk = allows.risk
    if field is None or risk is None or risk.symbols is None or _word(allows, "symbols") == "warn":
        return ""
    name = path.removeprefix(f"{field}.")
    base = name.partition("/")[0]
    # A position of a spot market is its asset's, and an order that sells for that asset raises it.
    patterns = (f"!{base}/*", f"!*/{base}", f"!*/{base}:*") if field == _POSITIONS else (f"!{name}",)
    if name == "default" or beyond(risk.symbols, patterns).some:
        return ""
    return f"risk.symbols allows no order in {name}"


def _dead(path: str, allows: EffectivePolicy, denies: EffectivePolicy) -> str:
    """Say which other limit of `allows` is tighter than what `denies` says at a path."""
    limit = next((p for p, _, _ in limits() if path == p or path.startswith(f"{p}.")), None)
    if limit is None or any(
        _word(side.model, limit.rpartition(".")[2]) not in (None, "deny") for side in (allows, denies)
    ):
        return ""
    value = said(denies.model, limit)
    entry = value.get(path.removeprefix(f"{limit}.")) if isinstance(value, dict) else value
    if entry is None:
        return ""
    model = _with(allows.model, limit.split("."), value)
    # What is kept on the account at most is no limit of a decision.
    model = _with(model, ["account", "max_equity"], None)
    inputs = Inputs(0, replace(allows, model=model, composed=model), load_traits(model.exchange))
    found = {dead.what: dead.tighter for dead in dead_limits(inputs)}
    names = [f"{path} {bound}" for bound in (entry if type(entry) is tuple else (_window(entry),))]
    return f"nothing passes that it would stop: {found[names[0]]}" if all(name in found for name in names) else ""


def _window(value: Any) -> str:
    return f"{value.limit} per {value.per}" if hasattr(value, "per") else str(value)


def _with(section: Any, names: list[str], value: Any) -> Any:
    """Return a section with another value at a path."""
    name, *rest = names
    inner = getattr(section, name) if rest else None
    if rest and not isinstance(inner, Section):
        return section
    return section.model_copy(update={name: _with(inner, rest, value) if rest else value})


def _word(policy: Policy, limit: str) -> str | None:
    """Return what else follows a breach of a limit."""
    risk = policy.risk
    return None if risk is None or risk.on_breach is None else risk.on_breach.get(limit)  # type: ignore[call-overload]

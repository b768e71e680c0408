"""Mutants that decide every order alike, each with its proof in words: no test of decisions can tell them apart.

A mutant is equivalent only by one of these arguments, each from what a check reads (its file is named), and never
because no test killed it. What none of them proves counts as killable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from policykit.engine.checks.key_purpose import TRADING
from policykit.engine.checks.rate_budgets import call_cost
from policykit.engine.setup import DEFAULT_MAX_AGE
from policykit.model import RateBudget
from policykit.policy import EffectivePolicy
from policykit.proofs.mutation.mutants import Mutant
from policykit.traits import load as load_traits

#: Words of `on_breach` that reconciliation says apart; of the others it makes `deny` (engine/checks/reconciliation.py).
_DRIFT_WORDS: Final = ("warn", "cancel_open", "halt")
#: Stages at which nothing is capped or denied for the stage's sake.
_FULL: Final = (None, "full-live")


def proof(policy: EffectivePolicy, mutant: Mutant) -> str:
    """Say why a mutant decides every order as the policy does; empty where that is not proved."""
    return next((said for argue in ARGUMENTS if (said := argue(policy, mutant))), "")


def _default_age(policy: EffectivePolicy, mutant: Mutant) -> str:
    ages = {one.model.account.max_age or DEFAULT_MAX_AGE for one in (policy, mutant.effective)}
    if mutant.path == "account.max_age" and len(ages) == 1:
        return f"where it is not said, {DEFAULT_MAX_AGE} holds"
    return ""


def _purpose(policy: EffectivePolicy, mutant: Mutant) -> str:
    section, _, name = mutant.path.rpartition(".")
    if not (section.startswith("keys.") and name == "purpose") or {mutant.was, mutant.now} - TRADING:
        return ""
    return f"a key for {mutant.was} and one for {mutant.now} both send orders, and nothing else asks for its purpose"


def _refused_key(policy: EffectivePolicy, mutant: Mutant) -> str:
    section, _, name = mutant.path.rpartition(".")
    if not (section.startswith("keys.") and name == "purpose") or {mutant.was, mutant.now} & TRADING:
        return ""
    return f"a key for {mutant.was} and one for {mutant.now} are denied every entry alike"


def _drift_word(policy: EffectivePolicy, mutant: Mutant) -> str:
    if mutant.path != "reconciliation.on_breach" or {mutant.was, mutant.now} & set(_DRIFT_WORDS):
        return ""
    return f"{mutant.was} and {mutant.now} both deny for as long as the difference stands, and halt nothing"


def _stage(policy: EffectivePolicy, mutant: Mutant) -> str:
    if mutant.path not in ("stage", "stage.current"):
        return ""
    stages = [one.model.stage.current if one.model.stage is not None else None for one in (policy, mutant.effective)]
    return "at full-live a stage adds nothing, as where there is none" if set(stages) <= set(_FULL) else ""


def _budget(policy: EffectivePolicy, mutant: Mutant) -> str:
    """Prove that two budgets count alike: same counter, same figures for entries and exits, same cost of every call."""
    section, *names = mutant.path.split(".", 2)
    budgets = [(one.model.rate_budgets or {}).get(names[0]) if names else None for one in (policy, mutant.effective)]
    old, new = budgets
    if section != "rate_budgets" or old is None or new is None or _counted(old) != _counted(new):
        return ""
    traits = load_traits(policy.model.exchange)
    listed = {*(old.costs or {}), *(new.costs or {})}
    if traits is not None and bool(old.costs) != bool(new.costs) and not _named(policy, names[0]):
        return ""
    for call in sorted(listed):
        costs = {call_cost(traits, names[0], budget, call, places=False) for budget in (old, new)}
        costs_placed = {call_cost(traits, names[0], budget, call, places=True) for budget in (old, new)}
        if len(costs) > 1 or (traits is not None and len(costs_placed) > 1):
            return ""
    if old.costs != new.costs:
        return "the call costs the same where the policy does not say it"
    return f"rounded, entries may use {old.for_entries} and exits {old.for_exits} with either"


def _counted(budget: RateBudget) -> tuple[object, ...]:
    return (budget.per, budget.window, budget.shared_by, budget.for_entries, budget.for_exits)


def _named(policy: EffectivePolicy, name: str) -> bool:
    """Tell whether the exchange's traits name a budget: one that they do not and that has no costs denies increases."""
    traits = load_traits(policy.model.exchange)
    return traits is not None and name in {*traits.costs, *(window.name for window in traits.rate_windows)}


#: One function an argument.
ARGUMENTS: Final[tuple[Callable[[EffectivePolicy, Mutant], str], ...]] = (
    _default_age,
    _purpose,
    _refused_key,
    _drift_word,
    _stage,
    _budget,
)

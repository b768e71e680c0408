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
from policykit.proofs.difference import ABSENT
from policykit.proofs.mutation.mutants import Mutant
from policykit.proofs.mutation.world import shadowed
from policykit.traits import load as load_traits

#: Words of `on_breach` that reconciliation says apart; of the others it makes `deny` (engine/checks/reconciliation.py).
_DRIFT_WORDS: Final = ("warn", "cancel_open", "halt")
#: Words of `on_breach` after which the account is halted (guard/deciding.py): they differ in nothing that is decided.
_HALTING: Final = frozenset(("cancel_open", "halt"))
#: Stages at which nothing is capped or denied for the stage's sake.
_FULL: Final = frozenset((None, "full-live"))
#: And those at which the guard, not the policy, keeps what passes from an exchange where it would cost money.
_PLAY: Final = frozenset((*_FULL, "paper", "sandbox"))


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
    drift = policy.model.reconciliation
    if mutant.path == "reconciliation.on_breach" and drift is not None and drift.tolerance is None:
        return "no tolerance is set, so no difference is beyond it"
    if mutant.path != "reconciliation.on_breach" or {mutant.was, mutant.now} & set(_DRIFT_WORDS):
        return ""
    return f"{mutant.was} and {mutant.now} both deny for as long as the difference stands, and halt nothing"


def _halting(policy: EffectivePolicy, mutant: Mutant) -> str:
    if "on_breach" not in mutant.path.split(".") or {mutant.was, mutant.now} != _HALTING:
        return ""
    return "cancel_open halts as halt does: every entry is denied until a person resumes"


def _never_full(policy: EffectivePolicy, mutant: Mutant) -> str:
    """Prove that a window is never full, in the policy and in the mutant: another one is full before."""
    section, _, rest = mutant.path.partition(".")
    field, _, name = rest.partition(".")
    risk, breaches = policy.model.risk, field == "on_breach"
    if section != "risk" or risk is None:
        return ""
    names = (field,) if not breaches else (name,) if name else tuple(risk.on_breach or ())
    gone = mutant.now == ABSENT and not breaches
    both = (policy.model,) if gone else (policy.model, mutant.effective.model)
    if not names or not all(shadowed(one, each) for each in names for one in both):
        return ""
    return f"{', '.join(names)} counts some of the orders that max_orders counts, which is full before it"


def _shared(policy: EffectivePolicy, mutant: Mutant) -> str:
    """Prove that an account's budget and a key's are one: a policy with one key that may trade has no other orders."""
    section, _, name = mutant.path.rpartition(".")
    trading = [key for key in (policy.model.keys or {}).values() if key.purpose in TRADING]
    if not section.startswith("rate_budgets.") or name != "shared_by" or {mutant.was, mutant.now} != {"account", "key"}:
        return ""
    return "one key of this policy sends orders, so what it uses is what the account uses" if not trading[1:] else ""


def _stage(policy: EffectivePolicy, mutant: Mutant) -> str:
    if mutant.path not in ("stage", "stage.current"):
        return ""
    both = (policy, mutant.effective)
    stages = {one.model.stage.current if one.model.stage is not None else None for one in both}
    if stages <= _FULL:
        return "at full-live a stage adds nothing, as where there is none"
    sandboxed = policy.model.environment == "sandbox"
    if stages <= _PLAY and (sandboxed or "sandbox" not in stages):
        return "the same orders pass; at this stage the guard keeps them from where they would cost money"
    return ""


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
    _halting,
    _never_full,
    _shared,
    _stage,
    _budget,
)

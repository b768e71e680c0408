"""Mutants that decide every order alike, each with its proof in words: no test of decisions can tell them apart.

A mutant is equivalent only by one of these arguments, and never because no test killed it: `policykit diff` proves it
equal, or it differs in what diff must tell of (another purpose, another word) and no order can. The rest is killable.
What changes whether a bot starts is not asked here: it is never equivalent (starting.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from policykit.engine.checks.key_purpose import TRADING
from policykit.guard.settings import BREAK_GLASS
from policykit.policy import PAPER, EffectivePolicy
from policykit.proofs.diff import diff, verdict
from policykit.proofs.difference import ABSENT
from policykit.proofs.mutation.mutants import Mutant
from policykit.proofs.mutation.world import shadowed

#: Words of `on_breach` that reconciliation says apart; of the others it makes `deny` (engine/checks/reconciliation.py).
_DRIFT_WORDS: Final = ("warn", "cancel_open", "halt")
#: Words of `on_breach` after which the account is halted (guard/deciding.py): they differ in nothing that is decided.
_HALTING: Final = frozenset(("cancel_open", "halt"))
#: Stages at which nothing is capped or denied for the stage's sake.
_FULL: Final = frozenset((None, "full-live"))
#: And those whose decisions are the same: where orders are sent then, and whether they cost money, is not.
_PLAY: Final = frozenset((*_FULL, "paper", "sandbox"))


def proof(policy: EffectivePolicy, mutant: Mutant) -> str:
    """Say why a mutant decides every order as the policy does; empty where that is not proved."""
    return next((said for argue in ARGUMENTS if (said := argue(policy, mutant))), "")


def _same(policy: EffectivePolicy, mutant: Mutant) -> str:
    if verdict(policy, mutant.effective) != "equal":
        return ""
    found = diff(policy, mutant.effective)
    return "; ".join(field.why for field in found.fields) or found.proof


def _purpose(policy: EffectivePolicy, mutant: Mutant) -> str:
    section, _, name = mutant.path.rpartition(".")
    if not (section.startswith("keys.") and name == "purpose"):
        return ""
    if policy.account_key.endswith(PAPER) and BREAK_GLASS not in (mutant.was, mutant.now):
        return "on paper nothing is signed, and no order asks for a key's purpose"
    if {mutant.was, mutant.now} - TRADING:
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
        return (
            "the same orders pass by the same limits; where they are sent, and if real money is at stake, differs: "
            "no test of decisions can tell of that"
        )
    return ""


#: One function an argument.
ARGUMENTS: Final[tuple[Callable[[EffectivePolicy, Mutant], str], ...]] = (
    _purpose,
    _refused_key,
    _drift_word,
    _halting,
    _never_full,
    _shared,
    _stage,
    _same,
)

"""Mutants that change which bots start: whoever starts one notices that, and no test of orders can."""

from __future__ import annotations

from collections.abc import Iterable

from policykit.errors import PolicykitError
from policykit.guard.settings import choose_key
from policykit.policy import EffectivePolicy
from policykit.proofs.mutation.mutants import Mutant
from policykit.proofs.suite import Suite


def starts_otherwise(policy: EffectivePolicy, mutant: Mutant, suites: Iterable[Suite]) -> str:
    """Say which bot starts with one of the two only; empty: the same bots do.

    A profile says no keys; so of one (a suite adds the rest of its policy) only bots with a named key are looked at.
    """
    profile = any(suite.added is not None for suite in suites)
    was, now = (_starting(one, profile=profile) for one in (policy, mutant.effective))
    if was == now:
        return ""
    name = min(was ^ now, key=lambda key: (not key, key))
    who = f"a bot with the key {name}" if name else "a bot that names no key"
    return f"{who} does not start" if name in was else f"{who} starts, and did not"


def _starting(policy: EffectivePolicy, *, profile: bool) -> frozenset[str]:
    """Return the keys that a bot can start with; empty text: none is named."""
    out = set()
    for name in (*(policy.model.keys or ()), *(() if profile else ("",))):
        try:
            choose_key(policy, name or None)
        except PolicykitError:
            continue
        out.add(name)
    return frozenset(out)

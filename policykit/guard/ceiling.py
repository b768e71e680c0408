"""How far a policy may go by what its store has seen: a guard stays at the last stage that was granted (DESIGN 3).

The file's stage is one ceiling, the store's the other; the lower holds, as a layer that only tightens. Where the store
has granted no stage with money at stake, increases are denied until somebody says how the stage was earned.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from policykit.policy import EffectivePolicy
from policykit.rules.stages import STAGES
from policykit.store import Store
from policykit.store.staging import stage_account

#: The stages at which real orders leave.
LIVE: Final = STAGES[2:]


class Held(NamedTuple):
    """A policy at the stage that it may run at, and why no increase may leave at all: (reason code, message)."""

    policy: EffectivePolicy
    problem: tuple[str, str] | None = None


def granted(policy: EffectivePolicy, store: Store) -> str:
    """Return the stage that the store has evidence for; empty: none. Raise StoreUnavailable."""
    return str(store.kept(stage_account(policy), "stage").get(policy.name, {}).get("stage", ""))


def held(policy: EffectivePolicy, store: Store) -> Held:
    """Return a policy at the stage of its file or of its store, whichever is lower. Raise StoreUnavailable.

    A policy without stages, of a sandbox, or whose evidence is kept elsewhere runs as its file says.
    """
    said, now = policy.composed.stage, policy.model.stage
    if said is None or now is None:
        return Held(policy)
    whole = policy if now.current == said.current else policy.at_stage(said.current)
    if said.current not in LIVE or said.evidence == "external" or policy.model.environment == "sandbox":
        return Held(whole)
    # INVARIANT I12: what no evidence is known of is not earned.
    stage = granted(policy, store)
    if stage not in LIVE:
        return Held(whole, ("STAGE_UNPROVEN", unproven(policy, said.current, stage)))
    lower = STAGES.index(stage) < STAGES.index(said.current)
    return Held(policy.at_stage(stage) if lower else whole)


def unproven(policy: EffectivePolicy, stage: str, granted: str) -> str:
    """Say that a stage has no evidence, and what settles it."""
    has = f"this store has evidence for {granted} only" if granted else "this store has no evidence of any stage"
    return (
        f"stage {stage}: {has}; `policykit stage check {policy.file}` says what is missing; where it was earned "
        f"elsewhere: `policykit stage promote {policy.file} --external --by NAME --why TEXT`"
    )

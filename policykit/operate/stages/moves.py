"""Moving between stages: a promotion needs all of its evidence and a person who may; going back needs a name only.

The row of a move is the evidence: what was counted up to it, and which needs were met by what.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policykit.clock import SystemClock
from policykit.guard.approvals import approval, of_stage
from policykit.operate.person import Person
from policykit.operate.stages.needs import Standing, approver
from policykit.policy import EffectivePolicy
from policykit.rules.stages import STAGES
from policykit.store import Store
from policykit.store.staging import Seen, stage_account


class Refused(Exception):
    """A move that is not made; the message says why and what to do."""


def promote(store: Store, of: Standing, by: Person, why: str) -> str:
    """Grant the next stage, and write down on what evidence; return the stage. Raise Refused, StoreUnavailable."""
    _allowed(of.policy, by)
    if of.next is None:
        raise Refused(f"{of.policy.name} is at {of.at}, the last stage")
    if of.missing:
        raise Refused(_missing(of))
    _signed(store, of, of.next)
    evidence = {need.id: f"{need.what}: {need.found}" for need in of.needs}
    _write(store, of, of.next, by, why, {"move": "promote", "evidence": evidence})
    return of.next


def adopt(store: Store, of: Standing, stage: str, by: Person, why: str) -> None:
    """Say that a stage was reached, on evidence that is kept elsewhere. Raise Refused, StoreUnavailable."""
    _allowed(of.policy, by)
    if not why.strip():
        raise Refused("say where the evidence is: --why TEXT")
    _signed(store, of, stage)
    for name in STAGES[: STAGES.index(stage)]:
        if name not in of.staging.stages:
            of.staging.stages[name] = Seen(of.now_ms, of.now_ms, external=True)
    _write(store, of, stage, by, why, {"move": "external"})


def demote(store: Store, of: Standing, stage: str, by: Person, why: str) -> None:
    """Go back to a stage, which is earned anew from here on; anybody may. Raise Refused, StoreUnavailable.

    Where nothing was granted yet it is at the first stage: anybody's word must not be a grant.
    """
    if STAGES.index(stage) > STAGES.index(of.at):
        raise Refused(f"{of.policy.name} is at {of.at}; {stage} is a promotion: policykit stage promote")
    of.staging.drop(stage)
    _write(store, of, stage, by, why, {"move": "demote"})


def _write(store: Store, of: Standing, stage: str, by: Person, why: str, more: Mapping[str, Any]) -> None:
    body = {"stage": stage, "was": of.at, "by": by.name, "why": why, "claim": by.to_dict(), **more}
    body |= {"version": of.policy.version, **of.staging.to_dict()}
    store.keep(stage_account(of.policy), "stage", of.policy.name, body, of.now_ms)


def _allowed(policy: EffectivePolicy, by: Person) -> None:
    who = approver(policy)
    if not who:
        raise Refused(
            f"{policy.file}: nobody is named who may; say it: stage: {{next_needs: {{approver: NAME}}}}, or "
            "kill_switch.rearm.by"
        )
    if by.name not in who:
        raise Refused(f"{by.name} may not; {' or '.join(who)} may ({policy.place('stage')})")


def _signed(store: Store, of: Standing, stage: str) -> None:
    """Ask for the signatures that the policy or its host wants for a stage. Raise Refused.

    They hold for a time, which is the clock's: `--now` brings none back.
    """
    now_ms = max(of.now_ms, SystemClock().now_ms())
    found = approval(store, of.policy, of_stage(of.policy, stage), now_ms)
    if found.why:
        do = f"policykit approve stage {of.policy.file} --stage {stage} --by NAME --why TEXT --sign KEY"
        raise Refused(f"approvals: {found.why}; {do}")


def _missing(of: Standing) -> str:
    lines = [f"{of.policy.name} stays at {of.at}; {of.next} needs:"]
    for number, need in enumerate(of.missing, 1):
        lines += [f"  {number}. {need.what}: {need.found}", f"     {need.do}"]
    return "\n".join(lines)

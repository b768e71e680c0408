"""How far a policy is, written for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policykit.clock import iso
from policykit.operate.stages.needs import Standing
from policykit.rules.stages import STAGES

_MOVES: Final = {
    "promote": "granted",
    "external": "granted on evidence that is kept elsewhere",
    "demote": "taken back to",
}


def render(of: Standing) -> str:
    """Return what `policykit stage status` prints."""
    return "\n".join(_lines(of)) + "\n"


def _lines(of: Standing) -> Iterator[str]:
    said, grant = of.policy.composed.stage, of.staging.grant
    yield f"{of.policy.name} on {of.policy.account_key}"
    if said is None:
        yield "  the policy has no stages: it runs at full size; add stage: {current: sandbox}"
    else:
        elsewhere = "; evidence is kept elsewhere (stage.evidence)" if said.evidence == "external" else ""
        yield f"  its file says {said.current}{elsewhere}"
    if grant:
        how = _MOVES.get(str(grant.get("move")), "granted")
        yield f"  {how}: {grant['stage']}, {iso(grant['at_ms'])[:10]}, by {grant['by']}"
    else:
        yield "  granted: nothing yet"
    for name in STAGES:
        seen = of.staging.stages.get(name)
        if seen is not None and seen.external:
            yield f"  {name}: passed elsewhere"
        elif seen is not None:
            yield (
                f"  {name}: since {iso(seen.since_ms)[:10]}, {seen.full_days(of.now_ms)} full days,"
                f" {seen.orders} orders, {seen.fills} fills ({seen.fills_open.count} not looked at),"
                f" {seen.denials} denials ({seen.denials_open.count} not looked at)"
            )
    if of.next is None:
        yield f"at {of.at}, the last stage"
        return
    ready = "everything is there" if not of.missing else f"{len(of.missing)} of {len(of.needs)} missing"
    yield f"to leave {of.at} for {of.next}: {ready}"
    for need in of.needs:
        yield f"  [{'x' if need.met else ' '}] {need.what}: {need.found}"
        if not need.met:
            yield f"      {need.do}"
    if not of.missing:
        yield f"  policykit stage promote {of.policy.file} --by NAME --why TEXT"

"""`notify`: who is told what, by message. The addresses hold tokens, so a policy names where they lie."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from policykit.model.base import NEUTRAL, SECTION, SUPERSET, Meta, Section, ordered, pointwise
from policykit.model.types import DurationText, Name, SecretRef

#: What a message can be about. `policykit.telemetry.causes` says of each what it means and what to do.
Cause = Literal[
    "halt",
    "unknown_order",
    "cannot_decide",
    "guard_silent",
    "drift",
    "reconcile_stale",
    "loss",
    "key_due",
    "policy_rejected",
    "clock_skew",
]
#: Those that cannot wait until somebody looks.
CRITICAL: Final[frozenset[Cause]] = frozenset(("halt", "unknown_order", "cannot_decide", "guard_silent", "drift"))


class Target(Section):
    """One place that messages go to: a chat, a pager, a mailbox, a webhook."""

    secret: Annotated[
        SecretRef,
        Meta(
            "Where the address lies, an apprise URL: `env://OPS` reads OPS_URL, a manager its field `url`.",
            NEUTRAL,
            guide=("G14",),
            secret=True,
        ),
    ]
    causes: Annotated[
        tuple[Cause, ...] | None,
        Meta(
            "What it is told of; absent: everything.",
            SUPERSET,
            held_by=("guard:notify", "rule:PK725"),
            absent=get_args(Cause),
        ),
    ] = None
    severity: Annotated[
        Literal["critical", "warning"],
        Meta(
            "The least that it is told of: only what cannot wait, or warnings too.",
            ordered("critical", "warning"),
            held_by=("guard:notify",),
        ),
    ] = "warning"


class Notify(Section):
    """Messages to people, sent beside trading: what cannot be sent changes no decision."""

    targets: Annotated[dict[Name, Target] | None, Meta("Where messages go, by name.", pointwise(SECTION))] = None
    repeat: Annotated[
        DurationText | None,
        Meta(
            "How often a cause is told while it lasts, whichever process sees it; absent: 15m.",
            NEUTRAL,
            unit="duration",
        ),
    ] = None
    drills: Annotated[
        Literal["quiet", "tell"],
        Meta('Whether a halt is told whose reason starts with "drill".', NEUTRAL, guide=("G37",)),
    ] = "quiet"

"""`approvals`: who signs before something comes into force."""

from __future__ import annotations

from typing import Annotated, Literal

from policykit.model.base import HIGHER, IDENTITY, SUBSET, TRUE, Meta, Section, ordered
from policykit.model.types import AbsolutePath, Person, PositiveCount, Switch


class Approvals(Section):
    """Who must sign this policy, and what else, with `ssh-keygen -Y sign`."""

    signed: Annotated[
        Literal["optional", "required"],
        Meta(
            "Whether increases wait until persons signed this policy (`policykit approve`).",
            ordered("optional", "required"),
            guide=("G01",),
            held_by=("guard:approvals",),
        ),
    ] = "required"
    signers: Annotated[
        AbsolutePath,
        Meta(
            "The file of those who may sign (OpenSSH's allowed_signers), an absolute path of the host that trades.",
            IDENTITY,
            guide=("G01",),
            held_by=("guard:approvals",),
        ),
    ]
    revoked: Annotated[
        AbsolutePath | None,
        Meta("The file of keys that sign nothing any more, one a line.", IDENTITY, held_by=("guard:approvals",)),
    ] = None
    count: Annotated[
        PositiveCount,
        Meta("How many persons sign, each with a key.", HIGHER, unit="count", held_by=("guard:approvals",)),
    ] = 1
    by: Annotated[
        tuple[Person, ...] | None,
        Meta("Who of them may; absent: all.", SUBSET, held_by=("guard:approvals",)),
    ] = None
    resume: Annotated[
        Switch, Meta("Whether the end of a halt is signed, too.", TRUE, guide=("G37",), held_by=("guard:approvals",))
    ] = True
    stage: Annotated[
        Switch, Meta("Whether a stage that is entered is signed.", TRUE, guide=("G41",), held_by=("guard:approvals",))
    ] = True

"""`stage`: how far on the way to full size this policy may be."""

from __future__ import annotations

from typing import Annotated, Literal

from policykit.model.base import HIGHER, NEUTRAL, SECTION, TRUE, Meta, Section, ordered
from policykit.model.types import Amounts, Count, Date, Person, Switch

StageName = Literal["sandbox", "paper", "micro-live", "small-live", "full-live"]


class NextNeeds(Section):
    """What must be there before the stage is left."""

    days: Annotated[
        Count | None, Meta("Days in the stage.", HIGHER, unit="days", guide=("G41",), held_by=("rule:PK7xx",))
    ] = None
    orders: Annotated[
        Count | None, Meta("Orders in the stage.", HIGHER, unit="count", guide=("G41",), held_by=("rule:PK7xx",))
    ] = None
    denials_reviewed: Annotated[
        Switch | None, Meta("Whether each denial was looked at.", TRUE, guide=("G41",), held_by=("rule:PK7xx",))
    ] = None
    approver: Annotated[Person | None, Meta("Who must agree.", NEUTRAL, guide=("G41",), held_by=("guard:stage",))] = (
        None
    )


class Stage(Section):
    """The ceiling: the store may hold a lower stage, and a guard stays at the last one that has evidence."""

    current: Annotated[
        StageName,
        Meta(
            "The highest stage that this policy may run at; micro-live and small-live tighten its caps.",
            ordered("full-live", "small-live", "micro-live", "paper", "sandbox"),
            guide=("G41",),
            held_by=("check:stage.current", "rule:PK7xx"),
        ),
    ]
    since: Annotated[Date | None, Meta("When it was reached.", NEUTRAL, guide=("G41",))] = None
    next_needs: Annotated[
        NextNeeds | None, Meta("What must be there before the stage is left.", SECTION, guide=("G41",))
    ] = None
    paper_balances: Annotated[
        Amounts | None,
        Meta(
            "What the account begins with at the paper stage; left out, what the real one has.",
            NEUTRAL,
            unit="amounts, one an asset",
            guide=("G41",),
        ),
    ] = None
    evidence: Annotated[
        Literal["external", "journal"],
        Meta(
            "Where the evidence of the stage is: this system's journal, or a record elsewhere.",
            ordered("external", "journal"),
            guide=("G41",),
            held_by=("guard:stage",),
        ),
    ] = "journal"

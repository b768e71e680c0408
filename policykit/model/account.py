"""`account`: which account, in which currency it is counted, and where its requests leave from."""

from __future__ import annotations

from typing import Annotated, Literal

from policykit.model.base import IDENTITY, LOWER, NEUTRAL, Meta, Section, ordered
from policykit.model.types import Amounts, Currency, DurationText, Name, PositiveCount
from policykit.units import Duration


class Account(Section):
    """The account that the policy speaks of. `name` and `currency` are empty only in a profile (no `exchange`)."""

    name: Annotated[
        Name,
        Meta("The account's name here; counters are kept by exchange and name.", IDENTITY, held_by=("guard:store",)),
    ] = ""
    currency: Annotated[
        Currency,
        Meta(
            "The currency that money is counted in; fixed at first use in a store.", IDENTITY, held_by=("guard:store",)
        ),
    ] = ""
    kind: Annotated[
        Literal["master", "sub"] | None,
        Meta(
            "The exchange's main account, or a sub-account of one: a sub-account bounds what a leaked key reaches.",
            ordered("master", "sub"),
            guide=("G01",),
            held_by=("rule:PK1xx",),
        ),
    ] = None
    max_equity: Annotated[
        Amounts | None,
        Meta(
            "The most that is kept on the account: what a thief of its trade key can reach.",
            LOWER,
            unit="amount",
            guide=("G01",),
            held_by=("rule:PK1xx",),
        ),
    ] = None
    max_age: Annotated[
        DurationText | None,
        Meta(
            "The oldest facts (equity, positions) on which an increase is allowed.",
            LOWER,
            unit="duration",
            guide=("G30",),
            held_by=("check:account.max_age",),
            absent=Duration(10_000),
        ),
    ] = None
    position_mode: Annotated[
        Literal["one_way", "hedge"] | None,
        Meta(
            "Whether a symbol has one position or a long and a short one.",
            IDENTITY,
            held_by=("check:account.position_mode", "rule:PK6xx"),
        ),
    ] = None
    margin_mode: Annotated[
        Literal["cross", "isolated"] | None,
        Meta(
            "Whether a position in contracts can lose all of the account, or only what was put aside for it.",
            ordered("cross", "isolated"),
            guide=("G01",),
            held_by=("check:account.margin_mode", "rule:PK625"),
            absent="cross",
        ),
    ] = None
    egress: Annotated[
        Name | None,
        Meta(
            "The name of the address that requests leave from; address budgets are counted by it.",
            NEUTRAL,
            guide=("G25",),
        ),
    ] = None
    bots: Annotated[
        PositiveCount | None,
        Meta(
            "How many bots trade under this policy at a time; absent: one.",
            NEUTRAL,
            unit="count",
            guide=("G25",),
        ),
    ] = None

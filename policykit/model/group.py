"""`groups`: caps on several accounts, of one exchange or more, that share a store."""

from __future__ import annotations

from typing import Annotated

from policykit.model.base import LOWER, Meta, Section
from policykit.model.types import Amounts


class Group(Section):
    """A group of accounts. Every policy that names it counts into it; each member's own caps of it are applied."""

    max_gross_exposure: Annotated[
        Amounts | None,
        Meta(
            "The largest sum of all positions of all members, long and short added up.",
            LOWER,
            unit="amount",
            guide=("G01", "G35"),
            held_by=("check:groups.max_gross_exposure",),
        ),
    ] = None
    max_net_exposure: Annotated[
        Amounts | None,
        Meta(
            "The largest difference between long and short positions of all members.",
            LOWER,
            unit="amount",
            guide=("G01", "G35"),
            held_by=("check:groups.max_net_exposure",),
        ),
    ] = None

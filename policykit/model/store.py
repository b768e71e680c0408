"""`store`: how widely the counters of this policy must be shared."""

from __future__ import annotations

from typing import Annotated, Literal

from policykit.model.base import Meta, Section, ordered


class Store(Section):
    """What the store must be able to do; a guard whose store cannot, refuses."""

    share: Annotated[
        Literal["process", "host", "fleet"],
        Meta(
            "Who shares the counters: one process, the bots of one host, or many hosts.",
            ordered("process", "host", "fleet"),
            guide=("G25",),
            held_by=("guard:store",),
            absent="host",
        ),
    ] = "host"

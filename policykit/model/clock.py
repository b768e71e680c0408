"""`clock`: how far off the clock may be, and how long a signed request may live."""

from __future__ import annotations

from typing import Annotated

from policykit.model.base import LOWER, Meta, Section
from policykit.model.types import DurationText
from policykit.units import Duration


class Clock(Section):
    """Bounds on time."""

    max_skew: Annotated[
        DurationText | None,
        Meta(
            "The largest distance from the exchange's clock; beyond it increases are denied.",
            LOWER,
            unit="duration",
            guide=("G03",),
            held_by=("check:clock.max_skew",),
        ),
    ] = None
    request_validity: Annotated[
        DurationText | None,
        Meta(
            "How long the exchange may execute a signed request; put on the wire and part of the fence.",
            LOWER,
            unit="duration",
            guide=("G03", "G26"),
            held_by=("guard:gate",),
            absent=Duration(5_000),
        ),
    ] = None

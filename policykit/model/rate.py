"""`rate_budgets`, and the count over a window that other sections use."""

from __future__ import annotations

from decimal import Decimal
from math import ceil, floor
from typing import Annotated, Final, Literal

from policykit.model.base import HIGHER, IDENTITY, LOWER, Meta, Section, pointwise
from policykit.model.types import Count, Line, PercentText, PositiveCount, SpanText
from policykit.units import Percent

_ALL: Final = Percent(Decimal(1))
_NONE: Final = Percent(Decimal(0))


class CountWindow(Section):
    """So many in such a span; the window rolls."""

    limit: Annotated[PositiveCount, Meta("The most in one window.", LOWER, unit="count", held_by=("section",))]
    per: Annotated[SpanText, Meta("The span of the window.", IDENTITY, unit="duration", held_by=("section",))]


class RateBudget(Section):
    """One allowance of the exchange, named as its traits name it."""

    limit: Annotated[
        PositiveCount,
        Meta(
            "What the exchange allows in one window, or less.",
            LOWER,
            unit="weight or count",
            guide=("G22", "G24"),
            held_by=("check:rate_budgets", "rule:PK4xx"),
        ),
    ]
    per: Annotated[
        SpanText,
        Meta(
            "The span of the window.",
            IDENTITY,
            unit="duration",
            guide=("G24",),
            held_by=("check:rate_budgets", "rule:PK406"),
        ),
    ]
    window: Annotated[
        Literal["fixed", "rolling"],
        Meta(
            "Aligned to the exchange's clock, or ending now.",
            IDENTITY,
            guide=("G24",),
            held_by=("check:rate_budgets", "rule:PK406"),
        ),
    ]
    shared_by: Annotated[
        Literal["ip", "account", "key"],
        Meta(
            "What shares the allowance: an address, an account or a key.",
            IDENTITY,
            guide=("G24", "G25"),
            held_by=("check:rate_budgets", "rule:PK407"),
        ),
    ]
    use_at_most: Annotated[
        PercentText | None,
        Meta(
            "The share of the limit that is used at all.",
            LOWER,
            unit="percent of the limit",
            guide=("G25",),
            held_by=("check:rate_budgets", "rule:PK4xx"),
            absent=_ALL,
        ),
    ] = None
    keep_for_exits: Annotated[
        PercentText | None,
        Meta(
            "The share of the limit that only cancels and reductions may use.",
            HIGHER,
            unit="percent of the limit",
            guide=("G23",),
            held_by=("check:rate_budgets", "rule:PK4xx"),
            absent=_NONE,
        ),
    ] = None
    costs: Annotated[
        dict[Line, Count] | None,
        Meta(
            'What a call costs ("POST /api/v3/order"), where traits do not know it or know less.',
            pointwise(HIGHER),
            unit="weight",
            guide=("G22",),
            held_by=("check:rate_budgets",),
        ),
    ] = None

    @property
    def for_exits(self) -> int:
        """What exits may use of one window: `use_at_most` of the limit."""
        return floor(self.limit * (self.use_at_most or _ALL).fraction)

    @property
    def for_entries(self) -> int:
        """What entries and the guard's own reads may use of one window: what `keep_for_exits` leaves of that."""
        return max(0, self.for_exits - ceil(self.limit * (self.keep_for_exits or _NONE).fraction))

    @property
    def for_reads(self) -> int:
        """What all bots' reads together may use of one window: half of that, so the rest is for entries and the guard.

        The guard's own polling may take as much (PK408), and is never starved by bots that read as fast as they can.
        """
        return ceil(self.for_entries / 2)

"""How many orders in how much time, and when."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from policykit.model.base import HIGHER, LOWER, SECTION, SUBSET, Meta, Section
from policykit.model.rate import CountWindow
from policykit.model.types import Count, DurationText, TradingHours
from policykit.units import Duration


class FlowLimits(Section):
    """How many orders in how much time, and when."""

    max_open_orders: Annotated[
        Count | None,
        Meta(
            "The most orders that are out at a time.",
            LOWER,
            unit="count",
            guide=("G34",),
            held_by=("check:risk.max_open_orders",),
        ),
    ] = None
    max_open_orders_per_symbol: Annotated[
        Count | None,
        Meta(
            "The most orders that are out in one symbol at a time.",
            LOWER,
            unit="count",
            guide=("G34",),
            held_by=("check:risk.max_open_orders_per_symbol",),
            inside=("risk.max_open_orders",),
        ),
    ] = None
    max_orders: Annotated[
        CountWindow | None,
        Meta(
            "The most orders in a rolling window.",
            SECTION,
            guide=("G34",),
            held_by=("check:risk.max_orders", "rule:PK6xx"),
            inside=("rate_budgets",),
        ),
    ] = None
    max_orders_per_symbol: Annotated[
        CountWindow | None,
        Meta(
            "The most orders in one symbol in a rolling window.",
            SECTION,
            guide=("G34",),
            held_by=("check:risk.max_orders_per_symbol",),
            inside=("risk.max_orders",),
        ),
    ] = None
    max_amends: Annotated[
        CountWindow | None,
        Meta("The most amends in a rolling window.", SECTION, guide=("G34",), held_by=("check:risk.max_amends",)),
    ] = None
    max_messages: Annotated[
        CountWindow | None,
        Meta(
            "The most messages (orders, amends, cancels) in a rolling window; cancels count and always pass.",
            SECTION,
            guide=("G34",),
            held_by=("check:risk.max_messages",),
        ),
    ] = None
    repeated_execution: Annotated[
        CountWindow | None,
        Meta(
            "The most entries of one symbol and side in a window, after which a person resumes (RTS 6, article 15).",
            SECTION,
            guide=("G34",),
            held_by=("check:risk.repeated_execution",),
        ),
    ] = None
    duplicate_window: Annotated[
        DurationText | None,
        Meta(
            "How long an order like one before it (symbol, side, type, quantity, price) is taken for a duplicate.",
            HIGHER,
            unit="duration",
            guide=("G34",),
            held_by=("check:risk.duplicate_window",),
            absent=Duration(0),
        ),
    ] = None
    entry_cooldown: Annotated[
        DurationText | None,
        Meta(
            "The least time between two entries in one symbol.",
            HIGHER,
            unit="duration",
            held_by=("check:risk.entry_cooldown",),
            absent=Duration(0),
        ),
    ] = None
    trading_hours: Annotated[
        tuple[TradingHours, ...] | None,
        Field(min_length=1),
        Meta(
            "When exposure may be increased; exits pass at any time.",
            SUBSET,
            unit="days and times of day, UTC",
            held_by=("check:risk.trading_hours",),
        ),
    ] = None

"""What may be lost, and what stops a run of losses."""

from __future__ import annotations

from typing import Annotated, Literal

from policykit.model.base import HIGHER, IDENTITY, LOWER, ON_BREACH, SECTION, Meta, Section
from policykit.model.types import Bounds, Count, DayStart, DurationText, PercentText, PositiveCount, WeekStart

OnBreach = Literal["warn", "deny", "reduce_only", "cancel_open", "halt"]


class DailyLoss(Section):
    """How much may be lost in a day: day base + net transfers - equity, fees and funding included."""

    limit: Annotated[
        Bounds,
        Meta(
            "The largest loss of a day.",
            LOWER,
            unit="amount or share of the day's first equity",
            guide=("G36",),
            held_by=("check:risk.daily_loss", "rule:PK6xx"),
        ),
    ]
    day_starts: Annotated[
        DayStart, Meta("When a day starts.", IDENTITY, unit="time of day", held_by=("check:risk.daily_loss",))
    ] = "00:00 UTC"
    on_breach: Annotated[
        OnBreach, Meta("What happens then.", ON_BREACH, guide=("G36",), held_by=("check:risk.daily_loss", "rule:PK604"))
    ] = "halt"


class WeeklyLoss(Section):
    """How much may be lost in a week: the same sum as a day's, from the week's first equity."""

    limit: Annotated[
        Bounds,
        Meta(
            "The largest loss of a week.",
            LOWER,
            unit="amount or share of the week's first equity",
            guide=("G36",),
            held_by=("check:risk.weekly_loss",),
        ),
    ]
    week_starts: Annotated[
        WeekStart,
        Meta("When a week starts.", IDENTITY, unit="day and time", held_by=("check:risk.weekly_loss",)),
    ] = "mon 00:00 UTC"
    on_breach: Annotated[
        OnBreach,
        Meta("What happens then.", ON_BREACH, guide=("G36",), held_by=("check:risk.weekly_loss",)),
    ] = "halt"


class Drawdown(Section):
    """How far equity, less what was transferred, may fall from its highest."""

    limit: Annotated[
        Bounds,
        Meta(
            "The largest fall from the highest equity that was seen.",
            LOWER,
            unit="amount or share of the highest equity",
            guide=("G36",),
            held_by=("check:risk.max_drawdown",),
        ),
    ]
    on_breach: Annotated[
        OnBreach,
        Meta("What happens then.", ON_BREACH, guide=("G36",), held_by=("check:risk.max_drawdown",)),
    ] = "halt"


class ConsecutiveLosses(Section):
    """What stops a run of losses: a trade is a position from flat to flat."""

    limit: Annotated[
        PositiveCount,
        Meta(
            "The losing trades in a row after which entries stop.",
            LOWER,
            unit="count",
            guide=("G36",),
            held_by=("check:risk.consecutive_losses",),
        ),
    ]
    cooldown: Annotated[
        DurationText | None,
        Meta(
            "How long entries wait after each losing trade.",
            HIGHER,
            unit="duration",
            held_by=("check:risk.consecutive_losses",),
        ),
    ] = None
    on_breach: Annotated[
        OnBreach,
        Meta("What happens then.", ON_BREACH, guide=("G36",), held_by=("check:risk.consecutive_losses",)),
    ] = "reduce_only"


class PartialFills(Section):
    """What breaks the loop of partial fills and re-entries, symbol by symbol; exits never wait."""

    min_fill_to_act: Annotated[
        PercentText | None,
        Meta(
            "The least part of an entry that counts as a fill: while less of one filled, further entries wait.",
            HIGHER,
            unit="percent of the order",
            guide=("G40",),
            held_by=("check:risk.partial_fills", "rule:PK616"),
        ),
    ] = None
    max_reentries: Annotated[
        Count | None,
        Meta(
            "The most new entries within an hour of one that filled in part, until one fills wholly.",
            LOWER,
            unit="count",
            guide=("G40",),
            held_by=("check:risk.partial_fills", "rule:PK616"),
        ),
    ] = None
    cooldown: Annotated[
        DurationText | None,
        Meta(
            "How long entries wait after one that filled, or ended, in part.",
            HIGHER,
            unit="duration",
            guide=("G40",),
            held_by=("check:risk.partial_fills",),
        ),
    ] = None


class LossLimits(Section):
    """What may be lost, and what stops a run of losses."""

    daily_loss: Annotated[DailyLoss | None, Meta("How much may be lost in a day.", SECTION, guide=("G36",))] = None
    weekly_loss: Annotated[WeeklyLoss | None, Meta("How much may be lost in a week.", SECTION, guide=("G36",))] = None
    max_drawdown: Annotated[
        Drawdown | None, Meta("How far equity may fall from its highest.", SECTION, guide=("G36",))
    ] = None
    consecutive_losses: Annotated[
        ConsecutiveLosses | None, Meta("What stops a run of losses.", SECTION, guide=("G36",))
    ] = None
    partial_fills: Annotated[
        PartialFills | None, Meta("What breaks the loop of partial fills.", SECTION, guide=("G40",))
    ] = None

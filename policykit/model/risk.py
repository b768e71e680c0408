"""`risk`: what may be traded, and how much of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from policykit.model.base import (
    HIGHER,
    IDENTITY,
    LOWER,
    ON_BREACH,
    SECTION,
    SUBSET,
    SYMBOLS,
    Meta,
    Section,
    pointwise,
)
from policykit.model.rate import CountWindow
from policykit.model.types import (
    Bounds,
    BoundsBySymbol,
    Count,
    DayStart,
    DurationText,
    NumberText,
    PercentText,
    SymbolPattern,
)

OnBreach = Literal["warn", "deny", "reduce_only", "cancel_open", "halt"]
OrderType = Literal[
    "limit",
    "limit_maker",
    "market",
    "stop",
    "stop_limit",
    "stop_market",
    "stop_loss",
    "stop_loss_limit",
    "take_profit",
    "take_profit_limit",
    "take_profit_market",
    "trailing_stop",
    "trailing_stop_market",
]


class PriceCollar(Section):
    """How far from a reference price an order may be."""

    max_deviation: Annotated[
        PercentText,
        Meta(
            "The largest distance on the side that costs money.",
            LOWER,
            unit="percent of the reference",
            guide=("G01",),
            held_by=("check:risk.price_collar", "rule:PK606"),
        ),
    ]
    reference: Annotated[
        Literal["mark", "last", "mid", "index"],
        Meta("The price it is measured from.", IDENTITY, held_by=("check:risk.price_collar",)),
    ] = "mark"
    max_age: Annotated[
        DurationText | None,
        Meta(
            "The oldest such price that is used.",
            LOWER,
            unit="duration",
            held_by=("check:risk.price_collar",),
            inside=("account.max_age",),
        ),
    ] = None


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


class PartialFills(Section):
    """What breaks the loop of partial fills and re-entries."""

    min_fill_to_act: Annotated[
        PercentText | None,
        Meta(
            "The smallest part of an order that counts as a fill to act on.",
            HIGHER,
            unit="percent of the order",
            guide=("G40",),
            held_by=("check:risk.partial_fills", "rule:PK616"),
        ),
    ] = None
    max_reentries: Annotated[
        Count | None,
        Meta(
            "The most new entries after a partial one.",
            LOWER,
            unit="count",
            guide=("G40",),
            held_by=("check:risk.partial_fills", "rule:PK616"),
        ),
    ] = None
    cooldown: Annotated[
        DurationText | None,
        Meta(
            "The least time before the next entry.",
            HIGHER,
            unit="duration",
            guide=("G40",),
            held_by=("check:risk.partial_fills",),
        ),
    ] = None


class Risk(Section):
    """Limits on orders, positions and losses. Absent means no limit; lint says which ones are missing."""

    symbols: Annotated[
        tuple[SymbolPattern, ...] | None,
        Field(min_length=1),
        Meta(
            'What may be traded, by ccxt\'s unified names; globs, and "!" for what may not.',
            SYMBOLS,
            guide=("G01",),
            held_by=("check:risk.symbols", "rule:PK6xx"),
        ),
    ] = None
    order_types: Annotated[
        tuple[OrderType, ...] | None,
        Meta(
            "The order types that may be used.",
            SUBSET,
            guide=("G01",),
            held_by=("check:risk.order_types", "rule:PK608"),
        ),
    ] = None
    max_order_notional: Annotated[
        Bounds | None,
        Meta(
            "The largest notional of one order.",
            LOWER,
            unit="amount or share of equity",
            guide=("G33",),
            held_by=("check:risk.max_order_notional", "rule:PK603"),
            inside=("risk.max_position_notional", "risk.max_gross_exposure"),
        ),
    ] = None
    risk_at_stop: Annotated[
        Bounds | None,
        Meta(
            "The largest loss of one order whose stop is reached; instead of a cap on its notional.",
            LOWER,
            unit="amount or share of equity",
            guide=("G33",),
            held_by=("check:risk.risk_at_stop", "rule:PK6xx"),
        ),
    ] = None
    max_position_notional: Annotated[
        BoundsBySymbol | None,
        Meta(
            "The largest position of one asset, by symbol or for all.",
            pointwise(LOWER),
            unit="amount or share of equity",
            guide=("G35",),
            held_by=("check:risk.max_position_notional", "rule:PK6xx"),
            inside=("risk.max_gross_exposure",),
        ),
    ] = None
    max_gross_exposure: Annotated[
        Bounds | None,
        Meta(
            "The largest sum of all positions, long and short added up.",
            LOWER,
            unit="amount or share of equity",
            guide=("G01", "G35"),
            held_by=("check:risk.max_gross_exposure", "rule:PK610"),
        ),
    ] = None
    max_leverage: Annotated[
        NumberText | None,
        Meta(
            "The largest leverage that may be set.",
            LOWER,
            unit="times",
            guide=("G01",),
            held_by=("check:risk.max_leverage", "rule:PK609"),
        ),
    ] = None
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
    price_collar: Annotated[
        PriceCollar | None, Meta("How far from a reference price an order may be.", SECTION, guide=("G01",))
    ] = None
    daily_loss: Annotated[DailyLoss | None, Meta("How much may be lost in a day.", SECTION, guide=("G36",))] = None
    partial_fills: Annotated[
        PartialFills | None, Meta("What breaks the loop of partial fills.", SECTION, guide=("G40",))
    ] = None

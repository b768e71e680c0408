"""What an account may hold: positions, exposure, leverage, and how near a liquidation may be."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from policykit.model.base import HIGHER, LOWER, Meta, Section, pointwise
from policykit.model.types import Bounds, BoundsBySymbol, Count, NumberText, PercentText
from policykit.units import Share


class ExposureLimits(Section):
    """What an account may hold."""

    max_position_notional: Annotated[
        BoundsBySymbol | None,
        Meta(
            "The largest position of one asset, by symbol or for all.",
            pointwise(LOWER),
            unit="amount or share of equity",
            guide=("G35",),
            held_by=("check:risk.max_position_notional", "rule:PK6xx"),
        ),
    ] = None
    max_asset_exposure: Annotated[
        Bounds | None,
        Meta(
            "The largest exposure to one base asset over all its markets, spot and contracts added up.",
            LOWER,
            unit="amount or share of equity",
            guide=("G35",),
            held_by=("check:risk.max_asset_exposure",),
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
    max_net_exposure: Annotated[
        Bounds | None,
        Meta(
            "The largest difference between long and short positions.",
            LOWER,
            unit="amount or share of equity",
            guide=(
                "G01",
                "G35",
            ),
            held_by=("check:risk.max_net_exposure",),
            inside=("risk.max_gross_exposure",),
        ),
    ] = None
    max_open_positions: Annotated[
        Count | None,
        Meta(
            "The most positions at a time.",
            LOWER,
            unit="count",
            guide=("G35",),
            held_by=("check:risk.max_open_positions",),
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
    max_borrow: Annotated[
        Bounds | None,
        Meta(
            "The most that may be borrowed on margin; absent: nothing.",
            LOWER,
            unit="amount or share of equity",
            guide=("G01",),
            held_by=("check:risk.max_borrow",),
            absent=(Share(Decimal(0)),),
        ),
    ] = None
    min_liquidation_distance: Annotated[
        PercentText | None,
        Meta(
            "The least distance between the mark and the liquidation price of a position that is added to.",
            HIGHER,
            unit="percent of the mark",
            guide=("G01",),
            held_by=("check:risk.min_liquidation_distance",),
        ),
    ] = None
    max_margin_ratio: Annotated[
        PercentText | None,
        Meta(
            "The largest share of the margin balance that maintenance margin may take.",
            LOWER,
            unit="percent",
            guide=("G01",),
            held_by=("check:risk.max_margin_ratio",),
        ),
    ] = None
    max_funding_rate: Annotated[
        PercentText | None,
        Meta(
            "The highest funding rate that a position which pays it may be added to at.",
            LOWER,
            unit="percent of notional a funding interval",
            held_by=("check:risk.max_funding_rate",),
        ),
    ] = None

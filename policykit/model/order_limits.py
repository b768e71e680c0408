"""What one order may be: its symbol, side, type, size and price."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from policykit.model.base import IDENTITY, LOWER, SECTION, SUBSET, SYMBOLS, TRUE, Meta, Section, pointwise
from policykit.model.types import (
    Bounds,
    DurationText,
    NumberText,
    PercentText,
    SpanText,
    Switch,
    SymbolKey,
    SymbolPattern,
)

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
TimeInForce = Literal["GTC", "IOC", "FOK", "PO", "GTX", "GTD", "DAY"]
SelfTradePrevention = Literal["expire_taker", "expire_maker", "expire_both", "decrement"]


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


class PriceMove(Section):
    """How far the market itself may have moved before entries wait."""

    limit: Annotated[
        PercentText,
        Meta(
            "The largest distance between the highest and the lowest mark of the window.",
            LOWER,
            unit="percent of the lowest mark",
            guide=("G01",),
            held_by=("check:risk.max_price_move",),
        ),
    ]
    per: Annotated[
        SpanText,
        Meta("The span of the window.", IDENTITY, unit="duration", held_by=("check:risk.max_price_move",)),
    ]


class OrderLimits(Section):
    """What one order may be."""

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
    sides: Annotated[
        tuple[Literal["buy", "sell"], ...] | None,
        Meta(
            "The sides on which exposure may be increased.",
            SUBSET,
            guide=("G01",),
            held_by=("check:risk.sides",),
            absent=("buy", "sell"),
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
    time_in_force: Annotated[
        tuple[TimeInForce, ...] | None,
        Meta(
            "How long an order may rest, in the words of ccxt; an order that says none is GTC, at market IOC.",
            SUBSET,
            guide=("G01",),
            held_by=("check:risk.time_in_force",),
        ),
    ] = None
    reduce_only_exits: Annotated[
        Switch | None,
        Meta(
            "Whether an order on contracts that closes must carry reduceOnly (or closePosition).",
            TRUE,
            guide=("G01",),
            held_by=("check:risk.reduce_only_exits",),
            absent=False,
        ),
    ] = None
    self_trade_prevention: Annotated[
        tuple[SelfTradePrevention, ...] | None,
        Meta(
            "The self-trade prevention modes of which an order must carry one.",
            SUBSET,
            held_by=("check:risk.self_trade_prevention",),
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
    max_order_quantity: Annotated[
        dict[SymbolKey, NumberText] | None,
        Meta(
            "The largest quantity of one order, by symbol or default.",
            pointwise(LOWER),
            unit="base units, or contracts",
            guide=("G33",),
            held_by=("check:risk.max_order_quantity",),
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
    price_collar: Annotated[
        PriceCollar | None, Meta("How far from a reference price an order may be.", SECTION, guide=("G01",))
    ] = None
    max_price_move: Annotated[
        PriceMove | None,
        Meta("How far the market itself may have moved before entries wait.", SECTION, guide=("G01",)),
    ] = None
    max_slippage: Annotated[
        PercentText | None,
        Meta(
            "The furthest that the book may stand from the mark when an order at market is sent.",
            LOWER,
            unit="percent of the mark",
            guide=("G01",),
            held_by=("check:risk.max_slippage",),
        ),
    ] = None

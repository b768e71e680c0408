"""`risk`: what may be traded, how much of it, how often, and what may be lost."""

from __future__ import annotations

from typing import Annotated, Literal

from policykit.model.base import ON_BREACH, Meta, pointwise
from policykit.model.exposure_limits import ExposureLimits
from policykit.model.flow_limits import FlowLimits
from policykit.model.loss_limits import LossLimits, OnBreach
from policykit.model.order_limits import OrderLimits

#: The limits that can do more, or less, than deny; those on losses say so themselves.
LimitName = Literal[
    "symbols",
    "sides",
    "order_types",
    "time_in_force",
    "reduce_only_exits",
    "self_trade_prevention",
    "max_order_notional",
    "max_order_quantity",
    "risk_at_stop",
    "price_collar",
    "max_price_move",
    "max_slippage",
    "max_leverage",
    "min_liquidation_distance",
    "max_margin_ratio",
    "max_funding_rate",
    "duplicate_window",
    "repeated_execution",
    "trading_hours",
]


class Risk(LossLimits, FlowLimits, ExposureLimits, OrderLimits):
    """Limits on orders, positions and losses. Absent means no limit; lint says which ones are missing."""

    on_breach: Annotated[
        dict[LimitName, OnBreach] | None,
        Meta(
            "What else happens when a limit of this section is met, by the limit's name; absent: deny.",
            pointwise(ON_BREACH),
            guide=("G36",),
            held_by=("guard:on_breach",),
            absent="deny",
        ),
    ] = None

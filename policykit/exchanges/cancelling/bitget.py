"""Bitget, of a unified account or a classic one. Sources: ccxt 4.5.90; api-doc uta/trade Cancel-Batch: 20 a call."""

from __future__ import annotations

from typing import Any, Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting

_FUTURES: Final = ("USDT-FUTURES", "USDC-FUTURES", "COIN-FUTURES")
_PLANS: Final = ("normal_plan", "profit_loss", "track_plan")


def _futures(product: str) -> tuple[Resting, ...]:
    """Return the lists of a kind of futures; a classic account lists its plans by kind."""
    swap: dict[str, Any] = {"type": "swap", "productType": product}
    return (
        Resting("swap.order", swap, many=20, page=100),
        *(
            Resting("swap.plan", {**swap, "trigger": True, "planType": plan}, {"trigger": True, "planType": plan})
            for plan in _PLANS
        ),
    )


CANCELLING: Final = Cancelling(
    calls=calls("POST", "/api/v3/trade/", "cancel-order cancel-batch cancel-symbol-order cancel-strategy-order")
    | calls(
        "POST",
        "/api/v2/",
        "spot/trade/cancel-order spot/trade/batch-cancel-order spot/trade/cancel-symbol-order "
        "spot/trade/cancel-plan-order spot/trade/batch-cancel-plan-order mix/order/cancel-order "
        "mix/order/batch-cancel-orders mix/order/cancel-plan-order margin/crossed/cancel-order "
        "margin/crossed/batch-cancel-order margin/isolated/cancel-order margin/isolated/batch-cancel-order",
    ),
    families=(
        Resting("spot.order", {}, many=20, every="symbol", page=100),
        Resting("margin.order", {"marginMode": "cross"}, {"marginMode": "cross"}, many=20, page=100),
        Resting("margin.order", {"marginMode": "isolated"}, {"marginMode": "isolated"}, many=20, page=100),
        Resting("spot.plan", {"trigger": True}, {"trigger": True}, page=100),
        *(one for product in _FUTURES for one in _futures(product)),
    ),
)

"""HTX. Source: ccxt 4.5.90 htx.py cancelOrder, cancelOrders, cancelAllOrders (50 ids a batch)."""

from __future__ import annotations

from typing import Any, Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting

_LINEAR: Final[dict[str, Any]] = {"type": "swap", "subType": "linear"}

CANCELLING: Final = Cancelling(
    calls=calls("POST", "/v1/order/orders/", "*/submitcancel submitCancelClientOrder batchcancel batchCancelOpenOrders")
    | calls("POST", "/v5/", "trade/cancel_order trade/cancel_batch_orders trade/cancel_all_orders algo/cancel_orders"),
    families=(
        Resting("spot.order", {"type": "spot", "size": 500}, {"type": "spot"}, many=50, mixed=True, page=500),
        Resting("swap.order", _LINEAR, {"subType": "linear"}, many=10, every="symbol", page=20),
        Resting("swap.trigger", {**_LINEAR, "trigger": True}, {"subType": "linear", "trigger": True}, page=20),
        Resting(
            "swap.tpsl",
            {**_LINEAR, "stopLossTakeProfit": True},
            {"subType": "linear", "stopLossTakeProfit": True},
            page=20,
        ),
        Resting("swap.trailing", {**_LINEAR, "trailing": True}, {"subType": "linear", "trailing": True}, page=20),
    ),
    unlisted={
        "spot.algo": "ccxt lists no conditional orders of htx's spot",
        "inverse.order": "this version does not list htx's contracts that are settled in their own coin",
    },
)

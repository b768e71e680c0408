"""Coinbase Advanced: one list of spot and contracts. Source: ccxt 4.5.90 coinbase.py cancelOrders (`order_ids`)."""

from __future__ import annotations

from typing import Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting, by_symbol

CANCELLING: Final = Cancelling(
    calls=calls("POST", "/api/v3/brokerage/orders/", "batch_cancel"),
    families=(
        Resting("spot.order", many=100, mixed=True, page=100, split=by_symbol, others=("swap.order",)),
    ),  # how many a call takes is not said
)

"""MEXC. Source: ccxt 4.5.90 mexc.py; spot lists the orders of one symbol only (api-docs spot-v3, 2026-11)."""

from __future__ import annotations

from typing import Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting

CANCELLING: Final = Cancelling(
    calls=calls("DELETE", "/api/v3/", "order openOrders")
    | calls("POST", "/api/v1/private/", "order/cancel order/cancel_all planorder/cancel planorder/cancel_all"),
    families=(
        Resting("spot.order", by_symbol=True, every="symbol"),
        Resting("swap.order", {"type": "swap"}, {"type": "swap"}, every="account", page=20),
        Resting("swap.trigger", {"type": "swap", "trigger": True}, {"type": "swap", "trigger": True}, page=20),
    ),
)

"""Kraken spot and margin. Sources: ccxt 4.5.90 kraken.py; docs.kraken.com rest-api/cancel-order-batch (2026-06): 50."""

from __future__ import annotations

from typing import Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting

CANCELLING: Final = Cancelling(
    calls=calls("POST", "/0/private/", "CancelOrder CancelOrderBatch CancelAll"),
    families=(Resting("spot.order", many=50, mixed=True, every="account"),),  # OpenOrders has triggered ones too
)

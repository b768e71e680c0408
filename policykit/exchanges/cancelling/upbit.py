"""Upbit. Source: ccxt 4.5.90 upbit.py cancelOrder; docs.upbit.com (2026-11) list-open-orders: 100 rows."""

from __future__ import annotations

from typing import Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting

CANCELLING: Final = Cancelling(
    calls=calls("DELETE", "/v1/", "order"),
    families=(Resting("spot.order", page=100), Resting("spot.order", {"state": "watch"}, page=100)),
)

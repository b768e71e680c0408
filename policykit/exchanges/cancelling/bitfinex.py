"""Bitfinex: orders of every kind are in one list. Source: ccxt 4.5.90 bitfinex.py cancelOrder, cancelAllOrders."""

from __future__ import annotations

from typing import Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting, by_symbol

CANCELLING: Final = Cancelling(
    calls=calls("POST", "/v2/auth/w/", "order/cancel order/cancel/multi"),
    families=(Resting("spot.order", many=20, mixed=True, every="account", split=by_symbol, others=("swap.order",)),),
)

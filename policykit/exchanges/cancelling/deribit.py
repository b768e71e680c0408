"""Deribit: `get_open_orders` lists every currency and kind, triggers too; `cancel_all` takes them all.

Sources: docs.deribit.com (2026-11) private/get_open_orders, private/cancel_all; ccxt 4.5.90 deribit.py.
"""

from __future__ import annotations

from typing import Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting, by_symbol

CANCELLING: Final = Cancelling(
    calls=calls("GET", "/api/v2/private/", "get_open_orders cancel cancel_all cancel_all_by_instrument"),
    families=(
        Resting(
            "swap.order",
            list_call="privateGetGetOpenOrders",
            every="account",
            split=by_symbol,
            others=("spot.order", "option.order"),
        ),
    ),
)

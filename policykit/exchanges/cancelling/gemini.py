"""Gemini. Sources: ccxt 4.5.90 gemini.py; developer.gemini.com OpenAPI (2026-09-18) `POST /v1/order/cancel/all`."""

from __future__ import annotations

from typing import Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting, by_symbol

CANCELLING: Final = Cancelling(
    calls=calls("POST", "/v1/order/", "cancel cancel/all"),
    families=(
        Resting(
            "spot.order",
            every="account",
            every_call="privatePostV1OrderCancelAll",
            split=by_symbol,
            others=("swap.order",),
        ),
    ),
)

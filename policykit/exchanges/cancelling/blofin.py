"""BloFin. Sources: ccxt 4.5.90 blofin.py; docs errors.md 152006: up to 20 orders at once."""

from __future__ import annotations

from typing import Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting

CANCELLING: Final = Cancelling(
    calls=calls("POST", "/api/v1/trade/", "cancel-order cancel-batch-orders cancel-tpsl cancel-algo"),
    families=(
        Resting("swap.order", many=20, page=100),
        Resting("swap.tpsl", {"tpsl": True}, {"tpsl": True}, many=20, page=100),
        Resting("swap.trigger", {"trigger": True}, {"trigger": True}, page=100),
    ),
    unlisted={"spot.order": "ccxt has no spot of blofin"},
)

"""BitMEX: one list, one call for all; its contracts keep their own names.

Source: BitMEX/api-connectors@9f8f5e69 swagger.json (read 2026-11) Order.getOrders, Order.cancel, Order.cancelAll.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from policykit.exchanges.bitmex_client import PAGE
from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting


def _family(row: Mapping[str, Any]) -> str:
    return "spot.order" if "/" in str(row.get("symbol")) else "swap.order"


CANCELLING: Final = Cancelling(
    calls=calls("DELETE", "/api/v1/", "order order/all") | calls("GET", "/api/v1/", "order"),
    families=(Resting("swap.order", every="account", page=PAGE, split=_family, others=("spot.order",)),),
)

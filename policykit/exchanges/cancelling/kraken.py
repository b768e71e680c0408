"""Kraken spot and margin. Sources: ccxt 4.5.90 kraken.py; docs.kraken.com rest-api/cancel-order-batch (2026-06): 50."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting


def _family(row: Mapping[str, Any]) -> str:
    """Tell an order on margin by its leverage (get-open-orders: `descr.leverage`, "none" without)."""
    info = row.get("info")
    descr = info.get("descr") if isinstance(info, Mapping) else None
    leverage = descr.get("leverage") if isinstance(descr, Mapping) else None
    return "spot.order" if leverage == "none" else "margin.order"


CANCELLING: Final = Cancelling(
    calls=calls("POST", "/0/private/", "CancelOrder CancelOrderBatch CancelAll"),
    # OpenOrders has triggered ones too, and those on margin.
    families=(Resting("spot.order", many=50, mixed=True, every="account", split=_family, others=("margin.order",)),),
)

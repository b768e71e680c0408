"""Hyperliquid: one call does everything that is signed, so the action in the body decides: a cancel only.

Source: hyperliquid-docs for-developers/api exchange-endpoint (2026-11): "cancel takes a list"; ccxt 4.5.90
hyperliquid.py cancelOrders.
"""

from __future__ import annotations

import json
from typing import Final

from policykit.exchanges.cancelling.base import Cancelling, Resting, by_symbol

_ACTIONS: Final = frozenset(("cancel", "cancelByCloid"))


def admits(name: str, body: str | None) -> bool:
    """Tell whether what is signed is a cancel and nothing else."""
    try:
        said = json.loads(body or "")
    except (ValueError, RecursionError):
        return False
    action = said.get("action") if isinstance(said, dict) else None
    return isinstance(action, dict) and action.get("type") in _ACTIONS and set(action) == {"type", "cancels"}


CANCELLING: Final = Cancelling(
    calls=frozenset(("POST /exchange",)),
    families=(
        Resting("swap.order", many=100, page=1000, split=by_symbol, others=("spot.order",)),
    ),  # spot and contracts, triggers too
    unlisted={"swap.twap": "this version does not list hyperliquid's TWAP orders, nor those of builders' exchanges"},
    admits=admits,
)

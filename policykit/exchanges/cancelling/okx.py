"""OKX. Sources: ccxt 4.5.90 okx.py; docs-v5 (copy of 2026-07-21): 20 orders a batch, 10 algo ones."""

from __future__ import annotations

from typing import Any, Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting

_ALGO: Final = ("conditional,oco", "trigger", "move_order_stop", "iceberg", "twap")


def _families(product: str, kind: str, *algo: str) -> tuple[Resting, ...]:
    """Return the lists of an instrument type: its orders, and its conditional ones by kind."""
    waits: dict[str, Any] = {"instType": kind, "trigger": True}
    return (
        Resting(f"{product}.order", {"instType": kind}, many=20, page=100),
        *(Resting(f"{product}.algo", {**waits, "ordType": one}, {"trigger": True}, many=10, page=100) for one in algo),
    )


CANCELLING: Final = Cancelling(
    calls=calls("POST", "/api/v5/trade/", "cancel-order cancel-batch-orders cancel-algos"),
    families=(
        *_families("spot", "SPOT", *_ALGO),
        *_families("margin", "MARGIN", *_ALGO),
        *_families("swap", "SWAP", *_ALGO, "chase"),
        *_families("swap", "FUTURES", *_ALGO, "chase"),
        *_families("option", "OPTION"),
    ),
    unlisted={"spread.order": "this version does not list orders of spread trading"},
)

"""Gate. Sources: ccxt 4.5.90 gate.py; gate/gateapi-python@151ac72c docs/SpotApi.md (2026-11-21): 20 ids in a batch."""

from __future__ import annotations

from typing import Any, Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting

#: Contracts and dated ones, by the coin that they are settled in.
_SETTLED: Final = (("swap", "usdt"), ("swap", "btc"), ("future", "usdt"))


def _contracts(kind: str, coin: str) -> tuple[Resting, ...]:
    said: dict[str, Any] = {"type": kind, "settle": coin}
    return (
        Resting("swap.order", said, {"type": kind}, every="symbol", page=100),
        Resting("swap.price", {**said, "trigger": True}, {"type": kind, "trigger": True}, every="symbol", page=100),
    )


CANCELLING: Final = Cancelling(
    calls=calls(
        "DELETE",
        "/api/v4/",
        "spot/orders spot/orders/* spot/price_orders spot/price_orders/* "
        "futures/*/orders futures/*/orders/* futures/*/price_orders futures/*/price_orders/* "
        "delivery/*/orders delivery/*/orders/* delivery/*/price_orders delivery/*/price_orders/*",
    )
    | calls("POST", "/api/v4/", "spot/cancel_batch_orders"),
    families=(
        Resting("spot.order", {"type": "spot"}, {"type": "spot"}, many=20, every="symbol", page=100),
        Resting("margin.order", {"type": "spot", "account": "margin"}, {"type": "margin"}, page=100),
        Resting("margin.order", {"type": "spot", "marginMode": "cross"}, {"marginMode": "cross"}, page=100),
        Resting(
            "spot.price", {"type": "spot", "trigger": True}, {"type": "spot", "trigger": True}, every="symbol", page=100
        ),
        *(one for kind, coin in _SETTLED for one in _contracts(kind, coin)),
    ),
)

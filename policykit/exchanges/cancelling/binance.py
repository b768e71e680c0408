"""Binance: spot, cross margin, USD-M and COIN-M, each with its conditional orders (PITFALLS 24).

Sources: ccxt 4.5.90 binance.py; binance-spot-api-docs rest-api.md (a5e0bc3); developers.binance.com derivatives
(2026-11): `batchOrders` takes 10 ids; all open orders of a symbol go in one call, algo orders in another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting

LINEAR: Final = {"type": "swap", "subType": "linear"}
INVERSE: Final = {"type": "swap", "subType": "inverse"}
_NAMES: Final = "order batchOrders allOpenOrders algoOrder algoOpenOrders"
#: Futures of USD-M, and of COIN-M.
FAPI: Final = calls("DELETE", "/fapi/v1/", _NAMES)
DAPI: Final = calls("DELETE", "/dapi/v1/", _NAMES)


def futures(*kinds: Mapping[str, Any]) -> tuple[Resting, ...]:
    """Return the lists of futures: orders and algo orders of each kind."""
    return (
        *(Resting("swap.order", kind, {}, many=10, every="symbol") for kind in kinds),
        *(Resting("swap.algo", {**kind, "trigger": True}, {"trigger": True}, every="symbol") for kind in kinds),
    )


CANCELLING: Final = Cancelling(
    calls=FAPI
    | DAPI
    | calls("DELETE", "/api/v3/", "order openOrders")
    | calls("DELETE", "/sapi/v1/margin/", "order openOrders"),
    families=(
        Resting("spot.order", {"type": "spot"}, {"type": "spot"}, every="symbol"),
        Resting("margin.order", {"type": "margin"}, {"type": "margin"}, every="symbol"),
        *futures(LINEAR, INVERSE),
    ),
    unlisted={
        "margin.isolated": "binance lists orders of isolated margin by symbol only",
        "option.order": "this version does not list binance's options",
    },
)

"""BingX. Source: ccxt 4.5.90 bingx.py cancelOrder, cancelAllOrders, cancelOrders, fetchOpenOrders."""

from __future__ import annotations

from typing import Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting

CANCELLING: Final = Cancelling(
    calls=calls("POST", "/openApi/", "spot/v1/trade/cancel spot/v1/trade/cancelOrders spot/v1/trade/cancelOpenOrders")
    | calls("DELETE", "/openApi/", "swap/v2/trade/order swap/v2/trade/batchOrders swap/v2/trade/allOpenOrders")
    | calls("POST", "/openApi/", "swap/v1/twap/cancelOrder"),
    families=(
        Resting("spot.order", {"type": "spot"}, {"type": "spot"}, every="account"),
        Resting("swap.order", {"type": "swap"}, {"type": "swap"}, every="account"),
        Resting("swap.twap", {"type": "swap", "twap": True}, {"twap": True}),
    ),
    unlisted={"inverse.order": "this version does not list bingx's contracts that are settled in their own coin"},
)

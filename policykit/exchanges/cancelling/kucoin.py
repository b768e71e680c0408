"""KuCoin. Sources: ccxt 4.5.90 kucoin.py; coincise@4f82af677 docs/kucoin (2026-11-21): cancel-all of spot and of stops.

`hf/orders/active/symbols` names the symbols with open orders: a list of its own, which only this client may ask.
"""

from __future__ import annotations

from typing import Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting

CANCELLING: Final = Cancelling(
    calls=calls(
        "DELETE",
        "/api/v1/",
        "hf/orders/* hf/orders/cancelAll hf/orders orders/* orders stop-order/* stop-order/cancel stopOrders "
        "orders/multi-cancel",
    )
    | calls("DELETE", "/api/v3/", "orders")
    | calls("GET", "/api/v1/", "hf/orders/active/symbols"),
    families=(
        Resting("spot.order", by_symbol=True, every="account", symbols_call="privateGetHfOrdersActiveSymbols"),
        Resting(  # ccxt wants a symbol of stop orders as well, the call does not
            "spot.stop",
            {"pageSize": 500},
            {"trigger": True},
            every="account",
            page=500,
            list_call="privateGetStopOrder",
            rows=("data", "items"),
        ),
        Resting("swap.order", {"type": "swap"}, {"type": "swap"}, many=10, every="symbol", page=50),
        Resting(
            "swap.stop", {"type": "swap", "trigger": True}, {"type": "swap", "trigger": True}, every="account", page=50
        ),
    ),
    unlisted={"margin.order": "this version does not list kucoin's margin orders"},
)

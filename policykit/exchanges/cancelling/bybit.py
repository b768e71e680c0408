"""Bybit, a unified account. Sources: ccxt 4.5.90 bybit.py; bybit-exchange/docs@072c197d0 (2026-07-24) v5/order/.

rate-limit.mdx: a batch has 1 to 10 orders; cancel-all.mdx; open-order.mdx: 50 rows a page.
"""

from __future__ import annotations

from typing import Any, Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting

#: ccxt follows the cursor over ten pages of 50 at most; it wants a moment to begin at, and any does.
_PAGE: Final = 500
_ALL: Final[dict[str, Any]] = {"paginate": True}
_KINDS: Final[tuple[dict[str, Any], ...]] = (
    {"type": "swap", "subType": "linear", "settleCoin": "USDT"},
    {"type": "swap", "subType": "linear", "settleCoin": "USDC"},
    {"type": "swap", "subType": "inverse", "settleCoin": ""},  # else ccxt names a coin that no inverse contract has
)
_SPOT: Final[dict[str, Any]] = {"type": "spot", **_ALL}


def _contracts(kind: dict[str, Any]) -> Resting:
    """Return the list of a kind of contracts, waiting ones in it; the batch does not take inverse ones."""
    asked = {**kind, **_ALL}
    cancel = {"subType": kind["subType"]}
    return Resting("swap.order", asked, cancel, 0 if kind["subType"] == "inverse" else 10, every="symbol", page=_PAGE)


CANCELLING: Final = Cancelling(
    calls=calls("POST", "/v5/order/", "cancel cancel-batch cancel-all"),
    families=(
        Resting("spot.order", _SPOT, {"type": "spot"}, many=10, every="symbol", page=_PAGE),
        Resting(
            "spot.trigger",
            {**_SPOT, "trigger": True},
            {"type": "spot", "trigger": True},
            page=_PAGE,
            also_in="spot.order",
        ),
        *(_contracts(kind) for kind in _KINDS),
    ),
    unlisted={"option.order": "this version does not list bybit's options"},
)

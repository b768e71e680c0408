"""Kraken Futures. Source: ccxt 4.5.90 krakenfutures.py. `batchorder` is not used: it places orders as well."""

from __future__ import annotations

from typing import Final

from policykit.exchanges.calls import calls
from policykit.exchanges.cancelling.base import Cancelling, Resting

CANCELLING: Final = Cancelling(
    calls=calls("POST", "/derivatives/api/v3/", "cancelorder cancelallorders"),
    families=(Resting("swap.order", every="account"),),  # openorders has triggers too
)

"""Reading exchanges: one adapter an exchange, the read-only client, the snapshot. ccxt is the client, imported late."""

from __future__ import annotations

import importlib
from typing import Final

from policykit.exchanges.base import Adapter

#: Exchanges that this version has an adapter for.
ADAPTERS: Final = ("binance",)


def load(exchange_id: str) -> Adapter | None:
    """Return the adapter of an exchange (a ccxt id); None when this version has none."""
    if exchange_id not in ADAPTERS:
        return None
    adapter: Adapter = importlib.import_module(f"{__name__}.{exchange_id}").ADAPTER
    return adapter

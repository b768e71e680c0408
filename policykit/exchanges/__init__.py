"""Reading exchanges: one adapter an exchange, the read-only client, the snapshot. ccxt is the client, imported late."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from typing import TYPE_CHECKING

from policykit import traits

if TYPE_CHECKING:
    from policykit.exchanges.adapter import Adapter, TradingAdapter


@cache
def known() -> tuple[str, ...]:
    """Return the ids of the exchanges that can be read: those with a file here and one of facts in `traits`."""
    return tuple(name for name in traits.known() if importlib.util.find_spec(f"{__name__}.{name}") is not None)


def load(exchange_id: str) -> Adapter | None:
    """Return the adapter of an exchange (a ccxt id); None when this version has none."""
    if exchange_id not in known():
        return None
    adapter: Adapter = importlib.import_module(f"{__name__}.{exchange_id}").ADAPTER
    return adapter


def load_trading(exchange_id: str) -> TradingAdapter | None:
    """Return the adapter of an exchange on which a guard can trade; None when it can only be read, or not even that."""
    from policykit.exchanges.adapter import TradingAdapter

    adapter = load(exchange_id)
    return adapter if isinstance(adapter, TradingAdapter) else None


def trading() -> tuple[str, ...]:
    """Return the ids of the exchanges on which a guard can trade."""
    return tuple(name for name in known() if load_trading(name) is not None)

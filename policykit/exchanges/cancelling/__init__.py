"""Reading and cancelling, and nothing else: what a key is used for when no bot may trade any more.

with canceller("okx", secrets) as okx:      # from policykit.exchanges.cancelling.canceller
    listed = okx.open_orders()
    counts = okx.clear(keep=lambda order: order.reduces is True)

One file an exchange says which calls cancel; `canceller.py` drives them. No call here can place an order or move money:
the client's allowlist is that of reads and those calls (`tests/exchanges/test_every_cancelling.py`).
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache

from policykit import exchanges
from policykit.exchanges.cancelling.base import Cancelling, FamilyCount, Listed, OpenOrder, Resting

__all__ = ["Cancelling", "FamilyCount", "Listed", "OpenOrder", "Resting", "known", "load"]


@cache
def known() -> tuple[str, ...]:
    """Return the ids of the exchanges on which open orders can be listed and cancelled."""
    return tuple(name for name in exchanges.known() if importlib.util.find_spec(f"{__name__}.{name}") is not None)


def load(exchange_id: str) -> Cancelling | None:
    """Return how an exchange's orders are cancelled; None when this version does not know."""
    if exchange_id not in known():
        return None
    found: Cancelling = importlib.import_module(f"{__name__}.{exchange_id}").CANCELLING
    return found

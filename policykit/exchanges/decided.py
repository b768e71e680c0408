"""What adapters share when they hold a signed request against what was decided."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Final

from policykit.exchanges.calls import pairs_of
from policykit.order import Order

#: Under `@enforce` the price was decided on before ccxt rounded it to the market's tick: it may be worse by this share.
ROUNDING: Final = Decimal("0.001")


def carries(url: str, body: str | None, names: frozenset[str], client_order_id: str) -> bool:
    """Tell whether a request gives an order this id, under one of the names that the exchange has for it."""
    try:
        said = json.loads(body or "")
    except ValueError:
        said = None
    pairs = [*pairs_of(url, (body,)), *(said.items() if isinstance(said, dict) else ())]
    return any(name in names and value == client_order_id for name, value in pairs)


def own_trades(order: Order, sent: str | None) -> str | None:
    """Return how a request has another self-trade prevention than was decided; each exchange spells the modes."""
    meant = order.self_trade_prevention
    if meant is None or (sent or "").replace("_", "").lower() == meant.replace("_", "").lower():
        return None
    return f"the self-trade prevention is {sent}, decided was {meant}"

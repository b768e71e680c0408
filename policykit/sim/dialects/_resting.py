"""The account's open spot orders as every dialect lists and cancels them; each writes them in its exchange's words."""

from __future__ import annotations

from policykit.sim.dialects.base import World
from policykit.sim.venue import Order, Rejected


def resting(world: World, now_ms: int, pair: object = None, *, waiting: bool | None = None) -> list[Order]:
    """Return what is open and visible, oldest first: of one pair (any writing of it), or that waits for a trigger."""
    name = None if pair is None else str(pair).replace("-", "").replace("_", "").replace("/", "")
    return [
        order
        for order in world.venue.visible(now_ms, only_open=True)
        if name in (None, order.new.symbol.id) and waiting in (None, order.new.stop_price is not None)
    ]


def cancelled(world: World, number: object, now_ms: int, *, client_id: object = None) -> Order | None:
    """Cancel an open order by the exchange's id, else by the user's; None: no such order is open."""
    text = str(number or "")
    for order in resting(world, now_ms):
        if (text and text == str(order.id)) or (not text and client_id and order.new.client_order_id == client_id):
            try:
                return world.venue.cancel(order.new.symbol, now_ms, order.id, None)
            except Rejected:
                return None
    return None

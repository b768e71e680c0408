"""The permit that an admitted order carries from its decision to the gate: one write, within its time, as decided."""

from __future__ import annotations

import os
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from policykit.decision import Decision, Hold
from policykit.order import Order
from policykit.orders.intent import Intent


@dataclass(slots=True)
class Admitted:
    """A decision that allowed something, on its way to the wire.

    `deadline_ms` is on the monotonic clock of this process; None: no gate stands before the send. `intent` is None for
    what is no order to place. The gate writes the last four.
    """

    decision: Decision
    intent: Intent | None
    deadline_ms: float | None
    generation: int
    #: True: the store was down and only the fallback file knows of it.
    unrecorded: bool = False
    #: What was held for it: the budgets that its request spends of.
    holds: tuple[Hold, ...] = ()
    #: Taken by a protected client: of an order's permit there is only one taker.
    taken: bool = False
    #: The function that `@enforce` let run has ended: tasks that it left behind have no part in its permit.
    done: bool = False
    sent: bool = False
    error: Exception | None = None
    #: As read from the signed request at the gate.
    signed_ms: int | None = None
    validity_ms: int | None = None


#: Intents that calls of this process are bringing to an end right now; recovery leaves them alone.
DRIVING: set[str] = set()
# A forked child drives none of its parent's: if that one dies, the child takes them up like anybody.
os.register_at_fork(after_in_child=DRIVING.clear)

#: The order that the current task was admitted to send (`@enforce` sets it, a protected client inside takes it).
CURRENT: ContextVar[Admitted | None] = ContextVar("policykit_admitted", default=None)


#: What must be as it was decided, whatever the rest is.
_SAME: Final = (
    *("action", "symbol", "side", "type", "stop_price", "time_in_force", "quote_quantity"),
    *("position_side", "close_position", "trailing"),
)


def covers(admitted: Order, asked: Order) -> bool:
    """Tell whether an admitted order covers what a client is asked to send: the same, and not more, not worse."""
    if any(getattr(admitted, name) != getattr(asked, name) for name in _SAME):
        return False
    if admitted.reduce_only and not asked.reduce_only:
        return False
    if admitted.quantity is None or asked.quantity is None:
        return admitted.quantity is asked.quantity and admitted.price == asked.price
    if asked.quantity > admitted.quantity:
        return False
    if admitted.price is None or asked.price is None:
        return admitted.price is asked.price
    return asked.price <= admitted.price if asked.side == "buy" else asked.price >= admitted.price

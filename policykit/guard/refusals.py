"""Why a guard refuses what its policy's checks had nothing against."""

from __future__ import annotations

from typing import Final

from policykit.decision import Reason
from policykit.errors import StoreUnavailable
from policykit.order import Order

#: A decision is assessed again on newer facts at most this often.
ASSESS_AGAIN: Final = 2
#: The same for what can only reduce: an exit is not kept from the exchange because others trade.
ASSESS_EXIT_AGAIN: Final = 20


def reused(order: Order, intent: str) -> tuple[Reason, ...]:
    """Say that a caller's client order id is another order's."""
    message = f'client order id "{order.client_order_id}" belongs to intent {intent}; an id is for one order, for ever'
    return (Reason("CLIENT_ORDER_ID_REUSED", "order.client_order_id", message),)


def moving(times: int) -> tuple[Reason, ...]:
    """Say that no assessment stood until it was reserved."""
    message = f"the trading state or the position changed under {times} assessments in a row; decide again"
    return (Reason("STATE_MOVING", "trading_state", message, failure=True),)


def without_store(error: StoreUnavailable) -> tuple[Reason, ...]:
    """Say that nothing can be reserved."""
    return (Reason(error.code, "store", f"{error}; orders that increase exposure wait for it", failure=True),)

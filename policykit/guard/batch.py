"""Orders that are meant together: all are admitted or none, each on top of those before it; then they go one by one.

A member that is refused takes the others' reservations back, before anything was sent. One that the exchange refuses
does not stop the others, as in a batch of the exchange's own; one whose outcome nobody knows does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from policykit.decision import Reason
from policykit.errors import Denied
from policykit.guard.admission import CURRENT, Admitted
from policykit.guard.client_errors import ClientDenied, client_denied
from policykit.order import CANCELS, Order
from policykit.orders.intent import Outcome

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: More orders than this are not taken at once.
MAX_ORDERS: Final = 100


def admit(guard: Guard, orders: Sequence[Order]) -> list[Admitted]:
    """Decide on every order, on top of what is reserved for those before it. Raise ClientDenied: none is admitted."""
    outer = CURRENT.get()
    if outer is not None and not outer.done and outer.decision.action not in CANCELS:
        raise _refused(guard, "@enforce admitted one order; call create_order for it")
    if len(orders) > MAX_ORDERS:
        raise _refused(guard, f"{len(orders)} orders are in the batch; at most {MAX_ORDERS} may be")
    admitted: list[Admitted] = []
    try:
        for order in orders:
            admitted.append(guard.decide(order))  # noqa: PERF401 - what was admitted before a denial is given back
    except Denied as denied:
        give_back(guard, admitted)
        raise client_denied(denied.decision, str(denied)) from None
    except BaseException:
        give_back(guard, admitted)
        raise
    return admitted


def give_back(guard: Guard, admitted: Iterable[Admitted]) -> None:
    """Take back what was not sent and will not be."""
    for one in admitted:
        if one.intent is not None and one.intent.open and not one.sent:
            guard.settle(one, Outcome("not_sent", guard.now(), closed=True, error="BATCH_ENDED"))
        guard.release(one)


def _refused(guard: Guard, why: str) -> ClientDenied:
    order = Order("", action="order.create")
    denied = guard.refuse(order, Reason("RAW_CALL_REFUSED", "gate", f"create_orders: {why}"))
    return ClientDenied(denied.decision, str(denied))

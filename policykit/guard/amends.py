"""What an amend holds, how it is looked up, and what came of it.

In place (`PUT order`, `POST /v5/order/amend`): the order keeps its id, and the intent of the amend (`Intent.amends`) is
no order of its own. It holds what it adds until the exchange shows the order as it was meant: then the order's own
intent claims that, and the amend is over. While nobody knows, both hold: the larger of old and new.

By replacement (`POST order/cancelReplace`): a new order with an intent of its own, put only if the old one was
cancelled before anything of it filled; so of the two only one can fill, and the larger one is what is asked for.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from policykit.decision import Hold
from policykit.errors import StoreUnavailable
from policykit.exchanges.base import CallFailed, Failure, OrderState, Steps
from policykit.exchanges.calls import pairs_of
from policykit.exchanges.decided import carries
from policykit.order import Order
from policykit.orders.cancels import Doubt, doubted
from policykit.orders.intent import Intent, Outcome
from policykit.orders.life import after_failure, after_reply, answers, same_order
from policykit.units import MAX_COUNTER, scale_up

if TYPE_CHECKING:
    from typing import Any

    from policykit.exchanges.adapter import TradingAdapter
    from policykit.guard.deciding import Deciding

#: Parameters that name the order by the exchange's own id.
_BY_NUMBER: Final = frozenset(("orderId", "cancelOrderId"))
_SEEN: Final = frozenset(("acknowledged", "found"))


def swapped(holds: tuple[Hold, ...], order: Order, target: Intent) -> tuple[Hold, ...]:
    """Return the holds of an order that takes the place of another: it claims all of itself.

    Limits are raised by what the other one holds already, since of the two only one can fill; what an order counts
    for (`max_open_orders`) it counts for in the other one's place.
    """
    assert order.quantity is not None
    claim = next((hold for hold in target.holds if hold.kind == "position"), None)
    whole = min(MAX_COUNTER, scale_up(order.quantity))
    out: list[Hold] = []
    for hold in holds:
        if hold.kind == "position":
            limit = min(MAX_COUNTER, hold.limit + max(0, whole - abs(hold.amount)))
            hold = hold._replace(amount=whole if hold.amount > 0 else -whole, limit=limit)
            claim = None
        out.append(hold)
    if claim is not None:  # it merely lessens, which no check held
        out.append(claim._replace(amount=whole if claim.amount > 0 else -whole, limit=MAX_COUNTER))
    out += [hold._replace(limit=MAX_COUNTER) for hold in target.holds if hold.kind == "sum"]
    return tuple(out)


def named(adapter: TradingAdapter, intent: Intent, target: Intent | None, url: str, body: str | None) -> bool:
    """Tell whether a request is for the order that the amend was decided for, and puts the new one under its id."""
    amends = intent.order.amends
    if amends is None or not carries(url, body, adapter.amend_names, str(amends.client_order_id)):
        return False
    if target is not None:  # by its number too, which would prevail; but only the store knows that
        return all(value == target.order_id for name, value in pairs_of(url, (body,)) if name in _BY_NUMBER)
    return carries(url, body, adapter.id_names, intent.client_order_id)


# ---- what came of it


def after_amend(guard: Deciding, intent: Intent, reply: Any, now_ms: int) -> Outcome | None:
    """Return what the answer to an amend means for its intent, and take in what it says of the other order.

    None: it is another order's, or does not show what was meant.
    """
    new, old = guard.adapter.amended(reply, intent.order)
    if new is None:  # taken, but not done yet
        return Outcome("sent", now_ms)
    if intent.amends is None:
        if old is not None:
            guard.saw(old)
        return after_reply(new, now_ms) if answers(intent, new) and same_order(intent, new) else None
    amends = intent.order.amends
    if amends is None or new.client_order_id != amends.client_order_id or not (new.closed or shows(intent, new)):
        return None
    # The order's own intent claims what it is for now before the amend gives back what it held.
    guard.saw(new)
    return Outcome("settled", now_ms, new.order_id, closed=True)


def shows(intent: Intent, state: OrderState) -> bool:
    """Tell whether an order shows as an amend meant it."""
    return (state.quantity, state.price) == (intent.order.quantity, intent.order.price)


def after_refusal(guard: Deciding, intent: Intent, failure: Failure, now_ms: int) -> Outcome:
    """Return what a failed amend means for its intent; the order that it was for is looked up in the next round."""
    executed = failure.executed
    if failure.code == "ORDER_NOT_FOUND" and intent.amends is not None:
        executed = "no"  # there is no open order left to change
    doubt(guard, intent, "CANCEL_REFUSED" if executed == "no" else "CANCEL_UNKNOWN")
    return after_failure(executed, failure.code, now_ms)


def doubt(guard: Deciding, intent: Intent, why: Doubt) -> None:
    """Have the order that an amend was for looked up in the next round."""
    amends = intent.order.amends
    with suppress(StoreUnavailable):
        for one in guard.store.intents(guard.account):
            if amends is not None and one.client_order_id == amends.client_order_id and one.state in _SEEN:
                guard.store.outcome(one.id, doubted(one, why, guard.now()))


def search(guard: Deciding, intent: Intent, *, thorough: bool = True) -> Steps[OrderState | None]:
    """Look an intent's order up; an amend in place is found when the order that it changes shows as it was meant.

    Whatever shows of that order counts for it. One that does not show at all proves nothing. Raise CallFailed.
    """
    find, symbol = guard.adapter.find_order, intent.order.symbol
    since = max(0, intent.decided_ms - guard.clock_bound_ms)
    if intent.amends is None:
        found = yield from find(symbol, intent.client_order_id, since_ms=since, thorough=thorough)
        if found is not None and intent.order.amends is not None:
            doubt(guard, intent, "CANCEL_SENT")
        return found
    amends = intent.order.amends
    assert amends is not None
    shown = yield from find(symbol, str(amends.client_order_id), since_ms=since, thorough=thorough)
    if shown is None:
        words = f"{guard.adapter.id}: the order that was to be amended does not show"
        raise CallFailed(Failure("unknown", "ORDER_NOT_FOUND", words))
    guard.saw(shown)
    if not shows(intent, shown):
        return None
    return shown._replace(client_order_id=intent.client_order_id, filled=shown.filled * 0, closed=True, cost=None)

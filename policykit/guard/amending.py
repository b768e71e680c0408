"""`edit_order` of a protected client: an amend of an order that the guard knows, decided and brought to its end."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from policykit.decision import Reason
from policykit.errors import StoreUnavailable
from policykit.guard.admission import Admitted
from policykit.guard.client_errors import ClientDenied
from policykit.guard.steps import OWN_IDS, Placement, number
from policykit.order import Order
from policykit.orders.intent import Intent
from policykit.orders.life import RetryPlan

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: Params under which a bot may name the order, or the new one's id; all others would change it unseen.
_NAMES: Final = (*OWN_IDS, "origClientOrderId")
#: What they may say of the time in force, if it is what the order has already.
_IN_FORCE: Final = ("timeInForce", "postOnly")
_INSTEAD: Final = "cancel it and create a new one"


class Amendment(Placement):
    """One amend on its way. It is never sent again: the order that it was for is still there."""

    def __init__(self, guard: Guard, order: Order, target: Intent) -> None:
        self.target = target
        super().__init__(guard, order)

    @classmethod
    def of(
        cls, guard: Guard, ident: Any, meant: tuple[Any, Any, Any], amount: Any, price: Any, params: Mapping[str, Any]
    ) -> Amendment:
        """Read ccxt's arguments of edit_order; `meant` are its symbol, type and side. Raise ClientDenied."""
        symbol, kind, side = meant
        asked = Order(str(symbol or ""), action="order.amend")
        try:
            target = _target(guard, str(symbol), {str(ident), *(str(params[n]) for n in _NAMES if params.get(n))})
        except StoreUnavailable as error:
            raise _denied(guard, asked, error.code, str(error)) from None
        if target is None:
            raise _denied(guard, asked, "RAW_CALL_REFUSED", f"no open order {ident} of this guard is known; {_INSTEAD}")
        order = copy(target.order)
        order.action, order.amends = "order.amend", _before(target)
        order.quantity = order.quantity if amount is None else number(amount)
        order.price = order.price if price is None else number(price)
        replaces = guard.adapter.amending(order) == "replaces"
        own = next((params[name] for name in OWN_IDS if params.get(name)), None) if replaces else None
        order.client_order_id = None if own is None else str(own)
        why = _unfit(guard, order, target) or _differs(target.order, kind, side, params)
        if why is not None:
            raise _denied(guard, asked, "ORDER_DIFFERS" if "leave" in why else "RAW_CALL_REFUSED", why)
        return cls(guard, order, target)

    def _take_outer(self) -> Admitted | None:
        return None  # what @enforce admitted is an order to place; an amend is a decision of its own

    def _plan(self) -> RetryPlan:
        return replace(super()._plan(), when_absent="hold")

    def _admit(self, replaces: str | None) -> Admitted:
        """Decide. Two amends of one order are not on their way at once, unless it can only reduce whatever it is.

        Either may arrive last: what the smaller one gave back the larger one would fill. Asked for once this one
        stands in the store, so that of two at the same time not both pass.
        """
        admitted = self.guard.decide(self.order, amends=self.target)
        why = None if self.order.reduce_only or self.guard.mode == "shadow" else self._beside(admitted)
        if why is None:
            return admitted
        self.guard.release(admitted)
        raise self.guard.withdraw(admitted, why)

    def _beside(self, admitted: Admitted) -> Reason | None:
        """Return why not, where another amend of the order may still arrive."""
        try:
            known = self.guard.store.intents(self.guard.account)
        except StoreUnavailable as error:
            return Reason(error.code, "store", str(error))
        if not any(one.amends == self.target.id and one.id != admitted.decision.id for one in known):
            return None
        why = "another amend of the order may still arrive; wait until it is settled, or cancel the order"
        return Reason("ORDER_OUTCOME_PENDING", "gate", f"edit_order: {why}")

    def arguments(self, client_id: str | None) -> tuple[Any, ...]:
        """Return what ccxt's edit_order is called with: what was decided, whatever the bot wrote."""
        order = self.order
        params = self.guard.adapter.amend_params(order, client_id)
        sizes = (str(order.quantity), None if order.price is None else str(order.price))
        return (self.target.order_id, order.symbol, order.type, order.side, *sizes, params)


def _target(guard: Guard, symbol: str, ids: set[str]) -> Intent | None:
    """Return the open order that is meant, by the exchange's id or by ours; the newest, should both fit."""
    found = [
        intent
        for intent in guard.store.intents(guard.account)
        if intent.order.symbol == symbol
        and intent.amends is None
        and not ids.isdisjoint((str(intent.order_id), intent.client_order_id))
    ]
    return found[-1] if found else None


def _before(target: Intent) -> Order:
    """Return the order as it is now, under the id by which the exchange knows it."""
    before = copy(target.order)
    before.action, before.amends, before.client_order_id = "order.create", None, target.client_order_id
    return before


def _unfit(guard: Guard, order: Order, target: Intent) -> str | None:
    """Tell why this order cannot be changed so that it would be known what it is afterwards; None: it can."""
    how = guard.adapter.amending(order)
    if how is None:
        return f"an amend of such an order is not tracked on {guard.adapter.id}; {_INSTEAD}"
    if order.quantity is None:
        return f"an order in quote quantity has no quantity to amend; {_INSTEAD}"
    if target.state not in ("acknowledged", "found") or target.order_id is None:
        return f"the outcome of order {target.client_order_id} is not known yet; wait until it is settled"
    if how == "replaces" and target.filled:
        return f"{target.filled} of the order filled already, and {guard.adapter.id} would put a whole one; {_INSTEAD}"
    return None


def _differs(known: Order, kind: Any, side: Any, params: Mapping[str, Any]) -> str | None:
    """Tell what beside quantity and price the bot wants changed; None: nothing."""
    if str(side).lower() != known.side or str(kind).lower() != known.type:
        return f"the order is a {known.type} {known.side}; an amend changes quantity and price: leave the rest as it is"
    meant = params.get("timeInForce") or ("PO" if params.get("postOnly") else None)
    other = [name for name in sorted(params) if name not in (*_NAMES, *_IN_FORCE)]
    if other or meant not in (None, known.time_in_force):
        return f"{(other or ['timeInForce'])[0]} is set; an amend changes quantity and price: leave it out"
    return None


def _denied(guard: Guard, order: Order, code: str, why: str) -> ClientDenied:
    denied = guard.refuse(order, Reason(code, "gate", f"edit_order: {why}"))
    return ClientDenied(denied.decision, str(denied))

"""Why a guard refuses what its policy's checks had nothing against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from policykit.decision import Assessment, Reason
from policykit.errors import StoreUnavailable
from policykit.exchanges.adapter import TradingAdapter
from policykit.guard.masking import holds_secret
from policykit.order import Order
from policykit.orders.intent import Intent
from policykit.traits.base import Family, product_of
from policykit.units import MAX_COUNTER

#: What is placed at the exchange under an id of its own.
PLACED: Final = frozenset(("order.create", "order.amend"))
#: A decision is assessed again on newer facts at most this often.
ASSESS_AGAIN: Final = 2
#: The same for what can only reduce: an exit is not kept from the exchange because others trade.
ASSESS_EXIT_AGAIN: Final = 20
#: Windows that count what was meant, not what was sent: a re-send is its first attempt over again.
OF_WISHES: Final = frozenset(("risk.duplicate_window", "risk.entry_cooldown", "risk.repeated_execution"))
#: What is known of the orders of a product that is not traded.
NO_FAMILY: Final = Family(client_order_id=None)


def reused(order: Order, intent: str) -> tuple[Reason, ...]:
    """Say that a caller's client order id is another order's."""
    message = f'client order id "{order.client_order_id}" belongs to intent {intent}; an id is for one order, for ever'
    return (Reason("CLIENT_ORDER_ID_REUSED", "order.client_order_id", message),)


def secret() -> Reason:
    """Say that a secret stands in an order: it would be in the journal, and at the exchange."""
    message = "a secret that this process knows stands in the order; see what the bot puts into its words and its id"
    return Reason("SECRET_IN_ORDER", "gate", message)


def untraded(order: Order, adapter: TradingAdapter) -> tuple[Reason, ...]:
    """Say that an order is of a product that this guard does not trade: nothing of it would be known or found."""
    product, known = product_of(order.symbol), ", ".join(sorted(adapter.trades)) or "none"
    message = f"{order.symbol} is a {product} market; the key's scopes and risk.symbols leave {known} to this guard"
    if product in adapter.trades:
        message = f"{order.symbol} is not among the {product} markets that policykit can trade on {adapter.id}"
    return (Reason("PRODUCT_NOT_TRADED", "order.symbol", message),)


def moving(times: int) -> tuple[Reason, ...]:
    """Say that no assessment stood until it was reserved."""
    message = f"the trading state or the position changed under {times} assessments in a row; decide again"
    return (Reason("STATE_MOVING", "trading_state", message, failure=True),)


def without_store(error: StoreUnavailable) -> tuple[Reason, ...]:
    """Say that nothing can be reserved."""
    return (Reason(error.code, "store", f"{error}; orders that increase exposure wait for it", failure=True),)


def unfit(order: Order, assessment: Assessment, adapter: TradingAdapter, amends: Intent | None) -> tuple[Reason, ...]:
    """Return why an order cannot be sent whatever the checks say; empty: it can."""
    # INVARIANT I23: an id that is kept and sent cannot be starred out, so such an order is not placed. An exit is: a
    # passphrase that happens to be a part of every symbol must not keep anybody in a position.
    if order.action in PLACED and not assessment.reduces and holds_secret(order):
        return (secret(),)
    asks = order.action == "order.create" or (order.action == "account.configure" and order.symbol)
    if asks and not adapter.takes(order.symbol):
        return untraded(order, adapter)
    adds = order.action == "order.amend" and amends is None and not assessment.reduces and not assessment.reasons
    return amend() if adds else ()


def amend() -> tuple[Reason, ...]:
    """Say that an amend which adds something has no intent that would keep its reservation."""
    message = "an amend that can increase is tracked only through edit_order of a protected client"
    return (Reason("CHECK_MISSING", "order.action", message),)


def lifted(assessment: Assessment, warned: tuple[Reason, ...]) -> Assessment:
    """Lift the limits of holds whose breach merely warns (`risk.on_breach`); they still count."""
    checks = {reason.check for reason in warned}
    holds = tuple(h._replace(limit=MAX_COUNTER) if h.check in checks else h for h in assessment.holds)
    return assessment._replace(holds=holds, warnings=(*assessment.warnings, *warned))


def sent_again(assessment: Assessment, earlier: Iterable[Intent], now_ms: int) -> Assessment:
    """Raise the windows of entries by what the attempts that were proved absent still count there themselves.

    As their limit grows by what they use, exactly one order fits where one fitted before. `now_ms` is the latest that
    it may be by the clock of the store: what has left the window by then takes nothing off.
    """
    own: Counter[str] = Counter()
    for attempt in earlier:
        for hold in attempt.holds:
            if hold.check in OF_WISHES and now_ms < attempt.decided_ms + hold.span_ms:
                own[hold.counter] += hold.amount
    holds = (h._replace(limit=min(MAX_COUNTER, h.limit + own[h.counter])) for h in assessment.holds)
    return assessment._replace(holds=tuple(holds)) if own else assessment

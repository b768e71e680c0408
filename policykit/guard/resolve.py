"""End an unknown order by a person's word."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

from policykit.clock import iso
from policykit.guard.settings import CLOCK_BOUND_MS
from policykit.orders.fence import fence_ms
from policykit.orders.intent import Intent, Outcome
from policykit.orders.words import family_of
from policykit.store import Store
from policykit.store.base import Claim
from policykit.store.codec import claimed
from policykit.units import unscale


def _held(intent: Intent) -> Decimal:
    """Return the quantity that an order in quote quantity was counted as."""
    return max((unscale(abs(hold.amount)) for hold in intent.holds if hold.kind == "position"), default=Decimal(0))


def resolve(
    store: Store,
    ident: str,
    outcome: str,
    filled: Decimal | None,
    *,
    by: str,
    why: str,
    now_ms: int,
    claim: Claim | None = None,
) -> str | None:
    """Settle the unknown intent whose id starts with `ident`; return why not, or None when it is done.

    `executed` counts all of it unless `filled` says how much; the row names who said so and why.
    """
    found = [i for i in store.intents() if i.id.startswith(ident) or i.client_order_id == ident]
    if len(found) != 1:
        return f"{ident}: {len(found)} open orders have this id; see policykit orders"
    intent = found[0]
    if intent.state != "unknown":
        return f"{intent.id} is {intent.state}, not unknown; nothing to resolve"
    quantity = intent.order.quantity or _held(intent)
    if filled is not None and not 0 <= filled <= quantity:
        return f"{intent.id}: --filled is {filled}; 0 to {quantity} may be"
    if outcome == "absent":
        family = family_of(intent)
        fence = None if family is None else fence_ms(intent, family, CLOCK_BOUND_MS)
        # INVARIANT I1: before its fence an order that nobody sees may still execute, whoever looked.
        if fence is not None and now_ms <= fence:
            return (
                f"{intent.id} may still execute, unseen, until {iso(fence)[11:19]} UTC; look again after that (a guard "
                "that runs does, and settles it), then say what you saw"
            )
    store.event("resolved", {"intent": intent.id, "as": outcome, "by": by, "why": why, **claimed(claim)}, now_ms)
    if outcome == "absent":
        store.outcome(intent.id, Outcome("absent", now_ms, closed=True, error=f"resolved by {by}"))
        return None
    if intent.amends is not None:  # no order of its own: the one that it changed is what it asked for
        amended = Outcome("acknowledged", now_ms, quantity=intent.order.quantity, price=intent.order.price)
        with suppress(KeyError):
            store.outcome(intent.amends, amended)
        store.outcome(intent.id, Outcome("settled", now_ms, closed=True, error=f"resolved by {by}"))
        return None
    executed = quantity if filled is None else filled
    store.outcome(intent.id, Outcome("settled", now_ms, filled=executed, closed=True, error=f"resolved by {by}"))
    return None

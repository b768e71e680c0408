"""The fence: the moment after which the exchange itself must refuse an order that was sent, or must show it.

    fence = last possible signing        what stands on the wire: the exchange counts from it, not from the sending
          + request validity             the longest the exchange may still let the request in
          + processing                   let in, it may wait this long for the matching engine
          + clock bound                  the exchange counts on its clock, the look-up is timed on ours
          + visibility lag               executed, it may be missing from look-ups this long

Only a look-up *sent* after the fence can prove that an order is absent. Each term is needed: without it the
simulation in tests/orders shows duplicated orders. A term that is not known makes the whole fence unknown, and
without a fence nothing is ever sent again. Times are UTC ms by our own clock.

About the clock. Let skew be our clock minus the exchange's, of either sign, at most the bound. The exchange takes the
request while its clock is at most `signed + validity`, which ours shows as `signed + validity + skew`. A clock of ours
that is ahead (skew > 0) makes the request live longer, so the bound is added; one that is behind makes the fence late,
which costs a wait and no order. When the signing time itself is not known but only the permit's end by our clock, the
client may have signed with the exchange's time (ccxt's `timeDifference`), up to one bound later than our clock said:
then the bound counts twice. How far *ahead* of its clock an exchange takes a signing time (`Family.ahead_ms`) is no
bound on any of this: a request signed too far ahead is fine once it has been late enough.
"""

from __future__ import annotations

from policykit.orders.intent import Intent
from policykit.traits.base import Family, fence_length_ms


def fence_ms(intent: Intent, family: Family, clock_bound_ms: int | None) -> int | None:
    """Return when the order can no longer execute unseen, UTC ms by our clock; None: never known, so never re-send.

    `clock_bound_ms` is the largest offset between our clock and the exchange's, in either direction; None when the
    offset was not measured, or is beyond what the policy allows. None also without: a signing time or a permit that
    ends; the validity on the wire; evidence that the exchange enforces it (`validity_max_ms`) within its own maximum;
    processing time; visibility lag; a client order id to look the order up by.
    """
    if clock_bound_ms is None or intent.validity_ms is None:
        return None
    length_ms = fence_length_ms(family, intent.validity_ms, clock_bound_ms)
    if length_ms is None:
        return None
    if intent.signed_ms is not None:
        return intent.signed_ms + length_ms
    return None if intent.permit_until_ms is None else intent.permit_until_ms + clock_bound_ms + length_ms


def forgotten_ms(intent: Intent, family: Family) -> int | None:
    """Return when the exchange may have forgotten the id of this order, UTC ms; from then on missing proves nothing.

    None: not known that it ever forgets one. Counted from the decision, before which the order cannot have existed.
    """
    ids = family.client_order_id
    return None if ids is None or ids.retention_ms is None else intent.decided_ms + ids.retention_ms

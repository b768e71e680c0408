"""What became of a cancel: done, refused, or unknown; and from when an order that is still open shows that it was lost.

A cancel never ends an order here: it can lose against a fill, and its answer can be lost on the way back. An order is
over by what the exchange shows of it, with its cumulative quantity, so an order that a cancel was for and that no
answer ended is in doubt, keeps its reservation, and is looked up in every round until it is over or the fence of the
cancel has passed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, Literal

from policykit.orders.fence import fence_ms
from policykit.orders.intent import Intent, Outcome
from policykit.orders.life import Proof
from policykit.traits.base import Family

#: Taken, but the answer does not say what filled; the exchange knows no such open order; nobody knows.
Doubt = Literal["CANCEL_SENT", "CANCEL_REFUSED", "CANCEL_UNKNOWN"]
DOUBTS: Final = frozenset(("CANCEL_SENT", "CANCEL_REFUSED", "CANCEL_UNKNOWN"))
#: The order is open behind the fence of its cancel, which therefore never executes.
LOST: Final = "CANCEL_LOST"
#: Only these can be in doubt: of what nobody has seen yet, everything is looked up anyway.
_SEEN: Final = frozenset(("acknowledged", "found"))


def meant(intents: Iterable[Intent], action: str, symbol: str, request: str) -> list[Intent]:
    """Return the open intents that a cancel may be for: rather one too many, which costs a look-up.

    `request` is all that it says; of one that cancels everything only the symbol counts (empty: every symbol).
    """
    known = [i for i in intents if i.state in _SEEN]
    if action == "orders.cancel_all":
        return [i for i in known if symbol in ("", i.order.symbol)]
    return [i for i in known if _named(i.client_order_id, request) or _named(i.order_id, request)]


def _named(order_id: str | None, request: str) -> bool:
    if not order_id or order_id not in request:
        return False
    return re.search(rf"(?<![0-9A-Za-z]){re.escape(order_id)}(?![0-9A-Za-z])", request) is not None


def doubted(intent: Intent, doubt: Doubt, now_ms: int) -> Outcome:
    """Return what to record of an order that a cancel was sent for and that no answer ended."""
    return Outcome(intent.state, now_ms, error=doubt)


def doubt_ends(intent: Intent, family: Family, clock_bound_ms: int | None) -> Proof:
    """Return from when an order that is open proves that its cancel was lost.

    The cancel was signed before it was recorded, and for how long it is valid is not kept: the exchange's maximum.
    """
    sent = replace(intent, signed_ms=intent.changed_ms, validity_ms=family.validity_max_ms)
    return Proof(fence_ms(sent, family, clock_bound_ms))


def after_doubt(intent: Intent, sent_ms: int, proof: Proof) -> Outcome | None:
    """Return what a look-up proves that shows the order open: behind the fence, that the cancel was lost."""
    if intent.error in DOUBTS and proof.holds_at(sent_ms):
        return Outcome(intent.state, sent_ms, error=LOST)
    return None

"""An order meant once: its states, and what each event makes of it. Pure; the store keeps it, drivers move it."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from policykit.decision import Hold
from policykit.order import Order

State = Literal[
    "intended", "sent", "acknowledged", "rejected", "unknown", "found", "absent", "expired", "not_sent", "settled"
]
#: The order may still execute, or executed and may still be open: holds stay.
OPEN: Final[frozenset[str]] = frozenset(("intended", "sent", "acknowledged", "unknown", "found"))
#: Nothing more can come of it: what is left of its holds is given back.
FINAL: Final[frozenset[str]] = frozenset(("rejected", "absent", "expired", "not_sent", "settled"))

_NEXT: Final[dict[str, frozenset[str]]] = {
    "intended": frozenset(
        ("sent", "acknowledged", "rejected", "unknown", "expired", "not_sent", "found", "absent", "settled")
    ),
    "sent": frozenset(("sent", "acknowledged", "rejected", "unknown", "found", "absent", "settled")),
    "acknowledged": frozenset(("acknowledged", "settled", "unknown", "found")),
    "unknown": frozenset(("unknown", "acknowledged", "found", "absent", "settled", "rejected")),
    "found": frozenset(("found", "settled")),
}
_NOWHERE: Final[frozenset[str]] = frozenset()


@dataclass(slots=True)
class Intent:
    """One order meant once. Times are UTC ms. Treat it as immutable: what changes makes another (`advance`).

    `account` is `exchange/name`. `permit_until_ms` is the last moment at which the order may still be signed and
    sent; None where no gate stands before the send (`@enforce` around a function that sends by itself).
    `signed_ms` and `validity_ms` are read from the signed request; until then the permit's end and the longest
    validity that the gate lets through are taken.
    """

    id: str
    account: str
    order: Order
    #: The rendered client order id (`traits.encode_id`), the one look-ups use.
    client_order_id: str
    #: Order family of the traits ("order"): decides fence and look-ups.
    family: str
    holds: tuple[Hold, ...]
    reduces: bool
    bot: str
    host: str
    pid: int
    decided_ms: int
    permit_until_ms: int | None
    #: The longest request validity that may be on the wire, ms; None when unknown (then there is no fence).
    validity_ms: int | None
    state: State = "intended"
    signed_ms: int | None = None
    changed_ms: int = 0
    #: The exchange's order id.
    order_id: str | None = None
    #: Cumulative executed quantity.
    filled: Decimal = Decimal(0)
    #: True once the exchange said that no more can fill (filled, cancelled, expired).
    closed: bool = False
    #: The intent whose absence this one replaces (a re-send is a fresh decision).
    replaces: str | None = None
    error: str | None = None
    #: What `filled` cost: quantity x price, summed over its fills; None: not known.
    cost: Decimal | None = None
    #: The intent whose order this one changes (`order.amend`).
    amends: str | None = None

    @property
    def open(self) -> bool:
        """Tell whether the order may still execute or fill."""
        return self.state in OPEN

    @property
    def remaining(self) -> Decimal:
        """Return what may still fill."""
        if not self.open or self.closed or self.order.quantity is None:
            return Decimal(0)
        return max(Decimal(0), self.order.quantity - self.filled)


@dataclass(slots=True)
class Outcome:
    """What became known of an intent: the new state, and what the exchange said. One journal row each.

    Treat it as immutable. (`frozen` would be written in the way, at 2 us an object: it sets each field by a call.)
    """

    state: State
    at_ms: int
    order_id: str | None = None
    filled: Decimal | None = None
    closed: bool = False
    signed_ms: int | None = None
    validity_ms: int | None = None
    error: str | None = None
    #: Cumulative, as `filled`: quantity x price, summed over the fills; None: not said.
    cost: Decimal | None = None
    #: What the order is for now, where that is another quantity or price than the intent has: it was amended.
    quantity: Decimal | None = None
    price: Decimal | None = None
    #: From the send to its answer, or to the error that came instead, ms; None: this is no answer to a send.
    took_ms: float | None = None


def advance(intent: Intent, outcome: Outcome) -> Intent:
    """Return the intent after an outcome; an outcome that says less than what is known changes nothing.

    Cumulative quantities only grow (partial fills arrive before the acknowledgement, twice, or after the cancel's:
    PITFALLS 6), and a final state is never left. An order that executed and can fill no more is settled.
    """
    filled, said = intent.filled, outcome.filled
    if said is not None and said > filled:
        filled = said
    # What a quantity cost is known only from who said that quantity.
    cost = outcome.cost if said == filled else intent.cost
    if cost is None and filled == intent.filled:
        cost = intent.cost
    state: State = outcome.state if outcome.state in _NEXT.get(intent.state, _NOWHERE) else intent.state
    closed = intent.closed or outcome.closed or state in FINAL
    if closed and state in ("acknowledged", "found"):
        state = "settled"
    return Intent(  # by position, which is the quickest; `test_an_outcome_changes_only_what_it_says` holds the order
        intent.id,
        intent.account,
        intent.order if outcome.quantity is None and outcome.price is None else _amended(intent.order, outcome),
        intent.client_order_id,
        intent.family,
        intent.holds,
        intent.reduces,
        intent.bot,
        intent.host,
        intent.pid,
        intent.decided_ms,
        intent.permit_until_ms,
        intent.validity_ms if outcome.validity_ms is None else outcome.validity_ms,
        state,
        intent.signed_ms if outcome.signed_ms is None else outcome.signed_ms,
        outcome.at_ms,
        outcome.order_id or intent.order_id,
        filled,
        closed,
        intent.replaces,
        outcome.error or intent.error,
        cost,
        intent.amends,
    )


def _amended(order: Order, outcome: Outcome) -> Order:
    now = copy(order)
    now.quantity = order.quantity if outcome.quantity is None else outcome.quantity
    now.price = order.price if outcome.price is None else outcome.price
    return now

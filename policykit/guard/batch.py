"""Orders that are meant together: all are admitted or none, each on top of those before it; then they go one by one.

A member that is refused takes the others' reservations back, before anything was sent. Exits go first. One that the
exchange refuses does not stop the others, as in a batch of the exchange's own. Once the outcome of one is unknown no
entry follows, exits do; it is looked up after them, so that no exit waits for another order's look-ups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from policykit.decision import Reason
from policykit.errors import Denied
from policykit.guard.admission import CURRENT, Admitted
from policykit.guard.client_errors import ClientDenied, ClientOutcomeUnknown, client_denied
from policykit.guard.steps import Placement
from policykit.order import CANCELS, Order
from policykit.orders.intent import Outcome
from policykit.orders.life import LookUp

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: More orders than this are not taken at once.
MAX_ORDERS: Final = 100
#: States after which it is certain that nothing executed.
NOTHING: Final = frozenset(("rejected", "absent", "expired", "not_sent"))
_HELD_BACK: Final = "not sent: an order before it in the batch has no known outcome; decide again when that is settled"


class Wish(NamedTuple):
    """An order, and the arguments to send it with."""

    order: Order
    arguments: tuple[Any, ...]


@dataclass(slots=True)
class Member:
    """One order of a batch on its way; `error` is why it came to nothing."""

    placement: Placement
    decided: Admitted
    arguments: tuple[Any, ...]
    error: Exception | None = None

    @property
    def exits(self) -> bool:
        """Tell whether it can only reduce."""
        return self.decided.decision.reduces

    @property
    def unknown(self) -> bool:
        """Tell whether its outcome has to be looked up."""
        return isinstance(self.placement.step, LookUp)

    def result(self, read: Callable[[Placement], Any]) -> Any:
        """Return what create_order returns, or raise what it raises: an error only of what is known to be nothing."""
        try:
            if self.error is not None:
                raise self.error
            return read(self.placement)
        except ClientOutcomeUnknown:
            raise
        except Exception as error:
            intent = (self.placement.admitted or self.decided).intent
            if intent is None or intent.state in NOTHING:
                raise
            text = f"order {intent.client_order_id}: its outcome is unknown: {error}"
            lost = ClientOutcomeUnknown(intent.id, text)
        raise lost


class Batch:
    """Admitted orders on their way, in the order in which the bot gave them."""

    def __init__(self, guard: Guard, members: list[Member]) -> None:
        self.guard = guard
        self.members = members

    @classmethod
    def admit(cls, guard: Guard, wishes: Sequence[Wish]) -> Self:
        """Decide on every order, on top of what is reserved for those before it. Raise Denied: none is admitted."""
        outer = CURRENT.get()
        if outer is not None and not outer.done and outer.decision.action not in CANCELS:
            _refuse(guard, "@enforce admitted one order; call create_order for it")
        if len(wishes) > MAX_ORDERS:
            _refuse(guard, f"{len(wishes)} orders are in the batch; at most {MAX_ORDERS} may be")
        members: list[Member] = []
        try:
            for wish in wishes:
                decided = guard.decide(wish.order)
                members.append(Member(Placement(guard, wish.order, decided), decided, wish.arguments))
        except BaseException as error:
            cls(guard, members).over()
            if not isinstance(error, Denied):
                raise
            text = f"order {len(members) + 1} of {len(wishes)}, of which none was sent: {error}"
            denied = client_denied(error.decision, text)
        else:
            return cls(guard, members)
        raise denied

    def one_write(self) -> Admitted:
        """Return the permit to send all in the client's own way (shadow mode); nothing is held for it any more."""
        self.over()
        return replace(self.members[0].decided, intent=None, deadline_ms=None)

    def sends(self) -> Iterator[Member]:
        """Yield what to send next: exits first; entries for as long as the outcome of every order before is known."""
        for member in sorted(self.members, key=lambda member: not member.exits):
            if member.exits or not self.unknown():
                yield member
            else:  # before the look-ups: what is not sent holds nothing while they last
                member.error = self.guard.withdraw(member.decided, Reason("ORDER_OUTCOME_PENDING", "gate", _HELD_BACK))

    def unknown(self) -> list[Member]:
        """Return the members whose outcome has to be looked up."""
        return [member for member in self.members if member.unknown]

    @contextmanager
    def noting(self, member: Member) -> Iterator[None]:
        """Keep what a member failed with: the others go on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - told for this member
            member.error = error

    def over(self) -> None:
        """Give back what was not sent and will not be; nobody waits for the others any more."""
        for member in self.members:
            one = member.placement.admitted
            if one is None and member.decided.intent is not None and member.decided.intent.open:
                self.guard.settle(
                    member.decided, Outcome("not_sent", self.guard.now(), closed=True, error="BATCH_ENDED")
                )
            self.guard.release(one or member.decided)

    def told(self, read: Callable[[Placement], Any], order: Callable[..., Any]) -> list[Any]:
        """Return what became of each member: its order, or one that is "rejected" with the reason in `info`.

        Raise ClientOutcomeUnknown with all of that in `orders` when one stays unknown, and the first member's error
        when no order came of any.
        """
        told: list[Any] = []
        errors: list[Exception] = []
        lost: ClientOutcomeUnknown | None = None
        for member in self.members:
            try:
                told.append(member.result(read))
            except ClientOutcomeUnknown as error:
                lost = lost or error
                told.append(order({"info": {"error": str(error)}}))
            except Exception as error:  # noqa: BLE001 - one of what create_order raises: nothing was executed
                errors.append(error)
                told.append(order({"info": {"error": str(error)}, "status": "rejected"}))
        if lost is not None:
            raise ClientOutcomeUnknown(lost.intent, f"in a batch of {len(told)}: {lost}", told)
        if errors and len(errors) == len(told):
            raise errors[0]
        return told


def _refuse(guard: Guard, why: str) -> None:
    order = Order("", action="order.create")
    denied = guard.refuse(order, Reason("RAW_CALL_REFUSED", "gate", f"create_orders: {why}"))
    if guard.mode != "shadow":
        raise ClientDenied(denied.decision, str(denied))

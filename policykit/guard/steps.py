"""How a wish becomes an order at the exchange: the steps of `orders.life.place`, done for a protected client.

Everything but sending, asking and waiting is here, shared by the sync and the async driver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from policykit.decision import Reason
from policykit.errors import Denied
from policykit.exchanges.base import OrderState, Steps
from policykit.guard.admission import CURRENT, Admitted, covers
from policykit.guard.client_errors import ClientDenied, ClientOutcomeUnknown, client_denied, scrubbed
from policykit.order import CANCELS, Order
from policykit.orders.fence import fence_ms
from policykit.orders.intent import Intent, Outcome
from policykit.orders.life import UNDECIDED, Answer, Decide, Placing, Record, place
from policykit.units import exact

if TYPE_CHECKING:
    from policykit.guard.core import Guard


#: What ccxt calls the price that triggers an order.
_STOPS: Final = ("stopPrice", "triggerPrice", "stopLossPrice", "takeProfitPrice")


def order_of(symbol: str, type: str, side: str, amount: Any, price: Any, params: dict[str, Any]) -> Order:  # noqa: A002
    """Read ccxt's arguments of create_order; what is not a number stays as it is, and the engine denies it.

    A market order has no price (ccxt would turn one into a quote quantity), and an order in quote quantity no other.
    """

    def number(value: Any) -> Any:
        try:
            return None if value is None else exact(value)
        except ValueError:
            return value

    kind = str(type).lower()
    own = params.get("clientOrderId") or params.get("newClientOrderId")
    quote = params.get("quoteOrderQty", params.get("cost"))
    stop = next((params[name] for name in _STOPS if params.get(name) is not None), None)
    return Order(
        symbol,
        side,  # type: ignore[arg-type]
        kind,
        number(amount) if quote is None else None,
        None if kind == "market" else number(price),
        client_order_id=None if own is None else str(own),
        stop_price=number(stop),
        quote_quantity=number(quote),
        reduce_only=bool(params.get("reduceOnly", False)),
        time_in_force=params.get("timeInForce"),
    )


class Placement:
    """One wish of a bot on its way through a protected client."""

    def __init__(self, guard: Guard, order: Order) -> None:
        self.guard = guard
        self.order = order
        self.outer = self._take_outer()
        self.admitted: Admitted | None = None
        self.reply: Any = None
        self.error: Exception | None = None
        self.found: OrderState | None = None
        self._fence: int | None = None
        self._started_ms = guard.now()
        self._monotonic_ms = guard.clock.monotonic_ms()

    def _take_outer(self) -> Admitted | None:
        outer = CURRENT.get()
        if outer is None or outer.done or outer.decision.action in CANCELS:
            return None
        if outer.taken or not covers(outer.decision.order, self.order):
            why = "was sent already" if outer.taken else f"is {outer.decision.order.to_dict()}"
            reason = Reason("ORDER_DIFFERS", "gate", f"the order that @enforce admitted {why}; this one is another")
            denied = self.guard.refuse(self.order, reason)
            if self.guard.mode == "shadow":
                return None
            raise ClientDenied(denied.decision, str(denied))
        outer.taken = True
        if self.guard.mode != "shadow" and not self.guard.gated(outer):
            # INVARIANT I17: the decision that `@enforce` made is this attempt's, and stays the only one.
            why = "the trading state moved since @enforce admitted the order; decide again"
            raise self.guard.withdraw(outer, Reason("PERMIT_EXPIRED", "gate", why))
        return outer

    def steps(self) -> Placing:
        """Return the steps to do."""
        guard = self.guard
        plan = guard.plan
        family = guard.family(self.order.symbol)
        return place(family, guard.clock_bound_ms, plan, self.now(), own_id=self.order.client_order_id is not None)

    @property
    def client_order_id(self) -> str | None:
        """Return the id under which the admitted order is kept; None where nothing is kept of it (shadow mode)."""
        return None if self.admitted is None or self.admitted.intent is None else self.admitted.intent.client_order_id

    def now(self) -> int:
        """Return UTC ms of a clock that does not step while this order is settled."""
        return self._started_ms + int(self.guard.clock.monotonic_ms() - self._monotonic_ms)

    def answer(self, intent: Intent | None = None, **said: Any) -> Answer:
        """Answer a step."""
        return Answer(self.now(), intent=intent, **said)

    def decide(self, step: Decide) -> Answer:
        """Make the decision, or take the one that `@enforce` made. Raise ClientDenied."""
        if self.outer is not None and step.replaces is None:
            self.admitted = self.outer
        else:
            self.guard.release(self.admitted)
            try:
                self.admitted = self.guard.decide(self.order, replaces=step.replaces)
            except Denied as denied:
                raise client_denied(denied.decision, str(denied)) from None
        self.reply = self.error = None
        return self.answer(self.admitted.intent)

    def sent(self, error: Exception | None, reply: Any) -> Answer:
        """Say what the send came to: the gate has recorded it, unless the request never reached the gate."""
        admitted = self.admitted
        assert admitted is not None
        self.reply, self.error = reply, None if error is None else scrubbed(error)
        self.ended()
        return self.answer(admitted.intent)

    def ended(self) -> None:
        """Say that the send is over: what had passed the gate has its outcome already, what had not was never sent."""
        admitted = self.admitted
        if admitted is not None and admitted.intent is not None and admitted.intent.open and not admitted.sent:
            self.guard.settle(admitted, Outcome("not_sent", self.guard.now(), closed=True))

    def find(self, intent: Intent) -> Steps[OrderState | None]:
        """Return the look-up to make: the cheap one while it could only find, every place once it can prove absence."""
        self._fence = fence = fence_ms(intent, self.guard.family(intent.order.symbol), self.guard.clock_bound_ms)
        thorough = fence is not None and self.now() > fence
        return self.guard.adapter.find_order(intent.order.symbol, intent.client_order_id, thorough=thorough)

    def looked_up(self, sent_ms: int, found: OrderState | None, *, asked: bool, retry_after_ms: int | None) -> Answer:
        """Say what a look-up found."""
        self.found = found or self.found
        now = self.now()
        if found is None and self.admitted is not None and self.admitted.intent is not None:
            self.guard.looked(self.admitted.intent, asked=asked, fence=self._fence)
        skew = self.guard.facts().skew_ms
        clock_ok = skew is not None and abs(skew) <= self.guard.clock_bound_ms
        wait = now + retry_after_ms if retry_after_ms else 0
        return self.answer(sent_ms=sent_ms, found=found, asked=asked, not_before_ms=wait, clock_ok=clock_ok)

    def record(self, step: Record) -> Answer:
        """Write an outcome."""
        admitted = self.admitted
        assert admitted is not None
        intent = self.guard.conclude(step.intent, step.outcome, recorded=not admitted.unrecorded)
        if admitted.intent is not None and intent.id == admitted.intent.id:
            admitted.intent = intent
        return self.answer(intent)

    def result(self, intent: Intent, parse: Any) -> Any:
        """Return what create_order returns, or raise what the bot should see."""
        if self.found is not None and intent.state in ("found", "settled", "acknowledged"):
            return parse(self.found.raw)
        if intent.state in UNDECIDED or intent.state == "found":
            raise ClientOutcomeUnknown(
                intent.id,
                f"order {intent.client_order_id} ({intent.order.symbol} {intent.order.side}) was sent and its outcome "
                f"is unknown ({intent.error}); its reservation stays and increases there are denied until it is "
                f"settled: policykit orders --unknown, then policykit orders resolve {intent.id}",
            )
        if self.error is not None:
            raise self.error
        return self.reply

"""How a wish becomes an order at the exchange: the steps of `orders.life.place`, done for a protected client.

Everything but sending, asking and waiting is here, shared by the sync and the async driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from policykit.decision import Reason
from policykit.errors import Denied, StoreUnavailable
from policykit.exchanges.base import OrderState, Steps
from policykit.guard.admission import CURRENT, Admitted, covers
from policykit.guard.client_errors import ClientDenied, ClientOutcomeUnknown, client_denied, scrubbed
from policykit.order import CANCELS, Order, PositionSide
from policykit.orders.fence import fence_ms
from policykit.orders.intent import Intent, Outcome
from policykit.orders.life import UNDECIDED, Answer, Decide, Placing, Record, RetryPlan, place, suspects
from policykit.orders.words import meant, why
from policykit.units import exact, plain

if TYPE_CHECKING:
    from policykit.guard.core import Guard


#: What ccxt calls the price that triggers an order, and what makes its trigger follow the price.
_STOPS: Final = ("stopPrice", "triggerPrice", "stopLossPrice", "takeProfitPrice")
_TRAILS: Final = ("trailingPercent", "callbackRate", "trailingDelta")
#: Under which names a caller's own id stands in ccxt's params.
OWN_IDS: Final = ("clientOrderId", "newClientOrderId", "clientAlgoId", "orderLinkId")
_LEGS: Final[dict[str, PositionSide]] = {"LONG": "long", "SHORT": "short"}


def order_of(symbol: str, type: str, side: str, amount: Any, price: Any, params: dict[str, Any]) -> Order:  # noqa: A002
    """Read ccxt's arguments of create_order; what is not a number stays as it is, and the engine denies it.

    A market order has no price (ccxt would turn one into a quote quantity), an order in quote quantity and one that
    closes a position no other, and a trailing one no trigger.
    """
    kind = str(type).lower()
    priced = None if kind.endswith("market") else number(price)
    if not params:
        return Order(symbol, side, kind, number(amount), priced)  # type: ignore[arg-type]

    def first(names: tuple[str, ...]) -> Any:
        return next((params[name] for name in names if params.get(name) is not None), None)

    own = first(OWN_IDS)
    quote = params.get("quoteOrderQty", params.get("cost"))
    closes, trails = _true(params.get("closePosition")), first(_TRAILS) is not None
    stp = first(("selfTradePrevention", "selfTradePreventionMode"))
    return Order(
        symbol,
        side,  # type: ignore[arg-type]
        kind,
        None if quote is not None or closes else number(amount),
        priced,
        client_order_id=None if own is None else str(own),
        stop_price=None if trails else number(first(_STOPS)),
        quote_quantity=number(quote),
        reduce_only=_true(params.get("reduceOnly")),
        time_in_force=params.get("timeInForce") or ("PO" if _true(params.get("postOnly")) else None),
        close_position=closes,
        position_side=_leg(side, params),
        trailing=trails,
        stop_loss_price=_attached(params.get("stopLoss")),
        take_profit_price=_attached(params.get("takeProfit")),
        self_trade_prevention=None if stp is None else str(stp).lower(),
    )


def setting_of(symbol: str | None, *, leverage: Any = None, margin_mode: Any = None, hedged: Any = None) -> Order:
    """Read ccxt's arguments of a setting of the account: leverage or margin mode of a market, or the position mode."""
    mode = None if margin_mode is None else str(margin_mode).lower()
    return Order(
        symbol if hedged is None and symbol else "",
        action="account.configure",
        leverage=number(leverage),
        margin_mode="cross" if mode == "crossed" else mode,
        position_mode=None if hedged is None else ("hedge" if hedged else "one_way"),
    )


def number(value: Any) -> Any:
    """Read a number; what is none stays as it is, and the engine denies it."""
    try:
        return None if value is None else exact(value)
    except ValueError:
        return value


def _true(value: Any) -> bool:
    """Read a flag; the text "false", which ccxt sends on as it is, is no yes."""
    return value is True or str(value).lower() == "true"


def _attached(leg: Any) -> Any:
    """Return the trigger of a leg that is attached to an entry."""
    if not isinstance(leg, Mapping):
        return number(leg)
    return number(leg.get("triggerPrice", leg.get("stopPrice")))


def _leg(side: str, params: dict[str, Any]) -> PositionSide | None:
    """Return the leg of hedge mode; ccxt's `hedged` takes it from the side, of a reducing order from the other one."""
    named = params.get("positionSide")
    if named is not None or not _true(params.get("hedged")):
        return _LEGS.get(str(named).upper())
    opens = (str(side).lower() == "buy") != _true(params.get("reduceOnly"))
    return "long" if opens else "short"


class Placement:
    """One wish of a bot on its way through a protected client."""

    def __init__(self, guard: Guard, order: Order, decided: Admitted | None = None) -> None:
        """`decided`: the order was admitted already, as one of a batch."""
        self.guard = guard
        self.order = order
        self.outer = self._take_outer() if decided is None else decided
        self.admitted: Admitted | None = None
        self.reply: Any = None
        self.error: Exception | None = None
        self.found: OrderState | None = None
        #: Other orders that were found because this one was refused.
        self.others: list[Intent] = []
        #: What is to be done next, and the intent at the end; both None until it was started.
        self.step: Any = None
        self.end: Intent | None = None
        self._steps: Placing | None = None
        #: The order that is looked up, and its fence.
        self._asked: Intent | None = None
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

    def start(self) -> None:
        """Set `step` to the first step to do."""
        guard = self.guard
        family = guard.family(self.order.symbol, guard.adapter.family(self.order))
        own_id = self.order.client_order_id is not None
        self._steps = place(family, guard.clock_bound_ms, self._plan(), self.now(), own_id=own_id)
        self.step = next(self._steps)

    def _plan(self) -> RetryPlan:
        return self.guard.plan

    def _admit(self, replaces: str | None) -> Admitted:
        return self.guard.decide(self.order, replaces=replaces)

    def take(self, answer: Answer) -> None:
        """Take the answer to `step`, and set the next one; None: it is at its end."""
        assert self._steps is not None
        try:
            self.step = self._steps.send(answer)
        except StopIteration as end:
            self.step, self.end = None, end.value

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
                self.admitted = self._admit(step.replaces)
            except Denied as denied:
                raise client_denied(denied.decision, str(denied)) from None
        self.reply = self.error = None
        return self.answer(self.admitted.intent)

    def sent(self, error: Exception | None, reply: Any, *, around: bool = False) -> Answer:
        """Say what the send came to: the gate has recorded it, unless the request never reached the gate."""
        admitted = self.admitted
        assert admitted is not None
        self.reply, self.error = reply, None if error is None else scrubbed(error)
        self.ended(around=around or error is None)
        return self.answer(admitted.intent, suspects=self._suspects())

    def _suspects(self) -> tuple[Intent, ...]:
        """Return the unknown orders of the account, where this one was refused: one of them may have filled."""
        intent = self.admitted.intent if self.admitted is not None else None
        if intent is None or intent.state != "rejected":
            return ()
        try:
            return suspects(intent, self.guard.store.intents(self.guard.account))
        except StoreUnavailable:
            return ()

    def ended(self, *, around: bool = False) -> None:
        """Say that the send is over: what had passed the gate has its outcome already, what had not was never sent.

        INVARIANT I9: `around`: unless something in the client sent it, or says so, that went around the gate.
        """
        admitted, now = self.admitted, self.guard.now()
        if admitted is not None and admitted.intent is not None and admitted.intent.open and not admitted.sent:
            never = Outcome("not_sent", now, closed=True)
            self.guard.settle(admitted, Outcome("unknown", now, error="GATE_PASSED_BY") if around else never)

    def find(self, intent: Intent) -> Steps[OrderState | None]:
        """Return the look-up to make: the cheap one while it could only find, every place once it can prove absence."""
        family = self.guard.family(intent.order.symbol, intent.family)
        self._asked = intent
        self._fence = fence = fence_ms(intent, family, self.guard.clock_bound_ms)
        thorough = fence is not None and self.now() > fence
        return self.guard.look_up(intent, thorough=thorough)

    def looked_up(self, sent_ms: int, found: OrderState | None, *, asked: bool, retry_after_ms: int | None) -> Answer:
        """Say what a look-up found."""
        now, intent = self.now(), self._asked
        if found is None and intent is not None:
            self.guard.looked(intent, asked=asked, fence=self._fence)
        elif intent is not None and self.admitted is not None and self.admitted.decision.id == intent.id:
            self.found = found
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
        else:
            self.others.append(intent)
        return self.answer(intent)

    def result(self, intent: Intent, parse: Any) -> Any:
        """Return what create_order returns, or raise what the bot should see."""
        if self.found is not None and intent.state in ("found", "settled", "acknowledged"):
            return parse(self.found.raw)
        if intent.state in UNDECIDED or intent.state == "found":
            raise ClientOutcomeUnknown(
                intent.id,
                f"order {intent.client_order_id} ({meant(intent.order)}) was sent and its outcome is unknown: "
                f"{why(intent)} ({intent.error}); its reservation stays and increases there are denied until it is "
                f"settled: policykit orders --unknown, then policykit orders resolve {intent.id}",
            )
        if self.error is not None and (intent.open or intent.state == "settled"):
            text = f"order {intent.client_order_id} is at the exchange ({intent.order_id}): {self.error}"
            raise ClientOutcomeUnknown(intent.id, text)
        if self.error is not None:
            raise self._explained(self.error)
        return self.reply

    def _explained(self, error: Exception) -> Exception:
        """Return a refusal, of its own class, that names the orders which were unknown until then and are there."""
        told = [
            f"order {one.client_order_id} ({meant(one.order)}), whose outcome was unknown, is at the exchange and "
            f"filled {plain(one.filled)}"
            for one in self.others
            if one.state in ("found", "settled")
        ]
        return type(error)("; ".join((str(error), *told))) if told else error

"""The gate at ccxt's `fetch`: the last thing a request passes. What it lets through it accounts for.

Public calls and allow-listed reads pass and spend budget. A write passes only under an admitted order, once, inside
its permit, as it was decided, with the signing time and the validity that were journaled; the gate, not the exception
that a bot catches later, records what became of it. Everything else is refused (in shadow mode: recorded and let
through). Shared by the sync and the async client: no input or output here.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from ccxt.base.errors import AuthenticationError, DDoSProtection

from policykit.clock import iso
from policykit.decision import Hold, Reason
from policykit.errors import PolicykitError, StoreUnavailable
from policykit.exchanges.base import Call, CallFailed, Failure
from policykit.exchanges.decided import carries
from policykit.guard.admission import CURRENT, Admitted
from policykit.guard.amends import after_amend, after_refusal, named
from policykit.guard.client_errors import ClientDenied, ReadWaits, scrubbed
from policykit.guard.own import OWN
from policykit.guard.reading import ReadFailed, Reads
from policykit.guard.resync import Resync
from policykit.order import CANCELS, Order
from policykit.orders.cancels import Doubt
from policykit.orders.intent import Intent, Outcome
from policykit.orders.life import after_failure, after_reply, answers, not_before_ms, same_order

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: The budget that `Call.weight` is of.
REQUEST_WEIGHT: Final = "request-weight"
#: One read waits for its budget at most so many times: others may be quicker each time, and a rolling window is looked
#: at again after each tenth of it.
MAX_WAITS: Final = 12

#: The field of the policy that a refusal here is held against.
_FIELDS: Final = {"REQUEST_VALIDITY": "clock.request_validity", "CLOCK_SKEW": "clock.max_skew"}
#: What the exchange answered to the request of the current task: status, headers, body.
ANSWER: ContextVar[dict[str, Any] | None] = ContextVar("policykit_answer", default=None)


class Ticket:
    """A request on its way through the gate."""

    __slots__ = ("admitted", "answer", "call", "holds", "late", "now_ms", "request", "started_ms", "token")

    def __init__(self, call: Call, admitted: Admitted | None, guard: Guard, request: str = "") -> None:
        self.call = call
        self.admitted = admitted
        #: What a write says, read for the orders that a cancel names.
        self.request = request
        self.answer: dict[str, Any] = {}
        #: The exchange refused the time at which it was signed.
        self.late = False
        self.holds: tuple[Hold, ...] = () if admitted is None else admitted.holds
        self.now_ms = guard.now()
        self.started_ms = guard.clock.monotonic_ms()
        self.token = ANSWER.set(self.answer)


class Gate:
    """The gate of one protected client."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.adapter = guard.adapter
        self.reads = Reads(guard)
        self.resync = Resync(guard)

    def enter(self, method: str, url: str, headers: dict[str, str] | None, body: str | None) -> Ticket:
        """Let a request in, or raise what the bot gets instead. A read over budget is the driver's to wait for."""
        call = self._call(method, url, body)
        if self.guard.paper is not None and (call.kind not in ("public", "read") or call.action is not None):
            # INVARIANT I15: at the paper stage nothing like an order leaves, whoever asks for it and in whatever mode.
            raise self._kept_in(call)
        if call.name in (OWN.get() or ()):
            call = call._replace(kind="read")  # the guard's own: the dead man's switch
        if call.kind in ("public", "read"):
            return Ticket(call, None, self.guard)
        admitted = _permitted()
        fits = admitted is not None and admitted.decision.action == call.action
        if call.kind == "write" and call.action in CANCELS and (not fits or (admitted and admitted.sent)):
            admitted, fits = self.guard.decide(Order("", action=call.action)), True
        if call.kind != "write" or admitted is None or not fits:
            self._refuse(call, _raw_message(call, admitted))
            return Ticket(call, None, self.guard)
        if admitted.sent:
            # INVARIANT I1: one write an intent; ccxt's own retry loop gets the first error again.
            if admitted.error is not None and self.guard.mode != "shadow":
                raise scrubbed(admitted.error)
            self._refuse(call, f"{call.name}: this order was sent already; one decision is for one send")
            return Ticket(call, None, self.guard)
        if call.action not in CANCELS:
            self._pass(call, admitted, (url, headers or {}, body))
        admitted.sent = True
        return Ticket(call, admitted, self.guard, unquote(f"{url} {body or ''}"))

    def simulate(self, action: str, admitted: Admitted | None, request: str = "") -> Ticket:
        """Let what the paper exchange is to do through as a request that does it: once, and inside its permit."""
        call, fits = Call("write", f"paper {action}", action), admitted is not None
        if admitted is None or admitted.decision.action != action or admitted.sent:
            fits = action in CANCELS
            if not fits:
                raise self._refused(call, _raw_message(call, admitted))
            admitted = self.guard.decide(Order("", action=action))
        if action not in CANCELS:
            why = self._permit(call, admitted)
            if why is not None and self.guard.mode != "shadow":
                raise self.guard.withdraw(admitted, Reason(why[0], "gate", why[1]))
        admitted.sent, admitted.signed_ms = True, self.guard.now()
        return Ticket(call, admitted, self.guard, request)

    def _kept_in(self, call: Call) -> ClientDenied:
        return self._refused(call, f"{call.name}: the stage is paper, where nothing like an order leaves")

    def _call(self, method: str, url: str, body: str | None) -> Call:
        try:
            return self.adapter.call(method, url, body)
        except Exception:  # noqa: BLE001 - closed: what is not understood is refused
            return Call("refused", "a call that the adapter could not read")

    # INVARIANT I15: what passes here was granted under a generation that has not moved, or inside its permit's time.
    def _pass(self, call: Call, admitted: Admitted, request: tuple[str, dict[str, str], str | None]) -> None:
        guard = self.guard
        try:
            why = self._permit(call, admitted) or self._content(call, admitted, request)
        except Exception as error:  # noqa: BLE001 - INVARIANT I12: what cannot be checked is not sent
            why = "CHECK_ERROR", f"{call.name}: {type(error).__name__} while the request was checked"
        if why is not None and guard.mode != "shadow":
            field = _FIELDS.get(why[0])
            place = None if field is None else guard.policy.place(field)
            raise guard.withdraw(admitted, Reason(why[0], "gate", why[1], place=place))

    def _permit(self, call: Call, admitted: Admitted) -> tuple[str, str] | None:
        guard = self.guard
        banned = max(guard.facts().banned_until_ms.values(), default=0)
        if banned > guard.now():
            return "RATE_BANNED", f"the exchange takes nothing from this address before {iso(banned)}"
        late = admitted.deadline_ms is not None and guard.clock.monotonic_ms() > admitted.deadline_ms
        if late and not admitted.unrecorded and not guard.renew(admitted):
            why = "the permit to send ran out, and the order does not pass any more; decide again"
            return "PERMIT_EXPIRED", f"{call.name}: {why}"
        return None

    def _content(
        self, call: Call, admitted: Admitted, request: tuple[str, dict[str, str], str | None]
    ) -> tuple[str, str] | None:
        """Hold the signed request against what was decided, and take signing time and validity from it."""
        intent, order, guard = admitted.intent, admitted.decision.order, self.guard
        url, headers, body = request
        if intent is not None and not self._named(intent, url, body):
            return "ORDER_DIFFERS", f"{call.name}: the request does not carry the admitted client order id"
        meant = self.adapter.endpoint(order)
        if call.name != meant:
            return "ORDER_DIFFERS", f"it goes to {call.name}; it was decided for {meant}: leave such params out"
        differs = self.adapter.differs(order, url, body)
        if differs is not None:
            return "ORDER_DIFFERS", f"{call.name}: {differs}; leave params that change it to its arguments"
        signed = self.adapter.signed(url, headers, body)
        if signed is None or signed.validity_ms is None or signed.validity_ms > guard.validity_ms:
            found = "none" if signed is None or signed.validity_ms is None else f"{signed.validity_ms} ms"
            why = f"{call.name}: the request's validity is {found}; at most {guard.validity_ms} ms "
            return "REQUEST_VALIDITY", why + "(clock.request_validity) may be: leave recvWindow to policykit"
        # Of a host that is known to be behind, what is signed by the exchange's clock is ahead.
        behind_ms = max(0, -(guard.facts().skew_ms or 0))
        if signed.at_ms > guard.now() + behind_ms + guard.clock_bound_ms:
            why = f"{call.name}: signed {signed.at_ms - guard.now()} ms ahead of this host's clock; the bound is "
            return "CLOCK_SKEW", f"{why}{guard.clock_bound_ms} ms (clock.max_skew)"
        # INVARIANT I11: the fence counts on our clock; where that is far ahead of the one signed by, from the sending.
        apart = guard.now() - signed.at_ms > guard.clock_bound_ms
        admitted.signed_ms, admitted.validity_ms = guard.now() if apart else signed.at_ms, signed.validity_ms
        return None

    def _named(self, intent: Intent, url: str, body: str | None) -> bool:
        if intent.order.action == "order.amend":
            target = None if intent.amends is None else self.guard.store.intent(intent.amends)
            return named(self.adapter, intent, target, url, body)
        return carries(url, body, self.adapter.id_names, intent.client_order_id)

    def _refuse(self, call: Call, message: str) -> None:
        denied = self._refused(call, message)
        if self.guard.mode != "shadow":
            raise denied

    def _refused(self, call: Call, message: str) -> ClientDenied:
        order, code = Order("", action=call.action or "key.admin"), "RAW_CALL_REFUSED"
        if call.action in ("withdraw", "transfer"):
            code, message = "ACTION_REFUSED", f"{call.name}: {call.action} is not for bots; no policy allows it"
        denied = self.guard.refuse(order, Reason(code, "gate", message))
        return ClientDenied(denied.decision, str(denied))

    # ---- reads

    # INVARIANT I7: no read is sent into a ban, and none beyond the budget; an exit's reserve is not theirs.
    def wait_ms(self, ticket: Ticket) -> int:
        """Return how long a read must wait for its budget or for a ban to end; 0: go. Raise when that is too long."""
        guard = self.guard
        if ticket.call.kind not in ("public", "read"):
            return 0
        now = guard.now()
        facts = guard.facts()
        banned = max(facts.banned_until_ms.values(), default=0)
        if banned > now and guard.mode != "shadow":
            return self._wait(banned - now, "the exchange told us to wait (429 or 418)")
        asked = Order("", type=ticket.call.name, action="data.read")
        ticket.holds = self._read(guard.engine.assess(facts, asked, now).holds, ticket.call)
        if not ticket.holds:
            return 0
        try:
            grant = guard.store.use(ticket.holds, now)
        except StoreUnavailable:
            return 0
        if grant.granted or guard.mode == "shadow":
            return 0
        hold = ticket.holds[grant.failed[0]]
        wait_ms = hold.span_ms - now % hold.span_ms if hold.fixed else hold.span_ms // 10
        return self._wait(wait_ms, f"{hold.check}: {grant.used[grant.failed[0]]} of {hold.limit} is used")

    def _read(self, holds: tuple[Hold, ...], call: Call) -> tuple[Hold, ...]:
        """Return a read's holds on the budgets, with what this very call weighs.

        A bot's read is held to what bots may read as well: one that weighs more than that passes while none was made.
        """
        budgets = {} if OWN.get() is not None else self.guard.policy.model.rate_budgets or {}
        full: list[Hold] = []
        for hold in holds:
            where, name, rest = hold.counter.split("|", 2)
            weighed = hold._replace(amount=max(hold.amount, call.weight)) if name == REQUEST_WEIGHT else hold
            full.append(weighed)
            if name in budgets:
                limit = max(budgets[name].for_reads, weighed.amount)
                full.append(weighed._replace(counter=f"{where}|{name}:reads|{rest}", limit=limit))
        return tuple(full)

    def _wait(self, wait_ms: int, why: str) -> int:
        if wait_ms > self.reads.wait_max_ms:
            raise ReadWaits(f"policykit: {why}; the next read may be sent in {wait_ms / 1000:.1f} s")
        return wait_ms

    # ---- outcomes

    def replied(self, ticket: Ticket, reply: Any) -> None:
        """Record the answer to a write."""
        ANSWER.reset(ticket.token)
        self._usage(ticket)
        admitted = ticket.admitted
        if admitted is None:
            return
        if admitted.intent is None:
            if admitted.decision.action == "account.configure":
                self.guard.configured(admitted.decision.order)
            else:
                self._noted(reply)
                self._cancelled(ticket, "CANCEL_SENT")
            return
        now = self.guard.now()
        try:
            outcome = self._after(admitted.intent, reply, now)
        except Exception:  # noqa: BLE001 - an answer that cannot be read proves nothing
            outcome = None
        self._settle(ticket, outcome or Outcome("unknown", now, error="ANSWER_UNREADABLE"))

    def _after(self, intent: Intent, reply: Any, now_ms: int) -> Outcome | None:
        """Return what an answer means; None: it is another order's."""
        if intent.order.action == "order.amend":
            return after_amend(self.guard, intent, reply, now_ms)
        found = self.adapter.order_state(reply, intent.order)
        ours = answers(intent, found) and same_order(intent, found)
        # In shadow mode params may have made another order of it.
        return after_reply(found, now_ms) if ours or self.guard.mode == "shadow" else None

    def failed(self, ticket: Ticket, error: BaseException) -> BaseException:
        """Record a write that did not come back with an answer; return what to raise."""
        ANSWER.reset(ticket.token)
        guard, now = self.guard, self.guard.now()
        if isinstance(error, PolicykitError) and not isinstance(error, CallFailed):
            return error
        if not isinstance(error, Exception):  # cancelled, interrupted: it may be on its way
            if ticket.admitted is not None and ticket.admitted.intent is not None:
                self._settle(ticket, Outcome("unknown", now, error="INTERRUPTED"))
            self._cancelled(ticket, "CANCEL_UNKNOWN")
            return error
        self._usage(ticket)
        failure = error.failure if isinstance(error, CallFailed) else self._failure(error, ticket)
        if failure.retry_after_ms:
            # INVARIANT I7: the time before which nothing may be sent is the store's, so every process obeys it.
            guard.banned(not_before_ms(now, failure.retry_after_ms, guard.clock_bound_ms))
        ticket.late = failure.code == "CLOCK"
        clean = scrubbed(error)
        if ticket.admitted is None and self.reads.helps(failure, error):
            return ReadFailed(clean, ticket.started_ms)
        if failure.code == "KEY_REJECTED":
            clean = self._key_refused(clean, failure, ticket.admitted)
        if ticket.admitted is not None:
            ticket.admitted.error = clean
            intent = ticket.admitted.intent
            if intent is not None and intent.order.action == "order.amend":
                self._settle(ticket, after_refusal(guard, intent, failure, now))
            elif intent is not None:
                self._settle(ticket, after_failure(failure.executed, failure.code, now))
            if failure.code == "ORDER_NOT_FOUND":  # a fill may have won the race
                self._cancelled(ticket, "CANCEL_REFUSED")
            elif failure.executed == "unknown":
                self._cancelled(ticket, "CANCEL_UNKNOWN")
        return clean

    def _key_refused(self, clean: Exception, failure: Failure, admitted: Admitted | None) -> Exception:
        """Return an error that no bot waits out, and halt the bot whose order it was: only a person mends a key.

        ccxt takes it for a rate limit (PITFALLS 20). A read may merely lack a permission that orders do not need.
        """
        guard = self.guard
        if admitted is not None and admitted.intent is not None and guard.mode != "shadow":
            scope = f"bot:{guard.bot}"
            why = f"{failure.message}; then policykit resume --scope {scope}"
            guard.halt_once(scope, "HALTED", f"keys.{guard.key}", why, decision_id=admitted.decision.id)
        return AuthenticationError(str(clean)) if isinstance(clean, DDoSProtection) else clean

    def _failure(self, error: Exception, ticket: Ticket) -> Failure:
        """Read an error with this request's own answer; a client holds only that of its latest request."""
        answered = SimpleNamespace(
            last_request_url=ticket.call.name.partition(" ")[2],
            last_http_response=ticket.answer.get("body"),
            last_response_headers=ticket.answer.get("headers"),
            milliseconds=self.guard.now,
        )
        try:
            return self.adapter.failure(error, answered)
        except Exception:  # noqa: BLE001 - an error that cannot be read proves nothing
            return Failure("unknown", "UNKNOWN", "an error that could not be read")

    def _settle(self, ticket: Ticket, outcome: Outcome) -> None:
        admitted = ticket.admitted
        assert admitted is not None
        full = replace(outcome, signed_ms=admitted.signed_ms, validity_ms=admitted.validity_ms)
        self.guard.settle(admitted, full, ticket.started_ms)

    def _noted(self, reply: Any) -> None:
        """Take in what the answer of a cancel says of our orders: cumulative quantity, and that they are closed."""
        for item in reply if isinstance(reply, list) else [reply]:
            with suppress(Exception):  # not an order, or no store to tell: the next look-up does
                self.guard.saw(self.adapter.order_state(item))

    def _cancelled(self, ticket: Ticket, doubt: Doubt) -> None:
        """Leave the orders that a cancel was for, and that its answer did not end, to be looked up."""
        if ticket.admitted is not None and ticket.admitted.decision.action in CANCELS:
            self.guard.cancelled(ticket.admitted.decision.order, ticket.request, doubt)

    def _usage(self, ticket: Ticket) -> None:
        """Raise what is counted to what the exchange says was used: others behind the address spend of it too."""
        headers = ticket.answer.get("headers")
        if not headers or not ticket.holds:
            return
        guard, now = self.guard, self.guard.now()
        with suppress(Exception):  # a count that cannot be read leaves ours as it is
            used = self.adapter.usage(headers)
            for hold in ticket.holds:
                _, name, span = hold.counter.split("|")[:3] if hold.kind == "window" else ("", "", "")
                told = used.get(f"{name}|{span}")
                if told is not None and hold.fixed and ticket.now_ms // hold.span_ms == now // hold.span_ms:
                    guard.store.at_least(hold._replace(amount=told), now)


def _permitted() -> Admitted | None:
    """Return what the current task may send; None once that is over: nothing is held for it, and no halt waits for it.

    So a task that outlives its function sends nothing, nor does one whose order was refused here before.
    """
    admitted = CURRENT.get()
    if admitted is None or (admitted.done and not admitted.taken):
        return None
    withdrawn = admitted.intent is not None and not admitted.intent.open and not admitted.sent
    return None if withdrawn else admitted


def _raw_message(call: Call, admitted: Admitted | None) -> str:
    if call.kind == "refused":
        return f"{call.name}: no policy speaks of this call; use create_order, cancel_order or a read"
    if admitted is None:
        return f"{call.name}: a raw call that the policy did not decide; use create_order or @enforce"
    return f"{call.name}: the policy admitted {admitted.decision.action}, the client sends {call.action}"

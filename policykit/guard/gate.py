"""The gate at ccxt's `fetch`: the last thing a request passes. What it lets through it accounts for.

Public calls and allow-listed reads pass and spend budget. A write passes only under an admitted order, once, inside
its permit, with the signing time and the validity that were journaled; the gate, not the exception that a bot catches
later, records what became of it. Everything else is refused. Shared by the sync and the async client: no input or
output here.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from ccxt.base.errors import BaseError, RateLimitExceeded

from policykit.clock import iso
from policykit.decision import Reason
from policykit.errors import PolicykitError, StoreUnavailable
from policykit.exchanges.base import Call, CallFailed
from policykit.guard.admission import CURRENT, Admitted
from policykit.guard.client_errors import ClientDenied, scrubbed
from policykit.order import Order
from policykit.orders.intent import Outcome
from policykit.orders.life import after_failure, after_reply, not_before_ms

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: A read that is over its budget, or meets a ban, waits at most this long where `retry.data.wait_max` is absent, ms.
WAIT_MAX_MS: Final = 30_000

#: What the exchange answered to the request of the current task: (status, headers, body).
ANSWER: ContextVar[dict[str, Any] | None] = ContextVar("policykit_answer", default=None)


class Ticket:
    """A request on its way through the gate."""

    __slots__ = ("admitted", "answer", "call", "started_ms", "token")

    def __init__(self, call: Call, admitted: Admitted | None) -> None:
        self.call = call
        self.admitted = admitted
        self.answer: dict[str, Any] = {}
        self.token = ANSWER.set(self.answer)
        self.started_ms = 0.0


class Gate:
    """The gate of one protected client."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.adapter = guard.adapter
        data = guard.policy.model.retry.data if guard.policy.model.retry else None
        self.wait_max_ms = data.wait_max.ms if data and data.wait_max else WAIT_MAX_MS

    def enter(self, method: str, url: str, headers: dict[str, str] | None, body: str | None) -> Ticket:
        """Let a request in, or raise what the bot gets instead. A read over budget is the driver's to wait for."""
        call = self.adapter.call(method, url, body)
        if call.kind in ("public", "read"):
            return Ticket(call, None)
        admitted = CURRENT.get()
        if call.kind == "write" and admitted is None and call.action in ("order.cancel", "orders.cancel_all"):
            admitted = self.guard.decide(Order("", action=call.action))
        if call.kind != "write" or admitted is None or admitted.decision.action != call.action:
            raise self._refused(call, "RAW_CALL_REFUSED", _raw_message(call, admitted))
        if admitted.sent:
            # INVARIANT I1: one write an intent; ccxt's own retry loop gets the first error again.
            raise (
                scrubbed(admitted.error)
                if admitted.error is not None
                else self._refused(
                    call, "RAW_CALL_REFUSED", f"{call.name}: this order was sent already; one decision is for one send"
                )
            )
        if admitted.intent is not None:
            self._fits_permit(call, admitted, url, headers or {}, body)
        admitted.sent = True
        ticket = Ticket(call, admitted)
        ticket.started_ms = self.guard.clock.monotonic_ms()
        return ticket

    # INVARIANT I15: what passes here was granted under a generation that has not moved, or inside its permit's time.
    def _fits_permit(self, call: Call, admitted: Admitted, url: str, headers: dict[str, str], body: str | None) -> None:
        intent, guard = admitted.intent, self.guard
        assert intent is not None
        if intent.client_order_id not in url and intent.client_order_id not in (body or ""):
            raise self._refused(
                call, "ORDER_DIFFERS", f"{call.name}: the request does not carry the admitted client order id"
            )
        banned = max(guard.facts().banned_until_ms.values(), default=0)
        if banned > guard.now():
            raise self._refused(
                call, "RATE_BANNED", f"the exchange takes nothing from this address before {iso(banned)}"
            )
        late = admitted.deadline_ms is not None and guard.clock.monotonic_ms() > admitted.deadline_ms
        if late and not admitted.unrecorded and not guard.renew(admitted):
            raise self._refused(
                call, "PERMIT_EXPIRED", "the permit to send ran out and the trading state moved meanwhile; decide again"
            )
        signed = self.adapter.signed(url, headers, body)
        if signed is None or signed.validity_ms is None or signed.validity_ms > guard.validity_ms:
            found = "none" if signed is None or signed.validity_ms is None else f"{signed.validity_ms} ms"
            raise self._refused(
                call,
                "REQUEST_VALIDITY",
                f"{call.name}: the request's validity is {found}; at most {guard.validity_ms} ms "
                "(clock.request_validity) may be: leave recvWindow to policykit",
            )
        if signed.at_ms > guard.now() + guard.clock_bound_ms:
            why = f"{call.name}: signed {signed.at_ms - guard.now()} ms ahead of this host's clock; the bound is "
            raise self._refused(call, "CLOCK_SKEW", f"{why}{guard.clock_bound_ms} ms (clock.max_skew)")
        admitted.signed_ms, admitted.validity_ms = signed.at_ms, signed.validity_ms

    def _refused(self, call: Call, code: str, message: str) -> ClientDenied:
        order = Order("", action=call.action or "key.admin")
        denied = self.guard.refuse(order, Reason(code, "gate", message))
        return ClientDenied(denied.decision, str(denied))

    # ---- reads

    def wait_ms(self, ticket: Ticket) -> int:
        """Return how long a read must wait for its budget or for a ban to end; 0: go. Raise when that is too long."""
        if ticket.call.kind == "write":
            return 0
        guard = self.guard
        now = guard.now()
        facts = guard.facts()
        banned = max(facts.banned_until_ms.values(), default=0)
        if banned > now:
            return self._wait(banned - now, "the exchange told us to wait (429 or 418)")
        holds = guard.engine.assess(facts, Order("", type=ticket.call.name, action="data.read"), now).holds
        if not holds:
            return 0
        try:
            grant = guard.store.use(holds, now)
        except StoreUnavailable:
            return 0
        if grant.granted:
            return 0
        hold = holds[grant.failed[0]]
        wait_ms = hold.span_ms - now % hold.span_ms if hold.fixed else hold.span_ms // 10
        return self._wait(wait_ms, f"{hold.check}: {grant.used[grant.failed[0]]} of {hold.limit} is used")

    def _wait(self, wait_ms: int, why: str) -> int:
        if wait_ms > self.wait_max_ms:
            raise RateLimitExceeded(f"policykit: {why}; the next read may be sent in {wait_ms / 1000:.1f} s")
        return wait_ms

    # ---- outcomes

    def replied(self, ticket: Ticket, reply: Any) -> None:
        """Record the answer to a write."""
        ANSWER.reset(ticket.token)
        admitted = ticket.admitted
        if admitted is None:
            return
        now = self.guard.now()
        if admitted.intent is None:
            self.noted(reply)
            return
        try:
            state = self.adapter.order_state(reply, admitted.intent.order)
            outcome = after_reply(state, now)
        except CallFailed:  # an answer that cannot be read proves nothing
            outcome = Outcome("unknown", now, error="ANSWER_UNREADABLE")
        self._settle(ticket, outcome)

    def failed(self, ticket: Ticket, error: BaseException) -> BaseException:
        """Record a write that did not come back with an answer; return what to raise."""
        ANSWER.reset(ticket.token)
        guard, now = self.guard, self.guard.now()
        if isinstance(error, PolicykitError):
            return error
        if not isinstance(error, Exception):  # cancelled, interrupted: it may be on its way
            if ticket.admitted is not None and ticket.admitted.intent is not None:
                self._settle(ticket, Outcome("unknown", now, error="INTERRUPTED"))
            return error
        failure = self.adapter.failure(error, self._answered(ticket))
        if failure.retry_after_ms:
            # INVARIANT I7: the time before which nothing may be sent is the store's, so every process obeys it.
            with suppress(StoreUnavailable):
                until_ms = not_before_ms(now, failure.retry_after_ms, guard.clock_bound_ms)
                guard.store.ban(guard.account, "ip", until_ms, now)
        clean = scrubbed(error)
        if ticket.admitted is not None:
            ticket.admitted.error = clean
            if ticket.admitted.intent is not None:
                self._settle(ticket, after_failure(failure.executed, failure.code, now))
        return clean if isinstance(clean, BaseError) else _wrapped(clean)

    def _settle(self, ticket: Ticket, outcome: Outcome) -> None:
        admitted = ticket.admitted
        assert admitted is not None
        full = replace(outcome, signed_ms=admitted.signed_ms, validity_ms=admitted.validity_ms)
        self.guard.settle(admitted, full, ticket.started_ms)

    def noted(self, reply: Any) -> None:
        """Take in what the answer of a cancel says of our orders: cumulative quantity, and that they are closed."""
        for item in reply if isinstance(reply, list) else [reply]:
            with suppress(CallFailed, StoreUnavailable):  # not an order: the next look-up tells
                self.guard.saw(self.adapter.order_state(item))

    def _answered(self, ticket: Ticket) -> Any:
        """Return this request's own answer in the form that adapters read; a client holds its latest request's."""
        return SimpleNamespace(
            last_http_response=ticket.answer.get("body"),
            last_response_headers=ticket.answer.get("headers"),
            milliseconds=self.guard.now,
        )


def _raw_message(call: Call, admitted: Admitted | None) -> str:
    if call.kind == "refused":
        return f"{call.name}: no policy speaks of this call; use create_order, cancel_order or a read"
    if admitted is None:
        return f"{call.name}: a raw call that the policy did not decide; use create_order or @enforce"
    return f"{call.name}: the policy admitted {admitted.decision.action}, the client sends {call.action}"


def _wrapped(error: BaseException) -> BaseException:
    wrapped: BaseException = BaseError(f"{type(error).__name__} inside the client; nothing more is known")
    return wrapped

"""One request at the simulated exchange, from arrival to reply: limits, faults, gate, matching. No sockets here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from policykit.sim.damage import HTML, damaged
from policykit.sim.dialects.base import Call, Dialect, Reply, Request, World
from policykit.sim.faults import Chosen, Fault, Faults
from policykit.sim.truth import Truth
from policykit.sim.venue import Quirks

_PLAIN = Quirks()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the server does: send `reply`, or cut the connection (at once, or held open: `stall`) `after` seconds."""

    reply: Reply | None
    after_s: float = 0.0
    stall: bool = False


class Exchange:
    """The simulated exchange behind its server. Thread-safe; the time of each request is given."""

    def __init__(
        self,
        dialect: Dialect,
        world: World,
        faults: Faults,
        truth: Truth,
        later: Callable[[float, Callable[[int], None]], None],
    ) -> None:
        """`later(seconds, fn)` runs `fn(now_ms)` once so many seconds of the exchange's clock have passed."""
        self.dialect = dialect
        self.world = world
        self.faults = faults
        self.truth = truth
        self.lock = threading.RLock()
        self._later = later
        world.venue.on_accept = truth.note_order
        world.venue.on_fill = lambda order, trade: truth.note_fill(world.venue, order, trade)
        world.linear.on_accept = truth.note_contract
        world.linear.on_fill = lambda trade: truth.note_contract_fill(world.linear.book, trade)

    def handle(self, request: Request, now_ms: int) -> Outcome:
        """Answer one request."""
        call = self.dialect.read(request)
        if isinstance(call, Reply):
            self.truth.unrouted[f"{request.method} {request.path}"] += 1
            return Outcome(call)
        with self.lock:
            chosen = self.faults.choose(call.route.point, call.route.name)
            self._note(chosen, call, now_ms)
            fault = chosen.main
            if fault is not None and fault.do == "drop":
                return self._cut(fault)
            if fault is not None and fault.do == "late":
                quirks = _quirks(chosen)
                self._later(fault.wire, lambda at_ms: self._arrive_late(call, fault, quirks, at_ms))
                return self._cut(fault)
            refused = self._limits(call, fault, now_ms)
            if refused is not None:
                return Outcome(self._with_headers(call, refused, now_ms))
            return self._answer(call, chosen, now_ms)

    def choose(self, point: str, now_ms: int) -> Fault | None:
        """Decide what goes wrong with the next message, or opening, of a websocket. The caller holds the lock."""
        chosen = self.faults.choose(point)
        if chosen.main is not None:
            self.truth.faults.append((now_ms, point, chosen.ordinal, chosen.main.do))
        return chosen.main

    # -- the ways a request can go ------------------------------------------------------------------------------

    def _answer(self, call: Call, chosen: Chosen, now_ms: int) -> Outcome:
        fault = chosen.main
        after_s = 0.0 if fault is None else fault.after
        if fault is not None and fault.do in {"clock", "rejected_key"}:
            return Outcome(self._with_headers(call, self.dialect.fault(fault.do, now_ms), now_ms), after_s)
        if fault is not None and fault.do in {"unknown", "timeout", "garbage", "broken"} and not fault.executed:
            return Outcome(self._masked(call, fault, Reply(200, {}), now_ms), after_s)
        reply = self._process(call, _quirks(chosen), now_ms, blind=chosen.blind)
        if fault is None:
            return Outcome(self._with_headers(call, reply, now_ms))
        if fault.do == "lost_reply":
            return self._cut(fault)
        return Outcome(self._masked(call, fault, reply, now_ms), after_s)

    def _process(self, call: Call, quirks: Quirks, now_ms: int, *, blind: bool) -> Reply:
        refused = self.dialect.gate(self.world, call, now_ms) or self.dialect.timing(call, now_ms)
        # At the beginning of all time nothing is visible.
        reply = refused or self.dialect.run(self.world, call, 0 if blind else now_ms, quirks)
        if reply.code:
            self.truth.rejected[reply.code] += 1
        return reply

    def _arrive_late(self, call: Call, fault: Fault, quirks: Quirks, at_ms: int) -> None:
        """Pass the gate, wait for the second timing check, then for the matching engine."""
        with self.lock:
            refused = self._limits(call, None, at_ms) or self.dialect.gate(self.world, call, at_ms)
        if refused is None:
            self._later(fault.delay, lambda now_ms: self._check_late(call, fault, quirks, now_ms))
        else:
            self.truth.rejected[refused.code] += 1

    def _check_late(self, call: Call, fault: Fault, quirks: Quirks, at_ms: int) -> None:
        refused = self.dialect.timing(call, at_ms)
        if refused is None:
            self._later(fault.processing, lambda now_ms: self._run_late(call, quirks, now_ms))
        else:
            self.truth.rejected[refused.code] += 1

    def _run_late(self, call: Call, quirks: Quirks, at_ms: int) -> None:
        with self.lock:
            reply = self.dialect.run(self.world, call, at_ms, quirks)
            if reply.code:
                self.truth.rejected[reply.code] += 1

    def _limits(self, call: Call, fault: Fault | None, now_ms: int) -> Reply | None:
        """Count the request against its address; a fault may refuse it all the same."""
        address, family = call.request.address, call.route.family
        limits, weight = self.world.limits, call.route.weight(call.params)
        refusal = limits.spend(address, family, weight, now_ms)
        self.truth.note_request(now_ms, call.route.name, weight if family == "api" else 0)
        if refusal is None and fault is not None and fault.do == "throttle":
            refusal = limits.throttle(address, round(fault.seconds), now_ms)
        elif refusal is None and fault is not None and fault.do == "ban":
            refusal = limits.ban(address, now_ms, round(fault.seconds * 1000))
            self.truth.bans += 1
        elif refusal is not None and refusal.new_ban:
            self.truth.bans += 1
        if refusal is not None and refusal.until_ms is not None:
            self.truth.note_ban(now_ms, refusal.until_ms)
        if refusal is None:
            return None
        if refusal.status == 429:
            self.truth.throttled += 1
        else:
            self.truth.refused_while_banned += 1
        return self.dialect.refused(refusal, limits.limit(family))

    # -- replies ------------------------------------------------------------------------------------------------

    def _masked(self, call: Call, fault: Fault, reply: Reply, now_ms: int) -> Reply:
        if fault.do == "garbage":
            return Reply(fault.status, HTML)
        if fault.do == "broken":
            error = self.dialect.fault("unknown", now_ms)
            return damaged(self._with_headers(call, reply, now_ms), fault.how, call.request.target, error)
        return self._with_headers(call, self.dialect.fault(fault.do, now_ms), now_ms)

    def _with_headers(self, call: Call, reply: Reply, now_ms: int) -> Reply:
        headers = self.dialect.headers(self.world, call, reply, now_ms)
        return Reply(reply.status, reply.body, {**headers, **reply.headers}, reply.code)

    def _cut(self, fault: Fault) -> Outcome:
        self.truth.cut += 1
        return Outcome(None, fault.after, fault.stall)

    def _note(self, chosen: Chosen, call: Call, now_ms: int) -> None:
        if chosen.main is not None:
            self.truth.faults.append((now_ms, call.route.point, chosen.ordinal, chosen.main.do))
        if chosen.share < 1:
            self.truth.faults.append((now_ms, call.route.point, chosen.ordinal, "partial"))


def _quirks(chosen: Chosen) -> Quirks:
    if not chosen.lag_s and chosen.share >= 1:
        return _PLAIN
    return Quirks(round(chosen.lag_s * 1000), Decimal(repr(chosen.share)))

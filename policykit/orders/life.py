"""The life of one order after it was decided, as pure steps: what to ask next, and what an answer proves.

`place` and `settle` are generators without input or output: they yield what is to be done (`Decide`, `Send`, `LookUp`,
`Wait`, `Record`), are sent an `Answer`, and return the end. A driver does what it is told and nothing else, so that
the sync one, the async one and the simulation run the same steps:

    steps = settle(intent, proof, plan, clock_now)
    step = next(steps)
    try:
        while True:
            step = steps.send(do(step))
    except StopIteration as end:
        outcome = end.value

Times are UTC ms of a clock that does not step while one order is settled: the wall clock at its start plus what the
monotonic clock says has passed since. A wall clock that steps forward would put a look-up behind the fence too early.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Literal, NamedTuple, Protocol

from policykit.order import Side
from policykit.orders.fence import fence_ms, forgotten_ms
from policykit.orders.intent import Intent, Outcome, State
from policykit.traits.base import Family

#: Look-ups behind the fence before giving up, when the exchange cannot be asked (the first one answered decides).
TRIES_BEHIND_FENCE: Final = 3
#: Look-ups of one settling, whatever the plan and the clock say.
MAX_LOOKUPS: Final = 1_000
#: Look-ups of one intent are at least this far apart, ms.
LOOKUP_EVERY_MIN_MS: Final = 100
#: Orders that are looked up because another one was refused.
MAX_SUSPECTS: Final = 10
#: States in which nobody knows yet whether the order executed.
UNDECIDED: Final = frozenset(("intended", "sent", "unknown"))
#: Reasons for which an intent is never taken as absent again: the exchange knew its id, or knows it with another body.
SEEN: Final = frozenset(("ORDER_VANISHED", "ORDER_DIFFERS"))


class Sighting(Protocol):
    """What an exchange says of one order (`exchanges.base.OrderState`): quantities in the order's own units."""

    @property
    def order_id(self) -> str: ...
    @property
    def client_order_id(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def side(self) -> Side: ...
    @property
    def quantity(self) -> Decimal: ...
    @property
    def filled(self) -> Decimal: ...
    @property
    def closed(self) -> bool: ...
    @property
    def cost(self) -> Decimal | None: ...
    @property
    def price(self) -> Decimal | None: ...


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """`retry.orders` of the policy, in ms. `attempts` counts every send of one wish, the first included.

    `wait_ms` is how long the caller is kept; None: until the fence and one look-up that was answered.
    """

    lookup_every_ms: int = 2_000
    when_absent: Literal["new_client_order_id", "hold"] = "hold"
    attempts: int = 1
    expires_after_ms: int = 30_000
    wait_ms: int | None = None


class Proof(NamedTuple):
    """Between these two moments a look-up that finds nothing proves that there is nothing; no fence: never."""

    fence_ms: int | None
    forgotten_ms: int | None = None

    def holds_at(self, sent_ms: int) -> bool:
        """Tell whether a look-up sent at this moment can prove an order absent."""
        # INVARIANT I1: only a look-up *sent* after the fence concludes absent.
        # INVARIANT I2: without a fence nothing ever does.
        if self.fence_ms is None or sent_ms <= self.fence_ms:
            return False
        return self.forgotten_ms is None or sent_ms < self.forgotten_ms


def proof_of(intent: Intent, family: Family, clock_bound_ms: int | None) -> Proof:
    """Return when absence of this intent can be proved; `clock_bound_ms` as `fence_ms` has it."""
    return Proof(fence_ms(intent, family, clock_bound_ms), forgotten_ms(intent, family))


class Decide(NamedTuple):
    """Make a fresh decision on fresh facts, with a new id; answer with its `intent`, or raise `Denied`."""

    replaces: str | None


class Send(NamedTuple):
    """Send the order once; answer with the `intent` as it stands after its outcome was recorded."""

    intent: Intent


class LookUp(NamedTuple):
    """Ask the exchange for the intent's client order id, in every place where it can show."""

    intent: Intent


class Suspect(NamedTuple):
    """Look another order of the account up at once, whose outcome is unknown: it may have used what was missing."""

    intent: Intent


class Wait(NamedTuple):
    """Do nothing until a moment, UTC ms."""

    until_ms: int


class Record(NamedTuple):
    """Write an outcome to the store; answer with the `intent` it gives back."""

    intent: Intent
    outcome: Outcome


class Answer(NamedTuple):
    """What a driver says after a step; `now_ms` always, the rest where the step asks for it.

    `sent_ms`: when the look-up was sent. `asked`: False when the exchange could not be asked or gave no clear answer.
    `not_before_ms`: nothing may be sent earlier (Retry-After, a ban). `clock_ok`: False while the measured clock offset
    is beyond the bound; such a look-up proves no absence.
    """

    now_ms: int
    sent_ms: int = 0
    found: Sighting | None = None
    asked: bool = True
    not_before_ms: int = 0
    clock_ok: bool = True
    intent: Intent | None = None
    #: Of a send that was refused: what `suspects` returns.
    suspects: tuple[Intent, ...] = ()


Settling = Generator[LookUp | Wait, Answer, Outcome]
Placing = Generator[Decide | Send | LookUp | Suspect | Wait | Record, Answer, Intent]


def after_failure(executed: Literal["no", "unknown"], code: str, now_ms: int) -> Outcome:
    """Return what a failed send means: rejected only when the exchange's documents prove that nothing executed.

    "Duplicate id" never does: the order that has the id may be this one (PITFALLS 10), so it is looked up.
    """
    proved = executed == "no" and code != "DUPLICATE_ID"
    return Outcome("rejected" if proved else "unknown", now_ms, error=code)


def after_reply(found: Sighting, now_ms: int) -> Outcome:
    """Return what the exchange's answer to a send means; an order that filled at once is settled."""
    state: Literal["settled", "acknowledged"] = "settled" if found.closed else "acknowledged"
    return Outcome(state, now_ms, found.order_id, found.filled, found.closed, cost=found.cost)


def not_before_ms(now_ms: int, retry_after_ms: int, clock_bound_ms: int) -> int:
    """Return the moment to remember for a Retry-After or a ban, so that it holds by the clock of every host.

    The one that heard it may be behind the exchange by the bound, the one that obeys it ahead by as much.
    """
    # INVARIANT I7: nobody sends early because two clocks differ.
    return now_ms + retry_after_ms + 2 * clock_bound_ms


def suspects(refused: Intent, others: Iterable[Intent]) -> tuple[Intent, ...]:
    """Return the unknown intents to look up at once when an order of their account was refused.

    "Insufficient balance" right after a time-out usually means that the one which timed out filled (PITFALLS 10).
    """
    return tuple(o for o in others if o.state == "unknown" and o.account == refused.account and o.id != refused.id)


def answers(intent: Intent, found: Sighting) -> bool:
    """Tell whether a sighting is of this intent's order at all: a proxy may answer with another one's.

    An acknowledgement may leave our id out; the exchange's own, once known, says it as well.
    """
    return found.client_order_id in ("", intent.client_order_id) or found.order_id == intent.order_id


def same_order(intent: Intent, found: Sighting) -> bool:
    """Tell whether a sighting can be this intent's order: an id that somebody used before may carry another body.

    The exchange's quantity may be less than meant (rounded to its step), never more, unless the exchange's own id says
    that it is that order: then it was amended. Nor can more fill than that.
    """
    order = intent.order
    if found.symbol != order.symbol or found.side != order.side or found.quantity < 0 or found.filled < 0:
        return False
    if order.close_position:  # its quantity is whatever is held
        return True
    if found.filled > found.quantity:
        return False
    return order.quantity is None or found.quantity <= order.quantity or _known(intent, found)


def amended(intent: Intent, found: Sighting) -> tuple[Decimal | None, Decimal | None]:
    """Return quantity and price of a sighting of this very order, where they differ from what is known of it."""
    order = intent.order
    if order.quantity is None or not _known(intent, found):
        return None, None
    resized = found.quantity > 0 and found.quantity != order.quantity
    moved = order.price is not None and found.price and found.price != order.price
    return found.quantity if resized else None, found.price if moved else None


def _known(intent: Intent, found: Sighting) -> bool:
    return intent.order_id is not None and intent.order_id == found.order_id


def after_lookup(intent: Intent, sent_ms: int, found: Sighting | None, proof: Proof) -> Outcome | None:
    """Return what one answered look-up proves of an open intent; None: nothing new.

    Found settles at once; another order's answer proves nothing. Missing proves absence only inside `proof`, and never
    for an order that the exchange has acknowledged or shown before: that one has been, and only a person can say what
    became of it.
    """
    if found is not None:
        return _found(intent, sent_ms, found) if answers(intent, found) else None
    if not proof.holds_at(sent_ms):
        return None
    if intent.error in SEEN:
        return None
    if intent.state in UNDECIDED and intent.order_id is None and not intent.filled:
        return Outcome("absent", sent_ms, closed=True)
    return Outcome("unknown", sent_ms, error="ORDER_VANISHED")


def _found(intent: Intent, sent_ms: int, found: Sighting) -> Outcome | None:
    if not same_order(intent, found):
        return None if intent.error == "ORDER_DIFFERS" else Outcome("unknown", sent_ms, error="ORDER_DIFFERS")
    quantity, price = amended(intent, found)
    state: State = "settled" if found.closed else "acknowledged" if intent.state == "acknowledged" else "found"
    known = intent.state not in UNDECIDED and found.filled <= intent.filled and quantity is None and price is None
    if known and not found.closed:
        return None
    return Outcome(
        state, sent_ms, found.order_id, found.filled, found.closed, cost=found.cost, quantity=quantity, price=price
    )


def settle(intent: Intent, proof: Proof, plan: RetryPlan, now_ms: int) -> Settling:
    """Look an undecided intent up until it is found, absent behind the fence, or the plan's wait is over.

    Returns the outcome to record: found, settled, absent, or unknown with a reason (ORDER_DIFFERS, ORDER_VANISHED,
    NO_FENCE, NOT_SETTLED_IN_TIME); on unknown the reservation stays and the intent is listed.
    """
    deadline = _deadline(proof, plan, now_ms)
    every = max(plan.lookup_every_ms, LOOKUP_EVERY_MIN_MS)
    for _ in range(MAX_LOOKUPS):
        answer = yield LookUp(intent)
        if answer.asked:
            outcome = after_lookup(intent, answer.sent_ms, answer.found, proof if answer.clock_ok else Proof(None))
            if outcome is not None:
                return outcome
        until = _next_lookup(proof, every, answer)
        if until > deadline:
            break
        while answer.now_ms < until:
            answer = yield Wait(until)
    why = "NO_FENCE" if proof.fence_ms is None else "NOT_SETTLED_IN_TIME"
    return Outcome("unknown", answer.now_ms, error=intent.error if intent.error in SEEN else why)


def _deadline(proof: Proof, plan: RetryPlan, now_ms: int) -> int:
    if plan.wait_ms is not None:
        return now_ms + plan.wait_ms
    if proof.fence_ms is None:
        return now_ms + plan.expires_after_ms
    return max(now_ms, proof.fence_ms + 1) + (TRIES_BEHIND_FENCE - 1) * max(plan.lookup_every_ms, LOOKUP_EVERY_MIN_MS)


def _next_lookup(proof: Proof, every: int, answer: Answer) -> int:
    until = answer.now_ms + every
    if proof.fence_ms is not None and answer.now_ms <= proof.fence_ms:
        until = min(until, proof.fence_ms + 1)
    # INVARIANT I7: a look-up waits for Retry-After too.
    return max(until, answer.not_before_ms)


class Tries(NamedTuple):
    """What was done for one wish: when its first decision was made, its sends, whether the caller gave the id."""

    born_ms: int
    sends: int
    own_id: bool = False


class Resend(NamedTuple):
    """Decide afresh and send once more, in place of an intent that is proved absent."""

    replaces: str


class Stop(NamedTuple):
    """Leave it; `why` says what forbids a re-send."""

    why: Literal["NOT_ABSENT", "HOLD", "OWN_ID", "ATTEMPTS_SPENT", "EXPIRED"]


def may_resend(intent: Intent, plan: RetryPlan, tries: Tries, now_ms: int) -> Resend | Stop:
    """Tell whether the wish behind an intent may be sent again: only when the intent is proved absent.

    A caller's own id cannot be replaced by a new one, so its absence means hold. An order older than `expires_after`
    was meant for another market and is dropped.
    """
    # INVARIANT I1: a second send needs the proof that the first one never executes.
    if intent.state != "absent":
        return Stop("NOT_ABSENT")
    if plan.when_absent == "hold":
        return Stop("HOLD")
    if tries.own_id:
        return Stop("OWN_ID")
    if tries.sends >= plan.attempts:
        return Stop("ATTEMPTS_SPENT")
    if now_ms - tries.born_ms > plan.expires_after_ms:
        return Stop("EXPIRED")
    return Resend(intent.id)


def place(family: Family, clock_bound_ms: int | None, plan: RetryPlan, now_ms: int, *, own_id: bool = False) -> Placing:
    """Bring one wish to an end: decide, send, and when the outcome is unknown settle it, and send again if allowed.

    Returns the last intent: acknowledged, settled, rejected, found, absent, not_sent, or unknown (the driver raises
    `OutcomeUnknown`). A denied decision leaves through the driver.
    """
    tries = Tries(now_ms, 0, own_id)
    before: Intent | None = None
    while True:
        intent = _given(Decide(None), (yield Decide(before.id if before else None)))
        answer = yield Send(intent)
        intent = _given(Send(intent), answer)
        tries = tries._replace(sends=tries.sends + 1)
        if intent.state == "rejected":
            yield from _ask_others(answer.suspects)
            if before is not None:
                yield from _ask_again(before)
        if intent.state not in UNDECIDED:
            return intent
        proof = proof_of(intent, family, clock_bound_ms)
        outcome = yield from settle(intent, proof, plan, answer.now_ms)
        answer = yield Record(intent, outcome)
        intent = _given(Record(intent, outcome), answer)
        if isinstance(may_resend(intent, plan, tries, answer.now_ms), Stop):
            return intent
        before = intent


def _ask_others(unknown: tuple[Intent, ...]) -> Generator[Suspect | Record, Answer, None]:
    """Look up once what may have used the balance that an order was refused for; what is found is settled."""
    for intent in unknown[:MAX_SUSPECTS]:
        answer = yield Suspect(intent)
        outcome = after_lookup(intent, answer.sent_ms, answer.found, Proof(None))
        if outcome is not None:
            yield Record(intent, outcome)


def _ask_again(absent: Intent) -> Generator[LookUp | Record, Answer, None]:
    """Look once more for an order taken as absent when its re-send is refused: it may have used the balance.

    An exchange that keeps its documented timing never shows it; if one does, the fill is counted from here on.
    """
    answer = yield LookUp(absent)
    if answer.found is not None and answers(absent, answer.found) and same_order(absent, answer.found):
        late = replace(after_reply(answer.found, answer.now_ms), state="found", error="ORDER_LATE")
        yield Record(absent, late)


def _given(step: Decide | Send | Record, answer: Answer) -> Intent:
    if answer.intent is None:
        raise ValueError(f"{type(step).__name__} was answered without an intent; the driver must give it")
    return answer.intent

"""What a guard does at its start with the intents that another process, or its own last life, left open.

Pure steps over the intents of the store, which hold everything that is needed: rendered id, family, permit, validity.
Recovery settles and never sends: nothing here yields `Decide` or `Send`. Doing it twice, or by two guards at once,
changes nothing more: a final state is never left, and an outcome that says nothing new is not written.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from policykit.orders.cancels import after_doubt
from policykit.orders.intent import Intent, Outcome
from policykit.orders.life import UNDECIDED, Answer, LookUp, Proof, RetryPlan, Sighting, Wait, after_lookup, settle

#: An open order that was acknowledged less than this before a list was asked for may be missing from it, ms, where
#: traits do not say how long (`Family.visibility_lag_ms`).
LISTED_WITHIN_MS: Final = 60_000

#: An intent whose permit ended this long ago and that nobody reported on has no process waiting for it any more, ms.
SILENT_MS: Final = 30_000


def abandoned(intents: Iterable[Intent], now_ms: int, alive: Collection[tuple[str, int]] = ()) -> list[Intent]:
    """Return the open intents that recovery may take up: nobody waits for them, or only to hear more.

    `alive`: (host, pid) of processes known to live and to settle their own, this one included once it trades. What
    they may be sending right now is left to them until it has been silent for SILENT_MS after its permit. Everything
    else is taken up: an intent taken up needlessly costs a look-up, one overlooked is an order that nobody counts as
    unknown (a process that died, came back, and died again while it recovered).
    """
    return [i for i in intents if i.open and (_reported(i) or (i.host, i.pid) not in alive or silent(i, now_ms))]


def _reported(intent: Intent) -> bool:
    return intent.state not in ("intended", "sent")


def silent(intent: Intent, now_ms: int) -> bool:
    """Tell whether nobody reported on an intent long after its permit ended: nobody will any more."""
    over = intent.permit_until_ms is not None and now_ms > intent.permit_until_ms + SILENT_MS
    return over and not _reported(intent)


def recover(
    intent: Intent, proof: Proof, plan: RetryPlan, now_ms: int, never_sent: Collection[str] = ()
) -> Generator[LookUp | Wait, Answer, Outcome | None]:
    """Return what to record of one open intent that nobody waits for any more; None: nothing new.

    `never_sent`: ids whose own journal, at hand here, has no row of them being let to the wire; any other journal is
    no evidence, and the permit's end is taken as the last possible signing (`proof` does that).
    """
    if not intent.open:
        return None
    if intent.state == "intended" and intent.signed_ms is None and intent.id in never_sent:
        return Outcome("not_sent", now_ms, closed=True)
    if intent.state not in UNDECIDED:
        answer = yield LookUp(intent)
        if not answer.asked:
            return None
        # INVARIANT I5: an order once acknowledged is settled by what the exchange shows, never by its absence.
        outcome = after_lookup(intent, answer.sent_ms, answer.found, proof)
        if outcome is None and answer.found is not None:
            return after_doubt(intent, answer.sent_ms, proof)
        return outcome
    outcome = yield from settle(intent, proof, plan, now_ms)
    return None if _says_nothing_new(intent, outcome) else outcome


def _says_nothing_new(intent: Intent, outcome: Outcome) -> bool:
    return outcome.state == intent.state and (outcome.error or intent.error) == intent.error and not outcome.filled


def _unsized(intent: Intent, outcome: Outcome) -> Outcome | None:
    """Return an outcome without quantity and price; None: it says nothing else."""
    if outcome.state == intent.state and not outcome.closed and (outcome.filled or 0) <= intent.filled:
        return None
    return replace(outcome, quantity=None, price=None)


class Compared(NamedTuple):
    """Open intents held against a list of open orders.

    `outcomes`: what the list proves by itself. `look_up`: intents that should be listed and are not: filled, cancelled
    or expired, and only a look-up tells which. `foreign`: open orders of nobody here (by hand, another tool).
    """

    outcomes: tuple[tuple[Intent, Outcome], ...]
    look_up: tuple[Intent, ...]
    foreign: tuple[Sighting, ...]


def after_open_orders(
    intents: Iterable[Intent], listed: Iterable[Sighting], sent_ms: int, lag_ms: int | None = None
) -> Compared:
    """Compare open intents with the open orders of every family, as asked for at `sent_ms`.

    `intents` are those of the account and symbols that the list covers; `lag_ms` its visibility lag, None: unknown.
    A list concludes nothing from absence: orders acknowledged after it was asked for, or too shortly before, are left.
    Nor does it say what those are for: they may have been amended, and still be listed as they were.
    """
    orders = {order.client_order_id: order for order in listed}
    outcomes: list[tuple[Intent, Outcome]] = []
    look_up: list[Intent] = []
    settled_by = sent_ms - (LISTED_WITHIN_MS if lag_ms is None else lag_ms)
    for intent in intents:
        order = orders.pop(intent.client_order_id, None)
        if order is not None:
            outcome = after_lookup(intent, sent_ms, order, Proof(None)) if intent.open else None
            if outcome is not None and intent.changed_ms > settled_by:
                outcome = _unsized(intent, outcome)
            if outcome is not None:
                outcomes.append((intent, outcome))
        elif intent.open and intent.state not in UNDECIDED and intent.changed_ms <= settled_by:
            look_up.append(intent)
    return Compared(tuple(outcomes), tuple(look_up), tuple(orders.values()))

"""Decide again what a journal says was decided: the same code, on the ledger that the rows before it make.

A row of a decision holds what no other row does: its policy's row (`in_force`), what the guard knew beside the store
(`facts`), and which facts it was made on where newer ones stood in the store when it was written (`facts_seq`). So a
journal of memory or sqlite from its start is enough to judge each decision again; that of a host on valkey is not.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, cast

from policykit.decision import Decision, Hold
from policykit.engine import compile_policy
from policykit.engine.facts import Facts
from policykit.errors import Denied, PolicykitError
from policykit.guard.deciding import Deciding
from policykit.guard.settings import clock_bound_ms, read_back, request_validity_ms, trading
from policykit.guard.shadow import Shadow
from policykit.guard.steps import number
from policykit.order import NUMBERS, Order
from policykit.orders.intent import Intent
from policykit.policy import PAPER
from policykit.store import Grant, Row, Store
from policykit.store.codec import decision_body
from policykit.store.ledger import Ledger
from policykit.telemetry import Telemetry

#: A decision that another process's rows came before may be of the state that many rows ago.
EARLIER: Final = 64
#: Differences that are kept; more are counted, and not held against earlier states any more.
MAX_DIFFERENCES: Final = 20
#: What is compared, of the row of a decision.
_SAID: Final = ("outcome", "reasons", "warnings", "holds", "reduces", "notional", "shadow")
_REASON: Final = ("code", "check", "observed", "limit", "unit")


class Difference(NamedTuple):
    """A decision that comes out otherwise: what its row says, and what is decided now."""

    seq: int
    decision: str
    field: str
    was: Any
    now: Any


@dataclass(slots=True)
class Replayed:
    """What came of it. `equal` decisions came out the same, `earlier` of them on the state some rows before theirs.

    `others` were not made by checks on the store's facts, by why: `gate` (a raw call, another order), `store` (it could
    not be reached), `moving` (others were quicker every time), `policy` (its row is not there, or cannot be read).
    """

    rows: int = 0
    equal: int = 0
    earlier: int = 0
    different: int = 0
    others: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    @property
    def decisions(self) -> int:
        """Return how many decisions there were."""
        return self.equal + self.different + self.others.total()


def replay(rows: Iterable[Row], ledger: Ledger | None = None, policies: Iterable[Row] = ()) -> Replayed:
    """Decide again on every decision of a journal: from its start, or from the ledger as of the row before the first.

    `policies` are the rows before it in which policies came into force. A caller's own client order ids of before are
    known as far as the ledger remembers them.
    """
    return _Replay(ledger or Ledger(), policies).over(rows)


class _Replay:
    """The ledger as of the row that is looked at, one EARLIER rows behind it, and the policies that came into force."""

    def __init__(self, ledger: Ledger, policies: Iterable[Row]) -> None:
        self.ledger = ledger
        self.own_ids: dict[tuple[str, str], str] = {}
        self.done = Replayed()
        self._behind = Ledger.load(ledger.dump())
        self._since: deque[Row] = deque()
        self._judges = {row.seq: _judge_of(row) for row in policies}

    def over(self, rows: Iterable[Row]) -> Replayed:
        done = self.done
        for row in rows:
            done.rows += 1
            if row.kind == "policy":
                self._judges[row.seq] = _judge_of(row)
            elif row.kind == "decision":
                self._decided(row)
            self.ledger.apply(row.kind, row.body, row.at_ms, row.seq)
            self._since.append(row)
            if len(self._since) > EARLIER:
                old = self._since.popleft()
                self._behind.apply(old.kind, old.body, old.at_ms, old.seq)
        return done

    # INVARIANT I14: what was decided follows from the rows before it, and from its own.
    def _decided(self, row: Row) -> None:
        body, done = row.body, self.done
        why = _not_of_checks(body)
        judge = self._judges.get(body.get("in_force", -1)) if why is None else None
        if judge is None:
            done.others[why or "policy"] += 1
        else:
            was = _said(body)
            now = judge.again(row, self.ledger, self.ledger, self.own_ids)
            if now != was and self._on_earlier(judge, row, was):
                now, done.earlier = was, done.earlier + 1
            done.equal += now == was
            done.different += now != was
            for name in _SAID if now != was else ():
                if now[name] != was[name] and len(done.differences) < MAX_DIFFERENCES:
                    ident = body["decision"]["id"]
                    done.differences.append(Difference(row.seq, ident, name, was[name], now[name]))
        intent = body.get("intent")
        if intent is not None and "client_order_id" in intent["order"]:
            self.own_ids[intent["account"], intent["client_order_id"]] = intent["id"]

    def _on_earlier(self, judge: _Judge, row: Row, was: Mapping[str, Any]) -> bool:
        """Tell whether a decision comes out as its row says on a state between its facts and its row."""
        if len(self.done.differences) >= MAX_DIFFERENCES:
            return False
        return any(judge.again(row, facts, holds, self.own_ids) == was for facts, holds in self._earlier(row))

    def _earlier(self, row: Row) -> Iterator[tuple[Ledger, Ledger]]:
        """Yield the states that its facts may have been of, each with one that its holds may have met; oldest first.

        Its facts stood in the store at `facts_seq`; others wrote before it reserved, and again before its row.
        """
        oldest = row.body.get("facts_seq", self.ledger.moved_seq)
        facts, holds = Ledger.load(self._behind.dump()), Ledger.load(self._behind.dump())
        for each in self._since:
            if holds.seq >= oldest:
                yield holds, holds
                yield facts, holds
            for ledger in (holds, facts) if facts.seq < oldest else (holds,):
                ledger.apply(each.kind, each.body, each.at_ms, each.seq)
        yield facts, holds


class _Judge(Deciding):
    """The part of a guard that decides, with the clock, the store and the facts of a moment that is over."""

    def __init__(self, row: Row) -> None:
        said = row.body
        self.policy = policy = read_back(said["policy"], said["name"], said["file"])
        self.key, self.host, self.account = said["key"], said["host"], said["account"]
        served = trading(policy, self.key)
        if served is None:
            raise LookupError(policy.model.exchange)
        self.traits, self.adapter = served
        paper = self.account.endswith(PAPER)
        self.engine = compile_policy(policy, self.traits, self.key, self.host, paper=paper)
        if "candidate" in said:
            candidate = read_back(said["candidate"]["policy"], said["candidate"]["name"], said["file"])
            candidate.__dict__["version"] = said["candidate"]["version"]  # where its secrets live is part of it
            self.shadow = Shadow(compile_policy(candidate, self.traits, self.key, self.host, paper=paper))
        self.several_keys = False
        self.validity_ms = request_validity_ms(policy)
        self.clock_bound_ms = clock_bound_ms(policy)
        nothing = SimpleNamespace(add=_nothing, wants=_nothing, record=_nothing, caller=_nothing, sent=_nothing)
        self.telemetry = cast("Telemetry", nothing)
        self.wanted = self.dead_man = self.scope = cast("Any", nothing)
        self.clock = cast("Any", self)
        self._at_ms = 0
        self._given: Mapping[str, Any] = {}
        self._ledger = Ledger()

    # ---- the clock of a moment that is over

    def now_ms(self) -> int:
        return self._at_ms

    def monotonic_ms(self) -> float:
        return 0.0

    # ---- its facts

    def facts(self, symbol: str = "") -> Facts:
        given = self._given
        facts = Facts() if "none" in given else self._ledger.facts(self.account, self.bot, symbol)
        if not given:
            return facts
        problem, streams = given.get("store_problem"), given.get("streams", ())
        return replace(
            facts,
            recovered=given.get("recovered", True),
            store_problem=None if problem is None else tuple(problem),
            streams=tuple(tuple(each) for each in streams),
        )

    def halt(self, *_: object, **__: object) -> None:
        """Nothing: what a breach set is a row of its own."""

    # ---- one decision

    def again(self, row: Row, facts: Ledger, ledger: Ledger, own_ids: Mapping[tuple[str, str], str]) -> dict[str, Any]:
        """Decide as in that row, on the facts of one ledger and the holds of another; return what its row would say."""
        body, said = row.body, row.body["decision"]
        self._at_ms, self._given, self._ledger = row.at_ms, body.get("facts", {}), facts
        self.mode, self.bot = said["mode"], said["bot"]
        self.store = cast("Store", store := _Store(ledger, own_ids))
        order = _order_of(said["order"], said["action"])
        target = None
        if order.amends is not None:
            target = ledger.intent(ledger.client_ids.get((self.account, str(order.amends.client_order_id)), ""))
        try:
            admitted = self.decide(order, replaces=body.get("replaces"), amends=target)
        except Denied as denied:
            return _said(decision_body(denied.decision, None, ()))
        self.release(admitted)
        return _said(decision_body(admitted.decision, admitted.intent, store.holds))


class _Store:
    """As much of a store as deciding takes: it grants what fits, and keeps nothing."""

    epoch = ""

    def __init__(self, ledger: Ledger, own_ids: Mapping[tuple[str, str], str]) -> None:
        self._ledger, self._own_ids = ledger, own_ids
        self.holds: tuple[Hold, ...] = ()

    def reserve(
        self, decision: Decision, intent: Intent | None, holds: tuple[Hold, ...], generation: int, now_ms: int
    ) -> Grant:
        grant = self._ledger.fits("" if intent is None else intent.account, intent, holds, generation, now_ms)
        if grant.granted and intent is not None and intent.order.client_order_id is not None:
            taken = self._own_ids.get((intent.account, intent.client_order_id))
            if taken is not None:
                return Grant(False, False, (), (), grant.seq, taken)
        self.holds = holds
        return grant

    def record(self, decision: Decision, now_ms: int) -> int:
        return 0

    def intent(self, intent_id: str) -> Intent | None:
        return self._ledger.intent(intent_id)


def _nothing(*_: object, **__: object) -> None:
    """Do nothing."""


def _order_of(said: Mapping[str, Any], action: str) -> Order:
    """Read an order as the bot gave it: what is no number stays as it is."""
    order = Order.from_dict({name: value for name, value in said.items() if name not in NUMBERS}, action)
    for name in NUMBERS:
        setattr(order, name, number(said.get(name)))
    return order


def _judge_of(row: Row) -> _Judge | None:
    try:
        return _Judge(row)
    except (LookupError, ValueError, TypeError, PolicykitError):
        return None  # of a library that did not write it, or of another one whose words this one does not have


def _not_of_checks(body: Mapping[str, Any]) -> str | None:
    """Return why no check on the store's facts made a decision; None: they did."""
    if body.get("without_store"):
        return "store"
    first = next(iter(body["decision"]["reasons"]), None)
    if first is None:
        return None
    return {"gate": "gate", "store": "store"}.get(first["check"], "moving" if first["code"] == "STATE_MOVING" else None)


def _said(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is compared of the row of a decision."""
    said, intent = body["decision"], body.get("intent")
    holds = body.get("holds", ()) if intent is None else intent["holds"]
    candidate = body.get("shadow")
    return {
        "outcome": said["outcome"],
        "reasons": [[reason.get(name) for name in _REASON] for reason in said["reasons"]],
        "warnings": [[reason.get(name) for name in _REASON] for reason in body.get("warnings", ())],
        "holds": [list(hold) for hold in holds],
        "reduces": body["reduces"],
        "notional": Decimal(body["notional"]) if "notional" in body else None,
        "shadow": None if candidate is None else [candidate["policy"], candidate["outcome"], candidate["reasons"]],
    }

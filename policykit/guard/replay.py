"""Decide again what a journal says was decided: the same code, on the ledger that the rows before it make.

A row of a decision holds what no other row does: its policy's row (`in_force`), what the guard knew beside the store
(`facts`), and which facts it was made on where newer ones stood in the store when it was written (`facts_seq`). So a
journal of memory or sqlite from its start is enough to judge each decision again; that of a host on valkey is not.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

from policykit.guard.judge import Judge, not_of_checks, order_of
from policykit.store import Row
from policykit.store.codec import decision_body
from policykit.store.ledger import Ledger

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
        self._judges = {row.seq: Judge.of_row(row) for row in policies}

    def over(self, rows: Iterable[Row]) -> Replayed:
        done = self.done
        for row in rows:
            done.rows += 1
            if row.kind == "policy":
                self._judges[row.seq] = Judge.of_row(row)
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
        why = not_of_checks(body)
        judge = self._judges.get(body.get("in_force", -1)) if why is None else None
        if judge is None:
            done.others[why or "policy"] += 1
        else:
            was = _said(body)
            now = self._again(judge, row, self.ledger, self.ledger)
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

    def _on_earlier(self, judge: Judge, row: Row, was: Mapping[str, Any]) -> bool:
        """Tell whether a decision comes out as its row says on a state between its facts and its row."""
        if len(self.done.differences) >= MAX_DIFFERENCES:
            return False
        return any(self._again(judge, row, facts, holds) == was for facts, holds in self._earlier(row))

    def _again(self, judge: Judge, row: Row, facts: Ledger, ledger: Ledger) -> dict[str, Any]:
        """Decide as in that row, on the facts of one ledger and the holds of another; return what its row would say."""
        said = row.body["decision"]
        order = order_of(said["order"], said["action"])
        decision, intent, holds = judge.decided(row, order, facts, ledger, self.own_ids, said["mode"])
        return _said(decision_body(decision, intent, () if decision.outcome == "deny" else holds))

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

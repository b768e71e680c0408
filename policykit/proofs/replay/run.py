"""Decide recorded decisions again under new policies: each by itself, on the state of its own moment.

Facts, positions, halts and the clock are those that were recorded. What the new policies' windows and sums would hold
is counted anew, from the orders that were really admitted (`tally.py`). A decision that changes leads to nothing: what
would be allowed now adds nothing to what comes after, and what would be denied now stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final, NamedTuple

from policykit.engine.case import READS
from policykit.engine.facts import Halt
from policykit.guard.judge import Judge, Said, not_of_checks, order_of
from policykit.guard.settings import counted
from policykit.order import CANCELS, Order
from policykit.policy import PAPER, EffectivePolicy
from policykit.proofs.difference import Recorded, Replayed
from policykit.proofs.replay.changes import Changes, Outcome, Why
from policykit.proofs.replay.past import Past, Unreadable
from policykit.proofs.replay.tally import Tally
from policykit.proofs.replay.world import Who, World, adopt, recorded_holds, reused_of, unread
from policykit.store import Row
from policykit.store.failures import UNREADABLE
from policykit.store.reader import JournalDamaged

#: A policy as it was and as it shall be; None: there was none, or there shall be none.
Pair = tuple[EffectivePolicy | None, EffectivePolicy | None]
#: Codes of reasons that say that something was not known, and not that a limit was reached.
NOT_KNOWN: Final = frozenset(
    (
        *("FACTS_MISSING", "FACTS_STALE", "PRICE_MISSING", "PRICE_STALE", "CONTRACT_SIZE_MISSING", "CONTRACT_QUANTO"),
        *("DAY_BASE_MISSING", "WEEK_BASE_MISSING", "PEAK_MISSING", "RECONCILE_STALE", "CHECK_ERROR"),
        *("ADDRESS_PROOF_MISSING", "ADDRESS_PROOF_STALE"),
    )
)
#: What an exchange's trades do not tell of an order: by such a reason it is not denied where nothing else is known.
NOT_TOLD: Final = frozenset(
    (
        *("RISK_ORDER_TYPE", "RISK_TIME_IN_FORCE", "RISK_SELF_TRADE", "RISK_REDUCE_ONLY", "RISK_STOP_MISSING"),
        *("ACCOUNT_POSITION_MODE", "ACCOUNT_MARGIN_MODE", "RISK_LEVERAGE"),
    )
)
#: Denials of which a halt was written before they were: so many are remembered.
MAX_HALTS: Final = 1_000
#: Rows between two words about how far it is.
TOLD_EVERY: Final = 10_000
#: Why a decision is not judged.
OTHER_POLICY: Final = "of a policy that is not among the new ones"
ON_PAPER: Final = "on the paper exchange"
IN_SHADOW: Final = "in shadow mode, where nothing is denied"
CANCEL: Final = "cancels, which always pass"
READ: Final = "reads, which are no orders"
MOVED: Final = "the old policy decides otherwise too on the state that the rows make: others were quicker"
#: Of trades: what OLD never let through tells nothing of a change of it (another market than the policy names).
TRADED: Final = "the old policy denies it too, though it traded"
NO_CHECK: Final[Mapping[str, str]] = {
    "gate": "refused at the gate: no policy lets such a call pass",
    "store": "decided without the store",
    "moving": "denied because the state kept moving",
}


def replayed(
    past: Past,
    pairs: Iterable[Pair],
    *,
    since_ms: int | None = None,
    until_ms: int | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Replayed:
    """Decide again what was recorded from `since_ms` up to before `until_ms`; an interruption ends it, and is said.

    `told` hears from time to time how many rows are done, of how many.
    """
    run = Run(past, tuple(pairs), since_ms, until_ms)
    return run.result(*run.over(told))


class _Made(NamedTuple):
    """A decision as its row says it.

    `other`: by another version than the old policy's. `left`: why it is not judged; None: it is.
    """

    ident: str
    who: Who
    order: Order
    outcome: str
    whys: tuple[Why, ...]
    judge: Judge | str | None
    old: Judge | None
    other: bool
    left: str | None

    @property
    def reused(self) -> bool:
        """Tell whether its client order id was another order's, as the store said that knows them all."""
        return any(why.code == "CLIENT_ORDER_ID_REUSED" for why in self.whys)


class Part(NamedTuple):
    """The rows of which a run judges the decisions: behind `after`, up to `last`.

    Before `counts_ms` it only makes the ledger; from there on it counts, so that the windows are full at the first
    decision that it judges.
    """

    after: int = 0
    last: int = 2**63
    counts_ms: int = 0


class Run:
    """One pass over what was recorded, or over a part of it."""

    def __init__(
        self,
        past: Past,
        pairs: tuple[Pair, ...],
        since_ms: int | None,
        until_ms: int | None,
        part: Part = Part(),  # noqa: B008 - never changed
    ) -> None:
        self.past, self.recorded, self.part = past, past.ledger, part
        self.since_ms, self.until_ms = since_ms, until_ms
        self._counting = not part.counts_ms
        #: While nothing is counted: the decisions of orders that are open.
        self._open: dict[str, Row] = {}
        self.changes = Changes()
        self.rows, self._begin = 0, past.ledger.seq
        self.not_known = NOT_KNOWN | NOT_TOLD if past.blind else NOT_KNOWN
        pairs = tuple((old, new) for old, new in pairs if not (new or old).profile)  # type: ignore[union-attr]
        olds = {(old.name, old.account_key): old for old, _ in pairs if old is not None}
        news = {((old or new).name, new.account_key): new for old, new in pairs if new is not None}
        for policy in (*olds.values(), *news.values()):
            self._asks(policy)
        whole = past.begun_ms is None
        self.new = World(news, Tally(self.recorded) if whole else Tally.forked(self.recorded))
        self.old = World(olds, Tally(self.recorded))
        #: The old policies' counters are not those that were recorded: another version of them was in force.
        self.forked = False
        self._mixed = False
        self._who: dict[int, Who] = {}
        self._before: dict[str, dict[str, Halt]] = {}
        self._unread: dict[Who, frozenset[str]] = {}
        self._from_before = frozenset(self.new.tally.windows)
        if past.begun_ms is not None:
            adopt(self.new, self.recorded, past.begun_ms)
        for event in past.policies:
            self._in_force(Row(*event, ""))

    def _asks(self, policy: EffectivePolicy) -> None:
        """Have counted from the start what a policy asks for; of trades, if their start is not behind the first row."""
        asked = counted(policy)
        if self.past.begun_ms is not None:
            asked = {name: said for name, said in asked.items() if name == "groups"}
        if asked:
            self.recorded.apply("policy", {"account": policy.account_key, "currency": None, **asked}, 0)

    def over(self, told: Callable[[int, int], None] | None) -> tuple[str, bool]:
        """Go over the rows; return why that ended before their end (empty: it did not), and whether a person ended it.

        `told` hears from time to time how many rows are done, of how many.
        """
        try:
            for event in self.past.events():
                if event[0] > self.part.last or (self.until_ms is not None and event[1] >= self.until_ms):
                    break
                self._take(Row(*event, ""))
                self.rows = event[0] - self._begin
                if told is not None and self.rows % TOLD_EVERY == 0:
                    told(self.rows, self.past.of)
        except KeyboardInterrupt:
            return f"interrupted after row {self.rows:,} of {self.past.of:,}", True
        except (JournalDamaged, Unreadable) as error:
            return str(error), False
        return "", False

    def result(self, incomplete: str, interrupted: bool) -> Replayed:
        """Return what was found."""
        found = self.changes
        return Replayed(
            self.past.name,
            self.rows,
            found.decisions,
            found.groups(),
            dict(sorted(found.left.items(), key=lambda one: (-one[1], one[0]))),
            found.since_ms,
            found.until_ms,
            0 if self.past.blind else found.other,
            self.past.assumed,
            incomplete,
            interrupted,
            found.unsure,
        )

    # ---- one row

    def _take(self, row: Row) -> None:
        made: _Made | None = None
        if not self._counting and row.at_ms >= self.part.counts_ms:
            self._count_from_here()
        with self._readable(row):
            if row.kind == "decision" and not self._counting:
                self._passed(row)
            elif row.kind == "decision":
                made = self._made(row)
            elif row.kind == "policy":
                self._in_force(row)
            elif row.kind == "use" and self._counting:
                for world in self._worlds():
                    world.used(row)
            elif row.kind == "halt" and "decision" in row.body:
                self._halting(row.body["decision"])
        if made is not None:
            self._decision(row, made)
        with self._readable(row):
            self.recorded.apply(row.kind, row.body, row.at_ms, row.seq)
            if row.kind == "outcome":
                for world in self._worlds():
                    world.tally.ended(row.body["intent"])
                if self._open and row.body["intent"] not in self.recorded.open:
                    self._open.pop(row.body["intent"], None)

    def _halting(self, decision: str) -> None:
        """Remember the halts before those that a denial sets: their rows come before its own."""
        self._before.setdefault(decision, dict(self.recorded.halts))
        if len(self._before) > MAX_HALTS:
            del self._before[next(iter(self._before))]

    def _passed(self, row: Row) -> None:
        """Remember of a decision that nobody counts what has to be known once counting begins."""
        body, said = row.body, row.body["decision"]
        if said["outcome"] == "allow" and "intent" in body:
            self._open[body["intent"]["id"]] = row
        versions = {old.version for (name, _), old in self.old.policies.items() if name == said["policy"]["name"]}
        self._mixed |= bool(versions) and said["policy"]["version"] not in versions

    def _count_from_here(self) -> None:
        """Begin to count: with the orders that are open, each as the policies claim for it."""
        self._counting, self.forked = True, self._mixed
        for row in self._open.values():
            made = self._made(row)
            for world, judge in ((self.new, made.judge), (self.old, made.old)):
                claims = judge.claims(row, made.order, world.tally) if isinstance(judge, Judge) else ()
                holds = claims or recorded_holds(row.body)
                world.tally.granted(None, tuple(hold for hold in holds if hold.kind == "sum"), row.at_ms)
                world.tally.claimed[made.ident] = holds
        self._open.clear()

    @contextmanager
    def _readable(self, row: Row) -> Iterator[None]:
        """Raise Unreadable for a row that another version wrote in another way, or nobody."""
        try:
            yield
        except UNREADABLE as error:
            raise Unreadable(
                f"{self.past.name}: row {row.seq} ({row.kind}) is not as this version writes it "
                f"({type(error).__name__}); what was found is of the rows before it"
            ) from None

    def _worlds(self) -> tuple[World, ...]:
        return (self.new, self.old) if self.forked else (self.new,)

    def _in_force(self, row: Row) -> None:
        said = row.body
        who = Who(said.get("name", ""), said["account"], said.get("key", ""), said.get("host", ""))
        self._who[row.seq] = who
        for world in self._worlds():
            if (who.name, who.account) in world.policies:
                world.judge(who)  # from here on reads are made under its budgets

    def _made(self, row: Row) -> _Made:
        """Read the row of a decision; one that does not say whose it is, is of the policy of its name."""
        body, said = row.body, row.body["decision"]
        name, version = said["policy"]["name"], said["policy"]["version"]
        who = self._who.get(body.get("in_force", -1))
        if who is None or who.name != name:
            account = next((account for known, account in self.new.policies if known == name), "")
            who = Who(name, (body.get("intent") or {}).get("account") or account)
        judge = self.new.judge(who) if (who.name, who.account) in self.new.policies else None
        old = self.old.judge(who) if (who.name, who.account) in self.old.policies else None
        whys = tuple(Why(reason["code"], reason["check"]) for reason in said["reasons"])
        order = order_of(said["order"], said["action"])
        own = None if isinstance(old, str) else old
        other = own is not None and own.policy.version != version
        left = _not_judged(body, who, judge)
        return _Made(said["id"], who, order, said["outcome"], whys, judge, own, other, left)

    def _decision(self, row: Row, made: _Made) -> None:
        if made.other and not self.forked:
            self.forked, self.old.tally = True, Tally.forked(self.recorded)
        now: Said | None = None
        was: Said | None = None
        if row.seq > self.part.after and (self.since_ms is None or row.at_ms >= self.since_ms):
            if made.left is not None:
                self.changes.left[made.left] += 1
            elif isinstance(made.judge, Judge):
                with self._halts_before(made.ident):
                    now, was = self._judged(row, made, made.judge)
        if made.outcome == "allow":
            stored = not row.body.get("without_store")
            by = made.judge if isinstance(made.judge, Judge) and stored else None
            self.new.count(row, by, made.order, now)
            if self.forked:
                self.old.count(row, made.old if made.other and stored else None, made.order, was)

    @contextmanager
    def _halts_before(self, decision: str) -> Iterator[None]:
        """Judge a denial that set halts on the halts before them."""
        halts, before = self.recorded.halts, self._before.pop(decision, None)
        if before is not None:
            self.recorded.halts = before
        try:
            yield
        finally:
            self.recorded.halts = halts

    # ---- what the two policies say

    def _judged(self, row: Row, made: _Made, judge: Judge) -> tuple[Said, Said | None]:
        """Decide on an order under both policies and take the difference in; return what each said, if it was asked."""
        now = self.new.decide(judge, row, made.order, reused=made.reused)
        was: Said | None = None
        if made.other and made.old is not None:
            self.changes.other += 1
            was = self.old.decide(made.old, row, made.order, reused=made.reused)
        self.changes.decided(row.at_ms)
        before = made.whys if was is None or made.old is None else self._whys(row, made, was, self.old, made.old)
        after = self._whys(row, made, now, self.new, judge)
        denied, denies, unsure = self._weighed(before, after, () if after else self._doubts(row, made, now))
        if self.past.blind and denied and denies:
            self.changes.unsure += 1
            self.changes.left[f"{TRADED}: {self._telling(before, made.old).check}"] += 1
        if denied != denies and not (denied and unsure):
            if was is None and self._moved(row, made, denied=denied):
                self.changes.left[MOVED] += 1
            else:
                by = self._telling(after, judge) if denies else self._telling(before, made.old)
                codes = tuple(tuple(why.code for why in whys) for whys in (before, after))
                self._changed(row, made, by, codes, now.decision.notional, becomes="deny" if denies else "allow")
        return now, was

    def _whys(self, row: Row, made: _Made, said: Said, world: World, judge: Judge) -> tuple[Why, ...]:
        """Return why it was denied; where a source tells little, also what is behind a check that could not be judged.

        The counters are asked last, and where a check denied they are not: that it knew too little must not hide them.
        """
        reasons = said.decision.reasons
        if self.past.blind and reasons and all(reason.code in self.not_known for reason in reasons):
            reasons += judge.refused(row, made.order, world.tally)
        return tuple(dict.fromkeys(Why(reason.code, reason.check) for reason in reasons))

    def _weighed(
        self, before: tuple[Why, ...], after: tuple[Why, ...], doubts: tuple[str, ...]
    ) -> tuple[bool, bool, bool]:
        """Return whether it was denied, whether it would be, and whether nobody can tell that it would be let through.

        A reason that says that something was not known denied where it was recorded. Where only the new policy wants
        to know it, nobody read it, and it proves nothing.
        """
        blind, not_known = self.past.blind, self.not_known
        was_known, now_known = (any(why.code not in not_known for why in whys) for whys in (before, after))
        missing = {why for why in after if why.code in not_known}
        words = [*doubts, *(f"not known: {why.check} ({why.code})" for why in sorted(missing))]
        if now_known:
            return bool(before) if not blind else was_known, True, False
        same = bool(missing) and missing <= set(before)
        if same and not was_known and not blind:
            return True, True, False
        self.changes.left.update(words)
        self.changes.unsure += bool(words)
        return (was_known if blind else bool(before)), False, bool(words) and not (blind and same and not doubts)

    def _doubts(self, row: Row, made: _Made, now: Said) -> tuple[str, ...]:
        """Say why counters may show less than there was, of an order that they have room for."""
        uncounted, begun = self._unread.get(made.who), self.past.begun_ms
        if uncounted is None:
            uncounted = unread(made.old, made.judge) if isinstance(made.judge, Judge) else frozenset()
            self._unread[made.who] = uncounted
        if not uncounted and begun is None:
            return ()
        found = {}
        for hold in now.holds:
            if hold.counter in uncounted:
                found[f"not known: {hold.check} (what reads spent of {hold.counter})"] = True
            elif begun is None or hold.kind != "window" or hold.counter in self._from_before:
                continue
            elif row.at_ms - hold.span_ms < begun:
                found[f"not known: {hold.check} (its window reaches back before the first row)"] = True
        return tuple(found)

    def _moved(self, row: Row, made: _Made, *, denied: bool) -> bool:
        """Tell whether the old policy itself says something else now on the state that the rows make."""
        if made.old is None:
            return False
        if self.forked:
            said = self.old.decide(made.old, row, made.order, reused=made.reused)
        else:
            ids = reused_of(made.old, row) if made.reused else {}
            said = made.old.decided(row, made.order, self.recorded, self.recorded, ids)
        return (said.decision.outcome == "deny") != denied

    def _telling(self, whys: tuple[Why, ...], judge: Judge | None) -> Why:
        """Return the first reason of a denial that denies: neither a mere warning, nor for want of a fact."""
        words: Mapping[str, str] = {} if judge is None else judge.engine.setup.on_breach
        denying = (why for why in whys if why.code not in self.not_known and words.get(why.check) != "warn")
        return next(denying, whys[0])

    def _changed(
        self,
        row: Row,
        made: _Made,
        by: Why,
        codes: tuple[tuple[str, ...], ...],
        notional: Decimal | None,
        *,
        becomes: Outcome,
    ) -> None:
        said = row.body.get("notional")
        money = abs(Decimal(said)) if said is not None else None if notional is None else abs(notional)
        currency = self.new.policies[made.who.name, made.who.account].model.account.currency
        order = row.body["decision"]["order"]
        self.changes.changed(
            by, becomes, currency, Recorded(made.ident, row.at_ms, made.who.account, order, money, *codes)
        )


def _not_judged(body: Mapping[str, Any], who: Who, judge: Judge | str | None) -> str | None:
    """Return why a decision is not made again; None: it is."""
    said = body["decision"]
    if judge is None:
        return ON_PAPER if who.account.endswith(PAPER) else OTHER_POLICY
    if isinstance(judge, str):
        return judge
    if said["mode"] == "shadow":
        return IN_SHADOW
    if said["action"] in CANCELS:
        return CANCEL
    if said["action"] in READS:
        return READ
    why = not_of_checks(body)
    return None if why is None else NO_CHECK[why]

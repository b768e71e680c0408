"""Decide recorded decisions again under new policies: each by itself, on the state of its own moment.

Facts, positions, halts and the clock are those that were recorded. What the new policies' windows and sums would hold
is counted anew, from the orders that were really admitted (`tally.py`). A decision that changes leads to nothing: what
would be allowed now adds nothing to what comes after, and what would be denied now stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

from policykit.decision import Reason
from policykit.engine.case import READS
from policykit.engine.facts import Halt
from policykit.guard.judge import Judge, Said, not_of_checks, order_of
from policykit.guard.settings import counted
from policykit.order import CANCELS, Order
from policykit.policy import PAPER, EffectivePolicy
from policykit.proofs.difference import Recorded, Replayed
from policykit.proofs.replay.changes import Changes, Why
from policykit.proofs.replay.past import Past
from policykit.proofs.replay.tally import Tally
from policykit.proofs.replay.world import Who, World, adopt, reused_of, unread
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
    run = _Run(past, tuple(pairs), since_ms, until_ms)
    incomplete = ""
    try:
        run.over(told)
    except KeyboardInterrupt:
        incomplete = f"interrupted after row {run.rows:,} of {past.of:,}"
    except JournalDamaged as error:
        incomplete = str(error)
    found = run.changes
    return Replayed(
        past.name,
        run.rows,
        found.decisions,
        found.groups(),
        dict(sorted(found.left.items(), key=lambda one: (-one[1], one[0]))),
        found.since_ms,
        found.until_ms,
        found.other,
        past.assumed,
        incomplete,
    )


class _Run:
    """One pass over what was recorded."""

    def __init__(self, past: Past, pairs: tuple[Pair, ...], since_ms: int | None, until_ms: int | None) -> None:
        self.past, self.recorded = past, past.ledger
        self.since_ms, self.until_ms = since_ms, until_ms
        self.changes = Changes()
        self.rows, self._first = 0, past.ledger.seq
        olds = tuple(old for old, _ in pairs if old is not None)
        news = tuple(new for _, new in pairs if new is not None)
        for policy in (*olds, *news):
            self._asks(policy)
        whole = past.begun_ms is None
        self.new = World(news, Tally(self.recorded) if whole else Tally.forked(self.recorded))
        self.old = World(olds, Tally(self.recorded))
        #: The old policies' counters are not those that were recorded: another version of them was in force.
        self.forked = False
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

    def over(self, told: Callable[[int, int], None] | None) -> None:
        for event in self.past.events():
            if self.until_ms is not None and event[1] >= self.until_ms:
                return
            self._take(Row(*event, ""))
            self.rows = event[0] - self._first
            if told is not None and self.rows % TOLD_EVERY == 0:
                told(self.rows, self.past.of)

    # ---- one row

    def _take(self, row: Row) -> None:
        try:
            if row.kind == "decision":
                self._decision(row)
            elif row.kind == "policy":
                self._in_force(row)
            elif row.kind == "use":
                for world in self._worlds():
                    world.used(row)
            elif row.kind == "halt" and "decision" in row.body:
                self._before.setdefault(row.body["decision"], dict(self.recorded.halts))
                if len(self._before) > MAX_HALTS:
                    del self._before[next(iter(self._before))]
            self.recorded.apply(row.kind, row.body, row.at_ms, row.seq)
            if row.kind == "outcome":
                for world in self._worlds():
                    world.tally.ended(row.body["intent"])
        except UNREADABLE as error:
            why = f"row {row.seq} ({row.kind}) is not as this version writes it ({type(error).__name__})"
            raise JournalDamaged(self.past.name, row.seq - 1, why) from None

    def _worlds(self) -> tuple[World, ...]:
        return (self.new, self.old) if self.forked else (self.new,)

    def _in_force(self, row: Row) -> None:
        said = row.body
        who = Who(said.get("name", ""), said["account"], said.get("key", ""), said.get("host", ""))
        self._who[row.seq] = who
        for world in self._worlds():
            if (who.name, who.account) in world.policies:
                world.judge(who)  # from here on reads are made under its budgets

    def _whose(self, body: Mapping[str, Any]) -> Who:
        """Return who decided; of a row that does not name its policy's, the policy of that name."""
        name = body["decision"]["policy"]["name"]
        who = self._who.get(body.get("in_force", -1))
        if who is not None and who.name == name:
            return who
        intent = body.get("intent") or {}
        account = next((account for known, account in self.new.policies if known == name), "")
        return Who(name, intent.get("account") or account)

    def _decision(self, row: Row) -> None:
        said, who = row.body["decision"], self._whose(row.body)
        known = (who.name, who.account) in self.new.policies
        judge = self.new.judge(who) if known else None
        left = _not_judged(row.body, who, judge)
        inside = self.since_ms is None or row.at_ms >= self.since_ms
        order = order_of(said["order"], said["action"])
        now: Said | None = None
        was: Said | None = None
        if isinstance(judge, Judge) and left is None and inside:
            with self._halts_before(said["id"]):
                now, was = self._judged(row, who, judge, order)
        elif left is not None and inside:
            self.changes.left[left] += 1
        if said["outcome"] == "allow":
            by = judge if isinstance(judge, Judge) and not row.body.get("without_store") else None
            self.new.count(row, by, order, now)
            if self.forked:
                self.old.count(row, self._other(row, who), order, was)

    @contextmanager
    def _halts_before(self, decision: str) -> Iterator[None]:
        """Judge a denial that set halts on the halts before them: their rows come before its own."""
        halts, before = self.recorded.halts, self._before.pop(decision, None)
        if before is not None:
            self.recorded.halts = before
        try:
            yield
        finally:
            self.recorded.halts = halts

    # ---- what the two policies say

    def _judged(self, row: Row, who: Who, judge: Judge, order: Order) -> tuple[Said, Said | None]:
        """Decide on an order under both policies and take the difference in; return what each said, if it was asked."""
        recorded = tuple(Why(reason["code"], reason["check"]) for reason in row.body["decision"]["reasons"])
        reused = any(why.code == "CLIENT_ORDER_ID_REUSED" for why in recorded)
        now = self.new.decide(judge, row, order, reused=reused)
        other = self._other(row, who)
        was: Said | None = None
        if other is not None:
            self.changes.other += 1
            was = self.old.decide(other, row, order, reused=reused)
        self.changes.decided(row.at_ms)
        before = recorded if was is None else _whys(was.decision.reasons)
        after = _whys(now.decision.reasons)
        denied, denies, unsure = self._weighed(before, after, () if after else self._doubts(row, who, now))
        if denied != denies and not (denied and unsure):
            if was is None and self._moved(row, who, order, denied=denied, reused=reused):
                self.changes.left[MOVED] += 1
            else:
                by = _first(after, judge) if denies else _first(before, self._old_judge(who))
                self._changed(row, who, by, before, after, now)
        return now, was

    def _weighed(
        self, before: tuple[Why, ...], after: tuple[Why, ...], doubts: tuple[str, ...]
    ) -> tuple[bool, bool, bool]:
        """Return whether it was denied, whether it would be, and whether nobody can tell that it would be let through.

        A reason that says that something was not known denied where it was recorded. Where only the new policy wants
        to know it, nobody read it, and it proves nothing.
        """
        was_known, now_known = (any(why.code not in NOT_KNOWN for why in whys) for whys in (before, after))
        missing = {why for why in after if why.code in NOT_KNOWN}
        blind = self.past.blind
        words = [*doubts, *(f"not known: {why.check} ({why.code})" for why in sorted(missing))]
        if now_known:
            return bool(before) if not blind else was_known, True, False
        same = bool(missing) and missing <= set(before)
        if same and not was_known and not blind:
            return True, True, False
        self.changes.left.update(words)
        return (was_known if blind else bool(before)), False, bool(words) and not (blind and same and not doubts)

    def _doubts(self, row: Row, who: Who, now: Said) -> tuple[str, ...]:
        """Say why counters may show less than there was, of an order that they have room for."""
        unread_ = self._unread.get(who)
        if unread_ is None:
            old, new = self._old_judge(who), self.new.judge(who)
            unread_ = self._unread[who] = unread(old, new) if isinstance(new, Judge) else frozenset()
        begun = self.past.begun_ms
        if not unread_ and begun is None:
            return ()
        found = {}
        for hold in now.holds:
            if hold.kind != "window":
                continue
            if hold.counter in unread_:
                found[f"not known: {hold.check} (what reads spent of {hold.counter})"] = True
            elif begun is not None and row.at_ms - hold.span_ms < begun and hold.counter not in self._from_before:
                found[f"not known: {hold.check} (its window reaches back before the first row)"] = True
        return tuple(found)

    def _old_judge(self, who: Who) -> Judge | str | None:
        return self.old.judge(who) if (who.name, who.account) in self.old.policies else None

    def _other(self, row: Row, who: Who) -> Judge | None:
        """Return who decides by the old policy, where it is another version that decided; its counters fork then."""
        judge = self._old_judge(who)
        version = row.body["decision"]["policy"]["version"]
        if not isinstance(judge, Judge) or judge.policy.version == version:
            return None
        if not self.forked:
            self.forked, self.old.tally = True, Tally.forked(self.recorded)
        return judge

    def _moved(self, row: Row, who: Who, order: Order, *, denied: bool, reused: bool) -> bool:
        """Tell whether the old policy itself says something else now on the state that the rows make."""
        judge = self._old_judge(who)
        if not isinstance(judge, Judge):
            return False
        if self.forked:
            said = self.old.decide(judge, row, order, reused=reused)
        else:
            ids = reused_of(judge, row) if reused else {}
            said = judge.decided(row, order, self.recorded, self.recorded, ids)
        return (said.decision.outcome == "deny") != denied

    def _changed(self, row: Row, who: Who, by: Why, before: tuple[Why, ...], after: tuple[Why, ...], now: Said) -> None:
        body, notional = row.body, now.decision.notional
        money = Decimal(body["notional"]) if "notional" in body else notional
        currency = self.new.policies[who.name, who.account].model.account.currency
        codes = tuple(tuple(why.code for why in whys) for whys in (before, after))
        said = body["decision"]
        recorded = Recorded(
            said["id"], row.at_ms, who.account, said["order"], None if money is None else abs(money), *codes
        )
        self.changes.changed(by, "allow" if now.decision.outcome == "allow" else "deny", currency, recorded)


def _whys(reasons: Iterable[Reason]) -> tuple[Why, ...]:
    return tuple(Why(reason.code, reason.check) for reason in reasons)


def _first(whys: tuple[Why, ...], judge: Judge | str | None) -> Why:
    """Return the first reason of a denial that denies: neither a mere warning, nor for want of a fact."""
    words: Mapping[str, str] = judge.engine.setup.on_breach if isinstance(judge, Judge) else {}
    denying = (why for why in whys if why.code not in NOT_KNOWN and words.get(why.check) != "warn")
    return next(denying, whys[0])


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

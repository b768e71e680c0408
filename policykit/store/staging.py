"""What the journal shows of the stages of one policy: counted in one pass, in memory that does not grow with it.

A stage that was left stands in the row of its end (`stage`), with the number of that row: the next pass begins there.
The stage of a decision is that of its policy's version, as the row that put the version in force says.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Self, get_args

from policykit.clock import iso
from policykit.model.stage import StageName
from policykit.policy import PAPER, EffectivePolicy
from policykit.record import StageFacts
from policykit.store.base import Row, Store
from policykit.store.kept import KINDS, Kept, place
from policykit.store.reader import JournalReader

DAY_MS: Final = 86_400_000
#: First to last.
STAGES: Final[tuple[str, ...]] = get_args(StageName)
#: Versions of one policy, and orders that are out, that are remembered; beyond it the oldest is forgotten.
MAX_VERSIONS: Final = 200
MAX_OPEN: Final = 20_000
#: What is still to be looked at is listed up to so many rows a stage; beyond it, it only counts.
MAX_UNSEEN: Final = 200_000
#: Rows between two words of progress.
_EVERY: Final = 4_096
#: Denials by these checks say that a loss cap was met.
_LOSS: Final = frozenset(("risk.daily_loss", "risk.weekly_loss", "risk.max_drawdown"))
#: What a person looks at, in a `review` row; the row says up to which row of the journal.
_LOOKED: Final = ("denials", "fills")
#: How accounts of a sandbox end.
_SANDBOX: Final = "@sandbox"
_ON_ORDERS: Final = frozenset(("order.create", "order.amend", "order.cancel", "orders.cancel_all", "position.close"))


#: Told how many rows were read, of how many.
Progress = Callable[[int, int], None]


def silent(done: int, of: int) -> None:
    """Take how far a pass is, and say nothing."""


@dataclass(slots=True)
class Unseen:
    """Rows that no person looked at yet, by number; the oldest first."""

    rows: list[int] = field(default_factory=list)
    #: Those beyond MAX_UNSEEN: they count until a review reaches behind the last of them.
    beyond: int = 0
    last: int = 0

    @property
    def count(self) -> int:
        """Return how many there are."""
        return len(self.rows) + self.beyond

    def add(self, seq: int) -> None:
        """Take one more in."""
        self.last = seq
        if len(self.rows) < MAX_UNSEEN:
            self.rows.append(seq)
        else:
            self.beyond += 1

    def seen(self, through: int) -> None:
        """Leave out what was looked at."""
        self.rows = [seq for seq in self.rows if seq > through]
        self.beyond = 0 if through >= self.last else self.beyond


@dataclass(slots=True)
class Seen:
    """What happened in one stage. Times are UTC ms."""

    since_ms: int
    until_ms: int
    orders: int = 0
    fills: int = 0
    denials: int = 0
    #: Orders that were denied since a loss limit was met.
    losses: int = 0
    #: Days, counted from `since_ms`, of which there is a row.
    days: set[int] = field(default_factory=set)
    types: set[str] = field(default_factory=set)
    #: What became of orders: see PATHS.
    paths: set[str] = field(default_factory=set)
    denials_open: Unseen = field(default_factory=Unseen)
    fills_open: Unseen = field(default_factory=Unseen)
    external: bool = False

    def at(self, at_ms: int) -> None:
        """Say that there was something at a moment."""
        self.until_ms = max(self.until_ms, at_ms)
        self.days.add(max(0, at_ms - self.since_ms) // DAY_MS)

    def full_days(self, now_ms: int) -> int:
        """Return how many whole days it has lasted, those on which nothing ran left out."""
        return min(len(self.days), max(0, now_ms - self.since_ms) // DAY_MS)

    def facts(self) -> StageFacts:
        """Return what lint is told of it."""
        if self.external:
            return StageFacts(iso(self.since_ms), external=True)
        return StageFacts(iso(self.since_ms), self.orders, self.denials_open.count)

    def to_dict(self) -> dict[str, Any]:
        """Return it as it stands in a `stage` row."""
        return {
            **{name: getattr(self, name) for name in _COUNTS},
            "days": sorted(self.days),
            "types": sorted(self.types),
            "paths": sorted(self.paths),
            "denials_open": self.denials_open.count,
            "fills_open": self.fills_open.count,
            "external": self.external,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], read: int) -> Self:
        """Read what `to_dict` wrote of the rows up to `read`; what nobody had looked at then only counts."""
        made = cls(**{name: data[name] for name in _COUNTS}, external=data["external"])
        made.days, made.types, made.paths = set(data["days"]), set(data["types"]), set(data["paths"])
        made.denials_open, made.fills_open = (
            Unseen([], data["denials_open"], read),
            Unseen([], data["fills_open"], read),
        )
        return made


_COUNTS: Final = ("since_ms", "until_ms", "orders", "fills", "denials", "losses")
#: What must have become of orders: the ways that a bot meets. Those on which an exchange does not act come first.
PATHS: Final = ("denied", "rejected", "filled", "cancelled", "amended", "unknown")


@dataclass(slots=True)
class _Out:
    """An order that is out."""

    stage: str
    filled: Decimal = Decimal(0)
    unknown: bool = False
    order: Mapping[str, Any] = field(default_factory=dict)


class Staging:
    """The stages of one policy, as the rows that were taken in show them."""

    def __init__(self, policy: EffectivePolicy) -> None:
        self.name = policy.name
        #: A stage is a policy's on its account, be it in the sandbox or live.
        self.account = stage_account(policy)
        self.stages: dict[str, Seen] = {}
        self.read = 0
        self.operations = Kept()
        #: When a test message about this policy last arrived at whom it was sent to.
        self.alert_ms: int | None = None
        #: Told of each denial and fill of this policy: which of them, the row, what was ordered.
        self.tell: Callable[[str, Row, Mapping[str, Any]], None] = _nothing
        self._versions: dict[str, str] = {}
        self._out: dict[str, _Out] = {}
        #: The stage of each of the accounts that are this one, by what was last in force there.
        self._at: dict[str, str] = {}

    # ---- what operators did

    def kept(self, account: str, kind: str) -> Mapping[str, Mapping[str, Any]]:
        """Return what operators did, as `Store.kept` does."""
        return self.operations.get(place(account, kind), {})

    @property
    def grant(self) -> Mapping[str, Any]:
        """Return the last row that moved this policy's stage; empty: there was none."""
        return self.kept(self.account, "stage").get(self.name, {})

    @property
    def granted(self) -> str:
        """Return the highest stage that was granted; empty: none was."""
        return str(self.grant.get("stage", ""))

    def facts(self) -> dict[str, StageFacts]:
        """Return what lint is told of each stage."""
        return {name: seen.facts() for name, seen in self.stages.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return what a `stage` row keeps of the rows so far."""
        return {
            "read": self.read,
            "seen": {name: seen.to_dict() for name, seen in self.stages.items()},
            "versions": self._versions,
        }

    def resume(self, row: Mapping[str, Any]) -> int:
        """Begin where a `stage` row ended; return the number of the row to read on behind."""
        self.read = int(row.get("read", 0))
        self.stages = {name: Seen.from_dict(seen, self.read) for name, seen in row.get("seen", {}).items()}
        self._versions = dict(row.get("versions", {}))
        return self.read

    # ---- rows

    def take(self, row: Row) -> None:
        """Take a row in."""
        _, at_ms, kind, body, _ = row
        self.read = max(self.read, row.seq)
        if kind == "decision":
            self._decision(row)
        elif kind == "outcome":
            self._outcome(row)
        elif kind == "observe":
            if body["account"] in self._at:
                self._seen(self._at[body["account"]], at_ms)
        elif kind == "message":
            if body.get("test") and body.get("policy") == self.name and body["ok"]:
                self.alert_ms = at_ms
        elif kind == "policy":
            self._policy(body, at_ms)
        elif kind in KINDS:
            self.operations.keep(kind, {**body, "at_ms": at_ms})
            if kind == "review":
                self._reviewed(body)
            elif kind == "stage" and (body["account"], body["name"]) == (self.account, self.name):
                self._moved(body)

    def _policy(self, body: Mapping[str, Any], at_ms: int) -> None:
        if body.get("name") != self.name or _base(body["account"]) != self.account or body.get("mode") == "shadow":
            return
        # What is tried in a sandbox is evidence of nothing else, whatever stage its file says: no money is at stake.
        stage = STAGES[0] if _in_sandbox(body["account"]) else str(body.get("stage", ""))
        self._versions.pop(body["version"], None)
        self._versions[body["version"]] = stage
        if len(self._versions) > MAX_VERSIONS:
            del self._versions[next(iter(self._versions))]
        self._at[body["account"]] = stage
        self._seen(stage, at_ms)

    def _seen(self, stage: str, at_ms: int) -> Seen:
        """Return what happened in a stage, now that there is more of it."""
        seen = self.stages.setdefault(stage, Seen(at_ms, at_ms))
        seen.at(at_ms)
        return seen

    def _moved(self, body: Mapping[str, Any]) -> None:
        """Take what a row tells of stages that these rows do not: they were pruned, or it was reached elsewhere."""
        for name, seen in body.get("seen", {}).items():
            if seen["external"] or name not in self.stages or seen["orders"] > self.stages[name].orders:
                self.stages[name] = Seen.from_dict(seen, body["read"])
        if body.get("move") == "demote":
            self.drop(body["stage"])

    def drop(self, stage: str) -> None:
        """Forget a stage, and those behind it: they are to be earned anew."""
        for name in STAGES[STAGES.index(stage) :]:
            self.stages.pop(name, None)

    def _decision(self, row: Row) -> None:
        decision = row.body["decision"]
        stage = self._versions.get(decision["policy"]["version"], "")
        if not stage or decision["policy"]["name"] != self.name or decision["mode"] != "enforce":
            return
        seen, action = self._seen(stage, row.at_ms), decision["action"]
        if decision["outcome"] == "deny":
            if action in _ON_ORDERS:
                seen.denials += 1
                seen.denials_open.add(row.seq)
                seen.paths.add("denied")
                seen.losses += any(reason["check"] in _LOSS for reason in decision["reasons"])
                self.tell("denial", row, decision["order"])
        elif action == "order.cancel":
            seen.paths.add("cancelled")
        elif "intent" in row.body:
            if action == "order.amend":
                seen.paths.add("amended")
            else:
                seen.orders += 1
                seen.types.add(str(decision["order"].get("type", "")))
            self._out[row.body["intent"]["id"]] = _Out(stage, order=decision["order"])
            if len(self._out) > MAX_OPEN:
                del self._out[next(iter(self._out))]

    def _outcome(self, row: Row) -> None:
        body = row.body
        out = self._out.get(body["intent"])
        if out is None:
            return
        seen, state = self._seen(out.stage, row.at_ms), body["state"]
        if state == "rejected":
            seen.paths.add("rejected")
        elif state == "unknown":
            out.unknown = True
        elif out.unknown and state in ("found", "absent", "settled"):
            seen.paths.add("unknown")
        filled = Decimal(body.get("filled", "0"))
        if filled > out.filled:
            out.filled = filled
            seen.paths.add("filled")
            seen.fills += 1
            seen.fills_open.add(row.seq)
            self.tell("fill", row, out.order)

    def _reviewed(self, body: Mapping[str, Any]) -> None:
        what, _, of = body["name"].partition(":")
        if what in _LOOKED and of == self.name and _base(body["account"]) == self.account:
            for seen in self.stages.values():
                (seen.denials_open if what == "denials" else seen.fills_open).seen(int(body.get("through", 0)))


def _nothing(what: str, row: Row, order: Mapping[str, Any]) -> None:
    pass


def stage_account(policy: EffectivePolicy) -> str:
    """Return the account that stages are kept by: a sandbox's is that of the account that it stands for."""
    return _base(policy.account_key)


def _base(account: str) -> str:
    return account.removesuffix(PAPER).removesuffix(_SANDBOX)


def _in_sandbox(account: str) -> bool:
    return account.removesuffix(PAPER).endswith(_SANDBOX)


def staging_of(source: Store | JournalReader, policy: EffectivePolicy, progress: Progress = silent) -> Staging:
    """Read the stages of a policy from its store, or from a journal file alone. Raise StoreUnavailable.

    From a store only the rows behind the last grant are read.
    """
    made = Staging(policy)
    if isinstance(source, JournalReader):
        newest = source.newest()
        _pass(made, source.rows(0, sys.maxsize), 0 if newest is None else newest.seq, progress)
        return made
    row = source.kept(made.account, "stage").get(policy.name, {})
    after = made.resume(row)
    _pass(made, source.rows(after, sys.maxsize), source.facts(policy.account_key, "").seq, progress)
    # What operators did before those rows; and their reviews, which may be of rows that were counted then.
    for account in dict.fromkeys(("", made.account, policy.account_key.removesuffix(PAPER), policy.account_key)):
        for kind in KINDS:
            for name, one in source.kept(account, kind).items():
                made.operations.keep(kind, {"account": account, "name": name, **one})
                if kind == "review":
                    made._reviewed(one)
    return made


def read_all(made: Staging, source: Store | JournalReader, progress: Progress = silent) -> None:
    """Take in every row of a store, or of a journal file. Raise StoreUnavailable."""
    _pass(made, source.rows(0, sys.maxsize), 0, progress)


def _pass(made: Staging, rows: Iterable[Row], of: int, progress: Progress) -> None:
    count = 0
    for count, row in enumerate(rows, 1):
        made.take(row)
        if count % _EVERY == 0:
            progress(row.seq, max(of, row.seq))
    progress(made.read, made.read)

"""How two sets of policies differ, as data: what the reports, the gate of a pull request and editors read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

from policykit.decision import Reason
from policykit.finding import Finding
from policykit.place import Place
from policykit.policy import EffectivePolicy

#: Of a field, and of a policy as a whole. `equal`: proved to decide the same; `different`: in part tighter and in part
#: looser, or not comparable (another exchange, account or currency; a word that is neither stricter nor looser).
Verdict = Literal["equal", "tighter", "looser", "different"]
#: What stands in the place of a value that a policy does not say.
ABSENT: Final = "nothing"


class Flip(NamedTuple):
    """One order under one set of facts that two policies decide otherwise; both decided it.

    `order` and `facts` are what `policykit check --order --facts` takes, `now_ms` is its `--now` (UTC ms). `was` and
    `now` are the reasons of the old and of the new policy's denial; empty: allowed.
    """

    order: Mapping[str, Any]
    facts: Mapping[str, Any]
    now_ms: int
    was: tuple[Reason, ...]
    now: tuple[Reason, ...]


class FieldChange(NamedTuple):
    """One value of the effective policies that differs, as the language writes it, and where each is said.

    `held_by` and `guide` are the field's own (model.base.Meta). `flip` shows the effect on an order; where there is
    none, `why` says why: the field decides no order, or another limit was proved to deny first. `back` is an order that
    flips the other way, where a field is different.
    """

    path: str
    verdict: Verdict
    was: str
    now: str
    was_at: Place | None = None
    now_at: Place | None = None
    held_by: tuple[str, ...] = ()
    guide: tuple[str, ...] = ()
    flip: Flip | None = None
    why: str = ""
    back: Flip | None = None

    def __str__(self) -> str:
        return f"{self.path}: {self.was} -> {self.now}"


@dataclass(frozen=True, slots=True)
class PolicyDifference:
    """How one policy differs. `old` None: it is new; `new` None: it was taken away. `fields` are the worst first.

    `verdict` is of the whole; `equal` is a proof, and `proof` says what it rests on. `before`: the path
    and the name that it had, where it was moved or renamed.
    """

    name: str
    old: EffectivePolicy | None
    new: EffectivePolicy | None
    verdict: Verdict
    fields: tuple[FieldChange, ...] = ()
    proof: str = ""
    before: str = ""

    @property
    def file(self) -> str:
        """Where the policy stands, or stood."""
        policy = self.new or self.old
        return "" if policy is None else policy.file

    def of(self, *verdicts: Verdict) -> tuple[FieldChange, ...]:
        """Return the fields that changed so."""
        return tuple(one for one in self.fields if one.verdict in verdicts)


class Recorded(NamedTuple):
    """A recorded decision that would be another one: `money` is the order's notional, None where it was not known."""

    decision: str
    at_ms: int
    account: str
    order: Mapping[str, Any]
    money: Decimal | None
    was: tuple[str, ...]
    now: tuple[str, ...]


class ReplayGroup(NamedTuple):
    """Recorded decisions that change by one check. `becomes`: what they would be now; `examples` are the largest.

    The check is the first of the reasons: of the denial that there was, or that there would be. `money` adds up the
    notionals that were known, in the account's currency.
    """

    check: str
    code: str
    becomes: Literal["allow", "deny"]
    decisions: int
    money: Decimal
    currency: str
    examples: tuple[Recorded, ...] = ()


@dataclass(frozen=True, slots=True)
class Replayed:
    """What recorded decisions would be under the new policies, each on the state of its own moment; worst group first.

    `decisions` were decided again, of `rows` that were read; `other` of them were made by another version than the old
    policy's, so the old policy decided them again as well. `left`: what was not judged, or not by every check, by why.
    `since_ms`, `until_ms`: the times of the first and the last decision (UTC ms). `assumed` says what the source does
    not tell and was taken for granted; `incomplete` why not all of it was read (empty: it was),
    `interrupted` that a person ended it. `unsure`: how many of `decisions` tell nothing: some check could not
    judge them and none denied, or they traded though the old policy denies them.
    """

    source: str
    rows: int = 0
    decisions: int = 0
    groups: tuple[ReplayGroup, ...] = ()
    left: Mapping[str, int] = field(default_factory=dict)
    since_ms: int | None = None
    until_ms: int | None = None
    other: int = 0
    assumed: tuple[str, ...] = ()
    incomplete: str = ""
    interrupted: bool = False
    unsure: int = 0

    @property
    def changed(self) -> int:
        """Return how many decisions would be other ones."""
        return sum(group.decisions for group in self.groups)


@dataclass(frozen=True, slots=True)
class Difference:
    """What `policykit diff` found: `old` and `new` name what was compared, `faults` are PK0 of what does not load."""

    old: str
    new: str
    policies: tuple[PolicyDifference, ...] = ()
    faults: tuple[Finding, ...] = ()
    replayed: Replayed | None = None

    @property
    def looser(self) -> bool:
        """Tell whether anything is looser than it was, or may be."""
        return any(one.verdict in ("looser", "different") for one in self.policies)

"""What a replay found: recorded decisions that change, grouped by the check that changes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from heapq import heappush, heappushpop
from typing import Final, Literal, NamedTuple

from policykit.proofs.difference import Recorded, ReplayGroup

#: Decisions of one group that are shown: those of the most money.
EXAMPLES: Final = 3

Outcome = Literal["allow", "deny"]


class Why(NamedTuple):
    """As much of a reason as tells it from others: what a journal keeps of it is enough."""

    code: str
    check: str


class _Name(NamedTuple):
    becomes: Outcome
    check: str
    code: str
    currency: str


@dataclass(slots=True)
class _Group:
    decisions: int = 0
    money: Decimal = Decimal(0)
    largest: list[tuple[Decimal, int, Recorded]] = field(default_factory=list)


class Changes:
    """Decisions that change, and what was left; its size is that of the groups, however many decisions there are."""

    def __init__(self) -> None:
        self.decisions = 0
        self.other = 0
        self.unsure = 0
        self.since_ms: int | None = None
        self.until_ms: int | None = None
        self.left: Counter[str] = Counter()
        self._groups: dict[_Name, _Group] = {}

    def decided(self, at_ms: int) -> None:
        """Count a decision that was made again."""
        self.decisions += 1
        self.since_ms = at_ms if self.since_ms is None else min(self.since_ms, at_ms)
        self.until_ms = at_ms if self.until_ms is None else max(self.until_ms, at_ms)

    def changed(self, by: Why, becomes: Outcome, currency: str, recorded: Recorded) -> None:
        """Take in a decision that becomes another one by a check."""
        group = self._groups.setdefault(_Name(becomes, by.check, by.code, currency), _Group())
        group.decisions += 1
        money = Decimal(0) if recorded.money is None else recorded.money
        group.money += money
        # Of equal ones the first is kept.
        keep = heappush if len(group.largest) < EXAMPLES else heappushpop
        keep(group.largest, (money, -group.decisions, recorded))

    def add(self, later: Changes) -> None:
        """Take in what was found in what came after."""
        self.decisions += later.decisions
        self.other += later.other
        self.unsure += later.unsure
        self.left.update(later.left)
        self.since_ms = later.since_ms if self.since_ms is None else self.since_ms
        self.until_ms = self.until_ms if later.until_ms is None else later.until_ms
        for name, found in later._groups.items():
            group = self._groups.setdefault(name, _Group())
            largest = [*group.largest, *((money, at - group.decisions, one) for money, at, one in found.largest)]
            group.largest = sorted(largest, key=lambda one: one[:2])[-EXAMPLES:]  # sorted is a heap, too
            group.decisions += found.decisions
            group.money += found.money

    def groups(self) -> tuple[ReplayGroup, ...]:
        """Return the groups: first what would have been let through, and of each kind the most money first."""
        return tuple(sorted((_made(name, group) for name, group in self._groups.items()), key=_rank))


def _made(name: _Name, group: _Group) -> ReplayGroup:
    largest: Iterable[tuple[Decimal, int, Recorded]] = sorted(group.largest, reverse=True, key=lambda one: one[:2])
    examples = tuple(recorded for _, _, recorded in largest)
    return ReplayGroup(name.check, name.code, name.becomes, group.decisions, group.money, name.currency, examples)


def _rank(group: ReplayGroup) -> tuple[bool, Decimal, int, str, str, str]:
    return group.becomes != "allow", -group.money, -group.decisions, group.check, group.code, group.currency

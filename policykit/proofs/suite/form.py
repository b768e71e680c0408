"""What a test file says, typed: a suite of tests, each a row of steps at known times. docs/policy-tests.md shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from policykit.order import Order
from policykit.place import Place
from policykit.source import Document

#: The most tests of a file, steps of a test, and orders of a step.
MAX_TESTS: Final = 1_000
MAX_STEPS: Final = 1_000
MAX_TIMES: Final = 1_000
#: When tests begin that do not say it; a Monday.
DEFAULT_NOW: Final = "2026-01-05T10:00:00Z"

NOWHERE: Final = Place("")

#: What can become of an order that was allowed.
Became = Literal["filled", "cancelled", "rejected", "lost", "found", "absent"]
EVENTS: Final[tuple[Became, ...]] = ("filled", "cancelled", "rejected", "lost", "found", "absent")
#: At once, in the step of the order itself (`then:`).
AT_ONCE: Final[tuple[Became, ...]] = ("filled", "cancelled", "rejected", "lost")


class SuiteError(Exception):
    """A test file, or the policy that it is for, is wrong: `problems` are lines `PLACE: what is; what may be`."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class Expected:
    """What a step must come to. `codes` are code and check; a check that is not said is empty.

    Of a denial they are all its codes; with `included` there may be others. Empty and `included`: any denial. Of an
    order that passes they are all its warnings; None: whatever it warns of.
    """

    outcome: Literal["allow", "deny"]
    codes: tuple[tuple[str, str], ...] | None = None
    included: bool = False
    place: Place = NOWHERE

    def __str__(self) -> str:
        said = ", ".join(code if not check else f"{code} of {check}" for code, check in self.codes or ())
        if self.outcome == "allow":
            return "allow" if self.codes is None else f"allow, with warnings {said or 'none'}"
        return f"deny, {'at least ' if self.included else ''}{said}" if self.codes else "deny"


@dataclass(frozen=True, slots=True)
class Event:
    """What became of an order: of the one that a step named so (`of`), of the last one that passed without a name."""

    what: Became
    of: str = ""
    quantity: Decimal | None = None
    price: Decimal | None = None
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Halted:
    """A halt (`state`), or its end (None)."""

    scope: str
    state: Literal["REDUCING", "HALTED"] | None
    why: str = "a test"
    freeze: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One moment: what is known then (`given`: all of it; `said`: what this step says of it), and what happens."""

    at_ms: int
    given: Mapping[str, Any]
    said: frozenset[str]
    place: Place
    order: Order | None = None
    expected: Expected | None = None
    name: str = ""
    of: str = ""
    times: int = 1
    then: Event | None = None
    event: Event | None = None
    halt: Halted | None = None


@dataclass(frozen=True, slots=True)
class Test:
    """One test: it begins with an account where nothing happened, at `stage` where it says one."""

    name: str
    place: Place
    steps: tuple[Step, ...]
    stage: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """A test file. `policy` is the path of the policy that it is for, `added` what the file adds to it (`with`)."""

    file: str
    policy: str
    tests: tuple[Test, ...]
    document: Document
    key: str = ""
    bot: str = "bot"
    added: Mapping[str, Any] | None = None
    #: Facts that were read already, by the currency that they are said in.
    facts: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def place(self, path: str) -> Place:
        """Return where the file says a value, or the nearest thing around it."""
        while path and path not in self.document.places:
            path = path.rpartition(".")[0]
        return self.document.places.get(path) or Place(self.file)

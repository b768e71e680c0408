"""Which checks the tests of a policy saw: let an order pass, deny one, not be known, and breached but let through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final, Literal, NamedTuple

from policykit.decision import Decision, Reason
from policykit.engine.check import Check
from policykit.engine.engine import Engine
from policykit.order import CANCELS

Cell = Literal["allow", "deny", "unknown", "waived"]
CELLS: Final[tuple[Cell, ...]] = ("allow", "deny", "unknown", "waived")
#: Codes of what was not observed, or is too old to go by (`Reason.failure`).
UNKNOWN_CODES: Final = frozenset(
    (
        *("FACTS_MISSING", "FACTS_STALE", "PRICE_MISSING", "PRICE_STALE", "CONTRACT_SIZE_MISSING", "CONTRACT_QUANTO"),
        *("NUMBER_RANGE", "PEAK_MISSING", "DAY_BASE_MISSING", "WEEK_BASE_MISSING", "CHECK_MISSING"),
    )
)
#: Checks that deny whatever they judge, where a policy has them at all.
_ALWAYS: Final = frozenset(("key.purpose", "stage.current", "policy.unheld"))
#: Checks that say with the code of their limit, too, that nothing was measured.
_MEASURED: Final = frozenset(("clock.max_skew",))
_READS: Final = frozenset(("data.read", "stream.connect"))


class Covered(NamedTuple):
    """One check of the policy: the cells that tests can reach, and those that they did."""

    check: str
    can: frozenset[Cell]
    did: frozenset[Cell]
    #: The policy says what it holds.
    said: bool

    @property
    def missing(self) -> tuple[Cell, ...]:
        """Return the cells that no test reached."""
        return tuple(cell for cell in CELLS if cell in self.can - self.did)


class Coverage:
    """What was seen of the checks of one policy, over any number of decisions."""

    def __init__(self, engines: Iterable[Engine]) -> None:
        #: Of every stage that tests ran at: a stage can add checks.
        self._checks: dict[str, Check] = {}
        self._seen: set[tuple[str, Cell]] = set()
        for engine in engines:
            self.add(engine)

    def add(self, engine: Engine) -> None:
        """Count the checks of an engine, too."""
        for check in engine.checks:
            self._checks.setdefault(check.id, check)

    def saw(self, engine: Engine, decision: Decision) -> None:
        """Count a decision."""
        for reason in decision.reasons:
            self._seen.add((self._of(reason), "unknown" if _unknown(reason) else "deny"))
        for reason in decision.warnings:
            self._seen.add((self._of(reason), "unknown" if _unknown(reason) else "waived"))
        if decision.outcome == "deny" or decision.action in CANCELS:
            return
        warned = {self._of(reason) for reason in decision.warnings}
        for check in engine.checks:
            reads, reduces = decision.action in _READS, decision.reduces
            judged = check.stops_reads if reads else check.stops_reductions or not reduces
            if judged and check.id not in warned:
                self._seen.add((check.id, "allow"))

    def _of(self, reason: Reason) -> str:
        """Return the check that a reason is of: a budget's is that of all budgets."""
        return reason.check if reason.check in self._checks else reason.check.partition(".")[0]

    def covered(self) -> tuple[Covered, ...]:
        """Return what was seen of each check, in the order of the checks."""
        checks = sorted(self._checks.values(), key=lambda check: (check.rank, check.id))
        return tuple(Covered(check.id, _can(check), self._did(check.id), said(check)) for check in checks)

    def _did(self, check: str) -> frozenset[Cell]:
        return frozenset(cell for cell in CELLS if (check, cell) in self._seen)


def together(several: Iterable[Iterable[Covered]]) -> tuple[Covered, ...]:
    """Return what several test files of one policy reached between them."""
    checks: dict[str, Covered] = {}
    for one in chain.from_iterable(several):
        known = checks.setdefault(one.check, one)
        checks[one.check] = known._replace(can=known.can | one.can, did=known.did | one.did)
    return tuple(checks.values())


def share(covered: Iterable[Covered]) -> tuple[int, int]:
    """Return how many cells of the limits that the policy sets were reached, and how many there are."""
    own = [one for one in covered if one.said]
    return sum(len(one.can & one.did) for one in own), sum(len(one.can) for one in own)


def said(check: Check) -> bool:
    """Tell whether the policy says what the check holds; the others stand in every policy."""
    return check.setup.place(check.id) is not None


def _unknown(reason: Reason) -> bool:
    return reason.failure or reason.code in UNKNOWN_CODES


def _can(check: Check) -> frozenset[Cell]:
    """Return what can come of a check at all."""
    cells: set[Cell] = set() if check.id in _ALWAYS else {"allow"}
    if set(check.codes) - UNKNOWN_CODES:
        cells.add("deny")
    if set(check.codes) & UNKNOWN_CODES or check.id in _MEASURED:
        cells.add("unknown")
    if _warns(check):
        cells.add("waived")
    return frozenset(cells)


def _warns(check: Check) -> bool:
    """Tell whether the policy lets pass what breaches the limit, with a warning."""
    if check.setup.on_breach.get(check.id) == "warn":
        return True
    section: object = check.setup.policy
    for name in check.id.split("."):
        section = section.get(name) if isinstance(section, Mapping) else getattr(section, name, None)
        if getattr(section, "on_breach", None) == "warn":
            return True
    return False

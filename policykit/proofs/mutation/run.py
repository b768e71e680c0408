"""Run a policy's own tests against every mutant of it: which words could be changed without a test noticing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from typing import Final, NamedTuple

from policykit.engine.checks import all_checks
from policykit.errors import PolicykitError
from policykit.policy import EffectivePolicy
from policykit.proofs.mutation.equivalent import proof
from policykit.proofs.mutation.mutants import Mutant, Other, mutants, others
from policykit.proofs.mutation.starting import starts_otherwise
from policykit.proofs.suite import Suite, SuiteError, Test, run

#: Called after each mutant with how many are done, and how many there are.
Progress = Callable[[int, int], None]
_CHECK: Final = "check:"
_HUNDRED: Final = Decimal(100)


class Killed(NamedTuple):
    """A mutant that a test noticed; `by` is the test's name."""

    mutant: Mutant
    by: str


class Equivalent(NamedTuple):
    """A mutant that decides every order alike, and why that is so."""

    mutant: Mutant
    proof: str


class Starting(NamedTuple):
    """A mutant that changes which bots start, and of no order that a bot then sends; `why` says which."""

    mutant: Mutant
    why: str


@dataclass(slots=True)
class Mutation:
    """What became of the mutants of one policy. `failed`: tests that fail on the policy itself; then none was made."""

    policy: EffectivePolicy
    suites: tuple[Suite, ...]
    killed: list[Killed] = field(default_factory=list)
    survivors: list[Mutant] = field(default_factory=list)
    equivalent: list[Equivalent] = field(default_factory=list)
    starting: list[Starting] = field(default_factory=list)
    others: tuple[Other, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the file that the tests are for: a profile is tried in a policy that a test file makes of it."""
        return self.suites[0].policy

    @property
    def judged(self) -> int:
        """Return how many mutants a test could notice."""
        return len(self.killed) + len(self.survivors)

    @property
    def score(self) -> Decimal:
        """Return the percentage of them that one did, rounded down; 100 where there are none."""
        if not self.judged:
            return _HUNDRED
        share = _HUNDRED * len(self.killed) / self.judged
        return share.quantize(Decimal("0.1"), ROUND_FLOOR)


def mutate(
    suites: Sequence[Suite],
    policy: EffectivePolicy,
    *,
    among: Callable[[Mutant], bool] | None = None,
    progress: Progress | None = None,
) -> Mutation:
    """Run the suites of one policy against its mutants (`among` them), each until a test fails. Raise SuiteError.

    What a suite adds to a profile (`with`) is not mutated: it is no part of the profile.
    """
    found = Mutation(policy, tuple(suites), others=others(policy))
    found.failed = tuple(
        result.test.name for suite in suites for result in run(suite, policy).results if result.failure is not None
    )
    if found.failed:
        return found
    files = {suite.file for suite in suites}
    all_of_them = [m for m in mutants(policy) if m.place.file not in files and (among is None or among(m))]
    likely = _Likely(suites)
    for done, mutant in enumerate(all_of_them, 1):
        _judge(found, mutant, likely)
        if progress is not None:
            progress(done, len(all_of_them))
    return found


def _judge(found: Mutation, mutant: Mutant, likely: _Likely) -> None:
    """Put a mutant where it belongs. No mutant that changes whether a bot starts is equivalent."""
    starts = starts_otherwise(found.policy, mutant, found.suites)
    proved = "" if starts else proof(found.policy, mutant)
    if proved:
        found.equivalent.append(Equivalent(mutant, proved))
        return
    by, stopped = _noticed(mutant, likely)
    if by:
        found.killed.append(Killed(mutant, by))
    elif starts or stopped:
        found.starting.append(Starting(mutant, starts or stopped))
    else:
        found.survivors.append(mutant)


def _noticed(mutant: Mutant, likely: _Likely) -> tuple[str, str]:
    """Return the name of a test that fails on a mutant (the likely ones run first), and of what no bot starts."""
    stopped = ""
    for suite, first in likely.order(mutant):
        try:
            outcome = run(suite, mutant.effective, only=first, first_failure=True)
        except (PolicykitError, SuiteError):
            stopped = f"the bot of {suite.file} does not start"
            continue
        if outcome.failed:
            name = outcome.failed[0].test.name
            likely.learn(mutant, name)
            return name, ""
    return "", stopped


class _Likely:
    """Which tests are likely to notice a mutant: those that expect a denial by what holds its field."""

    def __init__(self, suites: Sequence[Suite]) -> None:
        self.suites = suites
        self.checks: dict[str, frozenset[str]] = {}
        for check in all_checks():
            for code in check.codes:
                self.checks[code] = self.checks.get(code, frozenset()) | {check.id}
        self.denies = {(s.file, t.name): self._denies(t) for s in suites for t in s.tests}
        self.killers: dict[str, str] = {}

    def _denies(self, test: Test) -> frozenset[str]:
        codes = {code for step in test.steps if step.expected for code, _ in step.expected.codes or ()}
        return frozenset(check for code in codes for check in self.checks.get(code, ()))

    def order(self, mutant: Mutant) -> Iterator[tuple[Suite, Callable[[Test], bool]]]:
        """Yield suites with the tests of them to run: the last killer of the field, the likely ones, then the rest."""
        by = {holder.removeprefix(_CHECK) for holder in mutant.held_by if holder.startswith(_CHECK)}
        last = self.killers.get(mutant.path, self.killers.get(mutant.path.rpartition(".")[0], ""))
        for suite in self.suites:
            if last and any(test.name == last for test in suite.tests):
                yield suite, lambda test: test.name == last
        for suite in self.suites:
            known = {test.name for test in suite.tests if self.denies[suite.file, test.name] & by} - {last}
            if known:
                yield suite, lambda test, known=known: test.name in known  # type: ignore[misc]
        for suite in self.suites:
            rest = {test.name for test in suite.tests if not self.denies[suite.file, test.name] & by} - {last}
            if rest:
                yield suite, lambda test, rest=rest: test.name in rest  # type: ignore[misc]

    def learn(self, mutant: Mutant, name: str) -> None:
        """Remember which test noticed a mutant of this field: it will notice the next."""
        self.killers[mutant.path] = self.killers[mutant.path.rpartition(".")[0]] = name

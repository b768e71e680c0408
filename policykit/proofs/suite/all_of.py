"""Run every test file of a call: what passed, what failed, which files are wrong, which policies have no tests."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from policykit.errors import PolicyError
from policykit.policy import load
from policykit.proofs.suite.coverage import Covered, share, together
from policykit.proofs.suite.discover import find
from policykit.proofs.suite.form import SuiteError, Test
from policykit.proofs.suite.load import load_suite
from policykit.proofs.suite.run import Outcome, Progress, run

#: The most policies without tests that are looked at: whether they are profiles, which nothing runs.
MAX_UNTESTED = 200


@dataclass(slots=True)
class Report:
    """What came of a call. `problems` are lines with places: a file is wrong; `untested` have no test file at all."""

    outcomes: list[Outcome] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    untested: list[str] = field(default_factory=list)

    @property
    def tests(self) -> int:
        """Return how many tests ran."""
        return sum(len(outcome.results) for outcome in self.outcomes)

    @property
    def failed(self) -> int:
        """Return how many of them failed."""
        return sum(len(outcome.failed) for outcome in self.outcomes)

    @property
    def decisions(self) -> int:
        """Return how many decisions were made."""
        return sum(outcome.decisions for outcome in self.outcomes)


def run_all(paths: tuple[str, ...], words: tuple[str, ...] = (), progress: Progress | None = None) -> Report:
    """Run the tests of paths; `words`: only those whose name holds one of them."""
    found = find(paths)
    report = Report(problems=list(found.problems))
    tested: set[str] = set()

    def only(test: Test) -> bool:
        return not words or any(word.lower() in test.name.lower() for word in words)

    for number, file in enumerate(found.files, 1):
        try:
            suite, policy = load_suite(file)
            tested |= {os.path.realpath(each) for each in (suite.policy, *policy.files)}
            outcome = run(suite, policy, only=only)
        except SuiteError as error:
            report.problems += error.problems
            continue
        if outcome.results:
            report.outcomes.append(outcome)
        if progress is not None:
            progress(number, len(found.files))
    report.untested = [
        policy for policy in found.policies[:MAX_UNTESTED] if os.path.realpath(policy) not in tested and _runs(policy)
    ]
    return report


def _runs(policy: str) -> bool:
    """Tell whether a guard runs a policy: it loads, and is no profile."""
    try:
        return not load(policy).profile
    except PolicyError:
        return False  # lint says so


def by_policy(outcomes: Iterable[Outcome]) -> list[tuple[list[Outcome], tuple[Covered, ...]]]:
    """Return the outcomes of each policy, and what all of them reached of it: several files count together."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((os.path.realpath(outcome.suite.policy), repr(outcome.suite.added)), []).append(outcome)
    return [(group, together(one.coverage.covered() for one in group)) for group in groups.values()]


def under(report: Report, percent: int) -> list[str]:
    """Return a line for each policy whose tests reach less than this part of the cells of its limits."""
    out: list[str] = []
    for group, covered in by_policy(report.outcomes):
        reached, cells = share(covered)
        if reached * 100 < cells * percent:
            said = f"{reached} of {cells} cells of its limits are reached, under {percent} %"
            out.append(f"{', '.join(one.suite.file for one in group)}: {said}; --coverage shows which are not")
    return out

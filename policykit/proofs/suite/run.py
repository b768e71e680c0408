"""Run a suite against a policy: the one it is for, or a mutant of it. No file is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from policykit.decision import Decision, Reason
from policykit.engine.engine import Engine
from policykit.engine.facts import Halt
from policykit.place import Place
from policykit.policy import EffectivePolicy
from policykit.proofs.suite.coverage import Coverage
from policykit.proofs.suite.form import Expected, Halted, Step, Suite, Test
from policykit.proofs.suite.load import prepare
from policykit.proofs.suite.trader import Impossible, Trader

#: Called after each test with how many are done, and how many there are.
Progress = Callable[[int, int], None]


class Failure(NamedTuple):
    """Where a test failed: at `place` of the test file; what was expected there, and what was."""

    place: Place
    expected: str
    was: str
    reasons: tuple[Reason, ...] = ()
    #: Which order of a step that sends several, from 1; 0: it sends one.
    nth: int = 0
    #: Limits of the policy that were expected to deny, and did not: what each is, and where the policy says it.
    limits: tuple[tuple[str, Place], ...] = ()


class Result(NamedTuple):
    """What became of one test; `failure` None: it passed."""

    test: Test
    decisions: int
    failure: Failure | None = None


@dataclass(slots=True)
class Outcome:
    """What became of a suite."""

    suite: Suite
    policy: EffectivePolicy
    coverage: Coverage
    results: list[Result] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Tell whether every test that ran passed."""
        return not any(result.failure for result in self.results)

    @property
    def failed(self) -> list[Result]:
        """Return the tests that failed."""
        return [result for result in self.results if result.failure is not None]

    @property
    def decisions(self) -> int:
        """Return how many decisions were made."""
        return sum(result.decisions for result in self.results)


def run(
    suite: Suite,
    policy: EffectivePolicy,
    *,
    only: Callable[[Test], bool] | None = None,
    first_failure: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Run the tests of a suite (`only` some of them) against a policy. Raise SuiteError where the two do not fit.

    `first_failure`: stop at the first test that fails. A test that names a stage runs the policy at that stage.
    """
    given = prepare(suite, policy)
    traders: dict[str, Trader] = {}
    outcome = Outcome(suite, policy, Coverage(()))
    for number, test in enumerate(suite.tests):
        if only is not None and not only(test):
            continue
        trader = traders.get(test.stage)
        if trader is None:
            trader = traders[test.stage] = _trader(suite, policy, test)
            outcome.coverage.add(trader.engine)
        trader.begin()
        counted = [0]
        failure = None
        for index, step in enumerate(test.steps):
            trader.at(step, given[number, index])
            failure = next(_failures(trader, step, outcome.coverage, counted), None)
            if failure is not None:
                break
        outcome.results.append(Result(test, counted[0], failure))
        if progress is not None:
            progress(number + 1, len(suite.tests))
        if failure is not None and first_failure:
            break
    return outcome


def _trader(suite: Suite, policy: EffectivePolicy, test: Test) -> Trader:
    at = policy if not test.stage else policy.at_stage(test.stage)
    return Trader(at, suite.key, suite.bot)


def _failures(trader: Trader, step: Step, coverage: Coverage, counted: list[int]) -> Iterator[Failure]:
    """Do what a step says; yield what does not come out as expected."""
    if step.halt is not None:
        _halt(trader, step.halt)
    try:
        if step.event is not None:
            trader.becomes(step.event)
        for nth in range(1, step.times + 1) if step.order is not None else ():
            decision = trader.ask(step)
            counted[0] += 1
            coverage.saw(trader.engine, decision)
            assert step.expected is not None
            if not fits(step.expected, decision):
                found = _failure(step.expected, decision, nth if step.times > 1 else 0)
                yield found._replace(limits=_silent(trader.engine, step.expected, decision))
    except Impossible as why:
        place = step.event.place if step.event is not None else step.place
        what = f"the order to be {step.event.what}" if step.event is not None else "an order of an earlier step"
        yield Failure(place, what, str(why))


def _halt(trader: Trader, halt: Halted) -> None:
    if halt.state is None:
        trader.store.resume(halt.scope, "test", "a test", trader.now_ms())
    else:
        said = Halt(halt.scope, halt.state, "test", halt.why, trader.now_ms(), halt.freeze)
        trader.store.halt(said.scope, said.state, said.by, said.why, said.at_ms, freeze=said.freeze)


def fits(expected: Expected, decision: Decision) -> bool:
    """Tell whether a decision is what was expected."""
    if decision.outcome != expected.outcome:
        return False
    reasons = decision.reasons if expected.outcome == "deny" else decision.warnings
    if expected.codes is None:
        return True
    unmet = [pair for pair in expected.codes if not any(_is(pair, reason) for reason in reasons)]
    more = [reason for reason in reasons if not any(_is(pair, reason) for pair in expected.codes)]
    return not unmet and (expected.included or not more)


def _silent(engine: Engine, expected: Expected, decision: Decision) -> tuple[tuple[str, Place], ...]:
    """Return the limits that could have denied with a code that was expected and did not come."""
    came = {reason.code for reason in decision.reasons}
    missing = {code for code, _ in expected.codes or () if code not in came}
    limits = ((check, check.setup.place(check.id)) for check in engine.checks if missing & set(check.codes[:1]))
    return tuple((f"{check.id} did not deny", place) for check, place in limits if place is not None)


def _is(pair: tuple[str, str], reason: Reason) -> bool:
    code, check = pair
    return reason.code == code and check in ("", reason.check)


def _failure(expected: Expected, decision: Decision, nth: int) -> Failure:
    reasons = decision.reasons or decision.warnings
    was: str = decision.outcome
    if reasons:
        codes = ", ".join(dict.fromkeys(reason.code for reason in reasons))
        was += f", {codes}" if decision.reasons else f", with warnings {codes}"
    return Failure(expected.place, str(expected), was, reasons, nth)

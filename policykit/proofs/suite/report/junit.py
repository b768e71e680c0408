"""`--format junit`: JUnit XML, which every CI server reads; a suite is a test file, a case a test."""

from __future__ import annotations

import html
from collections.abc import Iterator

from policykit.lint.report.junit import attributes
from policykit.lint.report.quote import clean
from policykit.proofs.suite.all_of import Report
from policykit.proofs.suite.report import Style
from policykit.proofs.suite.report.text import message
from policykit.proofs.suite.run import Outcome, Result


def write(report: Report, style: Style) -> str:
    """Return a suite for each file; a file that is wrong is a suite of one error."""
    errors = len(report.problems)
    seconds = f"{style.seconds or 0:.3f}"
    total = attributes(
        name="policykit test", tests=report.tests + errors, failures=report.failed, errors=errors, time=seconds
    )
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites{total}>"]
    for outcome in report.outcomes:
        lines += _suite(outcome)
    for problem in report.problems:
        lines += _wrong(problem)
    return "\n".join([*lines, "</testsuites>", ""])


def _suite(outcome: Outcome) -> Iterator[str]:
    name, tests, failures = outcome.suite.file, len(outcome.results), len(outcome.failed)
    yield f" <testsuite{attributes(name=name, tests=tests, failures=failures, errors=0, skipped=0, time=0)}>"
    for result in outcome.results:
        yield from _case(name, result)
    yield " </testsuite>"


def _case(name: str, result: Result) -> Iterator[str]:
    place, failure = result.test.place, result.failure
    said = attributes(name=result.test.name, classname=name, time=0, file=name, line=place.line)
    if failure is None:
        yield f"  <testcase{said}/>"
        return
    yield f"  <testcase{said}>"
    lines = [f"{failure.place}: {message(failure)}"]
    lines += [f"{reason.place or 'was'}: {reason.code}: {reason.message}" for reason in failure.reasons]
    body = html.escape("\n".join(clean(line) for line in lines))
    yield f"   <failure{attributes(message=message(failure), type='policy test')}>{body}</failure>"
    yield "  </testcase>"


def _wrong(problem: str) -> Iterator[str]:
    file = problem.partition(":")[0]
    yield f" <testsuite{attributes(name=file, tests=1, failures=0, errors=1, skipped=0, time=0)}>"
    yield f"  <testcase{attributes(name='can be read', classname=file, time=0, file=file)}>"
    yield f"   <error{attributes(message=problem, type='wrong file')}/>"
    yield "  </testcase>"
    yield " </testsuite>"

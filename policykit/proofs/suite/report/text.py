"""`--format text`: each failure on the lines of test and policy, what was expected and what was, then one line."""

from __future__ import annotations

from collections.abc import Iterator

from policykit.lint.report.quote import clean, forget, quoted
from policykit.place import Place
from policykit.proofs.suite.all_of import Report, by_policy
from policykit.proofs.suite.coverage import CELLS, Covered, share
from policykit.proofs.suite.report import Style
from policykit.proofs.suite.run import Failure, Outcome, Result

#: SGR codes; the words beside them say the same.
_RED, _GREEN, _DIM = "31", "32", "2"
#: The most failures that are drawn, and reasons of one.
MAX_SHOWN = 100
MAX_REASONS = 12
#: The most policies without tests that are named.
MAX_UNTESTED = 10


def write(report: Report, style: Style) -> str:
    """Return the report."""
    forget()
    lines: list[str] = []
    shown = 0
    for outcome in report.outcomes:
        for result in outcome.failed:
            shown += 1
            if shown <= MAX_SHOWN:
                lines += [*_failed(result, style), ""]
    if shown > MAX_SHOWN:
        lines += [f"... and {shown - MAX_SHOWN:,} more failures; --format json has them all", ""]
    lines += [_file(outcome, style) for outcome in report.outcomes]
    for group, covered in by_policy(report.outcomes) if style.coverage else ():
        lines += ["", *table(group[0].policy.file, covered)]
    lines += _untested(report.untested)
    return "\n".join([*lines, summary(report, style), ""])


def _paint(text: str, colour: str, style: Style) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if style.colour else text


def _failed(result: Result, style: Style) -> Iterator[str]:
    failure = result.failure
    assert failure is not None
    yield f"{_paint('failed', _RED, style)}: {clean(result.test.name)}"
    yield f"  --> {clean(str(failure.place))}"
    nth = f" (order {failure.nth} of the step)" if failure.nth else ""
    yield from drawn(failure.place, f"expected: {failure.expected}", style)
    yield f"  was: {clean(failure.was)}{nth}"
    seen: set[Place] = set()
    for reason in failure.reasons[:MAX_REASONS]:
        yield f"    {reason.code}: {clean(reason.message)}"
        if reason.place is not None and reason.place not in seen:
            seen.add(reason.place)
            yield from _at(reason.place, "", style)
    for said, place in failure.limits:
        yield from _at(place, said, style)


def _at(place: Place, said: str, style: Style) -> Iterator[str]:
    yield f"    ::: {clean(str(place))}"
    yield from drawn(place, said, style)


def drawn(place: Place, said: str, style: Style) -> Iterator[str]:
    """Yield the line of a place with the span underlined; nothing where it cannot be read."""
    gutter = len(str(place.line)) + 4
    line = quoted(place, style.columns - gutter - 3)
    if line is not None:
        text, start, length = line
        yield f"{place.line:>{gutter}} | {text}"
        mark = _paint("^" * length, _RED, style)
        yield f"{' ' * gutter} | {' ' * start}{mark} {clean(said)}".rstrip()


def _file(outcome: Outcome, style: Style) -> str:
    tests, failed = len(outcome.results), len(outcome.failed)
    said = _paint("ok", _GREEN, style) if not failed else _paint(f"{failed} failed", _RED, style)
    reached, cells = share(outcome.coverage.covered())
    part = f", {reached} of {cells} cells of its limits" if cells else ""
    return f"{clean(outcome.suite.file)}: {_count(tests, 'test')}, {said}{part}"


def table(file: str, covered: tuple[Covered, ...]) -> Iterator[str]:
    """Yield what the tests of a policy reached: a row a check, those of the policy first."""
    reached, cells = share(covered)
    yield f"{clean(file)}: {_percent(reached, cells)} of the cells of its limits ({reached} of {cells})"
    width = max((len(one.check) for one in covered), default=0)
    yield f"  {'':{width}}  " + "  ".join(f"{cell:7}" for cell in CELLS).rstrip()
    for own in (True, False):
        rows = [one for one in covered if one.said is own]
        if rows and not own:
            yield "  in every policy, not counted:"
        for one in rows:
            yield f"  {one.check:{width}}  " + "  ".join(f"{_cell(one, cell):7}" for cell in CELLS).rstrip()


def _cell(one: Covered, cell: str) -> str:
    """Return `yes`, `no`, or `-`: it cannot happen."""
    return "-" if cell not in one.can else "yes" if cell in one.did else "no"


def _percent(reached: int, cells: int) -> str:
    return f"{100 * reached // cells if cells else 100} %"


def _untested(policies: list[str]) -> Iterator[str]:
    for policy in policies[:MAX_UNTESTED]:
        yield f"{clean(policy)}: no tests; {clean(policy.removesuffix('.yaml'))}.test.yaml is where they stand"
    if len(policies) > MAX_UNTESTED:
        yield f"... and {len(policies) - MAX_UNTESTED:,} more policies without tests"


def summary(report: Report, style: Style) -> str:
    """Return the one line that counts them all."""
    said = f"{report.failed} failed" if report.failed else "all passed" if report.tests else "nothing ran"
    said += f"; {_count(len(report.problems), 'problem')} in the files" if report.problems else ""
    took = "" if style.seconds is None else f" in {style.seconds:.1f} s"
    files = _count(len(report.outcomes), "file")
    return f"{_count(report.tests, 'test')} in {files}, {_count(report.decisions, 'decision')}{took}: {said}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def message(failure: Failure) -> str:
    """Return what failed in one line: what was expected, what was."""
    return f"expected {failure.expected}; was {failure.was}"

"""`--format junit`: JUnit XML, which every CI server reads; a suite is a file, a case a finding."""

from __future__ import annotations

import html
from collections.abc import Iterator

from policykit.clock import iso
from policykit.finding import Finding
from policykit.lint.report import Style
from policykit.lint.report.quote import clean
from policykit.lint.report.shared import fails, path, sentence, what_to_do, why
from policykit.lint.run import Report


def write(report: Report, style: Style) -> str:
    """Return a suite for each file, also for those without a finding: they pass.

    What makes the command fail is a failure; what is under `--fail-on` passes and says so; what is not known, only
    declared, waived or old is skipped.
    """
    found: dict[str, list[Finding]] = {name: [] for name in report.names}
    for finding in report.findings:
        found.setdefault(finding.primary.file, []).append(finding)
    failures = sum(fails(f, style) for f in report.findings)
    tests = sum(max(1, len(findings)) for findings in found.values())
    skipped = sum(_skipped(f, style) for f in report.findings)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    total = attributes(name="policykit lint", tests=tests, failures=failures, errors=0, skipped=skipped, time=0)
    lines.append(f"<testsuites{total}>")
    for name in sorted(found):
        lines += _suite(path(name, style.root), found[name], iso(report.now_ms)[:19], style)
    return "\n".join([*lines, "</testsuites>", ""])


def _skipped(finding: Finding, style: Style) -> bool:
    return finding.status != "open" and not fails(finding, style)


def _suite(name: str, findings: list[Finding], at: str, style: Style) -> Iterator[str]:
    sizes = {
        "tests": max(1, len(findings)),
        "failures": sum(fails(f, style) for f in findings),
        "errors": 0,
        "skipped": sum(_skipped(f, style) for f in findings),
    }
    yield f" <testsuite{attributes(name=name, **sizes, time=0, timestamp=at)}>"
    if not findings:
        yield f"  <testcase{attributes(name='no findings', classname=name, time=0, file=name)}/>"
    for finding in findings:
        yield from _case(name, finding, style)
    yield " </testsuite>"


def _case(name: str, finding: Finding, style: Style) -> Iterator[str]:
    place = finding.primary
    title = f"{finding.rule} {finding.name} at {place.line}:{place.column}"
    yield f"  <testcase{attributes(name=title, classname=name, time=0, file=name, line=place.line)}>"
    message = sentence(finding)
    if fails(finding, style):
        kind = f"{finding.severity} {finding.rule}"
        yield f"   <failure{attributes(message=message, type=kind)}>{html.escape(_body(name, finding))}</failure>"
    elif finding.status == "open":
        yield f"   <system-out>{html.escape(f'{finding.severity}: {message}')}</system-out>"
    else:
        yield f"   <skipped{attributes(message=f'{finding.status}: {message}')}/>"
    yield "  </testcase>"


def _body(name: str, finding: Finding) -> str:
    place = finding.primary
    lines = [f"{clean(name)}:{place.line}:{place.column}: {sentence(finding)}"]
    lines += [f"why: {why(finding)}"] if finding.why else []
    lines += [f"fix: {what_to_do(finding)}"] if what_to_do(finding) else []
    return "\n".join([*lines, f"help: policykit explain {finding.rule}"])


def attributes(**values: object) -> str:
    """Return XML attributes; control characters, which XML cannot hold at all, become visible dots."""
    return "".join(f' {name}="{html.escape(clean(str(value)))}"' for name, value in values.items())

"""`--format json`: every test with its failure, and the coverage of each file."""

from __future__ import annotations

import json
from typing import Any

from policykit.place import Place
from policykit.proofs.suite.all_of import Report
from policykit.proofs.suite.coverage import CELLS, Covered, share
from policykit.proofs.suite.report import Style
from policykit.proofs.suite.run import Failure, Outcome, Result

VERSION = 1


def write(report: Report, style: Style) -> str:
    """Return the report."""
    summary = {
        "files": len(report.outcomes),
        "tests": report.tests,
        "failed": report.failed,
        "decisions": report.decisions,
        "wrong": len(report.problems),
    }
    said = {
        "version": VERSION,
        "summary": summary,
        "problems": report.problems,
        "untested": report.untested,
        "files": [_file(outcome) for outcome in report.outcomes],
    }
    return json.dumps(said, indent=2, ensure_ascii=False) + "\n"


def _file(outcome: Outcome) -> dict[str, Any]:
    covered = outcome.coverage.covered()
    reached, cells = share(covered)
    policy = {"file": outcome.policy.file, "name": outcome.policy.name, "version": outcome.policy.version}
    return {
        "file": outcome.suite.file,
        "policy": policy,
        "tests": [_test(result) for result in outcome.results],
        "coverage": {"reached": reached, "cells": cells, "checks": [_covered(one) for one in covered]},
    }


def _test(result: Result) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": result.test.name,
        "outcome": "failed" if result.failure else "passed",
        "place": str(result.test.place),
        "decisions": result.decisions,
    }
    return said | ({"failure": _failure(result.failure)} if result.failure else {})


def _failure(failure: Failure) -> dict[str, Any]:
    said: dict[str, Any] = {
        "place": _place(failure.place),
        "expected": failure.expected,
        "was": failure.was,
        "reasons": [reason.to_dict() for reason in failure.reasons],
    }
    if failure.nth:
        said["nth"] = failure.nth
    return said | ({"limits": [str(place) for _, place in failure.limits]} if failure.limits else {})


def _place(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "column": place.column}


def _covered(one: Covered) -> dict[str, Any]:
    """Return true, false, or null: it cannot happen."""
    cells: dict[str, bool | None] = {cell: (cell in one.did) if cell in one.can else None for cell in CELLS}
    return {"check": one.check, "counted": one.said, **cells}

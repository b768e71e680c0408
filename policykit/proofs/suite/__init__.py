"""A policy's own tests: orders in a row, by a clock, on an account as it is given; what each must come to."""

from __future__ import annotations

from policykit.proofs.suite.form import Suite, SuiteError, Test
from policykit.proofs.suite.load import load_suite
from policykit.proofs.suite.run import Outcome, run

__all__ = ["Outcome", "Suite", "SuiteError", "Test", "load_suite", "run"]

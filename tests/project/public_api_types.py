"""Types a user sees: checked by `mypy --strict` in `make test`, never run."""

from __future__ import annotations

from typing import assert_type

import policykit
from policykit import (
    Decision,
    Denied,
    EffectivePolicy,
    Finding,
    Order,
    OutcomeUnknown,
    PolicyError,
    PolicykitError,
    Reason,
    StoreUnavailable,
    load,
)


def a_denial_carries_its_decision(error: Denied) -> None:
    """What a bot reads of a denial."""
    assert_type(error.decision, Decision)
    assert_type(error.decision.reasons, tuple[Reason, ...])
    assert_type(error.decision.order, Order)
    assert_type(error.decision.id, str)


def errors_are_one_tree(
    a: Denied, b: PolicyError, c: StoreUnavailable, d: OutcomeUnknown
) -> tuple[PolicykitError, PolicykitError, PolicykitError, PolicykitError]:
    """One `except PolicykitError` catches all of them."""
    assert_type(b.findings, tuple[Finding, ...])
    assert_type(c.code, str)
    assert_type(d.intent, str)
    return a, b, c, d


def a_policy_is_loaded_by_path() -> None:
    """What a script reads of a policy."""
    policy = load("policy.yaml")
    assert_type(policy, EffectivePolicy)
    assert_type(policy.name, str)
    assert_type(policy.version, str)


assert_type(policykit.__version__, str)

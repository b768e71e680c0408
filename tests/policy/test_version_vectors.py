"""A policy's version is the same in every version of the library: guards of N and N-1 on one store compare them."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from policykit.model import Policy
from policykit.policy import dump, load_text, version
from tests.policy.documents import random_policy
from tests.policy.test_compare import POLICY

WHOLE = (
    POLICY
    + """\
clock: {max_skew: 500ms, request_validity: 5s}
rate_budgets:
  orders: {limit: 50, per: 10s, window: fixed, shared_by: account, use_at_most: 80%, keep_for_exits: 10%}
retry:
  orders: {lookup_every: 2s, when_absent: new_client_order_id, attempts: 2, expires_after: 30s}
  data: {wait_initial: 500ms, factor: 2, wait_max: 30s, jitter: full, attempts: 5}
kill_switch: {cancel: entries, wait: 30s, rearm: {by: [desk-head], reason_required: true}, drill_every: 30d}
stage: {current: small-live, since: 2026-11-01}
withdrawals: {allowlist: required, addresses: []}
"""
)


#: Written down in November 2026. A vector that no longer holds means that guards of two versions of the library take
#: equal policies for different ones: mend the library, not the vector.
VECTORS = {
    "small": (POLICY, "sha256:100cdc0fb9af"),
    "whole": (WHOLE, "sha256:264fb33a12bd"),
    "whole, spelt otherwise": (WHOLE.replace("30s", "30000ms").replace("2s,", "2000ms,"), "sha256:264fb33a12bd"),
}


@pytest.mark.parametrize("name", VECTORS)
def test_the_version_of_a_policy_never_changes(name: str) -> None:
    """Each text has the version that it always had."""
    text, expected = VECTORS[name]
    assert load_text(text).version == expected


def test_a_policy_that_was_told_as_data_has_the_same_version(tier: Callable[[int, int], int]) -> None:
    """What a guard tells others of its policy reads back as the same policy: random ones."""
    draw = random.Random(5)
    for _ in range(tier(200, 20_000)):
        model = Policy.model_validate(random_policy(draw, draw.choice((0.3, 0.9))))
        assert version(Policy.model_validate(dump(model))) == version(model)

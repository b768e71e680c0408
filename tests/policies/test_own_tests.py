"""policies/: each has tests beside it that pass, and that notice every change of a word that decides orders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import pytest

from policykit.policy import EffectivePolicy
from policykit.proofs.mutation.mutants import mutants
from policykit.proofs.mutation.run import Mutation, mutate
from policykit.proofs.suite import Suite, load_suite
from tests.policies import harness

NAMES = harness.names(harness.GOOD)


@cache
def _suites(name: str) -> tuple[tuple[Suite, ...], EffectivePolicy]:
    """Return every test file of a policy: NAME.test.yaml and NAME.WORD.test.yaml."""
    files = sorted(Path(harness.GOOD / name).parent.glob(f"{Path(name).stem}.*test.yaml"))
    loaded = [load_suite(str(file)) for file in files]
    return tuple(suite for suite, _ in loaded), loaded[0][1]


@pytest.mark.parametrize("name", NAMES)
def test_policy_has_tests_that_notice_every_mutant(name: str, tier: Callable[[int, int], int]) -> None:
    """The tests of a policy pass; no threshold and no switch of it can be changed without one that fails."""
    suites, policy = _suites(name)
    every = [str(mutant) for mutant in mutants(policy)]
    sample = set(Random(name).sample(every, min(len(every), tier(4, len(every)))))
    found = mutate(suites, policy, among=lambda mutant: str(mutant) in sample)
    assert found.failed == ()
    assert [f"{mutant.place}: {mutant}" for mutant in found.survivors] == []


def test_control_without_one_test_its_mutants_live() -> None:
    """Tests of the market maker without the one of its collar let the collar's figure move."""
    (suite,), policy = _suites("binance-market-maker.yaml")
    found = _without(suite, policy, "A price is at most 2% off the market")
    assert [f"{mutant.place.line}: {mutant}" for mutant in found.survivors] == [
        "38: risk.price_collar.max_deviation: 2% -> 1%",
        "38: risk.price_collar.max_deviation: 2% -> 3%",
    ]


def _without(suite: Suite, policy: EffectivePolicy, name: str) -> Mutation:
    kept = tuple(test for test in suite.tests if test.name != name)
    assert len(kept) == len(suite.tests) - 1
    fewer = replace(suite, tests=kept, facts={})
    return mutate([fewer], policy, among=lambda mutant: mutant.path.startswith("risk.price_collar.max_d"))

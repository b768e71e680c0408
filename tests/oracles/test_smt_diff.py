"""z3 as the oracle of `policykit diff`: "equal" is a proof, and nothing looser is called anything else."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from policykit.model import languages
from policykit.policy import values
from policykit.proofs.diff.flips import Flips
from policykit.proofs.difference import Flip
from tests.oracles.smt import differ, globs, pairs

Tier = Callable[[int, int], int]
#: So many pairs `make test` asks about, and every control within them has to be noticed.
PAIRS = 40


def disagreements(seed: int, count: int, seen: Counter[str]) -> Iterator[str]:
    """Yield where diff and z3 disagree over random pairs, written for people."""
    rng = Random(seed)
    for _ in range(count):
        old, new = (pairs.loaded(one) for one in pairs.pair(rng))
        assert old is not None
        assert new is not None
        yield from (differ.shown(one) for one in differ.held(old, new, seen))


def test_I16_diff_says_what_z3_proves(tier: Tier) -> None:
    """Of random pairs no order flips against a verdict, of the whole or of one field; every flip shown is one."""
    count = tier(PAIRS, 20_000)
    seen: Counter[str] = Counter()
    assert list(disagreements(16, count, seen)) == []
    assert seen["fields"] > count // 2
    assert seen["flips"] > count // 4
    assert set(differ.MAY) <= seen.keys()


def test_I16_lists_of_symbols_are_compared_as_z3_s_languages(tier: Tier) -> None:
    """Whether one list allows a market that another does not is what z3 says of the two regular languages."""
    rng = Random(5)
    wanted = ["*", "BTC/USDT", "*/USDT", "B*/US*", "BTC/*", "*USDT*", "ETH/USDT"]
    without = ["!DOGE*", "!*/BTC", "!BTC/USDT", "!B*"]
    for _ in range(tier(100, 5_000)):
        one, other = (tuple(rng.sample([*wanted, *without], rng.randint(1, 3))) for _ in range(2))
        assert languages.beyond(one, other).some == (globs.beyond(one, other) is not None), (one, other)


def _turned(monkeypatch: pytest.MonkeyPatch) -> None:
    right = values._number
    other = {"lower": "higher", "higher": "lower"}
    monkeypatch.setattr(values, "_number", lambda kind, one, two: right(other[kind], one, two))


def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["policykit.policy.compare"], "_said", lambda meta, value: value)


def _one_less(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Flips.flip

    def flip(self: Flips, change: Any, *, loosens: bool) -> Flip | None:
        found = right(self, change, loosens=loosens)
        if found is None or "used" not in found.facts:
            return found
        used = {name: max(0, use - 1) for name, use in found.facts["used"].items()}
        return found._replace(facts={**found.facts, "used": used})

    monkeypatch.setattr(Flips, "flip", flip)


@pytest.mark.parametrize("slip", [_turned, _forgotten, _one_less], ids=["strictness", "default", "flip"])
def test_I16_control_a_wrong_difference_is_noticed(
    slip: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A strictness that is turned round, a default that is forgotten, a flip that is off by one: each is found soon."""
    slip(monkeypatch)
    assert next(disagreements(16, PAIRS, Counter()), None) is not None

"""The engine against a model that anybody can read in a minute, and against itself without its express lane."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from policykit.decision import Assessment
from policykit.engine.engine import Engine
from tests.engine import random_worlds as worlds
from tests.engine import reference
from tests.engine.worlds import NOW

POLICIES, ORDERS = 50, 100


def _compare(change: float = 0.0) -> tuple[int, Counter[str]]:
    """Compare 5,000 random orders, each asked twice so that the second may take the lane; return allows and codes."""
    rng = Random(13)
    allowed, codes = 0, Counter[str]()
    for _ in range(POLICIES):
        engine, plain = worlds.policy(rng)
        facts = worlds.facts(rng)
        for number in range(ORDERS):
            if number % 10 == 0:
                facts = worlds.facts(rng)
            order = worlds.order(rng)
            expected = reference.decide(plain, facts, order, NOW + int(change))
            for _ in range(2):
                found = worlds.seen(engine.assess(facts, order, NOW))
                # A denied order's holds are for shadow mode only; what could not be evaluated is not held.
                assert found[0] == expected[0], (order, facts)
                if not expected[0]:
                    assert found[1] == expected[1], (order, facts)
            allowed += not expected[0]
            codes.update(expected[0])
    return allowed, codes


def test_I13_agrees_with_the_reference_model_on_5000_random_orders() -> None:
    """Reasons, their order, and every hold are what a straightforward model says."""
    allowed, codes = _compare()
    assert POLICIES * ORDERS == 5_000
    assert allowed > 500
    rare = {code for code, count in codes.items() if count < 10}
    assert not rare, codes
    assert len(codes) == 18, sorted(codes)


def test_I13_control_the_comparison_notices_one_millisecond() -> None:
    """A model that is one millisecond off disagrees: the comparison can fail."""
    with pytest.raises(AssertionError):
        _compare(1)


@pytest.mark.parametrize("name", ["symbols", "max_gross_exposure", "max_net_exposure", "max_open_positions"])
def test_I13_control_the_comparison_notices_a_check_left_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that skips one check disagrees with the model."""
    judge = Engine._judge

    def forgetful(self: Engine, case: object) -> Assessment:
        self.checks = tuple(check for check in self.checks if check.id != f"risk.{name}")
        return judge(self, case)  # type: ignore[arg-type]

    monkeypatch.setattr(Engine, "_judge", forgetful)
    with pytest.raises(AssertionError):
        _compare()


def test_I13_control_the_comparison_notices_a_total_rounded_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that rounds what an order adds to a total the other way disagrees by one step."""
    monkeypatch.setattr("policykit.engine.exposing.exposure_up", lambda quantity, unit: quantity * unit // 10**16)
    with pytest.raises(AssertionError):
        _compare()


def test_reference_model_stays_short() -> None:
    """The model is small enough to be read (PROMISES I13: at most 60 lines of code)."""
    source = Path(reference.__file__).read_text()
    lines = source[source.index("def decide") :].splitlines()
    assert len([line for line in lines if line.strip()]) <= 60

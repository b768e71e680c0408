"""z3: its formulas agree with the engine, and a child that composes is never looser than its parent."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from policykit.engine.checks import all_checks
from policykit.errors import PolicyError
from policykit.policy import EffectivePolicy, load_text
from tests.engine.worlds import NOW
from tests.oracles.smt import counted, pairs, points
from tests.oracles.smt.ask import Pair
from tests.oracles.smt.conditions import Key
from tests.oracles.smt.counted import denials
from tests.oracles.smt.decided import by_engine, by_formulas, with_positions
from tests.oracles.smt.outside import IN_PART, UNSAID
from tests.oracles.smt.space import Space

Tier = Callable[[int, int], int]
#: Orders to a policy.
ORDERS = 20


def disagreements(seed: int, count: int, seen: Counter[Key]) -> list[Any]:
    """Return the points at which engine and formulas say another thing; `seen` counts what was said."""
    rng, out = Random(seed), []
    for number in range(count):
        if number % ORDERS == 0:
            engine, space = points.compiled(pairs.policy(rng)), Space()
            said = denials(engine.effective.model, points.setting(engine), space)
        facts, order = pairs.facts(rng), pairs.order(rng)
        used = with_positions(facts, pairs.uses(rng))
        expected = by_engine(engine, facts, order, used)
        found = by_formulas(space, said, points.point(engine, facts, order, NOW, used))
        seen.update(expected or {("", "allow")})
        if found != expected:
            out.append((expected - found, found - expected, order.to_dict(), engine.effective.model))
    return out


def test_I13_z3_s_formulas_say_what_engine_and_store_say(tier: Tier) -> None:
    """At every point the formulas deny by the same checks with the same codes, or not at all: no difference."""
    count = tier(240, 50_000)
    seen: Counter[Key] = Counter()
    assert disagreements(7, count, seen) == []
    assert seen["", "allow"] > count // 10
    assert len(seen) > 50


def test_I13_control_a_formula_that_is_wrong_by_one_step_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window that counts one order too many disagrees soon."""
    right = counted.plus
    monkeypatch.setattr(counted, "plus", lambda *terms: right(*terms[:-1]) if terms[-1] == "1.0" else right(*terms))
    assert disagreements(7, 120, Counter())


def _child(rng: Random) -> tuple[EffectivePolicy, EffectivePolicy] | None:
    """Return a random policy, and one that extends it; None where the second one is looser, which does not load."""
    said = pairs.said(rng)
    child = {path: rng.choice(pairs.FIELDS[path]) for path in rng.sample(sorted(pairs.FIELDS), rng.choice([1, 2, 4]))}
    parent = json.dumps(pairs.document(said))
    text = json.dumps(pairs.document(child, {"policykit": 1, "name": "child", "extends": ["parent.yaml"]}))
    try:
        return load_text(parent, "parent.yaml"), load_text(text, "child.yaml", resolve=lambda _: parent)
    except PolicyError:
        return None


def _defaulted(parent: EffectivePolicy, child: EffectivePolicy) -> bool:
    """Tell whether the child says what replaces a default of the engine, or names hedge mode (docs/proofs.md)."""
    was, now = parent.model, child.model
    age = was.account.max_age is None and now.account.max_age is not None and now.account.max_age.ms > 10_000
    hedge = was.account.position_mode is None and now.account.position_mode == "hedge"
    return age or hedge


def test_I16_z3_finds_no_order_that_a_child_allows_and_its_parent_denies(tier: Tier) -> None:
    """For random policies and what extends them there is no such point, whatever the order, the facts and the uses."""
    rng, asked = Random(11), 0
    while asked < tier(15, 3_000):
        made = _child(rng)
        if made is None or made[0].model == made[1].model or _defaulted(*made):
            continue
        asked += 1
        settings = tuple(points.setting(points.compiled(one)) for one in made)
        pair = Pair(made[0].model, made[1].model, settings)  # type: ignore[arg-type]
        assert pair.flips(looser=True) is None, made


def test_I16_control_a_child_that_is_looser_is_noticed() -> None:
    """Facts that may be a second older let an order through, and z3 finds it; the other way round there is none."""
    old, new = (load_text(json.dumps(pairs.document({"account.max_age": age}))) for age in ("5s", "6s"))
    settings = tuple(points.setting(points.compiled(one)) for one in (old, new))
    pair = Pair(old.model, new.model, settings)  # type: ignore[arg-type]
    assert pair.flips(looser=True) is not None
    assert pair.flips(looser=False) is None


def test_every_check_is_said_or_listed_as_outside() -> None:
    """A new check needs formulas (tests/oracles/smt/), or the reason why there are none (outside.py)."""
    checks = {check.id for check in all_checks()}
    rng, named = Random(3), set[str]()
    for _ in range(250):
        engine = points.compiled(pairs.policy(rng))
        said = denials(engine.effective.model, points.setting(engine), Space())
        named |= {check.partition(".")[0] if check.startswith("rate_budgets") else check for check, _ in said.all}
    assert checks - named == set(UNSAID), "add the check to tests/oracles/smt"
    assert set(IN_PART) - {"*"} <= checks

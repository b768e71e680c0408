"""z3 as the oracle of `never`: what is proved cannot happen, and what is broken can."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

import pytest

from policykit.engine.checks import all_checks
from policykit.model.never import subjects
from policykit.policy import EffectivePolicy, load_text, never
from tests.oracles.smt import pairs, points
from tests.oracles.smt.ask import Pair, solve
from tests.oracles.smt.space import all_, any_, no

Tier = Callable[[int, int], int]
_LIMITS: Final = ("bound", "percent", "number", "count", "window", "duration")
_CODES: Final = {check.id: check.codes[0] for check in all_checks()}


def _statements() -> list[tuple[str, str, Any]]:
    """Return statements on limits of orders, with the field that each is about and the value that it may not pass."""
    out = []
    for subject in subjects().values():
        said = [value for value in pairs.FIELDS.get(subject.path, ()) if value is not None]
        if subject.kind not in _LIMITS or subject.op not in (">", "<") or not _check(subject.path):
            continue
        for value in said:
            bound = next(iter(value.values())) if isinstance(value, dict) and "per" not in value else value
            for one in bound if isinstance(bound, list) else [bound]:
                if one == "0s":
                    continue  # a span of nothing is no limit
                text = f"{one['limit']} per {one['per']}" if isinstance(one, dict) else one
                out.append((f"{subject.name} {subject.op} {text}", subject.path, one))
    return sorted({text: (text, path, one) for text, path, one in out}.values(), key=str)


def _check(path: str) -> str:
    """Return the check that holds a limit of orders; empty for what is none of its own (an age, what follows)."""
    own = path.removesuffix(".max_deviation").removesuffix(".limit")
    return own if own.startswith("risk.") and own in _CODES else ""


def _only(path: str, value: Any) -> EffectivePolicy:
    """Return a policy that has this limit, and nothing else of the kind."""
    entry = {"default": value} if path in ("risk.max_order_quantity", "risk.max_position_notional") else value
    return load_text(json.dumps(pairs.document({path: entry})))


def _happens(policy: EffectivePolicy, path: str, value: Any) -> bool:
    """Ask z3 for an order that the policy allows beyond a limit: one that this limit alone would stop."""
    alone, said = _only(path, value).model.risk, policy.model.risk
    assert alone is not None
    if alone.price_collar is not None and said is not None and said.price_collar is not None:
        # A deviation is one from the price that the policy itself measures from.
        collar = alone.price_collar.model_copy(update={"reference": said.price_collar.reference})
        alone = alone.model_copy(update={"price_collar": collar})
    limit = policy.model.model_copy(update={"risk": alone})
    setting = points.setting(points.compiled(policy))
    pair = Pair(policy.model, limit, (setting, setting))
    check = _check(path)
    stops = pair.new.all[check, _CODES[check]]
    allowed = [no(formula) for formula in pair.old.all.values()]
    return solve(pair.space, (*pair.common, all_(any_(stops)), *allowed)) is not None


def _asked(rng: Random, count: int) -> Iterator[tuple[str, never.Verdict, bool]]:
    statements = _statements()
    for _ in range(count):
        policy = pairs.policy(rng)
        for text, path, value in rng.sample(statements, 3):
            yield text, never.judge(policy.model, text), _happens(policy, path, value)


def test_I16_what_never_proves_z3_cannot_break(tier: Tier) -> None:
    """A statement that is proved has no model; most that are broken have one, and the rest are denied by all else."""
    seen: Counter[str] = Counter()
    for text, verdict, happens in _asked(Random(31), tier(12, 3_000)):
        proved = isinstance(verdict, never.Proved)
        assert not (proved and happens), (text, verdict)
        seen["proved" if proved else "broken" if happens else "denied by what else the policy says"] += 1
    assert seen["broken"] > seen["denied by what else the policy says"]
    assert seen["proved"] > 2


def test_I16_control_a_statement_that_is_wrongly_proved_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """If every limit that is said entailed every statement on it, z3 would find the order soon."""
    monkeypatch.setattr(never, "within", lambda said, value: value is not None)
    assert any(isinstance(verdict, never.Proved) and happens for _, verdict, happens in _asked(Random(31), 20))

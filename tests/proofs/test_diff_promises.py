"""I16 from the side of diff: where it finds no loosening, no order passes that did not pass before."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from policykit.engine import Engine, compile_policy
from policykit.engine.trial import Given, decide_once
from policykit.policy import EffectivePolicy, compare, load_text, meaning
from policykit.policy import compare as _compare
from policykit.policy.meaning import Sides, Verdict
from policykit.proofs.diff import diff, overall, verdict
from tests.engine import random_worlds
from tests.engine.worlds import NOW, TRAITS
from tests.proofs.test_flips import LOOSER, policy

MIRROR: dict[Verdict, Verdict] = {"tighter": "looser", "looser": "tighter", "equal": "equal", "different": "different"}
#: Orders and facts that each pair is tried with.
TRIES = 12


def used(draw: random.Random, engine: Engine, given: Given, order: Any) -> dict[str, int]:
    """Return uses of the counters of an order that are near their limits."""
    holds = engine.assess(given.facts, order, NOW).holds
    return {h.counter: max(0, h.limit - draw.choice((0, 1, 2, 10**9))) for h in holds if h.kind in ("sum", "window")}


def let_through(pairs: int, seed: int) -> tuple[list[str], Counter[Verdict]]:
    """Return what a policy allows that a looser or equal one denies, of random pairs, and the verdicts that came up."""
    draw, found, verdicts = random.Random(seed), [], Counter[Verdict]()
    for index in range(pairs):
        one = random_worlds.policy(draw)[0]
        other = random_worlds.policy(draw)[0] if draw.random() < 0.3 else near(draw, one)
        said = verdict(one.effective, other.effective)
        verdicts[said] += 1
        if said not in ("tighter", "equal"):
            continue
        for _ in range(TRIES):
            facts, order = random_worlds.facts(draw), random_worlds.order(draw)
            given = Given(facts, used(draw, one, Given(facts), order))
            before, after = (decide_once(engine, order, given, NOW)[0] for engine in (one, other))
            passes = before.outcome == "deny" and after.outcome == "allow"
            if passes or (said == "equal" and before.outcome != after.outcome):
                found.append(f"pair {index}: {said}, and {order.to_dict()} is denied {before.reasons} before")
    return found, verdicts


def near(draw: random.Random, engine: Engine) -> Engine:
    """Return an engine of a policy that takes some fields from another one."""
    policy, other = engine.setup.policy, random_worlds.policy(draw)[0].setup.policy
    assert policy.risk is not None
    names = draw.sample(sorted(policy.risk.model_fields_set), draw.choice((1, 1, 2, 4)))
    risk = policy.risk.model_copy(update={name: getattr(other.risk, name) for name in names})
    return _engine(engine, policy.model_copy(update={"risk": risk}))


def _engine(engine: Engine, model: Any) -> Engine:
    was = engine.effective
    effective = EffectivePolicy(model, was.file, was.name, was.origins, was.key_places, model, was.files)
    return compile_policy(effective, TRAITS, engine.setup.key)


# INVARIANT I16: what diff calls tighter or equal lets nothing through that was denied.
def test_I16_no_order_passes_where_diff_finds_nothing_looser(tier: Callable[[int, int], int]) -> None:
    """Random pairs, far apart and near: of every sort of verdict there are some, and none is refuted."""
    found, verdicts = let_through(tier(150, 5_000), 16)
    assert found == []
    assert all(verdicts[word] for word in MIRROR), verdicts


def test_I16_control_a_strictness_that_is_not_looked_at_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were every number taken for equal, an order would pass that diff promised not to: the test above can fail."""
    monkeypatch.setattr(_module(), "_sides", lambda *_: Sides(looser=False, tighter=False))
    found, _ = let_through(60, 16)
    assert found


def _module() -> Any:
    import importlib

    return importlib.import_module("policykit.policy.compare")


@pytest.mark.parametrize(("path", "old", "new", "check"), LOOSER, ids=lambda value: str(value)[:40])
def test_a_diff_mirrors_its_reverse(path: str, old: Any, new: Any, check: str) -> None:
    """What is looser one way is tighter the other way, field by field; with itself a policy is equal."""
    was, now = policy(path, old), policy(path, new)
    there, back = ({f.path: f.verdict for f in diff(*pair).fields} for pair in ((was, now), (now, was)))
    assert {path: MIRROR[said] for path, said in there.items()} == back
    assert diff(was, was).verdict == "equal"
    assert diff(was, load_text(_text(was))).fields == ()


def _text(policy: EffectivePolicy) -> str:
    import json

    from policykit.policy import dump

    return json.dumps(dump(policy.model))


def test_tighter_twice_is_tighter(tier: Callable[[int, int], int]) -> None:
    """Of three random policies, each tighter than the one before it, the last is tighter than the first."""
    draw, chains = random.Random(5), 0
    for _ in range(tier(150, 3_000)):
        one = random_worlds.policy(draw)[0]
        other = near(draw, one)
        third = near(draw, other)
        first, second = (
            overall(c.verdict for c in compare(a.setup.policy, b.setup.policy).changes)
            for a, b in ((one, other), (other, third))
        )
        if first == second == "tighter":
            chains += 1
            both = overall(c.verdict for c in compare(one.setup.policy, third.setup.policy).changes)
            assert both == "tighter"
    assert chains


CHILD = """\
policykit: 1
name: mm
extends: [base.yaml]
exchange: binance
account: {name: main, currency: USDT}
"""


@pytest.mark.parametrize(("path", "old", "new", "check"), LOOSER, ids=lambda value: str(value)[:40])
def test_a_child_is_never_looser_than_what_it_extends(path: str, old: Any, new: Any, check: str) -> None:
    """Composed with the tighter of two policies, each of them comes out as tight, and diff says so."""
    was, now = policy(path, old), policy(path, new)
    parent = {"a.yaml": _text(was), "b.yaml": _text(now)}
    if old is None or path == "risk.max_orders":
        return  # a parent's silence binds no child, and windows of two spans cannot be composed
    both = load_text(CHILD.replace("base.yaml", "a.yaml, b.yaml"), resolve=parent.__getitem__)
    for side in (was, now):
        assert {f.verdict for f in diff(side, both).fields} <= {"tighter", "equal"}, path


# ---- engine defaults


SAME: list[tuple[str, Any]] = [
    ("account.max_age", "10s"),
    ("account.margin_mode", "cross"),
    ("clock.request_validity", "5s"),
    ("rate_budgets.request-weight.use_at_most", "100%"),
    ("rate_budgets.request-weight.keep_for_exits", "0%"),
    ("retry.orders", {"when_absent": "hold", "attempts": 1, "expires_after": "30s"}),
    ("retry.data", {"wait_initial": "500ms", "factor": 2, "jitter": "full", "attempts": 5}),
    ("retry.reconnect", {"wait_initial": "1s", "factor": 2, "jitter": "full"}),
    ("risk.duplicate_window", "0s"),
    ("risk.entry_cooldown", "0s"),
    ("risk.on_breach", {"max_order_notional": "deny", "max_slippage": "halt"}),
    ("risk.price_collar", {"max_deviation": "100%", "max_age": "10s"}),
    ("risk.sides", ["sell", "buy"]),
    ("risk.symbols", ["*", "ETH/BTC"]),
    ("risk.trading_hours", ["mon-sun 00:00-12:00 UTC", "daily 12:00-24:00 UTC"]),
    ("store.share", "host"),
    ("waivable", []),
]


@pytest.mark.parametrize(("path", "value"), SAME, ids=[path for path, _ in SAME])
def test_saying_what_holds_anyway_is_no_difference(path: str, value: Any) -> None:
    """Engine and guard take the same where the policy is silent; each proof is given in words."""
    silent = {"max_deviation": "100%"} if path == "risk.price_collar" else None
    found = diff(policy(path, silent), policy(path, value))
    assert found.verdict == "equal", found.fields
    assert all(field.why for field in found.fields)
    assert found.proof


def test_the_defaults_of_the_model_are_those_of_engine_and_guard() -> None:
    """`Meta.absent` is what the code takes where a policy says nothing."""
    from policykit.engine import setup
    from policykit.guard import reading, settings
    from policykit.model import Account, Clock, DataRetry, OrderRetry, Reconnect, metas
    from policykit.orders.backoff import Backoff

    assert metas(Account)["max_age"].absent == setup.DEFAULT_MAX_AGE
    assert metas(Clock)["request_validity"].absent.ms == settings.REQUEST_VALIDITY_MS
    plan = settings.retry_plan(policy("retry", None))
    orders = metas(OrderRetry)
    assert [orders[name].absent for name in ("when_absent", "attempts")] == [plan.when_absent, plan.attempts]
    assert orders["expires_after"].absent.ms == plan.expires_after_ms
    data, stream, waits = metas(DataRetry), metas(Reconnect), Backoff()
    assert (data["wait_initial"].absent.ms, data["factor"].absent) == (reading.WAIT_INITIAL_MS, reading.FACTOR)
    assert (data["attempts"].absent, data["jitter"].absent) == (reading.ATTEMPTS, "full")
    assert stream["wait_initial"].absent.ms == waits.initial_ms
    assert (stream["factor"].absent, stream["jitter"].absent) == (waits.factor, waits.jitter)
    assert meaning.facts_age(policy("account.max_age", None).model) == setup.DEFAULT_MAX_AGE
    assert _compare is compare

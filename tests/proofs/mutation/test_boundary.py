"""Boundary cases: what the text of a policy means at its edges is what the engine answers, and no edge is left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policykit.engine import Engine, compile_policy
from policykit.engine.checks.order_notional import OrderNotional
from policykit.policy import EffectivePolicy, load, load_text
from policykit.proofs.mutation.boundary import boundaries
from policykit.proofs.mutation.equivalent import proof
from policykit.proofs.mutation.mutants import Mutant, mutants
from policykit.proofs.mutation.world import Case, Step, World
from policykit.proofs.suite.trader import HOST
from policykit.traits import load as load_traits
from tests.engine.worlds import changed
from tests.proofs.mutation.test_mutants import SINK

POLICIES = Path(__file__).parents[3] / "policies"
FILES = tuple(
    path.relative_to(POLICIES).as_posix()
    for path in sorted(POLICIES.rglob("*.yaml"))
    if not path.name.endswith(".test.yaml") and not load(path).profile
)
#: Cases that a spot policy has no order for: contracts, loans, groups, hours.
CONTRACTS: dict[str, Any] = {
    "exchange": "binanceusdm",
    "account": {"name": "main", "currency": "USDT", "position_mode": "hedge", "margin_mode": "isolated"},
    "rate_budgets": None,
    "risk.symbols": ["*/USDT:USDT", "!LUNA*"],
    "risk.max_order_quantity": {"default": 5, "BTC/USDT:USDT": 1},
    "risk.max_price_move": {"limit": "1%", "per": "5m"},
    "risk.max_slippage": "1%",
    "risk.max_leverage": "2.5",
    "risk.max_net_exposure": "60% of equity",
    "risk.max_gross_exposure": ["80% of equity", "70000 USDT"],
    "risk.weekly_loss": {"limit": "5% of equity", "on_breach": "halt"},
    "risk.max_drawdown": {"limit": "8% of equity", "on_breach": "reduce_only"},
    "risk.consecutive_losses": {"limit": 3, "cooldown": "10m"},
    "risk.max_orders_per_symbol": {"limit": 9, "per": "1m"},
    "risk.max_messages": {"limit": 20, "per": "1m"},
    "risk.repeated_execution": {"limit": 5, "per": "1m"},
    "risk.on_breach": {"repeated_execution": "halt"},
    "risk.max_open_orders_per_symbol": 7,
    "risk.time_in_force": ["IOC", "GTC"],
    "risk.self_trade_prevention": ["expire_maker"],
    "risk.price_collar": {"max_deviation": "2%", "reference": "mid", "max_age": "3s"},
}


def _spot(name: str) -> EffectivePolicy:
    return load(POLICIES / name)


def _cases(effective: EffectivePolicy) -> tuple[World, list[tuple[Case, Step]]]:
    return World(effective), [(case, step) for case in boundaries(effective) for step in case.steps]


def _wrong(effective: EffectivePolicy) -> list[tuple[str, str, str]]:
    world, cases = _cases(effective)
    assert len(cases) > 40
    return [(case.path, str(step), str(world.decide(step))) for case, step in cases if not world.follows(step)]


@pytest.mark.parametrize("name", FILES)
def test_engine_answers_what_the_policy_means_at_its_edges(name: str) -> None:
    """At a cap, just inside and just outside of it: every policy of ours decides as its text says."""
    assert _wrong(_spot(name)) == []


def test_engine_answers_what_a_policy_of_contracts_means_at_its_edges() -> None:
    """The same of the limits that only contracts have, and of those that no policy of ours sets."""
    assert _wrong(load_text(json.dumps(changed(CONTRACTS)), "perp.yaml")) == []


def test_control_an_engine_that_denies_at_the_cap_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine off by nothing but the equality at the cap gives another answer than the text."""
    reasons = OrderNotional.reasons
    cap = 1_500

    def off_by_one(check: OrderNotional, case: Any) -> Any:
        if case.notional == cap:
            yield check.reason("at the cap")
        yield from reasons(check, case)

    monkeypatch.setattr(OrderNotional, "reasons", off_by_one)
    assert [path for path, _, _ in _wrong(_spot("binance-market-maker.yaml"))] == ["risk.max_order_notional"]


def _survivors(effective: EffectivePolicy, every: int = 1, at: str = "") -> tuple[list[Mutant], list[Mutant]]:
    """Return the mutants that no boundary case notices and none proves equivalent, and the other way round."""
    world, cases = _cases(effective)
    traits = load_traits(effective.model.exchange)

    def noticed(engine: Engine) -> bool:
        return not all(world.follows(step, engine) for _, step in cases)

    alive, disproved = [], []
    for mutant in [mutant for mutant in mutants(effective) if mutant.path.startswith(at)][::every]:
        killed = noticed(compile_policy(mutant.effective, traits, world.key, HOST))
        proved = proof(effective, mutant)
        if not killed and not proved:
            alive.append(mutant)
        if killed and proved:
            disproved.append(mutant)
    return alive, disproved


#: What one decision cannot tell apart, and a row of them can: when a day starts, and a key that is not this one.
ROWS = ("day_starts", "tax-report")
#: What boundary cases tell by the names of counters, or of words, and no order can: whose they are, how it is halted.
NAMES = ("shared_by", "on_breach", "repeated_execution", "stage")


def test_boundary_cases_notice_every_mutant_that_is_not_equivalent(tier: Callable[[int, int], int]) -> None:
    """No threshold and no switch of our policies moves unnoticed, and none is proved equivalent that a case tells."""
    files = FILES[: tier(1, len(FILES))]
    for name in files:
        alive, disproved = _survivors(_spot(name), every=4 if len(files) == 1 else 1)
        assert [str(mutant) for mutant in alive if not any(word in mutant.path for word in ROWS)] == [], name
        assert [str(m) for m in disproved if not any(word in m.path for word in NAMES)] == [], name


def test_control_a_case_that_is_left_out_lets_its_mutants_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the cases of the collar's distance, exactly its mutants live."""
    cases = boundaries

    def fewer(effective: EffectivePolicy) -> Any:
        return (case for case in cases(effective) if case.path != "risk.price_collar.max_deviation")

    monkeypatch.setattr(f"{__name__}.boundaries", fewer)
    alive, _ = _survivors(_spot("freqtrade-fleet/trend-btc.yaml"), at="risk.p")
    assert [str(mutant) for mutant in alive] == [
        "risk.price_collar.max_deviation: 3% -> 2%",
        "risk.price_collar.max_deviation: 3% -> 4%",
    ]


def test_the_sink_has_boundary_cases() -> None:
    """A policy that sets a limit of each check has cases, and the engine answers them as they say."""
    sink = {**SINK, "reconciliation.on_breach": "halt"}
    effective = load_text(json.dumps(changed(sink)), "mm.yaml")
    assert len(list(boundaries(effective))) > 20

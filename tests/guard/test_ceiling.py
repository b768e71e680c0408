"""A guard stays at the last stage that its store has evidence for; without any, increases wait and exits pass."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.guard import Guard
from policykit.guard.standing import _stand, standing
from policykit.guard.standing_text import render
from policykit.order import Order
from policykit.store import open_store
from tests.guard.test_in_force import write
from tests.guard.world import SYMBOL, World, policy_text

ACCOUNT = "binance/main"
CHECK = "policykit stage check"


def at(stage: str, more: str = "", **changes: Any) -> str:
    """Return the usual policy at a stage."""
    return f"{policy_text(**changes)}\nstage: {{current: {stage}{more}}}\n"


@pytest.fixture
def world(start: Callable[..., World]) -> World:
    """A world whose policy is at full-live, on a store that lasts."""
    made = start()
    write(made, at("full-live"))
    return made


def loaded(world: World, tmp_path: Path, **more: Any) -> Guard:
    """Load the policy as a bot does."""
    store = open_store(f"sqlite:///{tmp_path}/stages.db")
    guard = Guard.load(world.policy, store=store, clock=world.clock, endpoint=world.sim.url, **more)
    guard.observe(equity="100000 USDT", positions={"BTC": "0.1"}, marks={SYMBOL: "60000"}, net_transfers="0 USDT")
    return guard


def denials(guard: Guard, notional: int, side: Any = "buy") -> list[str]:
    """Return why an order is denied for the stage; nothing: it is not."""
    order = Order(SYMBOL, side, "limit", Decimal(notional) / 60_000, Decimal(60_000))
    return [r.code for r in guard.check(order).reasons if r.code in ("STAGE_UNPROVEN", "RISK_ORDER_NOTIONAL")]


def grant(guard: Guard, stage: str) -> None:
    """Write down that a stage was granted."""
    guard.store.keep(ACCOUNT, "stage", "mm", {"stage": stage, "by": "head"}, guard.now())


def test_without_evidence_increases_wait_and_exits_pass(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The message names the command that settles it; it is said at the start, too."""
    with caplog.at_level(logging.WARNING, "policykit.guard"):
        guard = loaded(world, tmp_path)
    assert "no increase is sent: stage full-live: this store has no evidence of any stage" in caplog.messages[-1]
    assert denials(guard, 600) == ["STAGE_UNPROVEN"]
    assert denials(guard, 600, "sell") == []
    order = Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(60_000))
    said = next(r.message for r in guard.check(order).reasons if r.code == "STAGE_UNPROVEN")
    assert said.startswith(f"stage full-live: this store has no evidence of any stage; `{CHECK} {world.policy}` says")
    assert f"`policykit stage promote {world.policy} --external --by NAME --why TEXT`" in said
    (stand,) = standing(guard.store, guard.host, guard.now()).policies
    assert _stand(stand)["stage_unproven"] == said
    assert f"  increases are denied (STAGE_UNPROVEN): {said}" in render(standing(guard.store, guard.host, guard.now()))
    grant(guard, "paper")
    guard.in_force.refresh()
    assert denials(guard, 600) == ["STAGE_UNPROVEN"]
    assert guard.stage_problem is not None
    assert "this store has evidence for paper only" in guard.stage_problem[1]


def test_a_grant_is_taken_up_while_the_guard_runs(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Micro-live caps an order at 0.1 % of equity; full-live adds nothing; a stage that is taken back holds again.

    Each change is an event (`policykit.stage.changed`).
    """
    guard = loaded(world, tmp_path)
    stages = []
    for stage in ("micro-live", "full-live", "micro-live"):
        grant(guard, stage)
        guard.in_force.refresh()
        stages.append((guard.scope.stage, denials(guard, 90), denials(guard, 600)))
    small = ["RISK_ORDER_NOTIONAL"]
    assert stages == [("micro-live", [], small), ("full-live", [], []), ("micro-live", [], small)]
    rows = [row.body for row in guard.store.rows(0, 1_000) if row.kind == "policy"]
    assert [row["stage"] for row in rows] == ["full-live", "micro-live", "full-live", "micro-live"]
    assert [info.policy_version for info in guard.store.guards()] == [guard.policy.version]
    guard.telemetry.flush()
    changed = [message.partition(" is at ")[2] for message in caplog.messages if " is at stage " in message]
    down = "stage micro-live; it was at full-live"
    assert changed == [down, "stage full-live; it was at micro-live", down]
    guard.in_force.refresh()
    assert sum(row.kind == "policy" for row in guard.store.rows(0, 1_000)) == 4


def test_a_new_guard_starts_at_the_stage_of_its_store(world: World, tmp_path: Path) -> None:
    """And stays there whatever is written into the file: a stage there is a ceiling only."""
    grant(loaded(world, tmp_path), "micro-live")
    guard = loaded(world, tmp_path)
    assert (guard.scope.stage, denials(guard, 600)) == ("micro-live", ["RISK_ORDER_NOTIONAL"])
    write(world, at("full-live", order="1000 USDT"))
    guard.in_force.refresh()
    assert (guard.scope.stage, denials(guard, 600)) == ("micro-live", ["RISK_ORDER_NOTIONAL"])
    grant(guard, "full-live")
    write(world, at("micro-live", order="1000 USDT"))
    guard.in_force.refresh()
    assert (guard.scope.stage, denials(guard, 600)) == ("micro-live", ["RISK_ORDER_NOTIONAL"])


@pytest.mark.parametrize(
    "text",
    [policy_text(), at("full-live", ", evidence: external"), at("full-live").replace("live\n", "sandbox\n", 1)],
    ids=["no stages", "kept elsewhere", "a sandbox"],
)
def test_who_needs_no_evidence(world: World, tmp_path: Path, text: str) -> None:
    """A policy without stages, one whose evidence is kept elsewhere, a sandbox: nothing waits."""
    write(world, text)
    guard = loaded(world, tmp_path)
    assert (guard.stage_problem, denials(guard, 600)) == (None, [])


def test_a_test_and_a_shadow_need_none(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`testing=True` says that no money is at stake, and a shadow sends nothing by it."""
    guard = loaded(world, tmp_path, testing=True)
    guard.in_force.refresh()
    assert guard.stage_problem is None
    monkeypatch.setenv("POLICYKIT_MODE", "shadow")
    assert loaded(world, tmp_path).stage_problem is None

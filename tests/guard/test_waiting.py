"""What a denial after a start says that it waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policykit.clock import SystemClock, iso
from policykit.errors import Denied, StoreUnavailable
from policykit.guard import Guard
from policykit.guard.maintenance import Maintenance
from tests.guard.test_reconcile import text
from tests.guard.test_recovery import BUY, after_send, crash
from tests.guard.world import World

NO_ROUND = "no round of maintenance is due: run the bot in `with guard:`"


def _said(client: Any) -> str:
    """Return what the pending recovery's reason says."""
    with pytest.raises(Denied) as denied:
        client.create_order(*BUY)
    return next(r.message for r in denied.value.decision.reasons if r.code == "RECOVERY_PENDING")


def test_it_says_which_orders_of_an_earlier_run_it_waits_for(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many and the first by name; with a store that is down, what is known without it."""
    world = start()
    crash(world, after_send)
    world.clock.advance(31)
    guard = world.guard(ready=False)
    (left,) = guard.store.intents()
    waits = f"increases wait: orders of an earlier run were not looked up yet: 1 (the first: {left.client_order_id}, "
    assert _said(world.protected(guard)) == f"{waits}BTC/USDT); {NO_ROUND}"

    def down(*_: object) -> None:
        raise StoreUnavailable("gone", "STORE_DOWN")

    monkeypatch.setattr(guard.store, "intents", down)
    monkeypatch.setattr(guard.store, "facts", down)
    assert guard.facts().waits == ("orders of an earlier run were not looked up yet: 0", NO_ROUND)


def test_it_says_that_it_waits_for_a_comparison_and_until_when(start: Callable[..., World]) -> None:
    """The other thing that it may wait for, with the moment of the next round where a thread makes them."""
    world = start(text=text())
    guard = world.guard()
    guard.reconcile()
    waits = "increases wait: the account was not compared with what it should have yet (reconciliation); "
    assert _said(world.protected(guard)) == waits + NO_ROUND
    maintenance: Maintenance = guard._maintenance
    maintenance.due_ms = world.clock.now_ms() + 5_000
    due = iso(world.clock.now_ms() + 5_000)
    assert _said(world.protected(guard)) == f"{waits}the next round of maintenance does it, due at {due}"


def test_a_guard_whose_thread_runs_knows_when_its_next_round_is_due(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the start of the thread to its end, and no longer."""
    world = start(clock=SystemClock())
    guard: Guard = world.guard()
    assert guard.next_round_ms is None
    monkeypatch.setattr(guard._maintenance, "_client", world.sim.client())
    with guard:
        assert guard.next_round_ms is not None
        assert guard.next_round_ms >= guard.now() - 20_000
    assert guard.next_round_ms is None

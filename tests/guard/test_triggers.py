"""`kill_switch.triggers` over real HTTP: each halts the account, latches, cancels entries and lets exits pass (G37)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit.clock import SystemClock
from policykit.errors import Denied, OutcomeUnknown
from policykit.guard import Guard
from tests.guard.world import SYMBOL, World, policy_text

HELD = {"USDT": Decimal(99_000), "BTC": Decimal("0.01")}
BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)
#: Its value is below what the exchange takes.
TOO_SMALL = (SYMBOL, "limit", "buy", 0.00002, 59_000)
LOST = {"at": "order", "do": "unknown", "executed": False}


def text(triggers: str) -> str:
    """Return a policy with triggers."""
    return (
        policy_text()
        .replace("cancel: entries,", f"cancel: entries, triggers: {{{triggers}}},")
        .replace("expires_after: 30s", "expires_after: 30s, wait: 1s")
    )


def tripped(world: World, guard: Guard, by: str, why: str) -> None:
    """Hold that the account is halted for this, that its entries go, and that an exit passes."""
    (halt,) = guard.store.halts()
    assert (halt.scope, halt.state, halt.latched) == ("account:binance/main", "HALTED", True)
    assert (halt.by, halt.why) == (f"kill_switch.triggers.{by}", why)
    client = world.protected(guard)
    with pytest.raises(Denied, match="trading is halted by kill_switch"):
        client.create_order(*BUY)
    with suppress(ccxt.BaseError):
        client.create_order(SYMBOL, "limit", "sell", 0.005, 69_000)
    assert "sell" in [side for side, _ in world.sent]


def test_I15_a_burst_of_refusals_halts(start: Callable[..., World]) -> None:
    """Three refused orders in a minute are over two; the halt names the decision, and two processes count together."""
    world = start(text=text("rejects: {limit: 2, per: 1m}"), balances=HELD)
    guard, other = world.guard(), world.guard()
    resting = world.protected(guard).create_order(*BUY)
    for each in (guard, other):
        with pytest.raises(ccxt.BadRequest):
            world.protected(each).create_order(*TOO_SMALL)
    assert guard.store.halts() == []
    with pytest.raises(ccxt.BadRequest):
        world.protected(other).create_order(*TOO_SMALL)
    tripped(world, guard, "rejects", "more than 2 orders were refused in 1m")
    (row,) = [row for row in guard.store.rows(0, 10_000) if row.kind == "halt"]
    assert row.body["decision"] == guard.store.intents(open_only=False)[-2].id
    guard.maintain()
    assert [o["id"] for o in world.sim.client().fetch_open_orders(SYMBOL) if o["side"] == "buy"] == []
    assert resting["status"] == "open"


def test_refusals_that_are_far_apart_halt_nothing(start: Callable[..., World]) -> None:
    """The window rolls."""
    world = start(text=text("rejects: {limit: 1, per: 1m}"))
    guard = world.guard()
    client = world.protected(guard)
    for _ in range(3):
        with pytest.raises(ccxt.BadRequest):
            client.create_order(*TOO_SMALL)
        world.clock.sleep(61)
        guard.maintain()
    assert guard.store.halts() == []


def test_I15_a_burst_of_unknown_outcomes_halts(start: Callable[..., World]) -> None:
    """A second order whose outcome nobody knows is over one."""
    world = start({**LOST, "when": [1, 2]}, text=text("unknowns: {limit: 1, per: 1m}"), balances=HELD)
    world.sim.pin("ETH/USDT", Decimal(3_000))
    guard = world.guard()
    client = world.protected(guard)
    with pytest.raises(OutcomeUnknown):
        client.create_order(*BUY)
    assert guard.store.halts() == []
    with pytest.raises(OutcomeUnknown):
        client.create_order("ETH/USDT", "limit", "buy", 0.1, 2_900)
    tripped(world, guard, "unknowns", "more than 1 orders have an unknown outcome in 1m")


def test_I15_data_that_is_stale_for_long_halts(start: Callable[..., World]) -> None:
    """The account cannot be read while maintenance runs; what was old before it ran is no fault of this run."""
    world = start(text=text("stale_data: 30s"), balances=HELD)
    guard = world.guard()
    world.clock.sleep(3_600)
    guard.look()
    with guard:
        guard.look()
        assert guard.store.halts() == []
        world.clock.sleep(30)
        guard.look()
        assert guard.store.halts() == []
        world.clock.sleep(1)
        with suppress(Denied):
            world.protected(guard).create_order(*BUY)
        tripped(world, guard, "stale_data", "the account was not read for 31 s; stale_data is 30s")


def test_the_loop_finds_stale_data_by_itself(start: Callable[..., World]) -> None:
    """Without any decision, on the machine's clock, with an exchange that stopped answering."""
    quick = text("stale_data: 1s").replace("max_age: 10s", "max_age: 900ms")
    world = start(text=quick, clock=SystemClock())
    guard = world.guard()
    with guard:
        world.sim.close()
        began = guard.clock.monotonic_ms()
        while not guard.store.halts():
            assert guard.clock.monotonic_ms() - began < 60_000
    assert guard.store.halts()[0].by == "kill_switch.triggers.stale_data"


@pytest.mark.parametrize("breach", ["halt", "reduce_only"])
def test_I15_losses_and_repeats_halt_as_their_own_words_say(start: Callable[..., World], breach: str) -> None:
    """What `kill_switch.triggers` does not name: a limit of risk, whose `on_breach` is what follows it."""
    more = f"  repeated_execution: {{limit: 1, per: 1m}}\n  on_breach: {{repeated_execution: {breach}}}\nretry:"
    world = start(text=policy_text().replace("retry:", more, 1), balances=HELD)
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(*BUY)
    with pytest.raises(Denied):
        client.create_order(SYMBOL, "limit", "buy", 0.01, 58_000)
    (halt,) = guard.store.halts()
    assert (halt.state, halt.by) == ("HALTED" if breach == "halt" else "REDUCING", "risk.repeated_execution")
    assert client.create_order(SYMBOL, "limit", "sell", 0.005, 69_000)["status"] == "open"


def test_shadow_trips_nothing(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that denies nothing halts nobody."""
    monkeypatch.setenv("POLICYKIT_MODE", "shadow")
    world = start(text=text("rejects: {limit: 1, per: 1m}"))
    guard: Any = world.guard()
    for _ in range(3):
        with pytest.raises(ccxt.BadRequest):
            world.protected(guard).create_order(*TOO_SMALL)
    assert guard.store.halts() == []

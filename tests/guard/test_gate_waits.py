"""The gate, where time passes: ccxt's throttler, bans, budgets."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

from policykit.clock import SystemClock
from policykit.errors import Denied
from tests.guard.test_gate import BUY, _fifty, code, used_of
from tests.guard.world import SYMBOL, World, kinds, policy_text


async def test_fifty_orders_in_the_throttler_all_go_out(start: Callable[..., World]) -> None:
    """Permits run out in ccxt's queue and are renewed at the gate: nothing moved, so all fifty are sent."""
    text = policy_text(open=100).replace("max_age: 10s", "max_age: 1h")  # on a busy machine the queue takes long
    world = start(clock=SystemClock(), text=text)
    results, sent = await _fifty(world, world.guard(), None)
    assert sent == 50
    assert [order["status"] for order in results] == ["open"] * 50
    assert "renew" in kinds(world.guard(ready=False))


async def test_I15_none_of_fifty_goes_out_after_a_halt(start: Callable[..., World]) -> None:
    """A halt while they queue: those that left are accounted for, no other leaves, each is denied with a code."""
    world = start(clock=SystemClock(), text=policy_text(open=100))
    results, after = await _fifty(world, world.guard(), 5)
    assert after == 0
    codes = {r.decision.reasons[0].code for r in results if isinstance(r, Denied)}
    assert codes == {"PERMIT_EXPIRED"}
    assert sum(isinstance(r, dict) for r in results) == len(world.sent) < 50


def test_an_exit_passes_though_its_permit_ran_out_over_a_halt(start: Callable[..., World]) -> None:
    """A sale that waited in the throttler while trading was halted is assessed again, renewed and sent."""
    world = start(balances={"USDT": Decimal(99_400), "BTC": Decimal("0.01")})
    guard = world.guard()
    client = world.protected(guard)
    client.enableRateLimit = True

    def slow(cost: float) -> None:
        if not guard.store.halts() and guard.store.intents():
            guard.store.halt("all", "HALTED", "desk", "stop", guard.now())
            world.clock.advance(1)

    client.throttle = slow
    client.load_markets()
    assert client.create_order(SYMBOL, "market", "sell", 0.005)["status"] == "closed"
    assert kinds(guard) == ["decision allow", "halt", "renew", "settled"]


@pytest.mark.parametrize(("do", "status"), [("throttle", "429"), ("ban", "418")])
def test_I7_a_ban_stops_every_guard_of_the_store(start: Callable[..., World], do: str, status: str) -> None:
    """429 and 418 on one guard's order: another guard sends neither orders nor reads before the time; cancels pass."""
    world = start({"at": "order", "do": do, "when": [2], "seconds": 40})
    guard, other = world.guard(), world.guard()
    client, second = world.protected(guard), world.protected(other)
    second.load_markets()
    kept = client.create_order(*BUY)
    with pytest.raises(ccxt.DDoSProtection, match=status):
        client.create_order(*BUY)
    requests = sum(world.sim.truth.requests.values())
    for denied_client in (client, second):
        with pytest.raises(Denied) as denied:
            denied_client.create_order(*BUY)
        assert code(denied) == "RATE_BANNED"
        with pytest.raises(ccxt.RateLimitExceeded, match="the exchange told us to wait"):
            denied_client.fetch_balance()
    assert sum(world.sim.truth.requests.values()) == requests
    with pytest.raises(ccxt.DDoSProtection):
        second.cancel_order(kept["id"], SYMBOL)
    assert sum(world.sim.truth.requests.values()) == requests + 1


def test_I7_a_ban_outlives_a_restart_and_ends(start: Callable[..., World]) -> None:
    """A new process on the same store obeys the ban that the old one met, and trades again after it."""
    world = start({"at": "order", "do": "ban", "when": [1], "seconds": 130})
    guard = world.guard()
    with pytest.raises(ccxt.DDoSProtection):
        world.protected(guard).create_order(*BUY)
    (until_ms,) = guard.facts().banned_until_ms.values()
    assert until_ms - world.clock.now_ms() == 130_000 + 2 * guard.clock_bound_ms
    guard.store.close()
    requests = sum(world.sim.truth.requests.values())
    world.clock.advance(60)
    again = world.guard()
    assert sum(world.sim.truth.requests.values()) == requests
    assert again.facts().equity.as_of_ms == world.clock.now_ms() - 60_000  # type: ignore[union-attr]
    world.clock.advance(75)
    again.maintain()
    assert world.protected(again).create_order(*BUY)["status"] == "open"


def test_I7_a_ban_is_of_the_address_whatever_the_account(start: Callable[..., World]) -> None:
    """A guard of another account on the same store meets the ban too."""
    world = start({"at": "order", "do": "ban", "when": [1], "seconds": 130})
    guard = world.guard()
    world.policy.write_text(policy_text(account="hedge", name="hedge"))
    second = world.protected(world.guard())
    second.load_markets()
    with pytest.raises(ccxt.DDoSProtection):
        world.protected(guard).create_order(*BUY)
    with pytest.raises(Denied) as denied:
        second.create_order(*BUY)
    assert code(denied) == "RATE_BANNED"


def test_a_read_over_budget_waits_for_the_window_and_is_signed_again(start: Callable[..., World]) -> None:
    """The wait is longer than a signature lives: the read goes out with a fresh one, in the next window."""
    world = start(text=policy_text(weight=300).replace("retry:", "retry:\n  data: {wait_max: 90s}", 1))
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    began = world.clock.now_ms()
    for _ in range(12):
        assert client.fetch_balance()["USDT"]["free"] == 100_000
    assert world.clock.now_ms() >= began + 60_000 - began % 60_000
    assert world.sim.truth.rejected == {}
    assert world.sim.truth.worst_minute()[1] <= 210


def test_a_public_read_over_budget_waits_in_place(start: Callable[..., World]) -> None:
    """What is not signed need not be signed again."""
    world = start(text=policy_text(weight=130).replace("retry:", "retry:\n  data: {wait_max: 90s}", 1))
    client = world.protected()
    began = world.clock.now_ms()
    client.fetch_tickers()
    client.fetch_tickers()
    assert world.clock.now_ms() >= began + 60_000 - began % 60_000


def test_a_read_that_would_wait_too_long_is_told_so(start: Callable[..., World]) -> None:
    """Beyond retry.data.wait_max a read raises what ccxt bots know, and says when."""
    world = start(text=policy_text(weight=130))
    client = world.protected()
    with pytest.raises(ccxt.RateLimitExceeded, match=r"rate_budgets: \d+ of 91 is used; the next read may be sent in"):
        for _ in range(3):
            client.fetch_tickers()


def test_others_behind_the_address_are_counted(start: Callable[..., World]) -> None:
    """The exchange's own count of used weight raises ours: an unguarded neighbour's use is seen in every answer."""
    world = start()
    guard = world.guard()
    neighbour = world.sim.client()
    neighbour.load_markets()
    for _ in range(20):
        neighbour.fetch_tickers()
    client = world.protected(guard)
    client.load_markets()
    client.fetch_ticker(SYMBOL)
    told = world.sim.truth.worst_minute()[1]
    assert told > 1_600
    assert told <= used_of(guard) <= told + 100
    assert "use" in [row.kind for row in guard.store.rows(0, 10_000)]

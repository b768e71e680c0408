"""Two bots in two processes on one store, while the exchange loses answers: no duplicate, no cap overrun, no ban."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from policykit.sim import LimitSizes
from tests.guard.processes import SERVER, Place, QuickClock, in_process, trade, trade_bare
from tests.guard.world import World, policy_text
from tests.store.servers import ValkeyServer

#: How quick the clock of both bots and of the exchange is: a fence of 17 s is over in one.
RATE = 20.0
BOTS = 2
#: What one order counts of the cap, USDT: 0.005 at the market's 60,000.
COUNTED = 300
#: Every bot looks at all tickers (80) before each order.
WEIGHT = 1_200
FAULTS: tuple[dict[str, Any], ...] = (
    {"at": "order", "do": "lost_reply", "ratio": 0.25},
    {"at": "order", "do": "drop", "when": [3], "ratio": 0.05},
    {"at": "order", "do": "unknown", "ratio": 0.1},
    {"at": "order", "do": "throttle", "when": [6], "ratio": 0.03, "seconds": 2},
    {"at": "order", "do": "lag", "ratio": 1.0, "seconds": 3},
    {"at": "lookup", "do": "drop", "ratio": 0.1},
)
Start = Callable[..., World]


@pytest.fixture(params=["sqlite", "valkey"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | None]:
    """Give the address of a store; None: the world's own file."""
    if request.param == "sqlite":
        yield None
        return
    server = ValkeyServer(tmp_path / "server")
    yield server.uri()
    server.kill()


def side_by_side(
    start: Start, folder: Path, each: int, cap: int, life: Any, store: str | None, weight: int = WEIGHT
) -> tuple[World, Counter[str]]:
    """Let the bots bring so many wishes each to an end; return what became of them."""
    text = policy_text(weight=WEIGHT, position=f"{cap} USDT", order="300 USDT", open=9_000)
    text = text.replace("max_age: 10s", "max_age: 1h").replace("max_skew: 500ms", "max_skew: 2s")
    limits = LimitSizes(weight_1m=weight, orders_10s=1_000)
    world = start(*FAULTS, clock=QuickClock(folder / "clock", RATE), text=text, limits=limits)
    place = Place.of(world, store)
    if life is trade:
        clock = place.arrive()
        guard = place.guard(clock)
        guard.maintain(place.client(clock))
        guard.store.close()
    gate, said = SERVER.Barrier(BOTS), SERVER.SimpleQueue()
    wishes = [tuple(50_000 + bot + BOTS * n for n in range(each)) for bot in range(BOTS)]
    running = [in_process(life, place, prices, gate, said) for prices in wishes]
    for process in running:
        process.join()
    assert [process.exitcode for process in running] == [0] * BOTS
    return world, Counter(what for _ in running for what in said.get())


def test_I1_two_processes_on_one_store(
    start: Start, folder: Path, store: str | None, tier: Callable[[int, int], int]
) -> None:
    """Each wish executes at most once, all together stay under the cap, which is spent, and nobody is banned."""
    each = tier(4, 100)
    cap = each * COUNTED + 100
    world, said = side_by_side(start, folder, each, cap, trade, store)
    truth = world.sim.truth
    assert (truth.duplicates(), truth.bans, truth.refused_while_banned) == (0, 0, 0)
    assert each - 1 <= len(truth.executed) <= each
    assert said["RISK_POSITION"] > 0
    assert truth.cut > 0


def test_I1_control_two_processes_without_it(start: Start, folder: Path) -> None:
    """The check can fail: the same bots without policykit send twice and beyond the cap."""
    each = 6
    world, _ = side_by_side(start, folder, each, each * COUNTED, trade_bare, None, weight=100_000)
    assert world.sim.truth.duplicates() > 0
    assert len(world.sim.truth.executed) > each


def test_I1_control_two_processes_that_share_no_budget(start: Start, folder: Path) -> None:
    """The check can fail: each reads as if it had the address for itself, and the address is banned."""
    world, _ = side_by_side(start, folder, 20, 20 * COUNTED, trade_bare, None)
    assert world.sim.truth.bans > 0

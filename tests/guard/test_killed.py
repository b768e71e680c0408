"""I5 through the whole driver: killed at any moment of an order over HTTP, recovered by the next, and nothing twice."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from policykit.guard.admission import DRIVING
from tests.guard.processes import Place, QuickClock, deaths_of, in_process, live, live_bare, untrue
from tests.guard.world import World, kinds, policy_text

TEXT = policy_text().replace("max_age: 10s", "max_age: 1h")
PRICES = (50_001, 50_002)
#: What happens to the first order, and how many moments a life has from its reservation on.
FATES: tuple[tuple[int, tuple[dict[str, Any], ...]], ...] = (
    (10, ()),
    (20, ({"at": "order", "do": "lost_reply", "when": [1]}, {"at": "order", "do": "lag", "when": [1], "seconds": 4})),
    (40, ({"at": "order", "do": "drop", "when": [1]},)),
    (12, ({"at": "order", "do": "unknown", "when": [1], "executed": True},)),
    (14, ({"at": "order", "do": "lost_reply", "when": [1]}, {"at": "lookup", "do": "drop", "when": [1]})),
)
#: The moments of a start: while it reads and recovers.
RECOVERING = 30
Start = Callable[..., World]


def begin(start: Start, folder: Path, fate: int) -> tuple[World, Place]:
    """Start an exchange and its clock."""
    file = folder / f"clock{len(list(folder.iterdir()))}"
    world = start(*FATES[fate][1], clock=QuickClock(file, skips=True), text=TEXT)
    return world, Place.of(world)


def one_life(place: Place, kill_at: int = -1, first: str = "", life: Any = live) -> bool:
    """Live until the end or the kill; tell whether it was the kill."""
    process = in_process(life, place, PRICES, kill_at, first)
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return bool(process.exitcode)


def wrong(world: World, place: Place) -> list[str]:
    """Return what is not as it must be, once a process lived to its end."""
    out = [f"{tag} was executed {n} times" for tag, n in world.sim.truth.per_tag().items() if n != 1]
    if len(world.sent) != len(PRICES):
        out.append(f"{len(world.sent)} orders, {len(PRICES)} were meant")
    clock = place.arrive()
    guard, reader = place.guard(clock), place.client(clock)
    clock.sleep(60)
    guard.maintain(reader)
    rows = kinds(guard)
    guard.maintain(reader)
    if kinds(guard) != rows:
        out.append("recovering again changed something")
    out += untrue(guard, world.sim.truth)
    if guard.store.verify()[1] is not None:
        out.append("the journal's chain is broken")
    guard.store.close()
    DRIVING.clear()
    return out


def test_I5_killed_at_every_moment_of_an_order(start: Start, folder: Path, tier: Callable[[int, int], int]) -> None:
    """Killed by signal 9, half of them again while they recover: the last life leaves each wish executed once."""
    count, random = tier(6, 1_000), Random(5)
    died: Counter[str] = Counter()
    for number in range(count):
        fate = number % len(FATES)
        world, place = begin(start, folder, fate)
        at = random.randrange(FATES[fate][0])
        one_life(place, at, "reserve")
        if random.random() < 0.5:
            one_life(place, random.randrange(RECOVERING))
        assert not one_life(place)
        assert wrong(world, place) == [], f"number {number}: fate {fate}, moment {at}"
        world.sim.close()
        died.update(deaths_of(place).read_text().split("\n")[:-1])
    assert sum(died.values()) > count
    if count > 100:
        assert died.keys() >= {
            f"{when} {what}" for when in ("before", "after") for what in ("reserve", "outcome", "POST request")
        }


def test_I5_control_a_bot_without_it_sends_again_after_the_kill(start: Start, folder: Path) -> None:
    """The check can fail: killed once the order is out, a bot that looks and sees nothing yet sends it again."""
    world, place = begin(start, folder, 1)
    assert one_life(place, 1, "POST request", live_bare)
    assert not one_life(place, life=live_bare)
    assert "executed 2 times" in wrong(world, place)[0]

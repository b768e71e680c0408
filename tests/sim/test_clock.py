"""The simulated clock."""

from __future__ import annotations

import asyncio
import threading

import ccxt
import pytest

from policykit.clock import Clock
from policykit.sim import SimClock
from policykit.sim.clock import START_MS


def test_sleep_moves_both_times_and_runs_what_is_due_in_order() -> None:
    """The driving thread's sleep moves wall and monotonic time, and events run at their own times, earliest first."""
    clock: Clock = (sim := SimClock())
    seen: list[tuple[str, int]] = []
    sim.at(START_MS + 3_000, lambda: seen.append(("b", clock.now_ms() - START_MS)))
    sim.after(1.5, lambda: seen.append(("a", clock.now_ms() - START_MS)))
    sim.after(9, lambda: seen.append(("late", 0)))
    clock.sleep(4)
    assert seen == [("a", 1_500), ("b", 3_000)]
    assert (clock.now_ms(), clock.monotonic_ms()) == (START_MS + 4_000, 4_000.0)


def test_an_event_may_schedule_another_one_within_the_same_move() -> None:
    """What an event schedules inside the span being slept through runs in that move too."""
    clock = SimClock()
    seen: list[int] = []
    clock.after(1, lambda: clock.after(1, lambda: seen.append(clock.now_ms() - START_MS)))
    clock.advance(5)
    assert seen == [2_000]


def test_wall_steps_leave_monotonic_time_alone() -> None:
    """A stepped wall clock (bad NTP) does not move monotonic time, and advance refuses to go backward."""
    clock = SimClock()
    clock.advance(1)
    clock.step_wall(-3600)
    assert (clock.now_ms(), clock.monotonic_ms()) == (START_MS + 1_000 - 3_600_000, 1_000.0)
    with pytest.raises(ValueError, match="time goes forward"):
        clock.advance(-1)


def test_a_background_thread_waits_for_time_and_never_drives_it() -> None:
    """A loop in another thread wakes only as the driving thread moves the time."""
    clock = SimClock()
    woken: list[float] = []
    started = threading.Event()

    def loop() -> None:
        started.set()
        clock.sleep(15)
        woken.append(clock.monotonic_ms())

    thread = threading.Thread(target=loop)
    thread.start()
    started.wait()
    while not clock.waiting:
        pass
    assert (woken, clock.monotonic_ms()) == ([], 0)
    clock.advance(20)
    thread.join(5)
    assert woken == [20_000.0]


def test_joined_threads_move_time_only_together() -> None:
    """Two taking-part threads that each sleep the same span move time once, not twice."""
    clock = SimClock()
    barrier = threading.Barrier(2)
    ends: list[tuple[int, float]] = []

    def bot(step: int) -> None:
        with clock.joined():
            barrier.wait()
            for _ in range(6 // step):
                clock.sleep(step)
            ends.append((step, clock.monotonic_ms()))
            barrier.wait()

    threads = [threading.Thread(target=bot, args=(step,)) for step in (1, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(ends) == [(1, 6_000.0), (3, 6_000.0)]


async def test_tasks_wake_in_the_order_of_their_times() -> None:
    """Concurrent asleep calls never jump over an earlier one, and background tasks only wait."""
    clock = SimClock()
    seen: list[tuple[str, float]] = []

    async def nap(name: str, seconds: float) -> None:
        await clock.asleep(seconds)
        seen.append((name, clock.monotonic_ms()))

    with clock.background():
        behind = asyncio.create_task(nap("background", 2.5))
    await asyncio.sleep(0)
    assert clock.monotonic_ms() == 0
    await asyncio.gather(nap("long", 3), nap("short", 1), nap("middle", 2))
    await behind
    assert sorted(seen) == [("background", 3_000.0), ("long", 3_000.0), ("middle", 2_000.0), ("short", 1_000.0)]


def test_stock_ccxt_signs_with_simulated_time() -> None:
    """A followed client's nonce is the simulated time exactly, however much wall time passes."""
    clock = SimClock()
    client = ccxt.binance()
    clock.follow(client)
    clock.sleep(17)
    assert client.nonce() == START_MS + 17_000
    assert (client.enableRateLimit, client.options.get("recvWindow")) == (False, 10_000)


async def test_a_thread_lent_by_asyncio_drives_for_its_loop() -> None:
    """Blocking work under asyncio.to_thread may sleep: nobody else could move the time; in the background it waits."""
    clock = SimClock()
    await asyncio.to_thread(clock.sleep, 5)
    assert clock.monotonic_ms() == 5_000
    with clock.background():
        waiting = asyncio.create_task(asyncio.to_thread(clock.sleep, 2))
    while not clock.waiting:  # noqa: ASYNC110  # the clock has no event of it
        await asyncio.sleep(0)
    await clock.asleep(3)
    await waiting
    assert clock.monotonic_ms() == 8_000


def test_a_thread_that_nobody_moves_the_clock_for_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passive sleeper ends with what to do instead of hanging for ever."""
    monkeypatch.setattr("policykit.sim.clock.PASSIVE_WAIT_S", 0.01)
    clock = SimClock()
    told: list[str] = []

    def nap() -> None:
        with pytest.raises(RuntimeError) as caught:
            clock.sleep(1)
        told.append(str(caught.value))

    thread = threading.Thread(target=nap, name="bot")
    thread.start()
    thread.join(5)
    words = "SimClock.sleep in thread 'bot': nobody moved the clock for 0.01 s of wall time; "
    assert told == [words + "advance it from the driving thread, or use joined()"]

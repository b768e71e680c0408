"""Part 2: the naive bot under the same seed and faults, once bare and once behind the policy; both are measured."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Self

from policykit.clock import Clock, SystemClock
from policykit.guard import Guard, enforce
from policykit.guard.halt import on_their_way
from policykit.orders.fence import fence_ms
from policykit.sim.faults import DEMO
from policykit.sim.truth import terms
from policykit.testing import Sim
from policykit.testing.demo.bot import naive_bot
from policykit.testing.demo.linting import use

SYMBOL: Final = "BTC/USDT"
STEPS: Final = 42
#: What the bot asks for over the price it bought at: little, so that most of what it buys is sold again.
EDGE: Final = 0.0002
#: How far the price moves from its start, as a share: a lively market, in which offers are taken within seconds.
AMPLITUDE: Final = 0.08
PAUSE_S: Final = 0.3
#: What a request costs on a simulated clock, seconds.
REQUEST_S: Final = 0.004
#: The allowance that the simulated exchange publishes, weight a minute.
ALLOWANCE: Final = 6_000


@dataclass(frozen=True, slots=True)
class Column:
    """What one run came to. `halted_s`: how long no order could be placed (a ban, or an outcome waited for)."""

    meant: int
    executed: int
    duplicates: int
    position: Decimal
    weight: int
    bans: int
    halted_s: float
    denied: int
    unknown_left: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both runs, and the cap they are held against."""

    bare: Column
    guarded: Column
    cap: Decimal


class Watch:
    """Measure a bot from outside: how long its calls of create_order took, beyond a call's ordinary time."""

    ORDINARY_S = 0.3

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.waited_s = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its calls timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            started = self._clock.monotonic_ms()
            try:
                return function(*args, **kwargs)
            finally:
                self.waited_s += max(0.0, (self._clock.monotonic_ms() - started) / 1000 - self.ORDINARY_S)

        return timed


def compare(
    folder: Path,
    store: str,
    seed: int,
    progress: Callable[[str], None],
    clock: Clock | None = None,
    steps: int = STEPS,
) -> Comparison:
    """Run the bot bare and guarded under one seed. `clock` may be a simulated one (`make prove` runs 20 seeds)."""
    clock = clock or SystemClock()
    progress("the bare bot trades ...")
    bare = _bare(seed, clock, steps)
    guarded, cap = _guarded(folder, store, seed, progress, clock, steps)
    return Comparison(bare, guarded, cap)


def _bare(seed: int, clock: Clock, steps: int) -> Column:
    with Sim(clock=clock, seed=seed, faults=DEMO, amplitude=AMPLITUDE) as sim:
        return _run(sim, sim.client(), clock, steps)


def _guarded(
    folder: Path, store: str, seed: int, progress: Callable[[str], None], clock: Clock, steps: int
) -> tuple[Column, Decimal]:
    with Sim(clock=clock, seed=seed, faults=DEMO, amplitude=AMPLITUDE) as sim:
        use(sim.add_key())
        guard = Guard.load(folder / "repaired.yaml", store=store, clock=clock, testing=True, endpoint=sim.url)
        client = guard.protect(sim.client())
        client.create_order = enforce("order.create", guard=guard)(client.create_order)
        if not isinstance(clock, SystemClock):
            guard.maintain(sim.client())  # a client whose time is the simulated clock's
        with guard, Countdown(guard, progress):
            column = _run(sim, client, clock, steps, guard)
        return column, _cap(guard)


def _cap(guard: Guard) -> Decimal:
    share = guard.policy.model.risk.max_position_notional["default"][0]  # type: ignore[union-attr,index]
    return Decimal(100_000) * share.fraction  # type: ignore[union-attr]


def _run(sim: Sim, client: Any, clock: Clock, steps: int, guard: Guard | None = None) -> Column:
    watch = Watch(clock)
    client.create_order = watch.around(client.create_order)

    simulated = not isinstance(clock, SystemClock)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if guard is not None and simulated:
            guard.maintain()

    def now() -> float:
        if simulated:  # the bot asks before each request, and a request takes time
            clock.sleep(REQUEST_S)
        return clock.monotonic_ms() / 1000

    bot = naive_bot()(client, SYMBOL, edge=EDGE, sleep=sleep, now=now)
    started = clock.monotonic_ms()
    bot.run(steps, PAUSE_S)
    truth = sim.truth
    meant = Counter(terms(*order) for order in bot.meant)
    denied = sum(1 for error in bot.errors if type(error).__name__.endswith("Denied"))
    left = 0 if guard is None else sum(i.state == "unknown" for i in guard.store.intents(guard.account))
    return Column(
        meant=len(bot.meant),
        executed=len(truth.executed),
        duplicates=truth.duplicates(meant),
        position=truth.max_position_notional(SYMBOL.partition("/")[0]),
        weight=truth.worst_minute()[1],
        bans=truth.bans,
        halted_s=watch.waited_s if guard is not None else truth.banned_s(clock.now_ms()),
        denied=denied,
        unknown_left=left,
        seconds=(clock.monotonic_ms() - started) / 1000,
    )


class Countdown:
    """Show how long the fence of an order that looks missing still stands."""

    def __init__(self, guard: Guard, progress: Callable[[str], None]) -> None:
        self._guard = guard
        self._progress = progress
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="policykit-demo-countdown", daemon=True)

    def __enter__(self) -> Self:
        if isinstance(self._guard.clock, SystemClock):
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._progress("")

    def _loop(self) -> None:
        guard, started = self._guard, time.monotonic()
        while not self._stop.wait(0.5):
            unknown = [i for i in on_their_way(guard) if i.state == "unknown"]
            seconds = time.monotonic() - started
            if not unknown:
                self._progress(f"the guarded bot trades ... {seconds:.0f} s")
                continue
            fence = fence_ms(unknown[0], guard.family(SYMBOL), guard.clock_bound_ms)
            left = "for ever" if fence is None else f"{max(0, fence - guard.now()) / 1000:.0f} s"
            self._progress(
                f"{unknown[0].client_order_id} timed out and is not visible; it may still execute for {left}"
            )


def show_comparison(result: Comparison, say: Callable[[str], None]) -> str | None:
    """Print the table; return what did not come out as it should."""
    bare, guarded, cap = result.bare, result.guarded, result.cap

    def row(name: str, first: str, second: str) -> None:
        say(f"{name:32}{first:>18}{second:>18}")

    row("", "bare bot", "with policykit")
    row("orders meant", str(bare.meant), str(guarded.meant))
    row("executed", str(bare.executed), str(guarded.executed))
    row("duplicates", str(bare.duplicates), str(guarded.duplicates))
    row("largest position", f"{bare.position / cap:.2f}x of cap", f"{guarded.position / cap:.2f}x of cap")
    row("weight in the worst minute", f"{bare.weight:,} of {ALLOWANCE:,}", f"{guarded.weight:,} of {ALLOWANCE:,}")
    row("bans", str(bare.bans), str(guarded.bans))
    row("time halted", f"{bare.halted_s:.0f} s (banned)", f"{guarded.halted_s:.0f} s (waiting)")
    row("denied, with a reason", "-", str(guarded.denied))
    row("unknown orders left", "nobody knows", str(guarded.unknown_left))
    say(f"\nThe runs took {bare.seconds:.0f} s and {guarded.seconds:.0f} s; what executed is as the exchange counted.")
    wrong = [
        why
        for bad, why in (
            (guarded.duplicates > 0, "an order was duplicated behind the policy"),
            (guarded.position > cap, "the position went over its cap"),
            (guarded.bans > 0, "the exchange banned the guarded bot"),
            (guarded.executed == 0, "the guarded bot traded nothing"),
            (bare.duplicates == 0, "the bare bot duplicated nothing: the faults did not strike"),
        )
        if bad
    ]
    return "; ".join(wrong) or None

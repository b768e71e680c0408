"""Positions are counted on the safe side: fills, facts and reports in any order, with any lag that is allowed for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

import pytest

from policykit.orders.intent import Intent, Outcome
from policykit.store import Observation
from policykit.store.memory import MemoryStore
from policykit.store.positions import DOUBT_MS, FILLS, PositionState
from tests.store.made import ACCOUNT, BTC, NOW, UNIT, hold_position, hold_sum, reserve


@dataclass
class Venue:
    """What really happened, in plain lists: when each part of each order filled."""

    fills: list[tuple[int, int]] = field(default_factory=list)
    filled: dict[str, int] = field(default_factory=dict)

    def fill(self, now: int, intent: Intent, steps: int) -> None:
        self.filled[intent.id] = self.filled.get(intent.id, 0) + steps
        self.fills.append((now, steps if intent.order.side == "buy" else -steps))

    def position(self, until: int) -> int:
        return sum(steps for at, steps in self.fills if at <= until)


class World:
    """A bot, a venue whose answers lag behind it, and a store that must never think better of it than is true."""

    def __init__(self, seed: int) -> None:
        self.random, self.store, self.venue, self.now = Random(seed), MemoryStore(), Venue(), NOW
        self.open: list[Intent] = []
        #: (when it arrives, what to do then)
        self.coming: list[tuple[int, Callable[[], None]]] = []

    def later(self, most_ms: int, act: Callable[[], None]) -> None:
        self.coming.append((self.now + self.random.randrange(most_ms + 1), act))

    def step(self) -> None:
        self.now += self.random.choice((1, 5, 50, 400, 2_000))
        for item in sorted((c for c in self.coming if c[0] <= self.now), key=lambda c: c[0]):
            self.coming.remove(item)
            item[1]()
        self.random.choice((self.order, self.fill, self.fill, self.report, self.read))()

    def order(self) -> None:
        if len(self.open) < 3:
            side = self.random.choice(("buy", "sell"))
            steps = self.random.randrange(1, 60) * (1 if side == "buy" else -1)
            intent, grant = reserve(
                self.store, hold_position(steps, 10**15), side=side, quantity=str(abs(steps) * UNIT), now=self.now
            )
            assert grant.granted
            self.open.append(intent)

    def fill(self) -> None:
        if self.open:
            intent = self.random.choice(self.open)
            left = abs(intent.holds[0].amount) - self.venue.filled.get(intent.id, 0)
            if left:
                self.venue.fill(self.now, intent, self.random.randrange(1, left + 1))

    def report(self) -> None:
        """The venue tells what filled so far; the news is on its way for up to ten seconds, in any order."""
        if not self.open:
            return
        intent = self.random.choice(self.open)
        filled = self.venue.filled.get(intent.id, 0)
        over = filled == abs(intent.holds[0].amount)

        def arrive() -> None:
            outcome = Outcome("acknowledged", self.now, "x", filled * UNIT, over)
            if self.store.outcome(intent.id, outcome).open is False and intent in self.open:
                self.open.remove(intent)

        self.later(self.random.choice((0, 0, 300, 10_000)), arrive)

    def read(self) -> None:
        """Somebody reads the account: what the answer shows is up to a lag older than the moment it was made."""
        sent, until = self.now, self.now + self.random.randrange(1_500)
        shown = self.random.randint(sent, until) - self.random.randrange(DOUBT_MS)

        def arrive() -> None:
            positions = {"BTC": self.venue.position(shown) * UNIT}
            self.store.observe(ACCOUNT, Observation(sent, until, positions=positions), self.now)

        self.coming.append((until + self.random.randrange(500), arrive))

    def check(self) -> None:
        true, seen = self.venue.position(self.now) * UNIT, self.store.facts(ACCOUNT, "bot").positions.get("BTC")
        if seen is not None:
            assert seen.low - seen.open_sells <= true <= seen.high + seen.open_buys
            for intent in self.open:
                assert self.store.intent(intent.id) is not None
            if self.told_all():
                assert seen.low <= true <= seen.high

    def told_all(self) -> bool:
        known = {i.id: i.filled for i in self.store.intents(open_only=False)}
        return all(known.get(name, 0) == steps * UNIT for name, steps in self.venue.filled.items() if name in known)


def test_I9_a_position_is_never_thought_better_than_it_is(tier: Callable[[int, int], int]) -> None:
    """After every step the true position lies inside what is counted, open orders included until all is told."""
    steps = tier(20_000, 1_000_000)
    for seed in range(steps // 400):
        world = World(seed)
        for _ in range(400):
            world.step()
            world.check()


def test_I9_a_store_without_doubt_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: without the allowance for lag the same worlds show a position outside of what is counted."""
    monkeypatch.setattr("policykit.store.positions.DOUBT_MS", 0)
    with pytest.raises(AssertionError):
        for seed in range(50):
            world = World(seed)
            for _ in range(400):
                world.step()
                world.check()


def test_I9_when_all_is_quiet_nothing_is_in_doubt() -> None:
    """Doubt ends: a fact read long after the last fill is the position, and only open orders are out beside it."""
    for seed in range(10):
        world = World(seed)
        for _ in range(300):
            world.step()
        for intent in tuple(world.open):
            filled = world.venue.filled.get(intent.id, 0)
            world.store.outcome(intent.id, Outcome("settled", world.now, filled=filled * UNIT, closed=True))
        world.now += 20_000
        world.store.observe(
            ACCOUNT,
            Observation(world.now, world.now, positions={"BTC": world.venue.position(world.now) * UNIT}),
            world.now,
        )
        seen = world.store.facts(ACCOUNT, "bot").positions["BTC"]
        true = world.venue.position(world.now) * UNIT
        assert seen[:4] == (true, true, 0, 0)


def test_I9_unknown_and_silent_orders_count_until_they_are_settled() -> None:
    """A crashed process leaves its orders counted in full, for as long as nobody says what became of them."""
    store = MemoryStore()
    crashed, _ = reserve(store, hold_sum(1, 5), hold_position(BTC, 5 * BTC))
    unknown, _ = reserve(store, hold_sum(1, 5), hold_position(BTC, 5 * BTC))
    store.outcome(unknown.id, Outcome("unknown", NOW))
    much_later = NOW + 10**10
    store.observe(ACCOUNT, Observation(much_later, much_later, positions={}), much_later)
    _, grant = reserve(store, hold_sum(4, 5), hold_position(4 * BTC, 5 * BTC), now=much_later)
    assert (grant.granted, grant.used) == (False, (2, 2 * BTC))
    for intent in (crashed, unknown):
        store.outcome(intent.id, Outcome("absent", much_later, closed=True))
    assert reserve(store, hold_sum(5, 5), hold_position(5 * BTC, 5 * BTC), now=much_later)[1].granted


def test_I9_a_late_report_proves_no_later_fill() -> None:
    """A fill between two reports may have happened before either: a fact in between may hold it, so it is in doubt."""
    store = MemoryStore()
    intent, _ = reserve(store, hold_position(2 * BTC, 5 * BTC), quantity="2")
    store.outcome(intent.id, Outcome("acknowledged", NOW + 10, "x", Decimal(1)))
    store.observe(ACCOUNT, Observation(NOW + 8_000, NOW + 8_010, positions={"BTC": Decimal(2)}), NOW + 8_010)
    store.outcome(intent.id, Outcome("unknown", NOW + 20_000))
    store.outcome(intent.id, Outcome("found", NOW + 21_000, "x", Decimal(2), True))
    seen = store.facts(ACCOUNT, "bot").positions["BTC"]
    assert (seen.low, seen.high) == (2, 3)


@pytest.mark.parametrize(("read", "low", "high"), [("1.000000001", 100_000_000, 100_000_001), ("-0.000000001", -1, 0)])
def test_I9_finer_steps_than_ours_are_rounded_outward(read: str, low: int, high: int) -> None:
    """A quantity between two steps of 1e-8 lies between low and high; a fill of such a size too."""
    state = PositionState()
    state.observe(Decimal(read), NOW, NOW)
    assert state.bounds() == (low, high)
    store = MemoryStore()
    intent, _ = reserve(store, hold_position(-BTC, BTC), side="sell")
    for filled in ("0.0000000001", "0.0000000002"):
        store.outcome(intent.id, Outcome("acknowledged", NOW, "x", Decimal(filled)))
    seen = store.facts(ACCOUNT, "bot").positions["BTC"]
    assert (seen.low, seen.high, seen.open_sells) == (-2 * UNIT, 0, 1)


def test_fills_without_a_newer_fact_are_bounded() -> None:
    """Beyond FILLS the oldest of one side become one, with the same sums and no less doubt."""
    random, state, plain = Random(5), PositionState(), PositionState()
    state.until_ms = plain.until_ms = NOW
    for number in range(3 * FILLS):
        steps = random.choice((1, -1)) * random.randrange(1, 9)
        fill = [steps, steps, NOW + random.choice((0, DOUBT_MS + 1)), NOW + number]
        state.fill(*fill)
        plain.fills.append(fill)
        assert len(state.fills) <= FILLS
    (low, high), (known_low, known_high) = state.bounds(), plain.bounds()
    assert low <= known_low <= known_high <= high
    state.until_ms = plain.until_ms = NOW - 2 * DOUBT_MS
    assert state.bounds() == plain.bounds()
    again = PositionState()
    again.load(state.dump())
    assert again.dump() == state.dump()


def test_numbers_do_not_depend_on_the_bots_decimal_context() -> None:
    """A bot that computes with three digits gets the same position."""
    from decimal import localcontext

    store = MemoryStore()
    with localcontext() as context:
        context.prec = 3
        store.observe(ACCOUNT, Observation(NOW, NOW, positions={"BTC": Decimal("1.23456789")}), NOW)
        seen = store.facts(ACCOUNT, "bot").positions["BTC"]
    assert (seen.low, seen.high) == (Decimal("1.23456789"), Decimal("1.23456789"))


@pytest.mark.parametrize(
    ("first", "second", "third", "made"),
    [
        ([0, 1], [-5, -5], [3, 3], [3, 4]),
        ([-5, -5], [0, 1], [-2, -2], [-7, -7]),
        ([-1, 0], [0, 1], [-1, 0], [-2, 0]),
        ([0, 1], [-1, 0], [3, 3], [3, 4]),
    ],
)
def test_fills_smaller_than_a_step_stay_on_their_side(
    first: list[int], second: list[int], third: list[int], made: list[int]
) -> None:
    """A buy that may be nothing is still a buy: it is added to the next buy, never to a sale."""
    state = PositionState()
    state.fills = [[*fill, at, at] for at, fill in enumerate((first, second, third))]
    state._coalesce()
    assert state.fills == [[*made, 0, 2], [*second, 1, 1]]

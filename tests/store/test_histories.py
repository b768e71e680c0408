"""Any history: no cap is overrun, memory and SQLite answer alike, and the state is the fold of the rows."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from policykit.decision import Hold
from policykit.orders.intent import Intent, Outcome
from policykit.store import Grant, Observation
from policykit.store.backed import LedgerStore
from policykit.store.ledger import Ledger
from policykit.store.memory import MemoryStore
from policykit.store.positions import DOUBT_MS
from policykit.store.sqlite import SqliteStore
from tests.store.made import (
    ACCOUNT,
    BTC,
    NOW,
    dump,
    hold_clear,
    hold_position,
    hold_sum,
    hold_window,
    replayed,
    reserve,
    wanted,
)

SUM_CAP, WINDOW_CAP, POSITION_CAP, SPAN = 7, 9, 5, 1_000
STATES = ("sent", "acknowledged", "unknown", "found", "rejected", "absent", "settled")
#: Nothing is synced where a file lies in memory; these tests are of the state, not of its durability.
MEMORY = Path("/dev/shm")
OVER = frozenset(("rejected", "absent", "settled"))


@dataclass
class Out:
    """What the model knows of one granted order: no code of the store's."""

    amount: int
    buy: bool
    quantity: int
    filled: int = 0
    state: str = "intended"
    permit_until: int = 0

    @property
    def over(self) -> bool:
        return self.state in OVER


class Histories(RuleBasedStateMachine):
    """Two stores that must agree, and a model of plain lists that knows what is really used."""

    ledger: ClassVar[type[Ledger]] = Ledger

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.memory = MemoryStore()
        self.memory._ledger = self.ledger()
        self.file = self.opened()
        self.now = NOW
        self.latest = NOW
        self.generation = 0
        self.orders: dict[str, Out] = {}
        self.intents: list[Intent] = []
        self.windows: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
        self.position = 0

    def opened(self) -> Any:
        """Open the store that must agree with the one in memory; the same one each time."""
        return SqliteStore(self.folder / "store.db")

    def both(self, act: Callable[[LedgerStore], Any]) -> Any:
        answers = act(self.memory), act(self.file)
        assert answers[0] == answers[1]
        return answers[0]

    # ---- what may happen

    @rule(ms=st.sampled_from((0, 1, 40, 300, 999, 1_000, 5_000, 40_000, -1, -500, -60_000)))
    def time_moves(self, ms: int) -> None:
        self.now += ms
        self.latest = max(self.latest, self.now)

    @rule(
        amount=st.integers(1, 4),
        kinds=st.sets(st.sampled_from(("sum", "rolling", "fixed", "position", "clear")), min_size=1),
        buy=st.booleans(),
    )
    def order(self, amount: int, kinds: set[str], buy: bool) -> None:
        sign = 1 if buy else -1
        holds = {
            "sum": hold_sum(amount, SUM_CAP),
            "rolling": hold_window(amount, WINDOW_CAP, SPAN),
            "fixed": hold_window(amount, WINDOW_CAP, SPAN, fixed=True),
            "position": hold_position(sign * amount * BTC, POSITION_CAP * BTC),
            "clear": hold_clear("buy" if buy else "sell"),
        }
        chosen = tuple(hold for kind, hold in holds.items() if kind in kinds)
        decision, intent = wanted(*chosen, now=self.now, side="buy" if buy else "sell", quantity=str(amount))
        before = self.used(buy)
        if self.both(lambda s: s.reserve(decision, intent, chosen, self.generation, self.now)).granted:
            self.keep(intent, kinds, amount, buy, before)

    def used(self, buy: bool) -> dict[str, int]:
        """Return what is really used of each cap, by the plain lists."""
        rolling, fixed = self.windows[False], self.windows[True]
        edge = max(self.now, rolling[-1][0] if rolling else 0) - SPAN
        newest = max(self.now, fixed[-1][0] if fixed else 0)
        live = [o for o in self.orders.values() if not o.over]
        claims = sum(max(0, o.quantity - o.filled) for o in live if o.buy is buy and o.quantity)
        waiting = [o for o in live if o.buy is buy and o.state in ("intended", "sent")]
        silent = [o for o in waiting if self.now > o.permit_until + 30_000]
        return {
            "sum": sum(o.amount for o in live),
            "rolling": sum(a for at, a in rolling if at > edge),
            "fixed": sum(a for at, a in fixed if at >= newest - newest % SPAN),
            "position": claims + (self.position if buy else -self.position),
            "clear": len(silent) + sum(o.buy is buy and o.state == "unknown" for o in live),
        }

    def keep(self, intent: Intent, kinds: set[str], amount: int, buy: bool, before: dict[str, int]) -> None:
        caps = {"sum": SUM_CAP, "rolling": WINDOW_CAP, "fixed": WINDOW_CAP, "position": POSITION_CAP}
        for kind in kinds & set(caps):
            assert before[kind] + amount <= caps[kind], f"{kind} cap overrun"
        if "clear" in kinds:
            assert before["clear"] == 0, "an order beside an unknown one"
        out = Out(amount if "sum" in kinds else 0, buy, amount if "position" in kinds else 0)
        out.permit_until = intent.permit_until_ms or 0
        self.orders[intent.id] = out
        self.intents.append(intent)
        for kind, fixed in (("rolling", False), ("fixed", True)):
            if kind in kinds:
                self.count(fixed, amount)

    def count(self, fixed: bool, amount: int) -> None:
        """Note a use; a clock that stepped back dates it as the one before."""
        uses = self.windows[fixed]
        uses.append((max(self.now, uses[-1][0] if uses else 0), amount))

    @rule(pick=st.integers(0, 10**6), state=st.sampled_from(STATES), parts=st.integers(0, 6))
    def report(self, pick: int, state: str, parts: int) -> None:
        """Something becomes known of an order; `parts` quarters of it filled, also late and also too much."""
        if not self.intents:
            return
        intent = self.intents[-1 - pick % min(len(self.intents), 12)]
        out = self.orders[intent.id]
        filled = Decimal(parts) / 4 * (intent.order.quantity or 0)
        after: Intent = self.both(lambda s: s.outcome(intent.id, Outcome(state, self.now, filled=filled)))  # type: ignore[arg-type]
        grown = max(Decimal(out.filled), after.filled) - out.filled
        if out.quantity:
            self.position += grown if out.buy else -grown  # type: ignore[assignment]
        out.filled, out.state = after.filled, after.state  # type: ignore[assignment]

    @rule()
    def reading(self) -> None:
        """The account is read, long after everything that filled."""
        self.now = self.latest = self.latest + 2 * DOUBT_MS
        seen = Observation(self.now - 1, self.now, positions={"BTC": Decimal(self.position)})
        self.both(lambda s: s.observe(ACCOUNT, seen, self.now))

    @rule(amount=st.integers(1, 4))
    def read_budget(self, amount: int) -> None:
        before = self.used(True)["rolling"]
        if self.both(lambda s: s.use((hold_window(amount, WINDOW_CAP, SPAN),), self.now)).granted:
            assert before + amount <= WINDOW_CAP
            self.count(False, amount)

    @rule(pick=st.integers(0, 10**6))
    def renewal(self, pick: int) -> None:
        if self.intents:
            intent = self.intents[pick % len(self.intents)]
            if self.both(lambda s: s.renew(intent.id, self.generation, 5_000, self.now)):
                self.orders[intent.id].permit_until = self.now + 250

    @rule(on=st.booleans())
    def halt_or_resume(self, on: bool) -> None:
        if on:
            self.both(lambda s: s.halt("bot:other", "HALTED", "desk", "test", self.now))
        else:
            self.both(lambda s: s.resume("all", "desk", "test", self.now))
        self.generation += 1

    @rule()
    def restart(self) -> None:
        self.file.checkpoint()
        self.file.close()
        self.file = self.opened()

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        state = dump(self.memory._ledger, self.file)
        assert state == dump(self.file)
        rows = list(self.memory.rows(limit=10**6))
        assert [r[:4] for r in rows] == [r[:4] for r in self.file.rows(limit=10**6)]
        assert state == dump(replayed(iter(rows)), self.file)
        assert self.file.verify() == (len(rows), None)
        self.file.close()
        afresh = self.opened()
        assert state == dump(afresh)
        afresh.close()
        shutil.rmtree(self.folder)


def explore(machine: type[Histories], examples: int, steps: int, *, shrink: bool = True) -> None:
    """Run a machine through histories of its own choice, the same each time."""
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            phases=phases,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_I8_no_cap_is_overrun_in_any_history(tier: Callable[[int, int], int]) -> None:
    """Reserved and committed never exceed the limit at reserve time: sum, both windows, position, clear."""
    examples = tier(300, 10_000)
    explore(Histories, examples, 50 if examples == 300 else 100)


class Forgetful(Ledger):
    """A ledger that gives a hold back when an outcome is unknown, as much as one would wish."""

    def settle(self, intent_id: str, outcome: Outcome) -> Intent:
        after = super().settle(intent_id, outcome)
        if after.state == "unknown" and after.open:
            for hold in after.holds:
                if hold.kind == "sum":
                    self.sums[hold.counter] = 0
        return after


class Careless(Histories):
    ledger = Forgetful

    def both(self, act: Callable[[LedgerStore], Any]) -> Any:
        return act(self.memory)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.file.close()
            shutil.rmtree(self.folder)


def test_I8_a_ledger_that_releases_the_unknown_is_caught() -> None:
    """Control: the same histories find the cap overrun when unknown orders no longer count."""
    with pytest.raises(AssertionError, match="sum cap overrun"):
        explore(Careless, 5_000, 50, shrink=False)  # ends with the first that finds it


def test_a_refusal_leaves_no_trace(store: LedgerStore) -> None:
    """A refused order at a time far ahead moves no window: what one process tried, others cannot know."""
    holds: tuple[Hold, ...] = (hold_window(1, 1), hold_window(1, 1, fixed=True))
    assert reserve(store, *holds)[1].granted
    assert not reserve(store, *holds, hold_sum(2, 1), now=NOW + 10**6)[1].granted
    assert reserve(store, *holds)[1] == Grant(False, False, (1, 1), (0, 1), 1)

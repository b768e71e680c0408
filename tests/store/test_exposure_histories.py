"""I8 and I9 for caps on all positions together: random histories against plain sums of what really is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from policykit.decision import (
    Hold,
    asset_owner,
    gross_counter,
    group_owner,
    net_counter,
    position_counter,
    positions_counter,
)
from policykit.orders.intent import Intent, Outcome
from policykit.store import Observation
from policykit.store.account import AccountState
from policykit.store.ledger import Ledger
from policykit.store.memory import MemoryStore
from policykit.store.positions import DOUBT_MS, PositionState
from policykit.units import EXPOSURE_SCALE, MAX_COUNTER
from tests.store.made import BTC, NOW, dump, replayed, reserve
from tests.store.test_histories import OVER, STATES, explore

ACCOUNTS = ("binance/main", "binanceusdm/main")
KEYS = ("BTC", "BTC/USDT:USDT#long", "ETH/USDT:USDT")
GROUP = group_owner("desk", "USDT")
#: The caps, in whole USDT; a unit of each position is worth 1 to 9 of them.
GROSS, NET, ASSET, DESK, POSITIONS = 60, 40, 50, 90, 2


@dataclass
class Out:
    """What the model knows of one granted order: no code of the store's."""

    account: str
    key: str
    buy: bool
    quantity: Decimal
    filled: Decimal = Decimal(0)
    over: bool = False

    @property
    def left(self) -> Decimal:
        return Decimal(0) if self.over else max(Decimal(0), self.quantity - self.filled)


class Exposures(RuleBasedStateMachine):
    """Two accounts of a group, three positions each. What is held is a number, what is out a list, a cap a sum."""

    ledger: ClassVar[type[Ledger]] = Ledger

    @initialize()
    def start(self) -> None:
        self.store = MemoryStore()
        self.store._ledger = self.ledger()
        self.now = NOW
        self.held = {(account, key): Decimal(0) for account in ACCOUNTS for key in KEYS}
        self.units = dict.fromkeys(self.held, Decimal(1))
        self.orders: dict[str, Out] = {}
        self.intents: list[Intent] = []
        for account in ACCOUNTS:
            self.store.announce(account, "USDT", {"name": "mm", "groups": [GROUP]}, NOW)
            self.read(account)

    # ---- the model

    def worst(self, account: str, key: str) -> tuple[Decimal, Decimal]:
        """Return what a position can come to on each side, in USDT."""
        mine = [out for out in self.orders.values() if (out.account, out.key) == (account, key)]
        buys, sells = (sum(out.left for out in mine if out.buy is buy) for buy in (True, False))
        held, unit = self.held[account, key], self.units[account, key]
        return (held + buys) * unit, (sells - held) * unit

    def total(self, chosen: list[tuple[str, str]]) -> tuple[Decimal, Decimal, Decimal]:
        """Return gross, long and short of some positions."""
        sides = [self.worst(*one) for one in chosen]
        gross = sum((max(*side, Decimal(0)) for side in sides), Decimal(0))
        return gross, sum((s[0] for s in sides), Decimal(0)), sum((s[1] for s in sides), Decimal(0))

    def fits(self, account: str, key: str, buy: bool, added: Decimal) -> None:
        """Fail where an order that was granted is over a cap that it asked."""
        mine = [(account, k) for k in KEYS]
        asset = [(account, k) for k in KEYS if k.partition("/")[0] == key.partition("/")[0]]
        gross, *net = self.total(mine)
        assert gross + added <= GROSS, "gross cap overrun"
        assert net[not buy] + added <= NET, "net cap overrun"
        assert self.total(asset)[0] + added <= ASSET, "asset cap overrun"
        assert self.total(list(self.held))[0] + added <= DESK, "group cap overrun"
        others = sum(max(self.worst(*one)) > 0 for one in mine if one != (account, key))
        assert others + 1 <= POSITIONS, "too many positions"

    # ---- what may happen

    @rule(
        account=st.sampled_from(ACCOUNTS),
        key=st.sampled_from(KEYS),
        quantity=st.integers(1, 8),
        buy=st.booleans(),
        ms=st.sampled_from((0, 40, 5_000)),
    )
    def order(self, account: str, key: str, quantity: int, buy: bool, ms: int) -> None:
        self.now += ms
        sign, added = (1 if buy else -1), quantity * self.units[account, key]
        steps = int(added * EXPOSURE_SCALE) * sign

        def cap(kind: Any, counter: str, most: int) -> Hold:
            return Hold(counter, steps, most * EXPOSURE_SCALE, kind, "risk")

        holds = (
            Hold(position_counter(account, key), sign * quantity * BTC, MAX_COUNTER, "position", "risk"),
            cap("gross", gross_counter(account), GROSS),
            cap("net", net_counter(account), NET),
            cap("gross", gross_counter(asset_owner(account, key)), ASSET),
            cap("gross", gross_counter(GROUP), DESK),
            Hold(positions_counter(account, key), 1, POSITIONS, "positions", "risk"),
        )
        side = "buy" if buy else "sell"
        intent, grant = reserve(self.store, *holds, side=side, quantity=str(quantity), now=self.now, account=account)
        if grant.granted:
            self.fits(account, key, buy, added)
            self.orders[intent.id] = Out(account, key, buy, Decimal(quantity))
            self.intents.append(intent)

    @rule(pick=st.integers(0, 10**6), state=st.sampled_from(STATES), parts=st.integers(0, 5))
    def report(self, pick: int, state: str, parts: int) -> None:
        """Something becomes known of an order; `parts` quarters of it filled, also late and also too much."""
        if not self.intents:
            return
        intent = self.intents[-1 - pick % min(len(self.intents), 12)]
        out = self.orders[intent.id]
        filled = Decimal(parts) / 4 * out.quantity
        after = self.store.outcome(intent.id, Outcome(state, self.now, filled=filled))  # type: ignore[arg-type]
        grown = max(Decimal(0), after.filled - out.filled)
        self.held[out.account, out.key] += grown if out.buy else -grown
        out.filled, out.over = max(out.filled, after.filled), after.state in OVER

    @rule(account=st.sampled_from(ACCOUNTS), key=st.sampled_from(KEYS), unit=st.integers(1, 9))
    def mark(self, account: str, key: str, unit: int) -> None:
        self.units[account, key] = Decimal(unit)
        self.store.observe(account, Observation(self.now, self.now, units={key: Decimal(unit)}), self.now)

    @rule(account=st.sampled_from(ACCOUNTS), closed=st.sampled_from((None, *KEYS)))
    def read(self, account: str, closed: str | None = None) -> None:
        """An account is read, long after everything that filled; one position may have been closed elsewhere."""
        self.now += 2 * DOUBT_MS
        if closed is not None:
            self.held[account, closed] = Decimal(0)
        positions = {key: self.held[account, key] for key in KEYS}
        units = {key: self.units[account, key] for key in KEYS}
        self.store.observe(account, Observation(self.now - 1, self.now, positions=positions, units=units), self.now)

    def teardown(self) -> None:
        """What is counted is never under what is, and the same after a restart."""
        if not hasattr(self, "store"):
            return
        for owner, chosen in [(GROUP, list(self.held)), *((a, [(a, key) for key in KEYS]) for a in ACCOUNTS)]:
            counted = self.store._ledger.exposure.total(owner)
            true = [number * EXPOSURE_SCALE for number in self.total(chosen)]
            assert all(mine >= real for mine, real in zip(counted, true, strict=False)), "counted under what is"
        again = replayed(iter(list(self.store.rows(limit=10**6))))
        assert dump(again) == dump(self.store)
        for owner, total in self.store._ledger.exposure.totals.items():
            assert again.exposure.total(owner) == Ledger.load(dump(again)).exposure.total(owner) == total


def test_I8_no_total_of_positions_is_overrun_in_any_history(tier: Callable[[int, int], int]) -> None:
    """Held and out never exceed gross, net, asset and group caps, nor the count of positions, when one is let on."""
    examples = tier(80, 10_000)
    explore(Exposures, examples, 40 if examples == 80 else 100)  # type: ignore[arg-type]


class _Blind(Ledger):
    """A ledger of which every test below breaks one thing."""


def _caught(message: str) -> None:
    """Run histories until one finds an overrun with a message."""

    class Machine(Exposures):
        ledger = _Blind

        def teardown(self) -> None:
            pass

    with pytest.raises(AssertionError, match=message):
        explore(Machine, 5_000, 40, shrink=False)  # type: ignore[arg-type]


def test_I8_control_orders_that_are_out_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were only what is held counted, two orders in flight would overrun the gross cap: the histories find it."""
    held = lambda self, buy: self.bounds()[1] if buy else -self.bounds()[0]  # noqa: E731
    monkeypatch.setattr(PositionState, "use", held)
    _caught("overrun|too many")


def test_I8_control_a_side_taken_for_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a sell held against what is long, shorts would overrun the net cap."""
    use = _Blind.use
    monkeypatch.setattr(_Blind, "use", lambda s, h, now: use(s, h._replace(amount=1) if h.kind == "net" else h, now))
    _caught("net cap overrun")


def test_I8_control_a_group_that_counts_one_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a group's total that of the account that asks, two accounts would use it twice."""
    use = _Blind.use

    def own(self: Ledger, hold: Hold, now: int) -> int:
        if hold.counter.startswith("group|"):
            hold = hold._replace(counter=gross_counter(self.asking))  # type: ignore[attr-defined]
        elif hold.kind == "position":
            self.asking = hold.counter.partition("|")[0]  # type: ignore[attr-defined]
        return use(self, hold, now)

    monkeypatch.setattr(_Blind, "use", own)
    _caught("group cap overrun")


def test_I8_control_a_mark_that_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were positions kept at the first price seen, a mark that rose would leave room that is not there."""
    counted = AccountState.counted

    def frozen(self: AccountState, key: str, state: PositionState) -> None:
        state.unit = min(state.unit, 10**12)
        counted(self, key, state)

    monkeypatch.setattr(AccountState, "counted", frozen)
    _caught("overrun")


def test_I8_control_positions_that_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were other positions not counted, three would be open where two may be."""
    monkeypatch.setattr(_Blind, "_others", lambda self, counter: 0)
    _caught("too many positions")

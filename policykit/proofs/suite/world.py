"""The account of a test: what a guard's store and its polling would know of it at each step.

What is polled (prices, equity, positions) is as new as the step, unless the test says how old it is. Positions are
what was given and every fill since, none in doubt. What a store keeps (day base, week, peak, streak, halts, windows)
is kept by a real one: what a step says of it is put there, and what follows changes it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from policykit.engine.facts import Fact, Facts, Move, Setting
from policykit.engine.given import Given
from policykit.engine.setup import Setup
from policykit.guard.given import day_start_ms, week_start_ms, with_units
from policykit.guard.settings import counted
from policykit.policy import EffectivePolicy
from policykit.proofs.suite.form import Step
from policykit.store import Observation
from policykit.store.account import MOVES, AccountState
from policykit.store.ledger import Ledger
from policykit.store.memory import MemoryStore
from policykit.store.windows import make
from policykit.units import scale_down, scale_up

_MINUTE_MS: Final = 60_000
_ZERO: Final = Decimal(0)
#: Facts that are as the test says them, at every step.
POLLED: Final = (
    *("equity", "marks", "quotes", "contract_sizes", "contracts", "margin_ratio", "borrowed", "positions_as_of_ms"),
    *("drift", "reconciled_ms", "foreign_orders", "recovered", "waits", "store_problem", "streams"),
)
#: What changes what a position is worth, beside its price.
_WORTH: Final = frozenset(("contract_sizes", "contracts", "position_mode"))


class Book(MemoryStore):
    """A store of one account whose facts a test says."""

    def open(self, policy: EffectivePolicy, now_ms: int) -> None:
        """Begin to count for a policy, as a guard does that loads it."""
        with self._step as ledger:
            said = {"account": policy.account_key, "currency": policy.model.account.currency, **counted(policy)}
            ledger.apply("policy", said, now_ms)

    def look(
        self, account: str, seen: Observation, money: Observation | None, given: Given, said: frozenset[str]
    ) -> None:
        """Take in what an account shows, and what a step says of what a store keeps; `money`: equity and transfers."""
        with self._step as ledger:
            state = ledger.account(account)
            state.observe(seen)
            _doubts(state, given, said)
            _keep(ledger, state, given.facts, said)
            if "used" in said:
                _use(ledger, given, seen.until_ms)
            if money is not None:
                _framed(state, money)
                state.figures.observe(money)
            ledger.moved()

    def settle(self, account: str) -> None:
        """Take every fill as seen: nobody is in doubt about the account of a test."""
        with self._step as ledger:
            state = ledger.account(account)
            for key, position in state.positions.items():
                if position.fills:
                    position.base_low += sum(fill[0] for fill in position.fills)
                    position.base_high += sum(fill[1] for fill in position.fills)
                    position.fills = []
                    state.counted(key, position)


def _doubts(state: AccountState, given: Given, said: frozenset[str]) -> None:
    """Put positions of which only bounds are given, and orders of others that are out."""
    if "positions" not in said:
        return
    foreign: dict[str, tuple[int, int]] = {}
    for key, one in given.facts.positions.items():
        position = state.position(key)
        position.base_low, position.base_high = scale_down(one.low), scale_up(one.high)
        state.counted(key, position)
        if one.open_buys or one.open_sells:
            foreign[key] = (scale_up(one.open_buys), scale_up(one.open_sells))
    state.reconcile({"foreign": foreign})


def _keep(ledger: Ledger, state: AccountState, facts: Facts, said: frozenset[str]) -> None:
    figures = state.figures
    for name in {"day_base", "week_base", "week_transfers", "peak"} & said:
        setattr(figures, name, getattr(facts, name))
    if "streak" in said and state.trades is not None and facts.streak is not None:
        state.trades.streak = facts.streak
    if "partials" in said and state.entries is not None:
        state.entries.seen = {s: one.at_ms for s, one in (facts.partials or {}).items() if one.at_ms is not None}
        out = ((s, one.least) for s, one in (facts.partials or {}).items())
        state.entries.out = {f"given {s}": (s, least) for s, least in out if least is not None}
    if "banned_until" in said:
        state.bans = dict(facts.banned_until_ms)
    if "halts" in said:
        ledger.halts = {halt.scope: halt for halt in facts.halts}
        ledger.generation += 1


def _use(ledger: Ledger, given: Given, now_ms: int) -> None:
    """Put what was used of rate budgets: their counters are named ...|MILLISECONDS|WINDOW (engine/checks)."""
    for counter, amount in given.used.items():
        _, span_ms, kind = counter.rsplit("|", 2)
        window = ledger.windows[counter] = make(int(span_ms), fixed=kind == "fixed")
        window.add(amount, now_ms)


def _framed(state: AccountState, money: Observation) -> None:
    """Date the bases that a test says by the start of their day and week, as a store does."""
    figures = state.figures
    for name, start_ms in (("day_base", money.day_start_ms), ("week_base", money.week_start_ms)):
        base = getattr(figures, name)
        if base is not None and base.as_of_ms > start_ms > 0:
            setattr(figures, name, base._replace(as_of_ms=start_ms))


class Account:
    """What is known of the account of one test, step by step."""

    def __init__(self, setup: Setup, policy: EffectivePolicy, key: str, host: str) -> None:
        self.setup = setup
        self.policy = policy
        self.store = Book()
        self.name = policy.account_key
        self._proof = f"{host}|{key}"
        self._opened = False
        self._prices: dict[str, Decimal] = {}
        self._moves: dict[str, tuple[Move, ...]] = {}
        self._calm = policy.model.risk is not None and policy.model.risk.max_price_move is not None
        #: The day that transfers were said for, and how much they are.
        self._day_ms = 0
        self._transfers = _ZERO

    def at(self, step: Step, given: Given, said: frozenset[str]) -> dict[str, Any]:
        """Look at the account; return the facts that are as the test says them, to be put over the store's."""
        now_ms, facts = step.at_ms, given.facts
        if not self._opened:
            self._opened = True
            self.store.open(self.policy, now_ms)
            said = frozenset(step.given)
        over = self._healthy(facts, step, now_ms, said)
        prices = {symbol: mark.value for symbol, mark in facts.marks.items()}
        seen = self._seen(facts, prices, over["position_mode"], said, now_ms)
        money = None if facts.equity is None else self._money(facts.equity, over["net_transfers"], now_ms)
        self.store.look(self.name, seen, money, given, said)
        if self._calm:
            over["moves"] = self._moved(facts, step, now_ms)
        self._prices = prices
        return over

    def _healthy(self, facts: Facts, step: Step, now_ms: int, said: frozenset[str]) -> dict[str, Any]:
        over = {name: getattr(facts, name) for name in POLLED}
        account, given = self.policy.model.account, step.given
        over["skew_ms"] = facts.skew_ms if "skew_ms" in given else 0
        over["address_proofs"] = {self._proof: now_ms, **facts.address_proofs}
        if given.get("address_proofs") == "unknown" or self._denied_proof(given):
            over["address_proofs"] = dict(facts.address_proofs)
        mode = facts.position_mode
        if "position_mode" not in given and account.position_mode is not None:
            mode = Setting(account.position_mode, now_ms)
        over["position_mode"] = mode
        if "positions" not in given and "positions_as_of" not in given:
            over["positions_as_of_ms"] = now_ms
        over["net_transfers"] = self._net(facts, given, said, now_ms)
        return over

    def _denied_proof(self, given: Any) -> bool:
        proofs = given.get("address_proofs")
        return isinstance(proofs, dict) and self._proof in proofs

    def _net(self, facts: Facts, given: Any, said: frozenset[str], now_ms: int) -> Fact | None:
        """Return the day's transfers: none where nothing is said, and none again once another day began."""
        day_ms = day_start_ms(self.policy, now_ms)
        if "net_transfers" in said or not self._day_ms:
            self._day_ms = day_ms
        if given.get("net_transfers") == "unknown":
            return None
        if day_ms == self._day_ms and facts.net_transfers is not None:
            return facts.net_transfers
        return Fact(_ZERO, now_ms)

    def _seen(
        self, facts: Facts, prices: dict[str, Decimal], mode: Setting | None, said: frozenset[str], now_ms: int
    ) -> Observation:
        """Return what a look at the account shows, with what one unit of each position is worth where that changed."""
        positions = {key: one.high for key, one in facts.positions.items()} if "positions" in said else None
        if prices == self._prices and not said & _WORTH:
            return Observation(now_ms, now_ms, positions=positions, partial=True)
        seen = Observation(
            now_ms,
            now_ms,
            positions=positions,
            partial=True,
            marks=prices,
            contract_sizes=facts.contract_sizes,
            contracts=facts.contracts,
            position_mode=None if mode is None else mode.value,
        )
        return with_units(self.setup, Facts(), seen)

    def _moved(self, facts: Facts, step: Step, now_ms: int) -> dict[str, tuple[Move, ...]]:
        """Return the prices of the last hour: as given, else as they were at each step, and unmoved between."""
        if "moves" in step.given:
            return dict(facts.moves)
        this = now_ms - now_ms % _MINUTE_MS
        for symbol, mark in facts.marks.items():
            price, before = mark.value, self._prices.get(symbol, mark.value)
            moves = {move.start_ms: move for move in self._moves.get(symbol, ())}
            for start in range(this - (MOVES - 1) * _MINUTE_MS, this, _MINUTE_MS):
                moves.setdefault(start, Move(start, before, before))
            last = moves.get(this, Move(this, before, before))
            moves[this] = Move(this, min(last.low, price), max(last.high, price))
            self._moves[symbol] = tuple(moves[start] for start in sorted(moves)[-MOVES:])
        return dict(self._moves)

    def _money(self, equity: Fact, net: Fact | None, now_ms: int) -> Observation:
        """Return what a store keeps the bases of day and week by, and the peak."""
        carried, self._transfers = self._transfers, _ZERO if net is None else net.value
        return Observation(
            equity.as_of_ms,
            now_ms,
            equity=equity.value,
            net_transfers=None if net is None else net.value,
            day_start_ms=day_start_ms(self.policy, now_ms),
            week_start_ms=week_start_ms(self.policy, now_ms),
            carried_transfers=carried,
        )

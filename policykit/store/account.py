"""What the ledger knows of one account: facts with their times, positions, bans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from policykit.engine.facts import Contract, Fact, Facts, Move, Position, Quote, Setting
from policykit.engine.money import unit_steps
from policykit.store.base import Observation
from policykit.store.codec import contract_from_list, contract_to_list, drift_from_list, fact_from_list, fact_to_list
from policykit.store.entries import Entries
from policykit.store.exposure import Exposure, owners
from policykit.store.figures import Figures
from policykit.store.positions import PositionState
from policykit.store.trades import Trades

_MINUTE_MS: Final = 60_000
#: So many minutes of marks are kept: an hour, wherever in a minute it starts.
MOVES: Final = 61
#: What lint found is kept of so many policies of one account.
MAX_LINTS: Final = 100


class LivePositions(Mapping[str, Position]):
    """The positions of an account as they are when asked: holds and fills move them between two facts."""

    __slots__ = ("_states",)

    def __init__(self, states: dict[str, PositionState]) -> None:
        self._states = states

    def __getitem__(self, key: str) -> Position:
        return self._states[key].view()

    def get(self, key: str, default: Any = None) -> Any:
        state = self._states.get(key)
        return default if state is None else state.view()

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._states))

    def __len__(self) -> int:
        return len(self._states)


class AccountState:
    """Facts of one account. An older `as_of_ms` never replaces a newer one."""

    def __init__(self, name: str, exposure: Exposure) -> None:
        self.name = name
        self.groups: tuple[str, ...] = ()
        self._exposure = exposure
        #: Whom each position counts for.
        self._owners: dict[str, tuple[str, ...]] = {}
        self.currency: str | None = None
        self.figures = Figures()
        self.positions: dict[str, PositionState] = {}
        self.positions_as_of_ms: int | None = None
        self.marks: dict[str, Fact] = {}
        self.moves: dict[str, tuple[Move, ...]] = {}
        self.contract_sizes: dict[str, Decimal] = {}
        self.quotes: dict[str, Quote] = {}
        self.contracts: dict[str, Contract] = {}
        self.position_mode: Setting | None = None
        self.margin_ratio: Fact | None = None
        self.borrowed: Fact | None = None
        #: When the mark was read that a position's unit is of, by its key.
        self.units_as_of: dict[str, int] = {}
        self.unlisted: frozenset[str] = frozenset()
        #: Kept once a policy asks for it.
        self.trades: Trades | None = None
        self.entries: Entries | None = None
        self.address_proofs: dict[str, int] = {}
        self.skew_ms: int | None = None
        self.bans: dict[str, int] = {}
        #: The last comparison with the exchange, as it stands in its row; empty: there was none.
        self.reconciled: dict[str, Any] = {}
        #: What the last `lint --live` of each policy found, as it stands in its row, by the policy's name.
        self.lints: dict[str, dict[str, Any]] = {}

    def position(self, key: str) -> PositionState:
        """Return a position, flat if nothing is known of it."""
        state = self.positions.get(key)
        if state is None:
            state = self.positions[key] = PositionState()
            state.as_of_ms = state.until_ms = self.positions_as_of_ms or 0
        return state

    def counted(self, key: str, state: PositionState) -> None:
        """Count a position anew that was changed: into the account, its asset, and the account's groups."""
        counts_for = self._owners.get(key)
        if counts_for is None:
            counts_for = self._owners[key] = owners(self.name, key, self.groups)
        self._exposure.count(state, counts_for)

    def join(self, groups: tuple[str, ...]) -> None:
        """Count the account's positions into groups, from now on; it leaves none that it was in."""
        new = tuple(group for group in groups if group not in self.groups)
        for state in self.positions.values() if new else ():
            self._exposure.join(state, new)
        self.groups += new
        self._owners.clear()

    def observe(self, seen: Observation) -> None:
        """Take facts in."""
        self.figures.observe(seen)
        for symbol, mark in seen.marks.items():
            if _newer(seen, self.marks.get(symbol)):
                self.marks[symbol] = Fact(mark, seen.as_of_ms)
                self.moves[symbol] = _moved(self.moves.get(symbol, ()), mark, seen.as_of_ms)
        self.contract_sizes.update(seen.contract_sizes)
        if seen.skew_ms is not None:
            self.skew_ms = seen.skew_ms
        self._observe_settings(seen)
        if seen.positions is not None:
            self._observe_positions(seen, seen.positions)
        if seen.unlisted is not None:
            self.unlisted = seen.unlisted
        for key, unit in seen.units.items():
            if seen.as_of_ms >= self.units_as_of.get(key, 0):
                self.units_as_of[key] = seen.as_of_ms
                state = self.position(key)
                state.unit = unit_steps(unit)
                self.counted(key, state)

    def _observe_settings(self, seen: Observation) -> None:
        for symbol, quote in seen.quotes.items():
            if symbol not in self.quotes or quote.as_of_ms >= self.quotes[symbol].as_of_ms:
                self.quotes[symbol] = quote
        for symbol, contract in seen.contracts.items():
            if symbol not in self.contracts or contract.as_of_ms >= self.contracts[symbol].as_of_ms:
                self.contracts[symbol] = contract
        if seen.position_mode is not None and _newer(seen, self.position_mode):
            self.position_mode = Setting(seen.position_mode, seen.as_of_ms)
        if seen.margin_ratio is not None and _newer(seen, self.margin_ratio):
            self.margin_ratio = Fact(seen.margin_ratio, seen.as_of_ms)
        if seen.borrowed is not None and _newer(seen, self.borrowed):
            self.borrowed = Fact(seen.borrowed, seen.as_of_ms)

    def reconcile(self, compared: dict[str, Any]) -> None:
        """Take a comparison in; open orders of nobody here count as orders that are out."""
        before, after = self.reconciled.get("foreign", {}), compared.get("foreign", {})
        for key in {**before, **after}:
            state, old, new = self.position(key), before.get(key, (0, 0)), after.get(key, (0, 0))
            state.claim(new[0] - old[0], buy=True)
            state.claim(old[1] - new[1], buy=False)
            self.counted(key, state)
        self.reconciled = compared

    def lint(self, found: dict[str, Any]) -> None:
        """Keep what lint found of a policy until it is linted again; of MAX_LINTS policies, those linted last."""
        others = [(name, old) for name, old in self.lints.items() if name != found["policy"]]
        self.lints = dict((*others, (found["policy"], found))[-MAX_LINTS:])

    def prove(self, host: str, key: str, at_ms: int) -> None:
        """Remember that a key was proved to work from a host."""
        name = f"{host}|{key}"
        self.address_proofs[name] = max(self.address_proofs.get(name, 0), at_ms)

    def filled(self, key: str, quantity: Decimal, cost: Decimal | None, at_ms: int, *, reduces: bool) -> bool:
        """Take a fill of ours into its trade; True when that ended one. What closes no trade of ours is none."""
        if self.trades is None or (reduces and key not in self.trades.running):
            return False
        return self.trades.fill(key, quantity, cost, at_ms)

    def _observe_positions(self, seen: Observation, positions: Mapping[str, Decimal]) -> None:
        if not seen.partial:
            if self.positions_as_of_ms is not None and seen.as_of_ms < self.positions_as_of_ms:
                return
            self.positions_as_of_ms = seen.as_of_ms
            for key in self.positions:
                if key not in positions:
                    self._observe_position(key, Decimal(0), seen)
        for key, quantity in positions.items():
            self._observe_position(key, quantity, seen)

    def _observe_position(self, key: str, quantity: Decimal, seen: Observation) -> None:
        state = self.position(key)
        state.observe(quantity, seen.as_of_ms, seen.until_ms)
        self.counted(key, state)
        ours = state.open_buys or state.open_sells  # what made it flat may be a fill of ours that is not reported yet
        if self.trades is not None and state.bounds() == (0, 0) and not ours:
            self.trades.flat(key)

    def _unpriced(self) -> tuple[str, ...]:
        """Return the keys of positions whose worth nobody told, so that no total counts them."""
        held = (key for key, state in self.positions.items() if not state.unit and state.bounds() != (0, 0))
        return tuple(sorted(key for key in held if key != self.currency and key not in self.unlisted))

    def facts(self, generation: int, seq: int = -1) -> Facts:
        """Return the account's facts; the object stands until something other than a hold or a fill changes."""
        return Facts(
            generation=generation,
            currency=self.currency,
            groups=self.groups,
            equity=self.figures.equity,
            day_base=self.figures.day_base,
            net_transfers=self.figures.net_transfers,
            week_base=self.figures.week_base,
            week_transfers=self.figures.week_transfers,
            peak=self.figures.peak,
            quotes=dict(self.quotes),
            contracts=dict(self.contracts),
            position_mode=self.position_mode,
            margin_ratio=self.margin_ratio,
            borrowed=self.borrowed,
            streak=None if self.trades is None else self.trades.streak,
            partials=None if self.entries is None else self.entries.view(),
            address_proofs=dict(self.address_proofs),
            positions=LivePositions(self.positions),
            positions_as_of_ms=self.positions_as_of_ms,
            unpriced=self._unpriced(),
            marks=dict(self.marks),
            moves=dict(self.moves),
            contract_sizes=dict(self.contract_sizes),
            skew_ms=self.skew_ms,
            banned_until_ms=dict(self.bans),
            drift=tuple(map(drift_from_list, self.reconciled.get("drift", ()))),
            reconciled_ms=self.reconciled.get("at_ms"),
            foreign_orders=self.reconciled.get("foreign_orders", 0),
            seq=seq,
        )

    def dump(self) -> dict[str, Any]:
        return {
            "currency": self.currency,
            "groups": list(self.groups),
            **self.figures.dump(),
            "positions": {key: state.dump() for key, state in self.positions.items()},
            "positions_as_of_ms": self.positions_as_of_ms,
            "marks": {symbol: fact_to_list(mark) for symbol, mark in self.marks.items()},
            "moves": {s: [[m.start_ms, str(m.low), str(m.high)] for m in moves] for s, moves in self.moves.items()},
            "contract_sizes": {symbol: str(size) for symbol, size in self.contract_sizes.items()},
            "quotes": {s: [str(q.bid), str(q.ask), q.as_of_ms] for s, q in self.quotes.items()},
            "contracts": {s: contract_to_list(c) for s, c in self.contracts.items()},
            "position_mode": None if self.position_mode is None else list(self.position_mode),
            "margin_ratio": fact_to_list(self.margin_ratio),
            "borrowed": fact_to_list(self.borrowed),
            "units_as_of": dict(self.units_as_of),
            "unlisted": sorted(self.unlisted),
            "trades": None if self.trades is None else self.trades.dump(),
            "entries": None if self.entries is None else self.entries.dump(),
            "address_proofs": dict(self.address_proofs),
            "skew_ms": self.skew_ms,
            "bans": dict(self.bans),
            "reconciled": self.reconciled,
            "lints": self.lints,
        }

    def load(self, data: dict[str, Any]) -> None:
        self.currency = data["currency"]
        self.groups = tuple(data.get("groups", ()))
        self.figures.load(data)
        self.positions_as_of_ms = data["positions_as_of_ms"]
        for key, state in data["positions"].items():
            self.positions[key] = PositionState()
            self.positions[key].load(state)
            self.counted(key, self.positions[key])
        self.marks = {s: Fact(Decimal(mark[0]), mark[1]) for s, mark in data["marks"].items()}
        for symbol, moves in data.get("moves", {}).items():
            self.moves[symbol] = tuple(Move(start, Decimal(low), Decimal(high)) for start, low, high in moves)
        self.contract_sizes = {s: Decimal(size) for s, size in data["contract_sizes"].items()}
        self.skew_ms = data["skew_ms"]
        self.bans = dict(data["bans"])
        self._load_settings(data)

    def _load_settings(self, data: dict[str, Any]) -> None:
        """Read what a checkpoint of an earlier version has none of."""
        for symbol, (bid, ask, as_of_ms) in data.get("quotes", {}).items():
            self.quotes[symbol] = Quote(Decimal(bid), Decimal(ask), as_of_ms)
        self.contracts = {s: contract_from_list(c) for s, c in data.get("contracts", {}).items()}
        mode, trades, entries = data.get("position_mode"), data.get("trades"), data.get("entries")
        self.position_mode = None if mode is None else Setting(*mode)
        self.margin_ratio = fact_from_list(data.get("margin_ratio"))
        self.borrowed = fact_from_list(data.get("borrowed"))
        self.units_as_of = dict(data.get("units_as_of", {}))
        self.unlisted = frozenset(data.get("unlisted", ()))
        if trades is not None:
            self.trades = Trades()
            self.trades.load(trades)
        if entries is not None:
            self.entries = Entries()
            self.entries.load(entries)
        self.address_proofs = dict(data.get("address_proofs", {}))
        self.reconciled = data.get("reconciled", {})
        self.lints = data.get("lints", {})


def _newer(seen: Observation, fact: Fact | Setting | None) -> bool:
    return fact is None or seen.as_of_ms >= fact.as_of_ms


def _moved(moves: tuple[Move, ...], mark: Decimal, at_ms: int) -> tuple[Move, ...]:
    """Return the moves with a mark that was read no earlier than the last of them."""
    start = at_ms - at_ms % _MINUTE_MS
    if moves and moves[-1].start_ms == start:
        last = moves[-1]
        return (*moves[:-1], Move(start, min(last.low, mark), max(last.high, mark)))
    return (*moves, Move(start, mark, mark))[-MOVES:]

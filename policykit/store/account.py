"""What the ledger knows of one account: facts with their times, positions, bans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from policykit.engine.facts import Fact, Facts, Move, Position
from policykit.store.base import Observation
from policykit.store.codec import fact_from_list, fact_to_list
from policykit.store.exposure import Exposure, owners, unit_steps
from policykit.store.positions import PositionState

_MINUTE_MS: Final = 60_000
#: So many minutes of marks are kept: an hour, wherever in a minute it starts.
MOVES: Final = 61


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
        self.currency: str | None = None
        self.equity: Fact | None = None
        self.day_base: Fact | None = None
        self.net_transfers: Fact | None = None
        self.positions: dict[str, PositionState] = {}
        self.positions_as_of_ms: int | None = None
        self.marks: dict[str, Fact] = {}
        self.moves: dict[str, tuple[Move, ...]] = {}
        self.contract_sizes: dict[str, Decimal] = {}
        self.skew_ms: int | None = None
        self.bans: dict[str, int] = {}

    def position(self, key: str) -> PositionState:
        """Return a position, flat if nothing is known of it."""
        state = self.positions.get(key)
        if state is None:
            state = self.positions[key] = PositionState()
            state.as_of_ms = state.until_ms = self.positions_as_of_ms or 0
        return state

    def counted(self, key: str, state: PositionState) -> None:
        """Count a position anew that was changed: into the account, its asset, and the account's groups."""
        self._exposure.count(state, owners(self.name, key, self.groups))

    def join(self, groups: tuple[str, ...]) -> None:
        """Count the account's positions into groups, from now on; it leaves none that it was in."""
        new = tuple(group for group in groups if group not in self.groups)
        for state in self.positions.values() if new else ():
            was, state.counted = state.counted, (0, 0, 0)
            self._exposure.count(state, new)
            state.counted = was
        self.groups += new

    def observe(self, seen: Observation) -> None:
        """Take facts in."""
        if seen.equity is not None and _newer(seen, self.equity):
            self.equity = Fact(seen.equity, seen.as_of_ms)
            self._take_day_base(seen)
        if seen.net_transfers is not None and _newer(seen, self.net_transfers):
            self.net_transfers = Fact(seen.net_transfers, seen.as_of_ms)
        for symbol, mark in seen.marks.items():
            if _newer(seen, self.marks.get(symbol)):
                self.marks[symbol] = Fact(mark, seen.as_of_ms)
                self.moves[symbol] = _moved(self.moves.get(symbol, ()), mark, seen.as_of_ms)
        self.contract_sizes.update(seen.contract_sizes)
        if seen.skew_ms is not None:
            self.skew_ms = seen.skew_ms
        if seen.positions is not None:
            self._observe_positions(seen, seen.positions)
        for key, unit in seen.units.items():
            state = self.position(key)
            state.unit = unit_steps(unit)
            self.counted(key, state)

    def _take_day_base(self, seen: Observation) -> None:
        day = seen.day_start_ms
        if day and seen.as_of_ms >= day and (self.day_base is None or self.day_base.as_of_ms < day):
            assert seen.equity is not None
            # Taken late in the day, the base is without what was deposited since its start: that is no profit lost.
            self.day_base = Fact(seen.equity - (seen.net_transfers or Decimal(0)), day)
            self.net_transfers = None

    def _observe_positions(self, seen: Observation, positions: Mapping[str, Decimal]) -> None:
        if not seen.partial:
            if self.positions_as_of_ms is not None and seen.as_of_ms < self.positions_as_of_ms:
                return
            self.positions_as_of_ms = seen.as_of_ms
            for key, state in self.positions.items():
                if key not in positions:
                    state.observe(Decimal(0), seen.as_of_ms, seen.until_ms)
                    self.counted(key, state)
        for key, quantity in positions.items():
            state = self.position(key)
            state.observe(quantity, seen.as_of_ms, seen.until_ms)
            self.counted(key, state)

    def facts(self, generation: int) -> Facts:
        """Return the account's facts; the object stands until something other than a hold or a fill changes."""
        return Facts(
            generation=generation,
            currency=self.currency,
            equity=self.equity,
            day_base=self.day_base,
            net_transfers=self.net_transfers,
            positions=LivePositions(self.positions),
            positions_as_of_ms=self.positions_as_of_ms,
            marks=dict(self.marks),
            moves=dict(self.moves),
            contract_sizes=dict(self.contract_sizes),
            skew_ms=self.skew_ms,
            banned_until_ms=dict(self.bans),
        )

    def dump(self) -> dict[str, Any]:
        return {
            "currency": self.currency,
            "groups": list(self.groups),
            "equity": fact_to_list(self.equity),
            "day_base": fact_to_list(self.day_base),
            "net_transfers": fact_to_list(self.net_transfers),
            "positions": {key: state.dump() for key, state in self.positions.items()},
            "positions_as_of_ms": self.positions_as_of_ms,
            "marks": {symbol: fact_to_list(mark) for symbol, mark in self.marks.items()},
            "moves": {s: [[m.start_ms, str(m.low), str(m.high)] for m in moves] for s, moves in self.moves.items()},
            "contract_sizes": {symbol: str(size) for symbol, size in self.contract_sizes.items()},
            "skew_ms": self.skew_ms,
            "bans": dict(self.bans),
        }

    def load(self, data: dict[str, Any]) -> None:
        self.currency = data["currency"]
        self.groups = tuple(data.get("groups", ()))
        self.equity = fact_from_list(data["equity"])
        self.day_base = fact_from_list(data["day_base"])
        self.net_transfers = fact_from_list(data["net_transfers"])
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


def _newer(seen: Observation, fact: Fact | None) -> bool:
    return fact is None or seen.as_of_ms >= fact.as_of_ms


def _moved(moves: tuple[Move, ...], mark: Decimal, at_ms: int) -> tuple[Move, ...]:
    """Return the moves with a mark that was read no earlier than the last of them."""
    start = at_ms - at_ms % _MINUTE_MS
    if moves and moves[-1].start_ms == start:
        last = moves[-1]
        return (*moves[:-1], Move(start, min(last.low, mark), max(last.high, mark)))
    return (*moves, Move(start, mark, mark))[-MOVES:]

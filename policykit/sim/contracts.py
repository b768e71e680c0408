"""Contracts of the simulated account, one book a host: what is held, what rests, what lies in the futures' wallet.

A test sets them; nothing is matched here. Pure, and of no exchange's form: dialects write it in their own words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from policykit.sim.market import Symbol
from policykit.sim.venue import ZERO

Side = Literal["BOTH", "LONG", "SHORT"]


@dataclass(frozen=True, slots=True)
class Contract:
    """A perpetual contract on a spot pair's price. `size`: base units (linear) or quote units (inverse) of one."""

    id: str
    base: str
    quote: str
    settle: str
    size: Decimal
    pair: Symbol

    @property
    def inverse(self) -> bool:
        """Whether it is settled in its base asset."""
        return self.settle == self.base

    @property
    def name(self) -> str:
        """The contract as people write it: `BTC/USDT:USDT`."""
        return f"{self.base}/{self.quote}:{self.settle}"

    def notional(self, amount: Decimal, price: Decimal) -> Decimal:
        """Return what contracts are worth in the settlement asset."""
        return amount * self.size / price if self.inverse else amount * self.size * price


@dataclass(slots=True)
class Position:
    """What is held of one contract; `amount` is below zero for a short, `side` is BOTH in one-way mode."""

    contract: Contract
    amount: Decimal
    entry: Decimal
    side: Side = "BOTH"
    leverage: int = 20
    isolated: bool = False

    def profit(self, mark: Decimal) -> Decimal:
        """Return the unrealised profit in the settlement asset."""
        moved = self.contract.notional(self.amount, mark) - self.contract.notional(self.amount, self.entry)
        return -moved if self.contract.inverse else moved


@dataclass(frozen=True, slots=True)
class Resting:
    """An open order; with a `trigger` it waits in the algo service, and is in no list of open orders."""

    id: int
    contract: Contract
    side: str
    quantity: Decimal
    price: Decimal | None
    trigger: Decimal | None
    reduce_only: bool
    client_id: str
    time_ms: int


@dataclass(slots=True)
class Book:
    """The account on one futures host."""

    contracts: dict[str, Contract]
    wallet: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[tuple[str, Side], Position] = field(default_factory=dict)
    orders: list[Resting] = field(default_factory=list)
    hedge: bool = False

    def named(self, name: str) -> Contract:
        """Return a contract by the name that people write. Raise ValueError when there is none."""
        found = next((one for one in self.contracts.values() if one.name == name), None)
        if found is None:
            names = ", ".join(one.name for one in self.contracts.values())
            raise ValueError(f"sim: {name!r} is no contract here; may be {names}")
        return found


def books(symbols: Iterable[Symbol]) -> dict[str, Book]:
    """Return an empty book for each kind, with a perpetual contract on every pair against USDT."""
    pairs = [symbol for symbol in symbols if symbol.quote == "USDT"]
    linear = [Contract(pair.id, pair.base, "USDT", "USDT", Decimal(1), pair) for pair in pairs]
    # COIN-M: a contract of BTC is 100 USD, of others 10 USD.
    inverse = [
        Contract(f"{pair.base}USD_PERP", pair.base, "USD", pair.base, Decimal(100 if pair.base == "BTC" else 10), pair)
        for pair in pairs
    ]
    kinds = {"linear": linear, "inverse": inverse}
    return {kind: Book({one.id: one for one in listed}) for kind, listed in kinds.items()}


class Futures:
    """How a test sets what the account holds of contracts; `book` is told by the name of the contract."""

    def __init__(self, kinds: dict[str, Book]) -> None:
        """Take the books by kind, `linear` and `inverse`."""
        self.kinds = kinds

    def book(self, name: str) -> Book:
        """Return the book of a contract: `BTC/USDT:USDT` is linear, `BTC/USD:BTC` inverse."""
        base, _, rest = name.partition("/")
        return self.kinds["inverse" if rest.endswith(f":{base}") else "linear"]

    def hold(
        self,
        name: str,
        amount: Decimal,
        entry: Decimal,
        side: Side = "BOTH",
        leverage: int = 20,
        *,
        isolated: bool = False,
    ) -> None:
        """Hold so many contracts, in place of what was held on that side; two sides make it a hedged account."""
        book = self.book(name)
        contract = book.named(name)
        book.hedge = book.hedge or side != "BOTH"
        book.positions.pop((contract.id, side), None)
        if amount != ZERO:
            book.positions[(contract.id, side)] = Position(contract, amount, entry, side, leverage, isolated)

    def rest(
        self,
        name: str,
        side: str,
        quantity: Decimal,
        price: Decimal | None,
        trigger: Decimal | None,
        now_ms: int,
        *,
        reduce_only: bool = False,
        client_id: str = "",
    ) -> Resting:
        """Let an order rest."""
        book = self.book(name)
        number = sum(len(one.orders) for one in self.kinds.values()) + 1
        given = client_id or f"sim-{number}"
        order = Resting(number, book.named(name), side.upper(), quantity, price, trigger, reduce_only, given, now_ms)
        book.orders.append(order)
        return order

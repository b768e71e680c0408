"""Contracts of the simulated account, one book a host: what is held, what rests, what lies in the futures' wallet.

A test may set them; `futures.py` matches orders on the linear ones. Pure, and of no exchange's form: dialects write it
in their own words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple

from policykit.sim.market import Symbol
from policykit.sim.venue import NO_QUIRKS, OPEN, ZERO, Quirks

Side = Literal["BOTH", "LONG", "SHORT"]
#: What is set of a contract before anybody changes it.
DEFAULT_LEVERAGE = 20
MAX_LEVERAGE = 125


@dataclass(frozen=True, slots=True)
class Contract:
    """A perpetual contract on a spot pair's price. `size`: base units (linear) or quote units (inverse) of one."""

    id: str
    base: str
    quote: str
    settle: str
    size: Decimal
    pair: Symbol
    tick: Decimal = Decimal("0.1")
    step: Decimal = Decimal("0.001")
    min_notional: Decimal = Decimal(5)
    max_quantity: Decimal = Decimal(1_000)

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
class ContractTrade:
    """One fill; `visible_ms` is when look-ups begin to show it."""

    id: int
    order: ContractOrder
    price: Decimal
    quantity: Decimal
    fee: Decimal
    profit: Decimal
    maker: bool
    time_ms: int
    visible_ms: int


@dataclass(slots=True, eq=False)
class ContractOrder:
    """An order on a contract. With a `trigger` or a `callback` it is conditional: it waits in the algo service, is in
    no list of open orders, and places an order of its own (`child`, whose `parent` it is) when it triggers.

    `callback` is the percentage by which a trailing stop lets the price come back, `reach` the best price it has seen.
    """

    id: int
    contract: Contract
    side: str
    quantity: Decimal
    price: Decimal | None
    trigger: Decimal | None
    reduce_only: bool
    client_id: str
    time_ms: int
    type: str = "LIMIT"
    position_side: Side = "BOTH"
    close_position: bool = False
    time_in_force: str = "GTC"
    working_type: str = "CONTRACT_PRICE"
    callback: Decimal | None = None
    activation: Decimal | None = None
    reach: Decimal | None = None
    quirks: Quirks = NO_QUIRKS
    status: str = "NEW"
    updated_ms: int = 0
    triggered_ms: int = 0
    child: ContractOrder | None = None
    parent: ContractOrder | None = None
    trades: list[ContractTrade] = field(default_factory=list)

    @property
    def conditional(self) -> bool:
        """Whether it waits in the algo service."""
        return self.trigger is not None or self.callback is not None

    @property
    def visible_ms(self) -> int:
        """The time from which look-ups show it."""
        return self.time_ms + self.quirks.lag_ms

    @property
    def is_open(self) -> bool:
        """Whether it can still fill, or trigger."""
        return self.status in OPEN

    @property
    def closes(self) -> bool:
        """Whether the exchange keeps it from doing more than to close: so marked, or on the other side of its leg."""
        away = {"LONG": "SELL", "SHORT": "BUY"}.get(self.position_side)
        return self.reduce_only or self.close_position or self.side == away

    def fills(self, seen_at_ms: int | None = None) -> list[ContractTrade]:
        """Return the fills, or what a look-up at that time shows of them."""
        return [t for t in self.trades if seen_at_ms is None or t.visible_ms <= seen_at_ms]

    def filled(self, seen_at_ms: int | None = None) -> Decimal:
        """Return the filled quantity."""
        return sum((t.quantity for t in self.fills(seen_at_ms)), ZERO)

    def status_seen(self, at_ms: int) -> str:
        """Return the status that a look-up at that time shows."""
        filled = self.filled(at_ms)
        if filled == self.filled() or self.status not in {"FILLED", "PARTIALLY_FILLED"}:
            return self.status
        return "PARTIALLY_FILLED" if filled else "NEW"


@dataclass(frozen=True, slots=True)
class ContractReport:
    """What happened, as it is told to who listens: to an order (NEW, TRADE, AMENDMENT, CANCELED, EXPIRED; of a
    conditional one the state of the algo service), or, without an order, to the wallet (`what` is the reason, `amount`
    what came in).
    """

    order: ContractOrder | None
    what: str
    at_ms: int
    trade: ContractTrade | None = None
    contract: Contract | None = None
    amount: Decimal = ZERO


class Income(NamedTuple):
    """One row of what came into or went out of the wallet."""

    kind: str
    asset: str
    amount: Decimal
    contract: str
    time_ms: int
    #: The fill that it is of.
    trade_id: int | None = None


@dataclass(slots=True)
class Settings:
    """What is set of one contract: leverage and margin mode."""

    leverage: int = DEFAULT_LEVERAGE
    isolated: bool = False


@dataclass(slots=True)
class Book:
    """The account on one futures host. `orders` are the open ones, `known` all that ever were, by id."""

    contracts: dict[str, Contract]
    wallet: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[tuple[str, Side], Position] = field(default_factory=dict)
    orders: list[ContractOrder] = field(default_factory=list)
    known: dict[int, ContractOrder] = field(default_factory=dict)
    trades: list[ContractTrade] = field(default_factory=list)
    income: list[Income] = field(default_factory=list)
    settings: dict[str, Settings] = field(default_factory=dict)
    hedge: bool = False
    #: Multi-Assets mode: every asset of the wallet is margin for every contract.
    multi_assets: bool = False

    def set_of(self, contract: Contract) -> Settings:
        """Return what is set of a contract."""
        return self.settings.setdefault(contract.id, Settings())

    def held(self, contract: Contract, side: Side) -> Decimal:
        """Return how much is held on one side, below zero for a short."""
        position = self.positions.get((contract.id, side))
        return ZERO if position is None else position.amount

    def next_id(self) -> int:
        """Return the id of the next order."""
        return next(reversed(self.known), 0) + 1

    def add(self, order: ContractOrder) -> ContractOrder:
        """Let an order rest."""
        self.known[order.id] = order
        self.orders.append(order)
        return order

    def earn(self, kind: str, contract: Contract, amount: Decimal, at_ms: int, trade_id: int | None = None) -> None:
        """Move money into the wallet of a contract's settlement asset, and list it; nothing happens for nothing."""
        if amount:
            self.wallet[contract.settle] = self.wallet.get(contract.settle, ZERO) + amount
            self.income.append(Income(kind, contract.settle, amount, contract.id, at_ms, trade_id))

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
        Contract(
            f"{pair.base}USD_PERP",
            pair.base,
            "USD",
            pair.base,
            Decimal(100 if pair.base == "BTC" else 10),
            pair,
            step=Decimal(1),
            min_notional=ZERO,
        )
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
            book.settings[contract.id] = Settings(leverage, isolated)

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
    ) -> ContractOrder:
        """Let an order rest."""
        book = self.book(name)
        number = sum(len(one.known) for one in self.kinds.values()) + 1
        given = client_id or f"sim-{number}"
        kinds = ("MARKET", "LIMIT") if trigger is None else ("STOP_MARKET", "STOP")
        order = ContractOrder(
            number, book.named(name), side.upper(), quantity, price, trigger, reduce_only, given, now_ms
        )
        order.type, order.updated_ms = kinds[price is not None], now_ms
        return book.add(order)

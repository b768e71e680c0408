"""What a paper account is made of: orders, fills, money, and the market that they meet, as rows have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

from policykit.units import exact, plain

ZERO: Final = Decimal(0)
Side = Literal["buy", "sell"]


class Refused(Exception):
    """The paper exchange takes it as the exchange would: not at all. `code` is one of `exchanges.base.Failure`'s."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(f"paper: {why}")
        self.code = code


class Level(NamedTuple):
    """One price of an order book."""

    price: Decimal
    quantity: Decimal


class Print(NamedTuple):
    """One trade of the market."""

    id: str
    at_ms: int
    price: Decimal
    quantity: Decimal


class Market(NamedTuple):
    """What the market of a symbol showed at one moment; each side's best level first."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    prints: tuple[Print, ...] = ()


@dataclass(slots=True)
class Terms:
    """What an order is filled by, as it was when it was taken. `settle` empty: spot."""

    base: str
    quote: str
    settle: str
    size: Decimal
    taker: Decimal
    maker: Decimal
    #: Whether a fee is paid in what is bought ("get"), or always in the quote ("quote") or base currency.
    fee_side: str
    step: Decimal


@dataclass(slots=True)
class Fill:
    """One fill."""

    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    at_ms: int
    #: What closing a position realised; none on spot.
    profit: Decimal = ZERO


@dataclass(slots=True)
class PaperOrder:
    """One order on paper. `trigger`: it waits for a price, that rises to it (`rising`) or falls."""

    number: int
    client_order_id: str
    symbol: str
    side: Side
    type: str
    quantity: Decimal
    price: Decimal | None
    trigger: Decimal | None
    rising: bool
    time_in_force: str
    reduce_only: bool
    status: str
    waiting: bool
    created_ms: int
    updated_ms: int
    terms: Terms
    fills: list[Fill] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The paper exchange's own id of it."""
        return f"paper-{self.number}"

    @property
    def filled(self) -> Decimal:
        """What of it filled."""
        return sum((fill.quantity for fill in self.fills), ZERO)

    @property
    def cost(self) -> Decimal:
        """What its fills came to, in the quote currency."""
        return sum((fill.quantity * fill.price * self.terms.size for fill in self.fills), ZERO)

    @property
    def left(self) -> Decimal:
        """What of it can still fill."""
        return self.quantity - self.filled

    @property
    def open(self) -> bool:
        """Whether more of it can fill."""
        return self.status == "open"

    def to_dict(self) -> dict[str, Any]:
        """Return it as its row and as `info` of ccxt's answers have it; numbers as text."""
        said = {"paper": True, "id": self.id, **_texts(asdict(self))}
        return {name: value for name, value in said.items() if value is not None}

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> PaperOrder:
        """Read what `to_dict` wrote."""
        values: dict[str, Any] = {name: said.get(name) for name in cls.__dataclass_fields__}
        values |= {name: exact(said[name]) for name in ("quantity", "price", "trigger") if said.get(name) is not None}
        values["terms"] = Terms(**_numbers(said["terms"], _TERM_NUMBERS))
        values["fills"] = [Fill(**_numbers(fill, _FILL_NUMBERS)) for fill in said["fills"]]
        return cls(**values)


_TERM_NUMBERS: Final = ("size", "taker", "maker", "step")
_FILL_NUMBERS: Final = ("price", "quantity", "fee", "profit")


def _numbers(said: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: exact(value) if name in names else value for name, value in said.items()}


def _texts(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return {name: _texts(one) for name, one in value.items()}
    return [_texts(one) for one in value] if isinstance(value, list) else value


#: What of an account is a number by name.
_MONEY: Final = ("balances", "wallets", "leverage", "sizes")


@dataclass(slots=True)
class Account:
    """What a paper account has. `wallets` is the money of contracts, `positions` [quantity, entry price] by symbol."""

    orders: int = 0
    balances: dict[str, Decimal] = field(default_factory=dict)
    wallets: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[str, list[Decimal]] = field(default_factory=dict)
    leverage: dict[str, Decimal] = field(default_factory=dict)
    #: How much of its base one contract is.
    sizes: dict[str, Decimal] = field(default_factory=dict)
    margin_mode: dict[str, str] = field(default_factory=dict)
    #: Up to which trade of a market orders were met: its time, and the ids of that moment.
    seen: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    #: What paper took of a level that is still in the book: symbol -> side and price -> quantity.
    taken: dict[str, dict[str, Decimal]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as its rows have it."""
        said: dict[str, Any] = _texts(asdict(self))
        return said | {"seen": {symbol: [at, list(ids)] for symbol, (at, ids) in self.seen.items()}}

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Account:
        """Read what `to_dict` wrote."""
        money = {name: {k: exact(v) for k, v in said[name].items()} for name in _MONEY}
        return cls(
            orders=said["orders"],
            **money,
            positions={symbol: [exact(one) for one in both] for symbol, both in said["positions"].items()},
            margin_mode=dict(said["margin_mode"]),
            seen={symbol: (at, list(ids)) for symbol, (at, ids) in said["seen"].items()},
            taken={s: {k: exact(v) for k, v in levels.items()} for s, levels in said["taken"].items()},
        )

"""What the server and a dialect say to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, Literal, Protocol

from policykit.sim.contracts import Book, ContractReport
from policykit.sim.drift import Drift
from policykit.sim.futures import FuturesVenue
from policykit.sim.keys import SimKey
from policykit.sim.limits import Limits, Refusal
from policykit.sim.venue import Quirks, Report, Venue


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `host` is the exchange's host that a `/@host` prefix names, empty for the main one.

    `target` is what the request line asks for.
    """

    method: str
    host: str
    path: str
    query: str
    body: str
    headers: Mapping[str, str]
    address: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP reply; `body` is written as JSON, unless it is text.

    A damaged one (`sim.damage`) has `raw` in the body's place, and is cut off in the middle or dripped for ever.
    """

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    code: int = 0
    raw: bytes | None = None
    sending: Literal["", "cut", "drip"] = ""


@dataclass(frozen=True, slots=True)
class World:
    """What a dialect's handlers work on; the server holds its lock around each call."""

    venue: Venue
    #: The linear contracts, where orders on them are matched; its book is also in `futures`.
    linear: FuturesVenue
    limits: Limits
    keys: Mapping[str, SimKey]
    deposits: list[dict[str, Any]] = field(default_factory=list)
    withdrawals: list[dict[str, Any]] = field(default_factory=list)
    lag_balances: bool = False
    drift: Drift = field(default_factory=Drift)
    #: Contracts: a book of the account by kind, `linear` and `inverse`.
    futures: Mapping[str, Book] = field(default_factory=dict)
    #: The withdrawal address book: coin, network, address, allowlisted.
    addresses: list[dict[str, Any]] = field(default_factory=list)
    #: What is owed on margin, interest apart, by (pair, asset); of cross margin the pair is empty.
    loans: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    #: Listen keys of the futures' user data: the key each was made with, and until when it is valid.
    listen_keys: dict[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(slots=True)
class Listener:
    """What one websocket listens to, in the words of its exchange.

    `part` is which of the exchange's services it was opened on. `streams` are the market data that it gets, `user` says
    what it gets of the account: an id (a listen key, a subscription) and the key it stands for. `combined`: messages
    carry the name of their stream. `told`: the best prices that were told last, for what is told as differences.
    """

    part: str
    streams: list[str] = field(default_factory=list)
    user: dict[str, str] = field(default_factory=dict)
    combined: bool = False
    told: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moved:
    """Money that came into the spot account, or left it (below zero), by other ways than an order."""

    asset: str
    amount: Decimal
    at_ms: int


#: What can be told to who listens to the account.
Told = Report | ContractReport | Moved


class Speech(Protocol):
    """One exchange's websockets. Messages are JSON values; the server holds its lock around each call."""

    #: A market stream as people would open it: its host and path.
    example: ClassVar[str]

    def opened(self, world: World, request: Request, now_ms: int) -> Listener | Reply:
        """Return what a new connection listens to by its address, or the answer that refuses it."""
        ...

    def heard(self, world: World, listener: Listener, text: str, now_ms: int) -> list[Any]:
        """Do what a client's message asks; return the answers."""
        ...

    def market(self, world: World, listener: Listener, now_ms: int, fresh: Sequence[str] = ()) -> list[Any]:
        """Return what there is to tell of prices at a step of time, or of streams that were just asked for."""
        ...

    def user(self, world: World, listener: Listener, told: Told) -> list[Any]:
        """Return what is told of the account after something happened."""
        ...

    def expired(self, world: World, listener: Listener, now_ms: int) -> list[Any]:
        """End what is over by its time; return what is told of it."""
        ...


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: the fault point it belongs to, its weight, and what it is counted against."""

    name: str
    point: str
    weight: Callable[[Mapping[str, str]], int]
    handler: Callable[..., Reply]
    security: str = "none"
    family: str = "api"


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was routed and whose parameters were read."""

    request: Request
    route: Route
    params: Mapping[str, str]


class Dialect(Protocol):
    """One exchange's REST interface."""

    id: ClassVar[str]

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        """Make the credentials of a key in the form that the exchange gives them; the server fills in the rest."""
        ...

    def read(self, request: Request) -> Call | Reply:
        """Route a request and read its parameters, or answer that there is no such endpoint."""
        ...

    def gate(self, world: World, call: Call, now_ms: int) -> Reply | None:
        """Check key, signature, timing and permission; return what refuses it."""
        ...

    def timing(self, call: Call, now_ms: int) -> Reply | None:
        """Check the timing again, before the matching engine; return what refuses it."""
        ...

    def run(self, world: World, call: Call, now_ms: int, quirks: Quirks) -> Reply:
        """Do what the request asks."""
        ...

    def refused(self, refusal: Refusal, limit: int) -> Reply:
        """Answer a request over the limit or from a banned address."""
        ...

    def fault(self, kind: str, now_ms: int) -> Reply:
        """Answer as a fault makes the exchange answer: `unknown`, `timeout`, `clock`, `rejected_key`, `duplicate`."""
        ...

    def headers(self, world: World, call: Call, reply: Reply, now_ms: int) -> dict[str, str]:
        """Return the headers that every reply of this endpoint carries."""
        ...

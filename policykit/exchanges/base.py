"""What adapters speak in, and the two drivers. Adapters are pure: what they ask is data, what they read is data.

A read is a generator of `Read`s: it yields one request at a time and is sent the `Answer`, or has a `CallFailed` thrown
in. `run` (sync) and `arun` (asyncio) are the two drivers over the same steps:

    report = run(adapter, client, adapter.key_report(), clock)
    state = await arun(adapter, client, adapter.find_order("BTC/USDT", "pk01J..."), clock)
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from policykit.clock import Clock
from policykit.errors import ExchangeUnavailable

if TYPE_CHECKING:
    from policykit.engine.facts import Contract
    from policykit.exchanges.adapter import Adapter

T = TypeVar("T")


class Read(NamedTuple):
    """One request: the name of ccxt's implicit method (the same on sync and async clients) and its params.

    Of a unified method (`fetch_open_orders`) `args` are what stands before the params.
    """

    method: str
    params: dict[str, Any] = {}  # noqa: RUF012 - never changed: `run` hands over a copy
    args: tuple[Any, ...] = ()


class Answer(NamedTuple):
    """What came back, and when the request was sent and answered (UTC ms of the driver's clock)."""

    data: Any
    sent_ms: int
    received_ms: int


#: A read in progress; its return value is what was read.
Steps = Generator[Read, Answer, T]


class Call(NamedTuple):
    """What a private request is, told from method and path alone (never from the verb only).

    `kind`: "read" (in the read allowlist), "write" (an order, a cancel, an account setting), "refused" (all else).
    `action` is TELEMETRY's for writes; `family` the traits' order family.
    """

    kind: Literal["public", "read", "write", "refused"]
    name: str
    action: str | None = None
    family: str | None = None
    #: Weight of the call by the traits' cost table.
    weight: int = 1


class Signed(NamedTuple):
    """Signing time (client's clock, UTC ms) and validity (ms) as they stand in a signed request."""

    at_ms: int
    validity_ms: int | None


class OrderState(NamedTuple):
    """What the exchange says of one order. `filled` is cumulative; `closed`: no more can fill.

    `reduces`: the exchange itself keeps it from doing more than to close (reduce-only, the closing side of a leg).
    """

    order_id: str
    client_order_id: str
    symbol: str
    side: Literal["buy", "sell"]
    quantity: Decimal
    filled: Decimal
    closed: bool
    status: str
    raw: dict[str, Any]
    #: What `filled` cost: quantity x price, summed over its fills; None: not said.
    cost: Decimal | None = None
    reduces: bool = False
    #: Its limit price; None: it has none, or that is not said.
    price: Decimal | None = None


class Fill(NamedTuple):
    """One fill of the account. `quantity` is below zero for a sale, `cost` what it came to in the quote currency.

    `client_order_id` is empty where the list of fills does not tell it; `leg` is `long` or `short` in hedge mode.
    """

    trade_id: str
    order_id: str
    symbol: str
    quantity: Decimal
    cost: Decimal
    fee: Decimal
    fee_asset: str
    at_ms: int
    client_order_id: str = ""
    leg: str = ""


class Income(NamedTuple):
    """One change of what an account has that is no fill of spot; `why` is the exchange's reason in our words.

    `key`: the asset, or `wallet_key` of one that lies in the wallet of contracts. `trade_id`: the fill that it is of.
    """

    key: str
    amount: Decimal
    why: str
    at_ms: int
    trade_id: str = ""
    symbol: str = ""


class Failure(NamedTuple):
    """An error, read. `executed`: "no" only when the exchange's own documents prove it; else "unknown".

    `code`: KEY_REJECTED, ADDRESS_NOT_ALLOWED, PERMISSION_MISSING, CLOCK, RATE_LIMIT, BANNED, MAINTENANCE, NETWORK,
    WRONG_ENDPOINT, ORDER_REJECTED, DUPLICATE_ID, ORDER_NOT_FOUND, NOT_SUPPORTED, BAD_SYMBOL, BAD_ANSWER, NO_MARK,
    READ_ONLY, UNKNOWN.
    KEY_REJECTED is a wrong key or signature, or one refused for key, address or permission without saying which.
    `retry_after_ms`: how long nothing may be sent.
    """

    executed: Literal["no", "unknown"]
    code: str
    message: str
    retry_after_ms: int | None = None


class CallFailed(ExchangeUnavailable):
    """A request of a read failed; `failure` is how the adapter reads it. No foreign text is in it."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message, failure.code)


@dataclass(frozen=True, slots=True)
class LiveAccount:
    """Balances and open orders as read. Times are UTC ms: the request's sending and the answer's arrival.

    `margin`: the wallets of contracts by asset, unrealised profit in. `positions`: contracts held, a short below zero,
    by unified symbol, or `SYMBOL#long` and `SYMBOL#short` in hedge mode.
    """

    as_of_ms: int
    until_ms: int
    #: Total (free + locked) by asset.
    balances: dict[str, Decimal]
    open_orders: tuple[OrderState, ...] = ()
    errors: tuple[str, ...] = field(default=())
    margin: dict[str, Decimal] = field(default_factory=dict)
    #: The same wallets without what is not realised: they move only by what the exchange lists as income.
    wallets: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[str, Decimal] = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)
    position_mode: str | None = None
    #: Maintenance margin as a share of the margin balance.
    margin_ratio: Decimal | None = None


def wallet_key(asset: str) -> str:
    """Return what an asset in the wallet of contracts is counted by: on spot it is the asset itself."""
    return f"{asset} margin"


def price_of(asset: str, marks: Mapping[str, Decimal], currency: str) -> Decimal:
    """Return what an asset is worth by its spot pair, else by its contract; without a mark 0, the safe side."""
    if asset == currency:
        return Decimal(1)
    return marks.get(f"{asset}/{currency}", marks.get(f"{asset}/{currency}:{currency}", Decimal(0)))


def run(adapter: Adapter, client: Any, steps: Steps[T], clock: Clock) -> T:
    """Drive a read over a sync client. Raise CallFailed; nothing that ccxt raised is chained to it."""
    try:
        read = next(steps)
        while True:
            sent = clock.now_ms()
            failed: CallFailed | None = None
            data: Any = None
            try:
                data = getattr(client, read.method)(*read.args, dict(read.params))
            except Exception as error:  # noqa: BLE001 - every foreign exception ends here
                failed = _read_error(adapter, client, error)
            read = steps.throw(failed) if failed else steps.send(Answer(data, sent, clock.now_ms()))
    except StopIteration as stop:
        value: T = stop.value
    return value


async def arun(adapter: Adapter, client: Any, steps: Steps[T], clock: Clock) -> T:
    """Drive a read over an async client; else as `run`."""
    try:
        read = next(steps)
        while True:
            sent = clock.now_ms()
            failed: CallFailed | None = None
            data: Any = None
            try:
                data = await getattr(client, read.method)(*read.args, dict(read.params))
            except Exception as error:  # noqa: BLE001 - every foreign exception ends here
                failed = _read_error(adapter, client, error)
            read = steps.throw(failed) if failed else steps.send(Answer(data, sent, clock.now_ms()))
    except StopIteration as stop:
        value: T = stop.value
    return value


def _read_error(adapter: Adapter, client: Any, error: Exception) -> CallFailed:
    return error if isinstance(error, CallFailed) else CallFailed(adapter.failure(error, client))

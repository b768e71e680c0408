"""The one interface an exchange's adapter fills. Adapters are pure over plain data, plus the client they are handed."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, NamedTuple, Protocol

from policykit.order import Order
from policykit.snapshot import KeyReport, RateLimit


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
    """What the exchange says of one order. `filled` is cumulative; `closed`: no more can fill."""

    order_id: str
    client_order_id: str
    symbol: str
    side: Literal["buy", "sell"]
    quantity: Decimal
    filled: Decimal
    closed: bool
    status: str
    raw: dict[str, Any]


class Failure(NamedTuple):
    """An error, read. `executed`: "no" only when the exchange's own documents prove it; else "unknown".

    `code`: KEY_REJECTED, ADDRESS_NOT_ALLOWED, PERMISSION_MISSING, CLOCK, RATE_LIMIT, BANNED, MAINTENANCE, NETWORK,
    ORDER_REJECTED, DUPLICATE_ID, ORDER_NOT_FOUND, UNKNOWN. `retry_after_ms`: how long nothing may be sent.
    """

    executed: Literal["no", "unknown"]
    code: str
    message: str
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class LiveAccount:
    """Balances and open orders as read. Times are UTC ms: the request's sending and the answer's arrival."""

    as_of_ms: int
    until_ms: int
    #: Total (free + locked) by asset.
    balances: dict[str, Decimal]
    open_orders: tuple[OrderState, ...] = ()
    errors: tuple[str, ...] = field(default=())


class Adapter(Protocol):
    """One exchange. `client` is a stock ccxt client (sync); async drivers call the `*_request`/`parse_*` pairs."""

    id: str

    def call(self, method: str, url: str, body: str | None) -> Call:
        """Tell what a request is."""
        ...

    def signed(self, url: str, headers: dict[str, str], body: str | None) -> Signed | None:
        """Read signing time and validity from the signed request."""
        ...

    def set_validity(self, client: Any, validity_ms: int) -> None:
        """Make the client put this request validity on the wire."""
        ...

    def failure(self, error: Exception, client: Any) -> Failure:
        """Read a ccxt exception; its text never comes through."""
        ...

    def usage(self, headers: dict[str, str]) -> dict[str, int]:
        """Read used amounts by budget name (`request-weight`, `orders`) from response headers."""
        ...

    def order_params(self, order: Order, client_order_id: str) -> dict[str, Any]:
        """Return ccxt params that carry the client order id."""
        ...

    def find_order(self, client: Any, symbol: str, client_order_id: str) -> OrderState | None:
        """Look an order up by its client order id in every place where it can show; None: the exchange has none now.

        Raise ExchangeUnavailable when it cannot be asked.
        """
        ...

    def open_orders(self, client: Any, symbols: tuple[str, ...]) -> tuple[OrderState, ...]:
        """List open orders of every family."""
        ...

    def cancel(self, client: Any, order: OrderState) -> bool:
        """Cancel one order; False when the exchange says it is not open."""
        ...

    def account(self, client: Any) -> LiveAccount:
        """Read balances."""
        ...

    def marks(self, client: Any, symbols: tuple[str, ...]) -> dict[str, Decimal]:
        """Read a fresh price of each symbol (mid of bid and ask on spot)."""
        ...

    def server_time(self, client: Any) -> int:
        """Read the exchange's clock, UTC ms."""
        ...

    def net_transfers(self, client: Any, since_ms: int, marks: dict[str, Decimal], currency: str) -> Decimal:
        """Return deposits less withdrawals since a moment, in `currency`."""
        ...

    def key_report(self, client: Any) -> KeyReport:
        """Read what the key may do."""
        ...

    def rate_limits(self, client: Any) -> tuple[RateLimit, ...]:
        """Read the limits that the exchange publishes."""
        ...

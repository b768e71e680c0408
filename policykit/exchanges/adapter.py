"""The one interface that an exchange's file fills: `Adapter` to be read, `TradingAdapter` to be traded on as well.

class Okx(Adapter):
    id = "okx"
    public = calls("GET", "/api/v5/", "public/time public/instruments")
    reads = calls("GET", "/api/v5/", "account/config account/balance")
    asks = {"server_time": ("GET /api/v5/public/time",), "key_report": ("GET /api/v5/account/config",)}

    def key_report(self):
        answer = yield Read("privateGetAccountConfig")
        ...

ADAPTER = Okx()
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar, Final, Literal, NamedTuple

from policykit import traits
from policykit.exchanges import failures
from policykit.exchanges.base import (
    Call,
    CallFailed,
    Failure,
    Fill,
    Income,
    LiveAccount,
    OrderState,
    Signed,
    Steps,
)
from policykit.exchanges.calls import classify
from policykit.exchanges.forms import Fields
from policykit.exchanges.imports import exchange_class
from policykit.order import Order
from policykit.snapshot import KeyReport, RateLimit
from policykit.traits.base import Exchange, product_of

#: The code of `Adapter.unknown_mode`.
ACCOUNT_MODE: Final = "ACCOUNT_MODE"


class LiveReads(NamedTuple):
    """What of one product (`spot`, `swap`) is read for a snapshot, over ccxt's unified calls.

    Each is a tuple of params, one call each. `orders` are (family, params): every family that an order can be in, a
    conditional one as well; with `by_symbol` the calls need a symbol and are made for each of the policy's.
    """

    balances: tuple[dict[str, Any], ...] = ({},)
    positions: tuple[dict[str, Any], ...] = ()
    orders: tuple[tuple[str, dict[str, Any]], ...] = (("order", {}),)
    by_symbol: bool = False


class Adapter(ABC):
    """One exchange, stateless: what is read of it. `client` is a ccxt client, sync or async; its settings are used.

    A class says its `id`, its read allowlist (`public`, `reads`), what each read costs (`asks`), and reads the key
    report; everything else has the careful default: it cannot be read, and says so.
    """

    #: The ccxt id.
    id: ClassVar[str]
    #: Calls without a key, and calls with one that change nothing: `GET /api/v3/time`; `*` is any one part of a path.
    public: ClassVar[frozenset[str]] = frozenset()
    reads: ClassVar[frozenset[str]] = frozenset()
    #: The calls that a read makes, so that its cost is known before: "server_time", "key_report", "rate_limits",
    #: "withdrawal_addresses", and "account" (a list for the unified calls of `live`, markets included). Where the
    #: adapter reads spot itself, "account" is that, "markets" its list of markets, "account.derivatives" the rest.
    asks: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    #: Whether the key report names the other keys of the account.
    lists_keys: ClassVar[bool] = False
    #: Product -> what of it is read for a snapshot.
    live: ClassVar[Mapping[str, LiveReads]] = {}
    #: Where the exchange writes its error code, when not where most do.
    error_code: ClassVar[re.Pattern[str]] = failures.CODE

    @cached_property
    def facts(self) -> Exchange:
        """The exchange's traits."""
        exchange = traits.load(self.id)
        if exchange is None:
            raise ImportError(f"policykit.traits.{self.id} is missing: the installation is damaged")
        return exchange

    def client_class(self, *, asynchronous: bool = False) -> type[Any]:
        """Return the client's class: ccxt's, unless ccxt has none."""
        return exchange_class(self.id, asynchronous=asynchronous)

    def prepare(self, client: Any) -> None:  # noqa: B027 - most need nothing
        """Set a new client up: options without which it would do something else than read."""

    def pointed(self, client: Any, origin: str) -> None:  # noqa: B027 - most need nothing
        """Finish pointing a client at another origin: what is signed beside the path, like a host name."""

    def call(self, method: str, url: str, body: str | None) -> Call:
        """Tell what a request is."""
        return classify(self.facts, self.public, self.reads, method, url)

    def failure(self, error: Exception, client: Any) -> Failure:
        """Read a ccxt exception; its text never comes through.

        Headers of the last answer are used only when that answer is this error's.
        """
        body = getattr(client, "last_http_response", None)
        headers: Mapping[str, str] = {}
        if body is not None and str(body) in str(error):
            headers = getattr(client, "last_response_headers", None) or {}
        return failures.read(self.facts, error, headers, int(client.milliseconds()), self.error_code)

    def usage(self, headers: Mapping[str, str]) -> dict[str, int]:
        """Read used amounts from response headers by budget and window: `request-weight|60000`, `orders|10000`."""
        told = {name.lower(): str(value) for name, value in headers.items()}
        used: dict[str, int] = {}
        for window in self.facts.rate_windows:
            text = told.get((window.header or "").lower(), "")
            if re.fullmatch(r"[0-9]{1,9}", text):
                number = int(text) if window.reports == "used" else max(0, window.limit - int(text))
                used[f"{window.name}|{window.per_ms}"] = number
        return used

    @abstractmethod
    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do; `name` and `id` are the caller's to fill in."""

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms. Without a call for it the `Date` header of any answer has to do."""
        raise self.not_supported("a time call")
        yield  # pragma: no cover - makes a generator of it

    def rate_limits(self) -> Steps[tuple[RateLimit, ...]]:
        """Read the limits that the exchange publishes."""
        raise self.not_supported("a call for its limits")
        yield  # pragma: no cover

    def withdrawal_addresses(self) -> Steps[list[dict[str, Any]]]:
        """Read the withdrawal allowlist, as far as the key may see it."""
        raise self.not_supported("a call for its withdrawal allowlist")
        yield  # pragma: no cover

    def not_supported(self, what: str) -> CallFailed:
        """Return the failure of a read that the exchange, or this version, does not have."""
        return CallFailed(Failure("no", "NOT_SUPPORTED", f"{self.id} has no {what[2:]} that policykit knows"))

    def bad_answer(self, what: str) -> CallFailed:
        """Return the failure of an answer that is not what was asked for (HTML of a proxy, say)."""
        words = f"{self.id}: the answer is not {what}; check the endpoint"
        return CallFailed(Failure("unknown", "BAD_ANSWER", words))

    def unknown_mode(self, what: str) -> CallFailed:
        """Return the failure of an account in a mode that this version does not know: no figure of it can be trusted.

        `what` says which it is, and what would do.
        """
        return CallFailed(Failure("no", ACCOUNT_MODE, f"{self.id}: the account is {what}"))

    def mapping(self, data: Any, *path: str | int, what: str = "a key report") -> Fields:
        """Return the fields at a path inside an answer; raise CallFailed when there is no mapping."""
        for part in path:
            if isinstance(part, int):
                data = data[part] if isinstance(data, list) and -len(data) <= part < len(data) else None
            else:
                data = Fields(data).get(part)
        if not isinstance(data, Mapping):
            raise self.bad_answer(what)
        return Fields(data)


class TradingAdapter(Adapter):
    """One exchange on which a guard can trade: how orders are written, found, cancelled, and what is polled."""

    #: The products (`traits`) that it can trade; of the others a guard knows nothing, so nothing is sent there.
    trades: frozenset[str] = frozenset(("spot",))
    #: The newest trades that one `fetch_trades` of ccxt tells of a market, which resting orders of paper meet; 0: it is
    #: not among the public calls.
    told_trades: ClassVar[int] = 1_000
    #: How the exchange calls the client order id in a request that creates an order.
    id_names: ClassVar[frozenset[str]]
    #: How it calls the client order id of the order that a request amends.
    amend_names: ClassVar[frozenset[str]] = frozenset()

    def serving(self, products: frozenset[str]) -> TradingAdapter:
        """Return the adapter that reads these products only, where the exchange keeps each in a wallet of its own."""
        return self

    def takes(self, symbol: str) -> bool:
        """Tell whether orders on a symbol can be sent, and its price be read: it is of a product in `trades`."""
        return product_of(symbol) in self.trades

    def family(self, order: Order) -> str:
        """Return the traits' order family that an order belongs to."""
        return "order"

    def endpoint(self, order: Order) -> str:
        """Return the call by which an order is placed, or a setting of the account made; empty: there is none."""
        product = self.facts.products.get(product_of(order.symbol))
        return product.calls.get(order.action, "") if product is not None else ""

    @abstractmethod
    def signed(self, url: str, headers: dict[str, str], body: str | None) -> Signed | None:
        """Read signing time and validity from the signed request; None: it is not signed."""

    @abstractmethod
    def set_validity(self, client: Any, validity_ms: int) -> None:
        """Make the client put this request validity on the wire."""

    def set_offset(self, client: Any, offset_ms: int) -> None:
        """Make the client sign by the exchange's clock: `offset_ms` is its own `milliseconds()` less that.

        Where ccxt 4.5.90 keeps it for Binance and Bybit: `nonce()` takes `options.timeDifference` off.
        """
        client.options["timeDifference"] = offset_ms

    @abstractmethod
    def order_params(self, order: Order, client_order_id: str) -> dict[str, Any]:
        """Return ccxt params that carry the client order id."""

    def amending(self, order: Order) -> Literal["in_place", "replaces"] | None:
        """Tell how such an order is amended; None: not so that it would be known what it is afterwards."""
        return None

    def amend_params(self, order: Order, client_order_id: str | None) -> dict[str, Any]:
        """Return ccxt params of `edit_order` that name the order (`order.amends`), and the id of one in its place."""
        raise NotImplementedError

    def amended(self, answer: Any, order: Order) -> tuple[OrderState | None, OrderState | None]:
        """Read the answer to an amend: the order as it is now, and the one that it took the place of.

        The first is None where the exchange only says that it took the request.
        """
        return self.order_state(answer, order), None

    @abstractmethod
    def differs(self, order: Order, url: str, body: str | None) -> str | None:
        """Tell how what a request asks for is another than `order` (larger, worse), or None: it is not."""

    @abstractmethod
    def order_state(self, answer: Any, order: Order | None = None) -> OrderState:
        """Read one order as the exchange writes it (the answer of a create, too; ccxt keeps it under `info`).

        `order` fills in what a short acknowledgement leaves out. Raise CallFailed when it is no order.
        """

    @abstractmethod
    def find_order(
        self, symbol: str, client_order_id: str, *, since_ms: int = 0, thorough: bool = True
    ) -> Steps[OrderState | None]:
        """Look an order up by its client order id in every place where it can show; None: the exchange has none now.

        `since_ms`: it cannot be older than this by the exchange's clock, so only fills since then are asked for. Not
        `thorough`: ask only the cheapest place; good enough to find, never to conclude absent. Raise CallFailed when
        it cannot be asked, or when something shows that may be its trace.
        """

    @property
    @abstractmethod
    def families(self) -> tuple[str, ...]:
        """The families that open orders are listed in, by product and the traits' name: `swap.order`, `swap.algo`."""

    def open_orders(self, symbols: tuple[str, ...] = (), family: str = "") -> Steps[tuple[OrderState, ...]]:
        """List open orders of every family, or of one: of these symbols, or of the whole account (dearer)."""
        found: list[OrderState] = []
        for each in (family,) if family else self.families:
            mine = tuple(symbol for symbol in symbols if product_of(symbol) == each.partition(".")[0])
            if mine or not symbols:
                found += yield from self.open_in(each, mine)
        return tuple(found)

    @abstractmethod
    def open_in(self, family: str, symbols: tuple[str, ...]) -> Steps[tuple[OrderState, ...]]:
        """List open orders of one of `families`; `symbols` are of its product, none means all."""

    @abstractmethod
    def cancel(self, order: OrderState) -> Steps[bool]:
        """Cancel one order; False when the exchange says it is not open."""

    def countdown(self, symbol: str, number: int) -> Steps[None]:
        """Arm, refresh or take off the exchange's timer; `number` as it stands on the wire (`traits.countdown`)."""
        raise self.not_supported("a dead man's switch")
        yield  # pragma: no cover - makes a generator of it

    @abstractmethod
    def account(self) -> Steps[LiveAccount]:
        """Read balances, and what is held of contracts."""

    @abstractmethod
    def marks(self, symbols: tuple[str, ...]) -> Steps[dict[str, Decimal]]:
        """Read a fresh price of each symbol (mid of bid and ask on spot); one without both sides is left out."""

    def quotes(self, symbols: tuple[str, ...]) -> Steps[dict[str, tuple[Decimal, Decimal]]]:
        """Read best bid and ask of each symbol; one without both is left out."""
        raise self.not_supported("a call for bids and asks")
        yield  # pragma: no cover

    def funding_rates(self, symbols: tuple[str, ...]) -> Steps[dict[str, Decimal]]:
        """Read the funding rate of the running interval, by contract; spot has none."""
        return {}
        yield  # pragma: no cover

    def borrowed(self) -> Steps[dict[str, Decimal]]:
        """Read what is owed on margin by asset, interest in it."""
        raise self.not_supported("a call for what is borrowed")
        yield  # pragma: no cover - makes a generator of it

    def fills(self, symbols: tuple[str, ...], since_ms: int) -> Steps[tuple[Fill, ...]]:
        """List the account's fills on these symbols from a moment on, whoever sent the orders."""
        raise self.not_supported("a call for fills")
        yield  # pragma: no cover - makes a generator of it

    def incomes(self, since_ms: int) -> Steps[tuple[Income, ...]]:
        """List what came in and went out from a moment on beside fills of spot: fees, funding, transfers."""
        raise self.not_supported("a call for fees, funding and transfers")
        yield  # pragma: no cover - makes a generator of it

    def client_order_id_of(self, symbol: str, order_id: str) -> Steps[str]:
        """Look up the client order id of an order by the exchange's; empty: the exchange has none."""
        raise self.not_supported("a look-up by its own order id")
        yield  # pragma: no cover - makes a generator of it

    def forced(self, client_order_id: str) -> str | None:
        """Tell why the exchange itself placed an order, by its client order id; None: it did not."""
        return None

    @abstractmethod
    def net_transfers(
        self, since_ms: int, marks: dict[str, Decimal], currency: str, until_ms: int | None = None
    ) -> Steps[Decimal]:
        """Return deposits less withdrawals from a moment up to, and without, another (None: until now), in `currency`.

        An asset without a mark counts 0.
        """

"""The shape of an exchange's facts. Missing is None and means unknown: the careful behaviour.

Every fact in the files beside this one has its source (page or file, and date) in a comment or in `source`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, slots=True)
class ClientOrderId:
    """How an exchange takes client order ids. `encode` renders our 26-character id; `unique`: among which orders."""

    param: str
    pattern: str
    unique: Literal["forever", "open", "none"]
    encode: Callable[[str], str]
    retention_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """An order family of one product (order, algo, ws-api): what its fence is made of. Times in ms."""

    client_order_id: ClientOrderId | None
    validity_default_ms: int | None = None
    validity_max_ms: int | None = None
    #: How far ahead of the exchange's clock a request may be signed.
    ahead_ms: int | None = None
    #: How long an accepted request may take to reach the matching engine.
    processing_ms: int | None = None
    #: How long an executed order may be missing from look-ups.
    visibility_lag_ms: int | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Product:
    """One product of an exchange: spot, usdm, ..."""

    families: Mapping[str, Family]
    #: What a position is keyed by: the base asset (spot) or the unified symbol (derivatives).
    position_key: Literal["base", "symbol"]
    #: Whether a sale beyond what is held can borrow; None: unknown.
    auto_borrow: bool | None = None
    #: Which call an action is, for its cost: "order.create" -> "POST /api/v3/order".
    calls: Mapping[str, str] = field(default_factory=dict)
    #: What the guard's own polling asks: "orders", "order", "account", "prices" -> "GET /api/v3/openOrders".
    polls: Mapping[str, str] = field(default_factory=dict)
    #: The least notional that its markets take, by quote currency.
    min_notional: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RateWindow:
    """A published allowance. `scope`: shared by everything behind one address, of one account, or of one key."""

    name: str
    limit: int
    per_ms: int
    window: Literal["fixed", "rolling"]
    scope: Literal["ip", "account", "key"]
    header: str | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class SymbolAllowlist:
    """The exchange's own list of symbols that a key may trade: for which scopes, which accounts, and how many."""

    scopes: tuple[str, ...]
    #: Whether only keys of sub-accounts have one.
    sub_accounts_only: bool
    most: int
    source: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """Everything static that is known of one exchange."""

    id: str
    products: Mapping[str, Product]
    rate_windows: tuple[RateWindow, ...] = ()
    #: Budget name -> ("POST /api/v3/order" -> cost); a call that is not listed costs `default_cost`.
    costs: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    default_cost: int = 1
    #: Whether internal transfer is a permission of its own (else it is bundled with trade).
    transfer_separable: bool | None = None
    #: Whether an account can have sub-accounts with keys of their own.
    sub_accounts: bool | None = None
    #: The exchange's own list of symbols for a key; None: there is none, or it is not known.
    symbol_allowlist: SymbolAllowlist | None = None
    #: Where a person edits a key: "Binance > API Management > Edit restrictions".
    key_page: str = ""
    #: Words for the scope names of this exchange's web page: "withdraw" -> "Enable Withdrawals".
    scope_labels: Mapping[str, str] = field(default_factory=dict)
    #: Whether a key's allowed addresses can be read (True), only that there is a restriction (False), or unknown.
    addresses_readable: bool | None = None
    dead_man_switch: Mapping[str, str] = field(default_factory=dict)


def cost(exchange: Exchange, budget: str, call: str, variant: str = "") -> int:
    """Return what a call (`POST /api/v3/order`) costs of a budget; `variant` is `all` (no symbol) or `<=N` (limit).

    A call that is not listed costs `default_cost` of a budget shared by an address (every request weighs something),
    and nothing of one that counts orders.
    """
    costs = exchange.costs.get(budget, {})
    listed = costs.get(f"{call} {variant}") if variant else None
    if listed is None:
        listed = costs.get(call)
    if listed is not None:
        return listed
    by_address = any(window.name == budget and window.scope == "ip" for window in exchange.rate_windows)
    return exchange.default_cost if by_address else 0


def fence_length_ms(family: Family, validity_ms: int, clock_bound_ms: int) -> int | None:
    """Return how long after its signing an order may still execute unseen; None: no fence, so no re-send.

    validity on the wire + processing + clock bound + visibility lag; orders/fence.py says why each term is needed.
    """
    longest, processing_ms, lag_ms = family.validity_max_ms, family.processing_ms, family.visibility_lag_ms
    if family.client_order_id is None or longest is None or processing_ms is None or lag_ms is None:
        return None
    return None if validity_ms > longest else validity_ms + processing_ms + clock_bound_ms + lag_ms


def product_of(symbol: str) -> str:
    """Return the product a ccxt symbol belongs to by its form: `BTC/USDT` spot, `BTC/USDT:USDT` swap."""
    return "swap" if ":" in symbol else "spot"

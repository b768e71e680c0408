"""The shape of an exchange's facts. Missing is None and means unknown: the careful behaviour.

Every fact in the files beside this one has its source (page or file, and date) in a comment or in `source`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal, NamedTuple

#: What an error means, in one word; `exchanges.base.Failure` says what each asks of its reader.
FailureCode = Literal[
    "KEY_REJECTED",
    "ADDRESS_NOT_ALLOWED",
    "PERMISSION_MISSING",
    "CLOCK",
    "RATE_LIMIT",
    "BANNED",
    "MAINTENANCE",
    "NETWORK",
    "WRONG_ENDPOINT",
    "ORDER_REJECTED",
    "DUPLICATE_ID",
    "ORDER_NOT_FOUND",
    "NOT_SUPPORTED",
    "BAD_SYMBOL",
    "BAD_ANSWER",
    "NO_MARK",
    "READ_ONLY",
    "UNKNOWN",
]


class ErrorMeaning(NamedTuple):
    """What one of an exchange's error codes means.

    `executed`: "no" only where the exchange's documents prove that the request had no effect. `coarse`: the code is
    given for several things, and the text beside it (`Exchange.error_texts`) tells which.
    """

    code: FailureCode
    executed: Literal["no", "unknown"]
    words: str
    coarse: bool = False


@dataclass(frozen=True, slots=True)
class ClientOrderId:
    """How an exchange takes client order ids. `encode` renders our 26-character id; `unique`: among which orders."""

    param: str
    pattern: str
    unique: Literal["forever", "open", "none"]
    encode: Callable[[str], str]
    retention_ms: int | None = None


@dataclass(frozen=True, slots=True)
class CancelAll:
    """How all open orders of a family are cancelled.

    `how`: one call for the whole account, one call a symbol, or a loop over lists of orders until nothing is open.
    `most`: how many orders one call takes; None: all of them.
    """

    call: str
    how: Literal["account", "symbol", "loop"]
    most: int | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class DeadManSwitch:
    """The exchange's own timer that cancels open orders when it is not re-armed.

    `unit`: of the number on the wire; `at_ms` is a moment (UTC ms), not a span. `least_ms` and `most_ms` bound the
    time-out; `off`: the number that disarms it. `rearm_after_fired`: whether it must be set anew once it has fired.
    `on`: a REST countdown, or the loss of a connection.
    """

    call: str
    unit: Literal["ms", "s", "at_ms"]
    scope: Literal["symbol", "account", "session"]
    least_ms: int | None = None
    most_ms: int | None = None
    off: int | None = None
    rearm_after_fired: bool | None = None
    on: Literal["countdown", "disconnect"] = "countdown"
    #: How often a UTC day it may fire or be set; None: no such limit is known.
    most_a_day: int | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class KeyExpiry:
    """When an exchange ends a key by its own rule.

    `counts_from`: the key's creation, or its last use. `only_without_address`: keys bound to addresses are spared.
    """

    after_ms: int
    counts_from: Literal["creation", "last_use"]
    only_without_address: bool
    #: Scopes of which the key must have one for the rule to bite; empty: any key.
    scopes: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Revocation:
    """How a key is revoked, and made.

    `own`: the call by which a key ends itself, with the scopes of which it must have one (`own_needs`); "" when there
    is none. `by_master`: the call by which the main account ends a sub-account's key; `account_is` says what names the
    sub-account in it ("" where the key alone does), `master_needs` the scopes of which the main account's key must have
    one, `notes` what else the documents ask for. `by_other`: the call by which another key of the same account ends it.
    `makes`: the call by which the main account makes a sub-account's key. `steps`: for a person, in the exchange's web
    page; `steps_source` says where they stand, "" is from memory: the page may look otherwise.
    """

    own: str = ""
    own_needs: tuple[str, ...] = ()
    by_master: str = ""
    steps: tuple[str, ...] = ()
    source: str = ""
    account_is: str = ""
    master_needs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    by_other: str = ""
    makes: str = ""
    steps_source: str = ""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What else can be done and seen after a leak. A call that is "" is not known: it is done in the web page.

    `logins`: the call that lists who logged in from where, `changes` what was changed on the account. `freeze`: the
    call by which the main account locks a sub-account; `freeze_steps` how a person locks the whole account.
    """

    logins: str = ""
    changes: str = ""
    freeze: str = ""
    freeze_steps: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """An order family of one product (order, algo, ws-api): what its fence is made of. Times in ms.

    `validity_max_ms`, `processing_ms` and `visibility_lag_ms` are documented, or None. `assumed` names those of them
    that stand in no document and are taken as a stated assumption all the same.
    """

    client_order_id: ClientOrderId | None
    validity_default_ms: int | None = None
    validity_max_ms: int | None = None
    #: How far ahead of the exchange's clock a request may be signed.
    ahead_ms: int | None = None
    #: How long an accepted request may take to reach the matching engine.
    processing_ms: int | None = None
    #: How long an executed order may be missing from look-ups.
    visibility_lag_ms: int | None = None
    assumed: frozenset[str] = frozenset()
    #: How all open orders of this family are cancelled; None: not known.
    cancel_all: CancelAll | None = None
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
    #: The exchange's own timer; None: there is none on this product, or it is not known.
    dead_man_switch: DeadManSwitch | None = None
    #: Its allowances where they are not the exchange's: those of a host of its own.
    rate_windows: tuple[RateWindow, ...] = ()


@dataclass(frozen=True, slots=True)
class RateWindow:
    """A published allowance. `scope`: shared by everything behind one address, of one account, or of one key."""

    name: str
    limit: int
    per_ms: int
    window: Literal["fixed", "rolling"]
    scope: Literal["ip", "account", "key"]
    #: The response header that tells of it, and whether it counts up (used) or down (remaining).
    header: str | None = None
    reports: Literal["used", "remaining"] = "used"
    source: str = ""


@dataclass(frozen=True, slots=True)
class CancelRate:
    """How fast an exchange takes cancels, beside `rate_windows`: calls that share one limit.

    `counts`: requests, or the orders in them. `each`: one limit for the account, or one for each symbol of it.
    `kind`: of which products, "" for all: `spot`, or `contract`.
    """

    calls: tuple[str, ...]
    limit: int
    per_ms: int
    counts: Literal["requests", "orders"] = "requests"
    each: Literal["account", "symbol"] = "account"
    kind: Literal["", "spot", "contract"] = ""
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
    #: The first is the one that reads are counted against, when any is.
    rate_windows: tuple[RateWindow, ...] = ()
    #: How fast it takes cancels, and lists what there is to cancel; what is not known is only in `rate_windows`.
    cancel_rates: tuple[CancelRate, ...] = ()
    #: How many connections of streams may be opened; None: not known.
    connects: RateWindow | None = None
    #: What its errors mean: by its own code as text, and `http:403` for a status without a code that is known.
    errors: Mapping[str, ErrorMeaning] = field(default_factory=dict)
    #: What the text of an error means where codes are too coarse: (a part of the text, meaning), first match counts.
    error_texts: tuple[tuple[str, ErrorMeaning], ...] = ()
    #: How long a ban lasts when the answer does not say, ms.
    ban_ms: int | None = None
    #: Budget name -> ("POST /api/v3/order" -> cost); a call that is not listed costs `default_cost`.
    costs: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    default_cost: int = 1
    #: Whether a key can have what a bot needs (read, trade) without internal transfer; None: not known.
    transfer_separable: bool | None = None
    #: Scopes that one box of the exchange grants together; a policy that asks for one of them gets them all.
    bundles: tuple[tuple[str, ...], ...] = ()
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
    #: The exchange's own rules by which keys end; empty: none is known.
    key_expiries: tuple[KeyExpiry, ...] = ()
    revocation: Revocation | None = None
    #: Records and locks after a leak; None: none is known, so all of it is done in the web page.
    aftermath: Aftermath | None = None
    #: How many addresses one key's allowlist takes; None: not known.
    most_addresses: int | None = None
    #: "documented": the key report has a source that was read; "declared": there is none, so a policy has to declare.
    evidence: Literal["documented", "declared"] = "documented"


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


def comes_with(exchange: Exchange | None, scopes: Collection[str]) -> frozenset[str]:
    """Return the scopes that the exchange grants together with these, beside them."""
    bundles = exchange.bundles if exchange is not None else ()
    return frozenset(scope for bundle in bundles if set(bundle) & set(scopes) for scope in bundle) - frozenset(scopes)


#: The terms of a fence that an exchange sets, and what each is called.
FENCE_TERMS: Final[Mapping[str, str]] = {
    "validity_max_ms": "longest validity",
    "processing_ms": "processing",
    "visibility_lag_ms": "visibility lag",
}


def fence_terms(family: Family) -> dict[str, Literal["documented", "assumed", "unknown"]]:
    """Return what each term of FENCE_TERMS rests on; a fence is as good as the weakest, and one unknown is no fence."""
    return {
        term: "unknown" if getattr(family, term) is None else ("assumed" if term in family.assumed else "documented")
        for term in FENCE_TERMS
    }


def fence_length_ms(family: Family, validity_ms: int, clock_bound_ms: int) -> int | None:
    """Return how long after its signing an order may still execute unseen; None: no fence, so no re-send.

    validity on the wire + processing + clock bound + visibility lag; orders/fence.py says why each term is needed.
    """
    longest, processing_ms, lag_ms = family.validity_max_ms, family.processing_ms, family.visibility_lag_ms
    if family.client_order_id is None or longest is None or processing_ms is None or lag_ms is None:
        return None
    return None if validity_ms > longest else validity_ms + processing_ms + clock_bound_ms + lag_ms


def countdown(switch: DeadManSwitch, timeout_ms: int, now_ms: int) -> int | None:
    """Return the number that arms a switch for so long, in its own unit; None: it cannot be armed for that time.

    Never rounded up, since the policy's time-out is the longest silence, and never to the number that takes it off:
    ccxt sends OKX a 0 for anything under a second. `now_ms` is by the exchange's clock.
    """
    if not (switch.least_ms or 0) <= timeout_ms <= (switch.most_ms or timeout_ms):
        return None
    number = {"ms": timeout_ms, "s": timeout_ms // 1000, "at_ms": now_ms + timeout_ms}[switch.unit]
    return None if number <= 0 or number == switch.off else number


def unarmable(exchange: Exchange, products: Collection[str], timeout_ms: int) -> str | None:
    """Return why no timer of the exchange can be kept armed for all of these products; None: it can."""
    for name in sorted(products):
        product = exchange.products.get(name)
        switch = product.dead_man_switch if product is not None else None
        if switch is None:
            return f"{exchange.id} has none for {name}, as far as is known"
        if switch.on != "countdown" or switch.off is None:
            return f"that of {exchange.id} for {name} is no countdown that can be taken off again"
        if countdown(switch, timeout_ms, 0) is None:
            return f"that of {exchange.id} for {name} takes no time-out of {timeout_ms} ms"
    return None


def product_of(symbol: str) -> str:
    """Return the product a ccxt symbol belongs to by its form: `BTC/USDT` spot, `BTC/USDT:USDT` swap."""
    return "swap" if ":" in symbol else "spot"

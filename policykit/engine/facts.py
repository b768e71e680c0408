"""What is known of an account when an order is assessed. The store makes it; checks read it; nobody changes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal, NamedTuple

TradingState = Literal["ACTIVE", "REDUCING", "HALTED"]
#: The scope of a halt, as INTERFACE writes it.
SCOPE: Final = re.compile(r"all|exchange:[a-z0-9]+|account:[a-z0-9]+/[^\s/]+|bot:\S+|symbol:\S+")


class Fact(NamedTuple):
    """A number and when the request that read it was *sent* (UTC ms)."""

    value: Decimal
    as_of_ms: int


class Position(NamedTuple):
    """The worst cases of one position in base units: newest fact plus every fill that it may not hold yet.

    `open_buys` and `open_sells` are the quantities of all orders that are out, unknown ones included. `unit` is what
    the store counts one unit at where it adds positions up, in steps of 1e-12 of the account's currency; 0: nothing.
    """

    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    open_buys: Decimal = Decimal(0)
    open_sells: Decimal = Decimal(0)
    unit: int = 0


class Quote(NamedTuple):
    """The best bid and ask of a market, and when the request that read them was sent (UTC ms)."""

    bid: Decimal
    ask: Decimal
    as_of_ms: int


class Contract(NamedTuple):
    """What the exchange says of one contract market on this account; None: not known.

    `leverage` and `margin_mode` (`cross`, `isolated`) are as set at the exchange. `liquidation_price` is None where
    there is no position, too, and 0 where the position cannot be liquidated. `funding_rate` is that of the running
    interval: longs pay it where it is over 0. `quanto_size` is what a contract that settles in a third currency is
    worth in that currency for each 1 of its price.
    """

    leverage: Decimal | None = None
    margin_mode: str | None = None
    liquidation_price: Decimal | None = None
    funding_rate: Decimal | None = None
    as_of_ms: int = 0
    quanto_size: Decimal | None = None


class Setting(NamedTuple):
    """A word that the exchange said of the account, and when the request that read it was sent (UTC ms)."""

    value: str
    as_of_ms: int


class Move(NamedTuple):
    """The lowest and the highest mark that was seen in the minute that starts at `start_ms` (UTC ms)."""

    start_ms: int
    low: Decimal
    high: Decimal


class Streak(NamedTuple):
    """Losing trades in a row (positions from flat to flat), and when the last one ended (UTC ms)."""

    losses: int = 0
    at_ms: int = 0


NO_STREAK: Final = Streak()


class Partial(NamedTuple):
    """Entries into one symbol that filled in part, while none filled wholly since.

    `at_ms`: when one was last seen to have filled, or to have ended, so (UTC ms). `least`: the smallest part that one
    which is still out has filled.
    """

    at_ms: int | None = None
    least: Decimal | None = None


#: The start of a reason by which a halt counts as a drill: `policykit kill --why "drill of November"`.
DRILL: Final = "drill"
#: The reason of a drill on a live account: it halts for some seconds, and no guard cancels anything.
DRILL_NOTHING_CANCELLED: Final = "drill of the kill switch, nothing is cancelled"


class Halt(NamedTuple):
    """Why the trading state is not ACTIVE. `scope` as INTERFACE: all, exchange:X, account:X/NAME, bot:X, symbol:X."""

    scope: str
    state: TradingState
    by: str
    why: str
    at_ms: int
    freeze: bool = False
    #: False: ends with its cause (REDUCING for stale reconciliation, say); True: only a named person re-arms it.
    latched: bool = True

    @property
    def drill(self) -> bool:
        """Tell whether this is an exercise: its reason says so."""
        return self.why.lower().startswith(DRILL)


class Drift(NamedTuple):
    """A difference between what an account should have and what the exchange shows, which nothing explains.

    `kind`: `order`, `position`, `balance`. `worth` is in the account's currency; None: not known. `note` says what was
    seen of it, for a person.
    """

    kind: str
    key: str
    quantity: Decimal
    worth: Decimal | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one account as one bot sees them. None and absent mean unknown, never zero.

    `positions` is keyed by base asset on spot and by unified symbol on derivatives; an absent key is a flat position
    when `positions_as_of_ms` is set, unknown when it is None. `marks` is keyed by unified symbol.
    A store hands out the same object until something other than a hold or a fill changes; its `positions` may be a
    live view of the holds, since only `reserve` decides whether an order still fits.
    """

    generation: int = 0
    #: The currency that the account is counted in, fixed at its first use in this store.
    currency: str | None = None
    #: The groups that its positions count into in this store (`decision.group_owner`).
    groups: tuple[str, ...] = ()
    halts: tuple[Halt, ...] = ()
    equity: Fact | None = None
    #: Equity at the start of the running day, and the start of that day (UTC ms).
    day_base: Fact | None = None
    #: Deposits and transfers in, less those out, since the start of the running day.
    net_transfers: Fact | None = None
    positions: Mapping[str, Position] = field(default_factory=dict)
    positions_as_of_ms: int | None = None
    #: Positions that are held and whose worth was not observed: no total counts them.
    unpriced: tuple[str, ...] = ()
    marks: Mapping[str, Fact] = field(default_factory=dict)
    contract_sizes: Mapping[str, Decimal] = field(default_factory=dict)
    #: Best bid and ask by unified symbol.
    quotes: Mapping[str, Quote] = field(default_factory=dict)
    #: What the exchange says of a contract market, by unified symbol.
    contracts: Mapping[str, Contract] = field(default_factory=dict)
    #: `one_way` or `hedge`.
    position_mode: Setting | None = None
    #: Maintenance margin as a share of the margin balance: 1 is a liquidation.
    margin_ratio: Fact | None = None
    #: What is borrowed on margin, in the account's currency.
    borrowed: Fact | None = None
    #: The marks of the last hour, by unified symbol, oldest minute first.
    moves: Mapping[str, tuple[Move, ...]] = field(default_factory=dict)
    #: Equity at the start of the running week, and the start of that week (UTC ms).
    week_base: Fact | None = None
    #: Net transfers of the running week before the running day; None: not known.
    week_transfers: Decimal | None = None
    #: The highest equity less net transfers of the running day, all earlier transfers taken out, and when it was.
    peak: Fact | None = None
    #: None: no policy of the account asked to count.
    streak: Streak | None = None
    #: By symbol; an absent one has none. None: no policy of the account asked to count.
    partials: Mapping[str, Partial] | None = None
    #: When a key was proved to work from this host's address: by `host|key` (UTC ms).
    address_proofs: Mapping[str, int] = field(default_factory=dict)
    #: Local clock minus the exchange's, ms, at the last measurement; None: never measured.
    skew_ms: int | None = None
    #: Requests may not be sent before (UTC ms): a Retry-After or a ban, by scope (`ip`, `account`).
    banned_until_ms: Mapping[str, int] = field(default_factory=dict)
    #: False until open intents are settled or listed and positions reconciled in this store's epoch.
    recovered: bool = True
    #: What that waits for and until when, a sentence each; the guard says it, no store does.
    waits: tuple[str, ...] = ()
    #: What the last comparison with the exchange could not explain, and when the last one was made (UTC ms).
    drift: tuple[Drift, ...] = ()
    reconciled_ms: int | None = None
    #: Open orders of nobody in this store (by hand, another tool).
    foreign_orders: int = 0
    #: Set when the store itself cannot be trusted for increases (STORE_RESET, STORE_EPHEMERAL, STORE_DAMAGED).
    store_problem: tuple[str, str] | None = None
    #: What is wrong with the streams that this bot trades by: (reason code, message). The guard adds it, no store does.
    streams: tuple[tuple[str, str], ...] = ()
    #: The journal row that the store stood at when it made this; -1: no store did.
    seq: int = field(default=-1, compare=False)

"""The simulated exchange as a real HTTP server on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

from policykit.clock import Clock, SystemClock
from policykit.sim import dialects
from policykit.sim.contracts import ContractOrder, ContractReport, Futures, Side, books
from policykit.sim.dialects.base import Moved, Request, World
from policykit.sim.drift import Drift
from policykit.sim.exchange import Exchange, Outcome
from policykit.sim.faults import Fault, Faults
from policykit.sim.futures import FuturesVenue
from policykit.sim.http import HttpServer
from policykit.sim.keys import CAREFUL_GRANTS, DAY_MS, SimKey, make_key
from policykit.sim.later import Later
from policykit.sim.limits import Limits, LimitSizes
from policykit.sim.market import DEFAULT_SYMBOLS, PricePath, Symbol
from policykit.sim.streams import Streams
from policykit.sim.truth import Truth
from policykit.sim.venue import NewOrder, Venue

HOST = "127.0.0.1"
#: The allowlist of the key that a run begins with.
OUR_ADDRESS = (HOST,)
DEFAULT_BALANCES: Mapping[str, Decimal] = {"USDT": Decimal(100_000), "BTC": Decimal(0)}
DEFAULT_FEE = "0.001"
DEFAULT_AMPLITUDE = 0.01


class Setup(TypedDict, total=False):
    """What may be set of a simulated exchange, by keyword.

    `balances` the account starts with; `margin`: what lies in the wallet of linear contracts; `grants` of the key that
    the run begins with; `symbols` that are traded; `fee` of a fill, as a share of what is received;
    `limits` that are kept and published; `amplitude` of the price path, a share of the start price (0 is a flat
    market); `lag_balances`: balances lag like look-ups do; `latency` of a request in seconds of the exchange's clock;
    `drift`: how answers differ in form from what is documented.
    """

    balances: Mapping[str, Decimal | str | int]
    margin: Mapping[str, Decimal | str | int]
    grants: Iterable[str]
    symbols: Iterable[Symbol]
    fee: Decimal | str
    limits: LimitSizes
    amplitude: float
    lag_balances: bool
    latency: float
    drift: Drift


class KeySetup(TypedDict, total=False):
    """What may be set of a key by keyword; see `SimKey`. Days are from now, back or ahead.

    `account`: the sub-account that it is of, as the exchange names it where a main account's key ends it.
    """

    grants: Iterable[str]
    addresses: Iterable[str]
    expires_in_days: float | None
    used_days_ago: float | None
    label: str
    refused: str | None
    account: str


class SimServer:
    """A simulated exchange that real clients trade on: `with SimServer(clock=SimClock(), seed=1) as sim: sim.url`.

    `clock` is the exchange's clock; with a `SimClock`, faults and fences cost no wall time. `faults` are rules of
    `sim.faults`, further settings those of `Setup`. The key in `key` and `secret` is made for this run; `add_key`
    makes more. Raise ValueError for a dialect, fault or port that cannot be.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        seed: int = 0,
        faults: Iterable[Fault | Mapping[str, Any]] = (),
        dialect: str = "binance",
        port: int = 0,
        **setup: Unpack[Setup],
    ) -> None:
        self._dialect = dialects.load(dialect)()
        self.clock: Clock = clock or SystemClock()
        self.seed = seed
        self.dialect = dialect
        self.truth = Truth()
        self._port = port
        self._latency = setup.get("latency", 0.0)
        now_ms = self.clock.now_ms()
        held = {asset: Decimal(amount) for asset, amount in setup.get("balances", DEFAULT_BALANCES).items()}
        path = PricePath(seed, setup.get("amplitude", DEFAULT_AMPLITUDE))
        symbols = tuple(setup.get("symbols", DEFAULT_SYMBOLS))
        self.venue = Venue(path, now_ms, held, symbols, Decimal(setup.get("fee", DEFAULT_FEE)))
        self._keys: dict[str, SimKey] = {}
        self._futures = Futures(books(symbols))
        sizes = setup.get("limits", LimitSizes())
        self.linear = FuturesVenue(path, now_ms, self._futures.kinds["linear"])
        self.linear.book.wallet |= {asset: Decimal(amount) for asset, amount in setup.get("margin", {}).items()}
        self._world = World(
            self.venue,
            self.linear,
            Limits(sizes),
            self._keys,
            lag_balances=setup.get("lag_balances", False),
            drift=setup.get("drift", Drift()),
            futures=self._futures.kinds,
        )
        self._later = Later(self.clock)
        self._exchange = Exchange(self._dialect, self._world, Faults(faults, seed), self.truth, self._later)
        self.streams = Streams(dialects.speech(dialect), self._exchange, self.clock, self._later)
        self.main_key = self.grant_key(addresses=OUR_ADDRESS, grants=setup.get("grants", CAREFUL_GRANTS))
        self._http: HttpServer | None = None
        self._thread: threading.Thread | None = None

    # -- life ---------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Listen on loopback; the port is free unless one was given."""
        if self._http is None:
            self._http = HttpServer((HOST, self._port), self)
            self._thread = threading.Thread(
                target=self._http.serve_forever, args=(0.02,), name="policykit-sim", daemon=True
            )
            self._thread.start()
        return self

    def close(self) -> None:
        """Stop: no thread and no socket is left."""
        if self._http is not None and self._thread is not None:
            self._http.stop()
            self._thread.join()
            self._http = self._thread = None
        self._later.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The origin to which a client's URLs are pointed."""
        if self._http is None:
            raise RuntimeError("sim: the server is not started; use it as a context manager, or call start()")
        return f"http://{HOST}:{self._http.server_address[1]}"

    @property
    def ws_url(self) -> str:
        """The origin to which a client's websockets are pointed: `ws_url/@/HOST/PATH`; see `sim.streams`."""
        return self.url.replace("http", "ws", 1)

    # -- the account --------------------------------------------------------------------------------------------

    @property
    def key(self) -> str:
        """The API key of this run."""
        return self.main_key.key

    @property
    def secret(self) -> str:
        """The secret of this run's key."""
        return self.main_key.secret

    def add_key(self, age_days: float = 1, **flags: bool) -> SimKey:
        """Make a key of the account on Binance; `flags` are those of its key report (`enableWithdrawals=True`)."""
        return self.adopt(make_key(self.clock.now_ms(), age_days, **flags))

    def grant_key(self, age_days: float = 1, **setup: Unpack[KeySetup]) -> SimKey:
        """Make a key of the account in any dialect: `grants={"read", "withdraw"}, addresses=["203.0.113.7"]`."""
        now_ms = self.clock.now_ms()
        grants, addresses = frozenset(setup.get("grants", CAREFUL_GRANTS)), tuple(setup.get("addresses", ()))
        key = self._dialect.new_key(now_ms, grants, bool(addresses))
        ends, used = setup.get("expires_in_days"), setup.get("used_days_ago")
        return self.adopt(
            replace(
                key,
                created_ms=now_ms - int(age_days * DAY_MS),
                grants=grants,
                addresses=addresses,
                expires_ms=None if ends is None else now_ms + int(ends * DAY_MS),
                used_ms=None if used is None else now_ms - int(used * DAY_MS),
                label=setup.get("label", "sim"),
                refused=setup.get("refused"),
                account=setup.get("account", key.account),
            )
        )

    def drift(self, drift: Drift) -> None:
        """Let answers drift from now on, as an exchange that changes its mind in the middle of a run."""
        with self._exchange.lock:
            self._world = self._exchange.world = replace(self._world, drift=drift)

    def strike(self, *faults: Fault | Mapping[str, Any]) -> None:
        """Let these faults strike from now on, their requests counted from 1; none: all is well again."""
        with self._exchange.lock:
            self._exchange.faults = Faults(faults, self.seed)

    def adopt(self, key: SimKey) -> SimKey:
        """Let a key made elsewhere open the account."""
        self._keys[key.key] = key
        return key

    def deposit(self, asset: str, amount: Decimal | str | int, confirmed_in_s: int = 0) -> None:
        """Credit a deposit, which was first seen some time ago, and list it in the deposit history."""
        with self._exchange.lock:
            self.venue.balances[asset].free += Decimal(amount)
            now_ms = self.clock.now_ms()
            row = _transfer(len(self._world.deposits), asset, amount, now_ms - confirmed_in_s * 1000)
            self._world.deposits.append({**row, "completeTime": now_ms})
            self.streams.tell(Moved(asset, Decimal(amount), now_ms))

    def withdraw(self, asset: str, amount: Decimal | str | int) -> None:
        """Debit a withdrawal made by hand and list it in the withdrawal history."""
        with self._exchange.lock:
            self.venue.balances[asset].free -= Decimal(amount)
            now_ms = self.clock.now_ms()
            row = _transfer(len(self._world.withdrawals), asset, amount, now_ms)
            self._world.withdrawals.append({**row, "status": 6, "transactionFee": "0"})
            self.streams.tell(Moved(asset, -Decimal(amount), now_ms))

    def owe(self, asset: str, amount: Decimal | str | int, pair: str = "") -> None:
        """Set what is owed of an asset on cross margin, or on an isolated pair (`BTCUSDT`)."""
        with self._exchange.lock:
            self._world.loans[pair, asset] = Decimal(amount)

    def pin(self, symbol: str, price: Decimal | str | int | None) -> None:
        """Hold the mid price of a pair (`BTC/USDT`), or let it follow its path again with None."""
        with self._exchange.lock:
            self.venue.settle(self.clock.now_ms())
            self.linear.settle(self.clock.now_ms())
            self.venue.path.pin(self.venue.symbols[symbol.replace("/", "")], None if price is None else Decimal(price))

    def position(self, asset: str) -> Decimal:
        """Return what is really held of an asset, free and locked, now."""
        with self._exchange.lock:
            self.venue.settle(self.clock.now_ms())
            return self.venue.balances[asset].total

    # -- contracts and addresses: set by a test -------------------------------------------------------------------

    def hold(
        self,
        contract: str,
        amount: Decimal | str | int,
        *,
        entry: Decimal | str | int,
        side: Side = "BOTH",
        leverage: int = 20,
        isolated: bool = False,
    ) -> None:
        """Hold so many of a contract (`BTC/USDT:USDT`), a short below zero. LONG or SHORT: hedge mode."""
        with self._exchange.lock:
            self._futures.hold(contract, Decimal(amount), Decimal(entry), side, leverage, isolated=isolated)

    def rest(
        self,
        contract: str,
        side: str,
        quantity: Decimal | str | int,
        price: Decimal | str | int | None = None,
        *,
        trigger: Decimal | str | int | None = None,
        reduce_only: bool = False,
    ) -> ContractOrder:
        """Let an order on a contract rest: open, or with a `trigger` waiting as a conditional one."""
        with self._exchange.lock:
            limit = None if price is None else Decimal(price)
            stop = None if trigger is None else Decimal(trigger)
            now_ms = self.clock.now_ms()
            return self._futures.rest(contract, side, Decimal(quantity), limit, stop, now_ms, reduce_only=reduce_only)

    def order(
        self,
        symbol: str,
        side: str,
        quantity: Decimal | str | int,
        price: Decimal | str | int,
        *,
        trigger: Decimal | str | int | None = None,
        client_order_id: str = "",
        arrives_in_s: float = 0.0,
    ) -> None:
        """Let somebody's limit order on a pair (`BTC/USDT`) rest; with a `trigger` it waits for that price first.

        `arrives_in_s`: it is on its way so long, and in no list before. Raise Rejected as the exchange would.
        """
        stop = None if trigger is None else Decimal(trigger)
        kind = "LIMIT" if stop is None else "STOP_LOSS_LIMIT"
        pair = self.venue.symbols[symbol.replace("/", "")]

        def arrive(now_ms: int) -> None:
            with self._exchange.lock:
                name = client_order_id or f"sim{len(self.venue.orders) + 1}"
                new = NewOrder(pair, side.upper(), kind, name, Decimal(quantity), None, Decimal(price), stop)
                self.venue.place(new, now_ms)

        self._later(arrives_in_s, arrive)

    def held(self, contract: str, side: Side = "BOTH") -> Decimal:
        """Return what is really held of a contract (`BTC/USDT:USDT`) now, a short below zero."""
        with self._exchange.lock:
            self.linear.settle(self.clock.now_ms())
            book = self._futures.book(contract)
            return book.held(book.named(contract), side)

    def transfer(self, contract: str, amount: Decimal | str | int) -> None:
        """Move money into the futures' wallet of a contract's settlement asset, below zero out of it; it is listed."""
        with self._exchange.lock:
            self.linear.settle(self.clock.now_ms())
            book, now_ms = self._futures.book(contract), self.clock.now_ms()
            book.earn("TRANSFER", book.named(contract), Decimal(amount), now_ms)
            why = "DEPOSIT" if Decimal(amount) > 0 else "WITHDRAW"
            named, moved = book.named(contract), Decimal(amount)
            self.streams.tell(ContractReport(None, why, now_ms, contract=named, amount=moved))

    def fund(self, contract: str, amount: Decimal | str | int) -> None:
        """Set what lies in the futures' wallet of the asset that a contract is settled in."""
        with self._exchange.lock:
            book = self._futures.book(contract)
            book.wallet[book.named(contract).settle] = Decimal(amount)

    def add_margin(self, asset: str, amount: Decimal | str | int) -> None:
        """Put money into the futures' wallet: of linear contracts, or of the inverse ones that it is the base of."""
        with self._exchange.lock:
            inverse = any(one.settle == asset for one in self._futures.kinds["inverse"].contracts.values())
            wallet = self._futures.kinds["inverse" if inverse else "linear"].wallet
            wallet[asset] = wallet.get(asset, Decimal(0)) + Decimal(amount)

    def mark(self, contract: str) -> Decimal:
        """Return the mark price of a contract (`BTC/USDT:USDT`) now."""
        with self._exchange.lock:
            return self.linear.mark(self._futures.book(contract).named(contract), self.clock.now_ms())

    def allow_address(self, coin: str, address: str, *, network: str = "SIM", allowlisted: bool = True) -> None:
        """Put an address into the withdrawal address book."""
        with self._exchange.lock:
            row = {"coin": coin, "network": network, "address": address, "allowlisted": allowlisted}
            self._world.addresses.append(row)

    # -- requests -----------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Outcome:
        """Answer one request of the REST interface."""
        if self._latency:
            self._later.wait(self._latency)
        outcome = self._exchange.handle(request, self.clock.now_ms())
        if outcome.after_s:
            self._later.wait(outcome.after_s)
        return outcome


def _transfer(number: int, asset: str, amount: Decimal | str | int, now_ms: int) -> dict[str, Any]:
    return {
        "id": f"sim{number}",
        "amount": str(amount),
        "coin": asset,
        "network": "SIM",
        "status": 1,
        "address": "sim00000000000000000000",
        "addressTag": "",
        "txId": f"simtx{number}",
        "insertTime": now_ms,
        "applyTime": datetime.fromtimestamp(now_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "transferType": 0,
        "time_ms": now_ms,
    }

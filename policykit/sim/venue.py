"""The matching core of the simulated exchange: orders, fills, balances. Pure: every call is given the time.

It shares no code with the engine, the adapters or the traits that are tested against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from policykit.sim.market import DEFAULT_SYMBOLS, STEP_MS, PricePath, Symbol, floor_to

ZERO = Decimal(0)
#: The price steps looked at for resting orders in one settling; a longer gap is seen at this many even points.
MAX_STEPS = 2_000
#: The most orders one venue keeps.
MAX_ORDERS = 200_000
#: Parts in which an order that fills partly is filled while it rests: one part a price step.
PART_STEPS = 4

LIMITED = frozenset({"LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})
TRIGGERED = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
OPEN = frozenset({"NEW", "PARTIALLY_FILLED"})


class Rejected(Exception):
    """The matching engine refuses: `kind` is `filter`, `order` (bad new order), `cancel` or `lookup`."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as it arrives, numbers already read."""

    symbol: Symbol
    side: str
    type: str
    client_order_id: str
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: str = "GTC"
    #: How far the price must come back from its best for the order to trigger, in hundredths of a percent.
    trailing_delta: int | None = None
    #: Exits that are placed once it has filled, of which one cancels the other: (type, stop price).
    attached: tuple[tuple[str, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class Quirks:
    """What a fault does to one order: how late it is seen, and which share of it fills at first."""

    lag_ms: int = 0
    fill_share: Decimal = Decimal(1)


NO_QUIRKS = Quirks()


@dataclass(slots=True)
class Trade:
    """One fill; `visible_ms` is when look-ups begin to show it."""

    id: int
    order_id: int
    symbol: Symbol
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    time_ms: int
    visible_ms: int


@dataclass(slots=True)
class Order:
    """One accepted order."""

    id: int
    new: NewOrder
    quantity: Decimal
    time_ms: int
    quirks: Quirks
    status: str = "NEW"
    working: bool = True
    locked: Decimal = ZERO
    updated_ms: int = 0
    trades: list[Trade] = field(default_factory=list)
    #: The best price that a trailing order has seen.
    best: Decimal | None = None
    #: The exit that is cancelled when this one triggers; only one of the two locks what both would sell.
    partner: int | None = None

    @property
    def visible_ms(self) -> int:
        """The time from which look-ups show it."""
        return self.time_ms + self.quirks.lag_ms

    @property
    def is_open(self) -> bool:
        """Whether it can still fill."""
        return self.status in OPEN

    def filled(self, seen_at_ms: int | None = None) -> Decimal:
        """Return the filled quantity, or what a look-up at that time shows of it."""
        return sum((t.quantity for t in self._seen(seen_at_ms)), ZERO)

    def filled_quote(self, seen_at_ms: int | None = None) -> Decimal:
        """Return the filled quantity times price."""
        return sum((t.quantity * t.price for t in self._seen(seen_at_ms)), ZERO)

    def status_seen(self, at_ms: int) -> str:
        """Return the status that a look-up at that time shows."""
        filled = self.filled(at_ms)
        if filled == self.filled() or self.status not in {"FILLED", "PARTIALLY_FILLED"}:
            return self.status
        return "PARTIALLY_FILLED" if filled else "NEW"

    def _seen(self, at_ms: int | None) -> Iterable[Trade]:
        return self.trades if at_ms is None else (t for t in self.trades if t.visible_ms <= at_ms)


@dataclass(frozen=True, slots=True)
class Report:
    """What happened to an order, as it is told to who listens: NEW, TRADE (with the fill), CANCELED or EXPIRED."""

    order: Order
    what: str
    at_ms: int
    trade: Trade | None = None


@dataclass(slots=True)
class Balance:
    """One asset of the account."""

    free: Decimal = ZERO
    locked: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """Free and locked."""
        return self.free + self.locked


class Venue:
    """One spot account on one exchange. Not thread-safe: its server holds a lock around each call."""

    def __init__(
        self,
        path: PricePath,
        start_ms: int,
        balances: Mapping[str, Decimal],
        symbols: Iterable[Symbol] = DEFAULT_SYMBOLS,
        fee: Decimal = Decimal("0.001"),
    ) -> None:
        self.path = path
        self.symbols = {symbol.id: symbol for symbol in symbols}
        self.fee = fee
        self.balances = {asset: Balance(Decimal(amount)) for asset, amount in balances.items()}
        for symbol in self.symbols.values():
            for asset in (symbol.base, symbol.quote):
                self.balances.setdefault(asset, Balance())
        self.orders: dict[int, Order] = {}
        self.trades: list[Trade] = []
        self.on_accept: Callable[[Order], None] = _ignore
        self.on_fill: Callable[[Order, Trade], None] = _ignore_fill
        self.on_report: Callable[[Report], None] = _ignore
        self._open: dict[int, Order] = {}
        self._settled_ms = start_ms
        self._hidden: list[tuple[int, str, Decimal, Decimal]] = []

    # -- market -------------------------------------------------------------------------------------------------

    def touch(self, symbol: Symbol, now_ms: int) -> tuple[Decimal, Decimal]:
        """Return best bid and best ask."""
        return self.path.touch(symbol, now_ms)

    def settle(self, now_ms: int) -> None:
        """Fill what rests at the prices between the last settling and now."""
        first, last = self._settled_ms // STEP_MS + 1, now_ms // STEP_MS
        if self._open and last >= first:
            stride = max(1, (last - first + 1) // MAX_STEPS)
            for step in range(first, last + 1, stride):
                if not self._open:
                    break
                for order in list(self._open.values()):
                    self._meet(order, step * STEP_MS)
        self._settled_ms = max(self._settled_ms, now_ms)

    # -- orders -------------------------------------------------------------------------------------------------

    def place(self, new: NewOrder, now_ms: int, quirks: Quirks = Quirks()) -> Order:
        """Accept and match an order, or raise Rejected."""
        self.settle(now_ms)
        bid, ask = self.touch(new.symbol, now_ms)
        quantity = self._quantity(new, bid, ask)
        check_filters(new, quantity, ask if new.side == "BUY" else bid)
        if any(o.new.client_order_id == new.client_order_id for o in self._open.values()):
            raise Rejected("order", "Duplicate order sent.")
        if new.type == "LIMIT_MAKER" and _crosses(new, bid, ask):
            raise Rejected("order", "Order would immediately match and take.")
        if len(self.orders) >= MAX_ORDERS:
            raise Rejected("order", "This action is disabled on this account.")
        order = Order(len(self.orders) + 1, new, quantity, now_ms, quirks, updated_ms=now_ms)
        self._lock(order, ask)
        order.working = new.type not in TRIGGERED
        self.orders[order.id] = self._open[order.id] = order
        self.on_accept(order)
        self.on_report(Report(order, "NEW", now_ms))
        self._take(order, now_ms)
        return order

    def cancel(self, symbol: Symbol, now_ms: int, order_id: int | None, client_order_id: str | None) -> Order:
        """Cancel an open order, or raise Rejected."""
        order = self.resting(symbol, now_ms, order_id, client_order_id)
        self._close(order, "CANCELED", now_ms)
        return order

    def resting(self, symbol: Symbol, now_ms: int, order_id: int | None, client_order_id: str | None) -> Order:
        """Return an open order, look-ups may show it yet or not, or raise Rejected."""
        self.settle(now_ms)
        for order in self._open.values():
            if order.new.symbol is symbol and (order.id == order_id or order.new.client_order_id == client_order_id):
                return order
        raise Rejected("cancel", "Unknown order sent.")

    def amend(self, order: Order, quantity: Decimal, price: Decimal, now_ms: int) -> None:
        """Change quantity and price of an open limit order, or raise Rejected and leave it as it is."""
        self.settle(now_ms)
        if not order.is_open or order.new.type not in LIMITED or quantity <= order.filled():
            raise Rejected("cancel", "Order cannot be amended.")
        new = replace(order.new, price=price, quantity=quantity)
        check_filters(new, quantity, price)
        buys = new.side == "BUY"
        asset, rest = (new.symbol.quote if buys else new.symbol.base), quantity - order.filled()
        more = (rest * price if buys else rest) - order.locked
        if self.balances[asset].free < more:
            raise Rejected("order", "Account has insufficient balance for requested action.")
        self._move(asset, -more, more, now_ms + order.quirks.lag_ms)
        order.locked += more
        order.new, order.quantity, order.updated_ms = new, quantity, now_ms
        self._take(order, now_ms)

    def cancel_all(self, symbol: Symbol, now_ms: int) -> list[Order]:
        """Cancel every open order of a symbol, or raise Rejected if there is none."""
        self.settle(now_ms)
        found = [order for order in self._open.values() if order.new.symbol is symbol]
        if not found:
            raise Rejected("cancel", "Unknown order sent.")
        for order in found:
            self._close(order, "CANCELED", now_ms)
        return found

    def find(self, symbol: Symbol, now_ms: int, order_id: int | None, client_order_id: str | None) -> Order:
        """Look an order up as far as it is visible: by a client order id the newest that had it."""
        self.settle(now_ms)
        for order in reversed(self.orders.values()):
            same = order.id == order_id if order_id is not None else order.new.client_order_id == client_order_id
            if same and order.new.symbol is symbol and order.visible_ms <= now_ms:
                return order
        raise Rejected("lookup", "Order does not exist.")

    def visible(self, now_ms: int, symbol: Symbol | None = None, only_open: bool = False) -> list[Order]:
        """List orders as a look-up shows them, oldest first."""
        self.settle(now_ms)
        return [
            order
            for order in self.orders.values()
            if order.visible_ms <= now_ms
            and (symbol is None or order.new.symbol is symbol)
            and (not only_open or order.status_seen(now_ms) in OPEN)
        ]

    def visible_trades(self, symbol: Symbol, now_ms: int) -> list[Trade]:
        """List fills as a look-up shows them, oldest first."""
        self.settle(now_ms)
        return [t for t in self.trades if t.symbol is symbol and t.visible_ms <= now_ms]

    def balances_seen(self, now_ms: int, lag: bool) -> dict[str, Balance]:
        """Return the balances; with `lag`, without the changes that are not visible yet."""
        self.settle(now_ms)
        seen = {asset: Balance(b.free, b.locked) for asset, b in self.balances.items()}
        if lag:
            self._hidden = [h for h in self._hidden if h[0] > now_ms]
            for _, asset, free, locked in self._hidden:
                seen[asset].free -= free
                seen[asset].locked -= locked
        return seen

    # -- inside -------------------------------------------------------------------------------------------------

    def _quantity(self, new: NewOrder, bid: Decimal, ask: Decimal) -> Decimal:
        if new.quantity is not None:
            return new.quantity
        if new.quote_quantity is None:
            raise Rejected("order", "Unsupported order combination")
        return floor_to(new.quote_quantity / (ask if new.side == "BUY" else bid), new.symbol.step)

    def _lock(self, order: Order, ask: Decimal) -> None:
        new = order.new
        asset = new.symbol.quote if new.side == "BUY" else new.symbol.base
        amount = order.quantity * (new.price or new.stop_price or ask) if new.side == "BUY" else order.quantity
        if self.balances[asset].free < amount:
            raise Rejected("order", "Account has insufficient balance for requested action.")
        order.locked = amount
        self._move(asset, -amount, amount, order.time_ms + order.quirks.lag_ms)

    def _move(self, asset: str, free: Decimal, locked: Decimal, visible_ms: int) -> None:
        self.balances[asset].free += free
        self.balances[asset].locked += locked
        self._hidden.append((visible_ms, asset, free, locked))

    def _take(self, order: Order, now_ms: int) -> None:
        """Match an order that just arrived or just triggered."""
        if not order.working:
            return
        bid, ask = self.touch(order.new.symbol, now_ms)
        limited = order.new.type in LIMITED
        if not limited or _crosses(order.new, bid, ask):
            part = order.quantity * order.quirks.fill_share
            if order.quirks.fill_share < 1:
                part = max(floor_to(part, order.new.symbol.step), order.new.symbol.step)
            if not (order.new.time_in_force == "FOK" and part < order.quantity):
                self._fill(order, min(part, order.quantity), ask if order.new.side == "BUY" else bid, False, now_ms)
        if order.is_open and (not limited or order.new.time_in_force in {"IOC", "FOK"}):
            self._close(order, "EXPIRED", now_ms)

    def _meet(self, order: Order, at_ms: int) -> None:
        """Let a resting order meet the price of one step."""
        bid, ask = self.touch(order.new.symbol, at_ms)
        if not order.working:
            if _trails(order, bid, ask) if order.new.trailing_delta else _triggers(order.new, bid, ask):
                self._alone(order, ask, at_ms)
                order.working = True
                self._take(order, at_ms)
        elif at_ms > order.updated_ms and _crosses(order.new, bid, ask):
            rest = order.quantity - order.filled()
            part = rest
            if order.quirks.fill_share < 1:
                step = order.new.symbol.step
                part = min(rest, max(floor_to(order.quantity / PART_STEPS, step), step))
            self._fill(order, part, order.new.price or ask, True, at_ms)

    def _attach(self, entry: Order, at_ms: int) -> None:
        """Place the exits of an entry that has filled, for what came in; they have no client order id."""
        new = entry.new
        buys = new.side == "BUY"
        fees = sum((trade.fee for trade in entry.trades), ZERO) if buys else ZERO
        size = floor_to(entry.filled() - fees, new.symbol.step)
        first: Order | None = None
        for kind, stop in new.attached:
            exit_ = NewOrder(new.symbol, "SELL" if buys else "BUY", kind, "", size, stop_price=stop)
            order = Order(len(self.orders) + 1, exit_, size, at_ms, entry.quirks, working=False, updated_ms=at_ms)
            if first is None:
                self._lock(order, stop)
                first = order
            else:
                first.partner, order.partner = order.id, first.id
            self.orders[order.id] = self._open[order.id] = order
            self.on_accept(order)

    def _alone(self, order: Order, ask: Decimal, at_ms: int) -> None:
        """Cancel the other exit of a pair of which one triggers; what it locked is this one's."""
        other = self._open.get(order.partner or 0)
        if other is not None:
            other.partner = None
            self._close(other, "CANCELED", at_ms)
            if not order.locked:
                self._lock(order, ask)

    def _fill(self, order: Order, quantity: Decimal, price: Decimal, maker: bool, at_ms: int) -> None:
        symbol, buys = order.new.symbol, order.new.side == "BUY"
        got_asset, got = (symbol.base, quantity) if buys else (symbol.quote, quantity * price)
        paid_asset, paid = (symbol.quote, quantity * price) if buys else (symbol.base, quantity)
        fee = got * self.fee
        visible = at_ms + order.quirks.lag_ms
        side, number = order.new.side, len(self.trades) + 1
        trade = Trade(number, order.id, symbol, side, price, quantity, fee, got_asset, maker, at_ms, visible)
        self._move(paid_asset, ZERO, -paid, visible)
        order.locked -= paid
        self._move(got_asset, got - fee, ZERO, visible)
        order.trades.append(trade)
        order.updated_ms = at_ms
        self.trades.append(trade)
        if order.filled() >= order.quantity:
            self._close(order, "FILLED", at_ms)
        else:
            order.status = "PARTIALLY_FILLED"
        self.on_fill(order, trade)
        self.on_report(Report(order, "TRADE", at_ms, trade))

    def _close(self, order: Order, status: str, at_ms: int) -> None:
        order.status = status
        order.updated_ms = at_ms
        asset = order.new.symbol.quote if order.new.side == "BUY" else order.new.symbol.base
        self._move(asset, order.locked, -order.locked, at_ms + order.quirks.lag_ms)
        order.locked = ZERO
        self._open.pop(order.id, None)
        other = self._open.get(order.partner or 0)
        if other is not None and not other.locked:
            self._lock(other, other.new.stop_price or ZERO)
        if status == "FILLED" and order.new.attached:
            self._attach(order, at_ms)
        if status != "FILLED":
            self.on_report(Report(order, status, at_ms))


def check_filters(new: NewOrder, quantity: Decimal, market_price: Decimal) -> None:
    """Raise Rejected at the first of PRICE_FILTER, LOT_SIZE, NOTIONAL that fails (binance-spot-api-docs filters.md)."""
    symbol = new.symbol
    for price in (new.price, new.stop_price):
        if price is not None and not (symbol.min_price <= price <= symbol.max_price and price % symbol.tick == 0):
            raise Rejected("filter", "Filter failure: PRICE_FILTER")
    if not (symbol.min_quantity <= quantity <= symbol.max_quantity and quantity % symbol.step == 0):
        raise Rejected("filter", "Filter failure: LOT_SIZE")
    if not symbol.min_notional <= quantity * (new.price or market_price) <= symbol.max_notional:
        raise Rejected("filter", "Filter failure: NOTIONAL")


def _crosses(new: NewOrder, bid: Decimal, ask: Decimal) -> bool:
    if new.price is None:
        return True
    return new.price >= ask if new.side == "BUY" else new.price <= bid


def _trails(order: Order, bid: Decimal, ask: Decimal) -> bool:
    """Follow the price, from the stop price on where there is one, and tell whether it came back by the delta.

    Binance, faqs/trailing-stop-faq.md: a stop-loss sale and a take-profit buy follow the highest price, the others the
    lowest.
    """
    new = order.new
    if order.best is None and not _triggers(new, bid, ask):
        return False
    share = Decimal(new.trailing_delta or 0) / 10_000
    if (new.side == "BUY") == new.type.startswith("STOP_LOSS"):
        order.best = ask if order.best is None else min(order.best, ask)
        return ask >= order.best * (1 + share)
    order.best = bid if order.best is None else max(order.best, bid)
    return bid <= order.best * (1 - share)


def _triggers(new: NewOrder, bid: Decimal, ask: Decimal) -> bool:
    if new.stop_price is None:
        return True
    rising = (new.side == "BUY") == new.type.startswith("STOP_LOSS")
    return ask >= new.stop_price if rising else bid <= new.stop_price


def _ignore(_: object) -> None:
    """Take no notice."""


def _ignore_fill(order: Order, trade: Trade) -> None:
    """Take no notice."""

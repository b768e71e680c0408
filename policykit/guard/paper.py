"""The paper exchange: what stands in the place of the exchange where a policy's stage is paper (G41).

Market data is live: order book, trades and fees are read with the bot's own client, which may have a key that only
reads, or none, through the gate and out of the guard's budgets. Orders go no further than this: they are matched by
`paper_book`, and what becomes of them is written to the store (rows of kind `paper`, under an account of its own, so
that nobody takes them for real) before anybody is told. A restart, another process or another host goes on from there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any, Final

from policykit.exchanges.adapter import TradingAdapter
from policykit.exchanges.base import CallFailed, Failure, Read, Steps
from policykit.guard.paper_book import Book
from policykit.guard.paper_form import ZERO, Account, Level, Market, PaperOrder, Print, Refused, Terms
from policykit.orders.ids import new_id
from policykit.units import exact

if TYPE_CHECKING:
    from policykit.clock import Clock
    from policykit.order import Order
    from policykit.policy import EffectivePolicy
    from policykit.store import Store

#: The kind of the rows, and the name of the one that no order is of.
KIND: Final = "paper"
_BEGUN: Final = "account"
#: So many orders are remembered; at most half of them are open at once.
SLOTS: Final = 400
MAX_OPEN: Final = SLOTS // 2
#: Levels of the book that are read at once.
DEPTH: Final = 100
#: Resting orders meet the market at most this often, ms; and fees are asked for again after so long.
MEET_MS: Final = 1_000
FEES_MS: Final = 3_600_000
#: How long a change of the book may take before another process does not wait for it, and how it is waited for.
LEASE_MS: Final = 10_000
_TRIES, _TRY_S = 200, 0.01
#: Digits of what is computed; the bot's own decimal context is not ours.
_DIGITS: Final = Context(prec=40)


class Paper:
    """The paper exchange of one account. Thread-safe; several processes of one store share it."""

    def __init__(self, inner: TradingAdapter, policy: EffectivePolicy, store: Store, clock: Clock, key: str) -> None:
        self.inner = inner
        self.account = policy.account_key
        said = policy.model.stage.paper_balances if policy.model.stage else None
        self._begins = None if said is None else {amount.currency: amount.value for amount in said}
        held = (policy.model.keys or {}).get(key)
        self._reads = held is not None and held.secret is not None
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._met: dict[str, float] = {}
        self._fees: dict[str, tuple[Decimal, Decimal, float]] = {}

    # ---- the market

    def market(self, symbol: str) -> Steps[Market]:
        """Read what the market of a symbol shows. Raise CallFailed."""
        book = (yield Read("fetch_order_book", {}, (symbol, DEPTH))).data
        prints: tuple[Print, ...] = ()
        if self.inner.told_trades:
            prints = _prints((yield Read("fetch_trades", {}, (symbol, None, self.inner.told_trades))).data)
        return Market(_levels(book.get("bids")), _levels(book.get("asks")), prints)

    def fees(self, symbol: str, market: Mapping[str, Any]) -> Steps[tuple[Decimal, Decimal]]:
        """Return taker's and maker's fee: as the exchange says for this key, else as it says for its market."""
        kept, now = self._fees.get(symbol), self._clock.monotonic_ms()
        if kept is not None and now - kept[2] < FEES_MS:
            return kept[0], kept[1]
        said: Any = market
        if self._reads:
            try:
                said = (yield Read("fetch_trading_fee", {}, (symbol,))).data
            except CallFailed:
                said = market
        try:
            taker, maker = exact(said["taker"]), exact(said["maker"])
        except (KeyError, TypeError, ValueError):
            raise Refused("NOT_SUPPORTED", f"no fee of {symbol} is known") from None
        self._fees[symbol] = taker, maker, now
        return taker, maker

    def met(self, symbol: str | None = None, *, again: bool = False) -> Steps[None]:
        """Let resting orders of a symbol, or of all, meet what the market showed since the last look."""
        yield from self.begun()
        symbols = {order.symbol for order in self.peek().book.open.values()}
        for one in sorted(symbols if symbol is None else symbols & {symbol}):
            now = self._clock.monotonic_ms()
            if again or now - self._met.get(one, -MEET_MS) >= MEET_MS:
                market = yield from self.market(one)
                with self._change() as desk:
                    desk.meet(one, market)
                self._met[one] = now

    def begun(self) -> Steps[None]:
        """Begin the account once: with what the policy says, or with what the real one has. Raise CallFailed."""
        if self._store.kept(self.account, KIND):
            return
        account = Account()
        if self._begins is not None:
            (account.balances if "spot" in self.inner.trades else account.wallets).update(self._begins)
        elif self._reads:
            real = yield from self.inner.account()
            account.balances = {asset: amount for asset, amount in real.balances.items() if amount > 0}
            account.wallets = {asset: amount for asset, amount in (real.wallets or real.margin).items() if amount > 0}
        else:
            words = "paper: nothing says what the account begins with; set stage.paper_balances, or a key that reads"
            raise CallFailed(Failure("no", "PERMISSION_MISSING", words))
        with self._change() as desk:
            if not desk.rows:
                desk.book = Book(account)
                desk.write(None)

    # ---- orders

    def place(
        self, order: Order, market: Mapping[str, Any], client_order_id: str | None, *, rising: bool
    ) -> Steps[dict[str, Any]]:
        """Take an order and match it; return it as it is then. Raise Refused for what the exchange would not take."""
        try:
            yield from self.begun()
            taker, maker = yield from self.fees(order.symbol, market)
            shown = yield from self.market(order.symbol)
        except CallFailed as failed:
            raise Refused("NETWORK", f"the market could not be read: {failed}") from None
        terms = _terms(market, taker, maker)
        with self._change() as desk:
            desk.meet(order.symbol, shown)
            made = desk.made(order, client_order_id, terms, rising, shown)
            desk.book.place(made, shown)
            desk.write(made)
        return made.to_dict()

    def amend(self, number: str, quantity: Decimal, price: Decimal | None, symbol: str) -> Steps[dict[str, Any]]:
        """Change quantity and price of an open order, and match it anew."""
        try:
            shown = yield from self.market(symbol)
        except CallFailed as failed:
            raise Refused("NETWORK", f"the market could not be read: {failed}") from None
        with self._change() as desk:
            desk.meet(symbol, shown)
            order = desk.opened(number)
            desk.book.amend(order, quantity, price, shown, desk.now_ms)
            desk.write(order)
        return order.to_dict()

    def cancel(self, name: str) -> Steps[dict[str, Any]]:
        """Cancel an open order, by its id or its client order id; what filled before counts. Raise Refused."""
        yield from self._seen_first(self.peek().named(name))
        with self._change() as desk:
            order = desk.opened(name)
            desk.book.cancel(order, desk.now_ms)
            desk.write(order)
        return order.to_dict()

    def cancel_all(self, symbol: str | None) -> Steps[list[dict[str, Any]]]:
        """Cancel every open order, of a symbol or of all."""
        yield from self._seen_first(None, symbol)
        with self._change() as desk:
            gone = [order for order in desk.book.open.values() if symbol in (None, order.symbol)]
            for order in gone:
                desk.book.cancel(order, desk.now_ms)
                desk.write(order)
        return [order.to_dict() for order in gone]

    def _seen_first(self, order: PaperOrder | None, symbol: str | None = None) -> Steps[None]:
        """Let what the market showed before a cancel fill first, if that can be read: a cancel always passes."""
        try:
            yield from self.met(order.symbol if order is not None else symbol, again=True)
        except CallFailed:
            return

    def set(self, symbol: str, *, leverage: Decimal | None = None, margin_mode: str | None = None) -> None:
        """Keep a setting of a contract."""
        with self._change() as desk:
            if leverage is not None:
                desk.book.account.leverage[symbol] = leverage
            if margin_mode is not None:
                desk.book.account.margin_mode[symbol] = margin_mode
            desk.write(None)

    # ---- what is known

    def peek(self) -> Desk:
        """Return what stands in the store now, to look at."""
        with localcontext(_DIGITS):
            return Desk(self._store, self.account, self._clock.now_ms())

    @contextmanager
    def _change(self) -> Iterator[Desk]:
        """Hold the book: nobody else, in no process, changes it meanwhile. Raise Refused, StoreUnavailable."""
        name, holder, clock = f"paper|{self.account}", new_id(), self._clock
        with self._lock, localcontext(_DIGITS):
            for _ in range(_TRIES):
                if self._store.lease(name, holder, LEASE_MS, clock.now_ms()):
                    break
                clock.sleep(_TRY_S)
            else:
                raise Refused("NETWORK", "another process holds the paper book; try again")
            try:
                yield Desk(self._store, self.account, clock.now_ms())
            finally:
                self._store.lease(name, holder, 0, clock.now_ms())


class Desk:
    """The rows of a paper account, read; what is changed in `book` is written order by order."""

    def __init__(self, store: Store, account: str, now_ms: int) -> None:
        self.now_ms = now_ms
        self._store = store
        self._account = account
        self.rows = store.kept(account, KIND)
        newest = max(self.rows.values(), key=lambda row: row["n"], default=None)
        self._n = newest["n"] if newest is not None else 0
        said = [row["order"] for row in self.rows.values() if row.get("order", {}).get("status") == "open"]
        self.book = Book(
            Account.from_dict(newest["book"]) if newest is not None else Account(), map(PaperOrder.from_dict, said)
        )

    def write(self, order: PaperOrder | None) -> None:
        """Write an order with the account as it is after it, in one row. Raise StoreUnavailable."""
        self._n += 1
        body: dict[str, Any] = {"n": self._n, "book": self.book.account.to_dict()}
        if order is not None:
            body["order"] = order.to_dict()
        name = _BEGUN if order is None else str(order.number % SLOTS)
        self._store.keep(self._account, KIND, name, body, self.now_ms)

    def meet(self, symbol: str, market: Market) -> None:
        """Let the open orders of a symbol meet a market, and write each that changed."""
        for order in self.book.meet(symbol, market, self.now_ms):
            self.write(order)

    def made(self, order: Order, client_order_id: str | None, terms: Terms, rising: bool, market: Market) -> PaperOrder:
        """Return a new order. Raise Refused."""
        if len(self.book.open) >= MAX_OPEN:
            raise Refused("ORDER_REJECTED", f"{MAX_OPEN} orders are open; paper keeps no more")
        if client_order_id is not None and self.named(client_order_id) is not None:
            raise Refused("DUPLICATE_ID", f"an order {client_order_id} is there already")
        busy = {one.number % SLOTS for one in self.book.open.values()}
        number = self.book.account.orders + 1
        while number % SLOTS in busy:
            number += 1
        self.book.account.orders = number
        quantity = order.quantity
        if quantity is None:
            best = (market.asks if order.side == "buy" else market.bids)[:1]
            if order.quote_quantity is None or not best:
                raise Refused("ORDER_REJECTED", "the order has no quantity that paper can tell")
            quantity = _affords(order.quote_quantity, market.asks if order.side == "buy" else market.bids, terms)
        priced = order.price if "market" not in str(order.type) else None
        side: Any = str(order.side).lower()
        return PaperOrder(
            number,
            client_order_id or f"paper{number}",
            order.symbol,
            side,
            str(order.type),
            quantity,
            priced,
            order.stop_price,
            rising,
            str(order.time_in_force or "GTC").upper(),
            order.reduce_only,
            "open",
            False,
            self.now_ms,
            self.now_ms,
            terms,
        )

    def opened(self, name: str) -> PaperOrder:
        """Return an open order by id or client order id. Raise Refused."""
        for order in self.book.open.values():
            if name in (order.id, order.client_order_id):
                return order
        raise Refused("ORDER_NOT_FOUND", f"no open order {name}")

    def named(self, name: str) -> PaperOrder | None:
        """Return an order, open or over, by id or client order id; None: it is not remembered."""
        for row in self.rows.values():
            said = row.get("order", {})
            if name in (said.get("id"), said.get("client_order_id")):
                return PaperOrder.from_dict(said)
        return None

    def orders(self, symbol: str | None = None) -> list[PaperOrder]:
        """Return every order that is remembered, oldest first."""
        said = (row["order"] for row in self.rows.values() if "order" in row)
        made = [PaperOrder.from_dict(one) for one in said if symbol in (None, one["symbol"])]
        return sorted(made, key=lambda order: order.number)


def _levels(side: Any) -> tuple[Level, ...]:
    return tuple(Level(exact(one[0]), exact(one[1])) for one in side or () if one[0] and one[1])


def _prints(rows: Any) -> tuple[Print, ...]:
    """Read trades; one that does not say when, at what price or how much fills nothing."""
    found = []
    for row in rows or ():
        at_ms, price, amount = row.get("timestamp"), row.get("price"), row.get("amount")
        if at_ms and price and amount:
            found.append(Print(str(row.get("id")), int(at_ms), exact(price), exact(amount)))
    return tuple(found)


def _terms(market: Mapping[str, Any], taker: Decimal, maker: Decimal) -> Terms:
    """Return what an order on a market is filled by. Raise Refused for a market that paper does not know."""
    settle = str(market.get("settle") or "") if market.get("contract") else ""
    if market.get("contract") and not (market.get("swap") and market.get("linear")):
        raise Refused("NOT_SUPPORTED", f"{market['symbol']}: paper trades spot and linear perpetuals")
    size = exact(market["contractSize"]) if settle and market.get("contractSize") else Decimal(1)
    step = (market.get("precision") or {}).get("amount")
    fee_side = str(market.get("feeSide") or "get")
    return Terms(market["base"], market["quote"], settle, size, taker, maker, fee_side, exact(step or "1e-8"))


def _affords(cost: Decimal, levels: tuple[Level, ...], terms: Terms) -> Decimal:
    """Return how much of the visible book a sum in quote currency is worth, in whole steps."""
    quantity, left = ZERO, cost
    for level in levels:
        part = min(level.quantity, left / level.price)
        quantity, left = quantity + part, left - part * level.price
    return (quantity / terms.step).to_integral_value("ROUND_FLOOR") * terms.step

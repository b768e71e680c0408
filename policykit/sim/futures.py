"""The matching core of linear contracts: orders, conditional orders, fills, positions, margin. Pure: times are given.

It shares no code with the engine, the adapters or the traits that are tested against it. Two things differ from an
exchange: the mark price is the pair's mid price, which last price and index are as well; and nothing is liquidated.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from policykit.sim import margin
from policykit.sim.contracts import MAX_LEVERAGE, Book, Contract, ContractOrder, ContractReport, ContractTrade, Position
from policykit.sim.market import STEP_MS, PricePath, floor_to
from policykit.sim.venue import MAX_ORDERS, MAX_STEPS, PART_STEPS, ZERO

#: Open orders, and open conditional ones, that a contract takes (exchangeInfo: MAX_NUM_ORDERS, MAX_NUM_ALGO_ORDERS).
MAX_OPEN, MAX_WAITING = 200, 100
FUNDING_EVERY_MS = 8 * 3_600_000
#: What a position pays or receives at each funding, a share of its notional.
FUNDING_RATE = Decimal("0.0001")
TAKER_FEE = Decimal("0.0005")
MAKER_FEE = Decimal("0.0002")


class Refused(Exception):
    """The exchange refuses: `why` is a word that a dialect turns into its code and text."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class FuturesVenue:
    """One account's linear contracts on one exchange. Not thread-safe: its server holds a lock around each call."""

    def __init__(self, path: PricePath, start_ms: int, book: Book) -> None:
        self.path = path
        self.book = book
        self.on_accept: Callable[[ContractOrder], None] = _ignore
        self.on_fill: Callable[[ContractTrade], None] = _ignore
        self.on_report: Callable[[ContractReport], None] = _ignore
        self._settled_ms = start_ms
        #: When all open orders of a contract are cancelled unless the time is set anew (countdownCancelAll).
        self._countdowns: dict[str, int] = {}

    # -- market -------------------------------------------------------------------------------------------------

    def mark(self, contract: Contract, now_ms: int) -> Decimal:
        """Return the mark price."""
        return self.path.mid(contract.pair, now_ms)

    def touch(self, contract: Contract, now_ms: int) -> tuple[Decimal, Decimal]:
        """Return best bid and best ask: the pair's, in the contract's ticks."""
        bid, ask = self.path.touch(contract.pair, now_ms)
        over = ask % contract.tick
        return bid - bid % contract.tick, ask + (contract.tick - over if over else ZERO)

    def available(self, asset: str, now_ms: int) -> Decimal:
        """Return what is left of an asset for further margin."""
        return margin.available(self.book, asset, lambda contract: self.mark(contract, now_ms))

    def settle(self, now_ms: int) -> None:
        """Fill, trigger and cancel what rests in the time between the last settling and now, and pay the funding."""
        for at_ms, name in sorted((at_ms, name) for name, at_ms in self._countdowns.items() if at_ms <= now_ms):
            del self._countdowns[name]
            self._settle(at_ms)
            self._cancel_all(self.book.contracts[name], at_ms, conditional=False)
        self._settle(now_ms)

    def _settle(self, now_ms: int) -> None:
        first, last = self._settled_ms // STEP_MS + 1, now_ms // STEP_MS
        stride = max(1, (last - first + 1) // MAX_STEPS)
        for step in range(first, last + 1, stride) if self.book.orders else ():
            for order in list(self.book.orders):
                if order.is_open:
                    self._meet(order, step * STEP_MS)
        fundings = range(self._settled_ms // FUNDING_EVERY_MS + 1, now_ms // FUNDING_EVERY_MS + 1)
        for number in fundings:
            for position in self.book.positions.values():
                at_ms = number * FUNDING_EVERY_MS
                paid = position.contract.notional(position.amount, self.mark(position.contract, at_ms)) * FUNDING_RATE
                self.book.earn("FUNDING_FEE", position.contract, -paid, at_ms)
                self.on_report(ContractReport(None, "FUNDING_FEE", at_ms, contract=position.contract, amount=-paid))
        self._settled_ms = max(self._settled_ms, now_ms)

    # -- orders -------------------------------------------------------------------------------------------------

    def place(self, order: ContractOrder, now_ms: int) -> ContractOrder:
        """Accept and match an order, or let a conditional one wait; raise Refused."""
        self.settle(now_ms)
        mark = self.mark(order.contract, now_ms)
        self._check_side(order)
        check_filters(order, mark)
        alike = [o for o in self.book.orders if o.conditional == order.conditional]
        if any(o.client_id == order.client_id for o in alike):
            raise Refused("duplicate")
        if len([o for o in alike if o.contract is order.contract]) >= (MAX_WAITING if order.conditional else MAX_OPEN):
            raise Refused("too_many")
        if len(self.book.known) >= MAX_ORDERS:
            raise Refused("too_many")
        if order.conditional:
            self._check_trigger(order, alike, mark)
            order.reach = mark
        else:
            self._check_room(order, mark)
        order.updated_ms = now_ms
        self.book.add(order)
        self.on_accept(order)
        self.on_report(ContractReport(order, "NEW", now_ms))
        if not order.conditional:
            self._take(order, now_ms)
        return order

    def amend(self, order: ContractOrder, quantity: Decimal, price: Decimal, now_ms: int) -> ContractOrder:
        """Change quantity and price of an open limit order, or raise Refused."""
        if order.type != "LIMIT" or not order.is_open:
            raise Refused("not_open")
        if (quantity, price) == (order.quantity, order.price):
            raise Refused("unchanged")
        before = order.quantity, order.price
        self.book.orders.remove(order)
        order.quantity, order.price = quantity, price
        try:
            check_filters(order, self.mark(order.contract, now_ms))
            self._check_room(order, self.mark(order.contract, now_ms))
        except Refused:
            order.quantity, order.price = before
            raise
        finally:
            self.book.orders.append(order)
        order.updated_ms = now_ms
        self.on_report(ContractReport(order, "AMENDMENT", now_ms))
        if order.filled() >= quantity:
            self._close(order, "CANCELED", now_ms)
        else:
            self._take(order, now_ms)
        return order

    def cancel(self, order: ContractOrder, now_ms: int) -> ContractOrder:
        """Cancel an open order, or raise Refused."""
        if not order.is_open:
            raise Refused("not_open")
        self._close(order, "CANCELED", now_ms)
        return order

    def cancel_all(self, contract: Contract, now_ms: int, *, conditional: bool) -> int:
        """Cancel every open order of a contract, of one of the two families; return how many there were."""
        self.settle(now_ms)
        return self._cancel_all(contract, now_ms, conditional=conditional)

    def count_down(self, contract: Contract, span_ms: int, now_ms: int) -> None:
        """Cancel all open orders of a contract, conditional ones left alone, after so long; 0 takes that back."""
        self.settle(now_ms)
        self._countdowns.pop(contract.id, None)
        if span_ms:
            self._countdowns[contract.id] = now_ms + span_ms

    def _cancel_all(self, contract: Contract, now_ms: int, *, conditional: bool) -> int:
        """Cancel one family; of conditional ones those that the algo service shows."""
        found = [o for o in self.book.orders if o.contract is contract and o.conditional == conditional]
        found = [o for o in found if not conditional or o.visible_ms <= now_ms]
        for order in found:
            self._close(order, "CANCELED", now_ms)
        return len(found)

    def force(self, contract: Contract, now_ms: int, *, kind: str = "autoclose") -> ContractOrder:
        """Close a position as the exchange does by itself: `autoclose` a liquidation, `adl_autoclose` against others.

        What it takes for the insurance fund is listed, too (user data streams, "Event: Order Update").
        """
        self.settle(now_ms)
        held = self.book.held(contract, "BOTH")
        order = ContractOrder(
            self.book.next_id(),
            contract,
            "SELL" if held > 0 else "BUY",
            abs(held),
            None,
            None,
            True,
            kind if kind == "adl_autoclose" else f"{kind}-{now_ms}",
            now_ms,
            type="MARKET",
            updated_ms=now_ms,
        )
        self._take(self.book.add(order), now_ms)
        if kind == "autoclose":
            self.book.earn(
                "INSURANCE_CLEAR", contract, -contract.notional(abs(held), self.mark(contract, now_ms)) / 100, now_ms
            )
        return order

    def find(self, contract: Contract | None, now_ms: int, number: int | None, client_id: str | None) -> ContractOrder:
        """Return the order of an id, or the newest of a client id, whether it is visible or not; raise Refused."""
        self.settle(now_ms)
        for order in reversed(self.book.known.values()):
            same = order.id == number if number is not None else order.client_id == client_id
            if same and contract in (None, order.contract):
                return order
        raise Refused("lookup")

    # -- settings -----------------------------------------------------------------------------------------------

    def set_leverage(self, contract: Contract, leverage: int, now_ms: int) -> None:
        """Set the leverage of a contract, or raise Refused."""
        self.settle(now_ms)
        if not 1 <= leverage <= MAX_LEVERAGE:
            raise Refused("leverage")
        settings, before = self.book.set_of(contract), self.book.set_of(contract).leverage
        if settings.isolated and leverage < before and self._holds(contract):
            raise Refused("leverage_isolated")
        settings.leverage = leverage
        if leverage < before and self.available(contract.settle, now_ms) < 0:
            settings.leverage = before
            raise Refused("margin_leverage")
        for position in self.book.positions.values():
            if position.contract is contract:
                position.leverage = leverage

    def set_isolated(self, contract: Contract, isolated: bool, now_ms: int) -> None:
        """Set the margin mode of a contract, or raise Refused."""
        self.settle(now_ms)
        settings = self.book.set_of(contract)
        if settings.isolated == isolated:
            raise Refused("margin_mode_same")
        if self._holds(contract):
            raise Refused("margin_mode_position")
        if any(o.contract is contract for o in self.book.orders):
            raise Refused("margin_mode_orders")
        settings.isolated = isolated

    def set_hedge(self, hedge: bool, now_ms: int) -> None:
        """Set the position mode of the account, or raise Refused."""
        self.settle(now_ms)
        if self.book.hedge == hedge:
            raise Refused("position_mode_same")
        if self.book.orders:
            raise Refused("position_mode_orders")
        if self.book.positions:
            raise Refused("position_mode_position")
        self.book.hedge = hedge

    # -- inside -------------------------------------------------------------------------------------------------

    def _holds(self, contract: Contract) -> bool:
        return any(p.contract is contract for p in self.book.positions.values())

    def _closable(self, order: ContractOrder) -> Decimal:
        """Return how much an order that only closes can close."""
        held = self.book.held(order.contract, order.position_side)
        return max(ZERO, held if order.side == "SELL" else -held)

    def _check_side(self, order: ContractOrder) -> None:
        if (order.position_side != "BOTH") != self.book.hedge:
            raise Refused("position_side")
        if order.position_side != "BOTH" and order.reduce_only:
            raise Refused("reduce_only_hedged")

    def _check_trigger(self, order: ContractOrder, waiting: list[ContractOrder], mark: Decimal) -> None:
        if order.callback is None and _triggers(order, mark):
            raise Refused("immediately")
        if order.close_position:
            away = (order.contract, order.side, order.position_side)
            for other in waiting:
                same_kind = other.type[:4] == order.type[:4]
                if other.close_position and same_kind and (other.contract, other.side, other.position_side) == away:
                    raise Refused("close_position_twice")

    def _check_room(self, order: ContractOrder, mark: Decimal) -> None:
        """Refuse what would do more than close although it may not, and what the margin is not enough for."""
        if order.closes:
            if not self._closable(order) or (self.book.hedge and order.quantity > self._closable(order)):
                raise Refused("reduce_only")
            return
        if order.time_in_force == "GTX" and _crosses(order, *self.touch(order.contract, order.time_ms)):
            raise Refused("post_only")
        book, contract = self.book, order.contract
        more = margin.initial(book, contract, mark, order) - margin.initial(book, contract, mark)
        if more > 0:
            fee = contract.notional(order.quantity, order.price or mark) * TAKER_FEE
            if more + fee > self.available(contract.settle, order.time_ms):
                raise Refused("margin")

    def _take(self, order: ContractOrder, now_ms: int) -> None:
        """Match an order that just arrived."""
        bid, ask = self.touch(order.contract, now_ms)
        if _crosses(order, bid, ask):
            part = order.quantity - order.filled()
            if order.quirks.fill_share < 1:
                part = max(floor_to(part * order.quirks.fill_share, order.contract.step), order.contract.step)
            if not (order.time_in_force == "FOK" and part < order.quantity):
                self._fill(order, part, ask if order.side == "BUY" else bid, False, now_ms)
        if order.is_open and (order.type == "MARKET" or order.time_in_force in {"IOC", "FOK"}):
            self._close(order, "EXPIRED", now_ms)

    def _meet(self, order: ContractOrder, at_ms: int) -> None:
        """Let a resting order meet the price of one step."""
        if order.conditional:
            if self._triggered(order, self.mark(order.contract, at_ms)):
                self._trigger(order, at_ms)
            return
        if at_ms > order.updated_ms and _crosses(order, *self.touch(order.contract, at_ms)):
            part = order.quantity - order.filled()
            if order.quirks.fill_share < 1:
                step = order.contract.step
                part = min(part, max(floor_to(order.quantity / PART_STEPS, step), step))
            self._fill(order, part, order.price or self.mark(order.contract, at_ms), True, at_ms)

    def _triggered(self, order: ContractOrder, price: Decimal) -> bool:
        if order.callback is None:
            return _triggers(order, price)
        falls = order.side == "SELL"
        active = order.activation is None or (price >= order.activation if falls else price <= order.activation)
        if order.triggered_ms == 0 and not active:
            return False
        order.triggered_ms = order.triggered_ms or order.time_ms  # it follows the price from here on
        reach = order.reach or price
        order.reach = max(reach, price) if falls else min(reach, price)
        back = order.reach * order.callback / 100
        return price <= order.reach - back if falls else price >= order.reach + back

    def _trigger(self, order: ContractOrder, at_ms: int) -> None:
        """Place the order that a conditional one stood for; one that is refused then is rejected."""
        self.book.orders.remove(order)
        order.triggered_ms = order.updated_ms = at_ms
        quantity = self._closable(order) if order.close_position else order.quantity
        child = ContractOrder(
            self.book.next_id(),
            order.contract,
            order.side,
            quantity,
            order.price,
            None,
            order.reduce_only or order.close_position,
            f"algo-{order.id}",
            at_ms,
            type="MARKET" if order.price is None else "LIMIT",
            position_side=order.position_side,
            close_position=order.close_position,
            time_in_force=order.time_in_force if order.price is not None else "GTC",
            quirks=order.quirks,
            updated_ms=at_ms,
            parent=order,
        )
        try:
            self._check_room(child, self.mark(order.contract, at_ms))
        except Refused:
            order.status = "REJECTED"
            self.on_report(ContractReport(order, order.status, at_ms))
            return
        order.status, order.child = "TRIGGERED", self.book.add(child)
        self.on_report(ContractReport(order, order.status, at_ms))
        self.on_report(ContractReport(child, "NEW", at_ms))
        self._take(child, at_ms)

    def _fill(self, order: ContractOrder, quantity: Decimal, price: Decimal, maker: bool, at_ms: int) -> None:
        if order.closes:
            quantity = min(quantity, self._closable(order))
        trade = self._trade(order, quantity, price, maker, at_ms) if quantity else None
        order.status = "PARTIALLY_FILLED"
        if order.filled() >= order.quantity:
            self._close(order, "FILLED", at_ms, trade)
        elif trade is not None:
            self.on_report(ContractReport(order, "TRADE", at_ms, trade))
        if order.is_open and order.closes and not self._closable(order):
            self._close(order, "EXPIRED", at_ms)

    def _trade(self, order: ContractOrder, quantity: Decimal, price: Decimal, maker: bool, at_ms: int) -> ContractTrade:
        contract, book = order.contract, self.book
        profit = self._move(order, quantity if order.side == "BUY" else -quantity, price)
        fee = contract.notional(quantity, price) * (MAKER_FEE if maker else TAKER_FEE)
        number, visible = len(book.trades) + 1, at_ms + order.quirks.lag_ms
        book.earn("REALIZED_PNL", contract, profit, at_ms, number)
        book.earn("COMMISSION", contract, -fee, at_ms, number)
        trade = ContractTrade(number, order, price, quantity, fee, profit, maker, at_ms, visible)
        order.trades.append(trade)
        order.updated_ms = at_ms
        book.trades.append(trade)
        self.on_fill(trade)
        return trade

    def _move(self, order: ContractOrder, signed: Decimal, price: Decimal) -> Decimal:
        """Change the position; return the profit that became real."""
        contract, side = order.contract, order.position_side
        settings = self.book.set_of(contract)
        before = self.book.positions.pop((contract.id, side), None)
        held, entry = (ZERO, price) if before is None else (before.amount, before.entry)
        after = held + signed
        profit = ZERO
        if held * signed < 0:
            closed = min(abs(held), abs(signed)).copy_sign(held)
            profit = Position(contract, closed, entry).profit(price)
            entry = price if after * held < 0 else entry
        else:
            entry = (abs(held) * entry + abs(signed) * price) / abs(after)
        if after:
            new = Position(contract, after, entry, side, settings.leverage, settings.isolated)
            self.book.positions[(contract.id, side)] = new
        return profit

    def _close(self, order: ContractOrder, status: str, at_ms: int, trade: ContractTrade | None = None) -> None:
        """Take an order off the book and tell so; an algo order is finished when the order that it placed is."""
        order.status = status
        order.updated_ms = at_ms
        self.book.orders.remove(order)
        self.on_report(ContractReport(order, "TRADE" if trade else status, at_ms, trade))
        if order.parent is not None:
            order.parent.status, order.parent.updated_ms = "FINISHED", at_ms
            self.on_report(ContractReport(order.parent, "FINISHED", at_ms))


def check_filters(order: ContractOrder, mark: Decimal) -> None:
    """Raise Refused at the first of PRICE_FILTER, LOT_SIZE, MIN_NOTIONAL that fails (exchangeInfo)."""
    contract = order.contract
    for price in (order.price, order.trigger, order.activation):
        if price is not None and (price <= 0 or price % contract.tick):
            raise Refused("price")
    if order.close_position:
        return
    if not 0 < order.quantity <= contract.max_quantity or order.quantity % contract.step:
        raise Refused("quantity")
    if not order.closes and contract.notional(order.quantity, order.price or mark) < contract.min_notional:
        raise Refused("notional")


def _crosses(order: ContractOrder, bid: Decimal, ask: Decimal) -> bool:
    if order.price is None:
        return True
    return order.price >= ask if order.side == "BUY" else order.price <= bid


def _triggers(order: ContractOrder, price: Decimal) -> bool:
    if order.trigger is None:
        return False
    rising = (order.side == "BUY") == order.type.startswith("STOP")
    return price >= order.trigger if rising else price <= order.trigger


def _ignore(_: object) -> None:
    """Take no notice."""

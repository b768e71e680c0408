"""The book of a paper account: orders, fills, balances, and how live quotes and trades fill them. No I/O here.

What fills is what a bystander can know. An order that takes walks the visible book, level by level, and what it took of
a level is gone for paper until that level leaves the book. An order that rests is last in its queue: a trade *through*
its price fills it by the quantity of that trade, one *at* its price does not; what stands in the book at its price or
beyond would have met it, and fills it too. So no fill is better, sooner or larger than the market showed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from policykit.guard.paper_form import ZERO, Account, Fill, Level, Market, PaperOrder, Print, Refused
from policykit.units import plain

#: Fills of one order that are told apart; those after it become one with the last.
MAX_FILLS: Final = 50


class Book:
    """The account and its open orders; every change names the orders it changed, to be written."""

    def __init__(self, account: Account, open_orders: Iterable[PaperOrder] = ()) -> None:
        self.account = account
        self.open = {order.number: order for order in open_orders}

    # ---- what is free

    def locked(self, asset: str) -> Decimal:
        """Return what open orders on spot keep of an asset."""
        held = ZERO
        for order in self.open.values():
            terms = order.terms
            if terms.settle:
                continue
            if order.side == "sell" and terms.base == asset:
                held += order.left
            elif order.side == "buy" and terms.quote == asset:
                worst = order.price if order.price is not None else order.trigger or ZERO
                held += order.left * worst * (1 + (terms.taker if terms.fee_side == "quote" else ZERO))
        return held

    def free(self, asset: str) -> Decimal:
        """Return what can be spent of an asset on spot."""
        return self.account.balances.get(asset, ZERO) - self.locked(asset)

    def margin(self, settle: str, prices: Mapping[str, Decimal]) -> Decimal:
        """Return what of the contracts' money is free: the wallet, with what is not realised, less initial margins."""
        left = self.account.wallets.get(settle, ZERO)
        for symbol, (quantity, entry) in self.account.positions.items():
            if symbol.rpartition(":")[2] == settle:
                price, size = prices.get(symbol, entry), self.account.sizes[symbol]
                left += quantity * size * (price - entry) - abs(quantity) * size * price / self.lever(symbol)
        for order in self.open.values():
            if order.terms.settle == settle and not order.reduce_only:
                worst = order.price if order.price is not None else order.trigger or ZERO
                left -= order.left * order.terms.size * worst / self.lever(order.symbol)
        return left

    def lever(self, symbol: str) -> Decimal:
        """Return the leverage of a contract: what the bot set, else 1."""
        return self.account.leverage.get(symbol, Decimal(1))

    # ---- what happens

    def place(self, order: PaperOrder, market: Market) -> None:
        """Take an order: match what can be matched now, let the rest rest or expire. Raise Refused."""
        order.waiting = order.trigger is not None
        if order.waiting and _reached(order, market, ()):
            raise Refused("ORDER_REJECTED", "the trigger is reached already: it would trigger at once")
        self._affordable(order, market)
        crosses = any(True for _ in self._reach(order, market))
        if order.time_in_force == "PO" and crosses:
            raise Refused("ORDER_REJECTED", "a post-only order would take")
        if order.time_in_force == "FOK" and sum((q for _, q in self._reach(order, market)), ZERO) < order.quantity:
            order.status = "expired"
            return
        self.open[order.number] = order
        if order.terms.settle:
            self.account.sizes[order.symbol] = order.terms.size
        if not order.waiting:
            self._take(order, market, order.created_ms)

    def meet(self, symbol: str, market: Market, now_ms: int) -> Iterator[PaperOrder]:
        """Let the open orders of a symbol meet what the market showed since; yield each that changed, when it is done.

        Each is to be written before the next is asked for: what stands in the account then is of those yielded so far.
        """
        prints = self._new(symbol, market.prints)
        left = [trade.quantity for trade in prints]
        self._forget(symbol, market)
        for order in sorted((o for o in self.open.values() if o.symbol == symbol), key=_first_met):
            before = order.waiting, len(order.fills), order.filled, order.status
            if order.waiting:
                if _reached(order, market, prints):
                    order.waiting, order.updated_ms = False, now_ms
                    self._take(order, market, now_ms)
            else:
                self._wait(order, prints, left, market, now_ms)
            if (order.waiting, len(order.fills), order.filled, order.status) != before:
                yield order

    def _wait(self, order: PaperOrder, prints: list[Print], left: list[Decimal], market: Market, now_ms: int) -> None:
        """Fill an order that rests: by trades through its price, then by what stands in the book at it or beyond."""
        for place, trade in enumerate(prints):
            if order.open and left[place] and _through(order, trade.price):
                left[place] -= self._fill(order, order.price or trade.price, min(left[place], order.left), now_ms)
        for level, quantity in list(self._reach(order, market)) if order.open else ():
            self._eat(order, level, quantity)
            self._fill(order, order.price or level.price, quantity, now_ms)

    def cancel(self, order: PaperOrder, now_ms: int, status: str = "canceled") -> None:
        """End an open order."""
        order.status, order.updated_ms = status, now_ms
        self.open.pop(order.number, None)

    def amend(self, order: PaperOrder, quantity: Decimal, price: Decimal | None, market: Market, now_ms: int) -> None:
        """Change quantity and price of an open order, and match it anew. Raise Refused: it stays as it was."""
        if quantity <= order.filled:
            raise Refused("ORDER_REJECTED", f"{plain(order.filled)} of it filled already")
        before = order.quantity, order.price
        self.open.pop(order.number)
        order.quantity, order.price = quantity, price
        try:
            self._affordable(order, market)
        except Refused:
            order.quantity, order.price = before
            raise
        finally:
            self.open[order.number] = order
        order.updated_ms = now_ms
        if not order.waiting:
            self._take(order, market, now_ms)

    # ---- inside

    def _affordable(self, order: PaperOrder, market: Market) -> None:
        """Raise Refused where the account cannot pay for an order, whatever of it fills."""
        terms = order.terms
        if order.reduce_only:
            held = self.account.positions.get(order.symbol, [ZERO])[0]
            if not held or (held > 0) == (order.side == "buy"):
                raise Refused("ORDER_REJECTED", "a reduce-only order, and no position that it would reduce")
            order.quantity = min(order.quantity, abs(held) + order.filled)
            return
        worst = self._worst(order, market)
        if terms.settle:
            needed = self._opens(order) * terms.size * worst / self.lever(order.symbol)
            prices = {order.symbol: worst}
            asset, has = terms.settle, self.margin(terms.settle, prices)
        elif order.side == "sell":
            asset, needed, has = terms.base, order.left, self.free(terms.base)
        else:
            fee = terms.taker if terms.fee_side == "quote" else ZERO
            asset, needed, has = terms.quote, order.left * worst * (1 + fee), self.free(terms.quote)
        if needed > has:
            words = f"insufficient balance: {plain(needed)} {asset} are needed, {plain(max(ZERO, has))} are free"
            raise Refused("INSUFFICIENT_FUNDS", words)

    def _opens(self, order: PaperOrder) -> Decimal:
        """Return what of an order goes beyond closing the position that it meets."""
        held = self.account.positions.get(order.symbol, [ZERO])[0]
        against = abs(held) if held and (held > 0) != (order.side == "buy") else ZERO
        return max(ZERO, order.left - against)

    def _worst(self, order: PaperOrder, market: Market) -> Decimal:
        """Return the dearest price at which it fills: its own, its trigger's, or the mean of what it would take."""
        if order.price is not None:
            return order.price
        if order.waiting and order.trigger is not None:
            return order.trigger
        taken = list(self._reach(order, market))
        quantity = sum((q for _, q in taken), ZERO)
        if not quantity:
            raise Refused("ORDER_REJECTED", "nothing stands in the book to take")
        return sum((level.price * q for level, q in taken), ZERO) / quantity

    def _reach(self, order: PaperOrder, market: Market) -> Iterator[tuple[Level, Decimal]]:
        """Yield the levels of the book that an order meets, with how much of it each fills; best first."""
        buys, left = order.side == "buy", order.left
        gone = self.account.taken.get(order.symbol, {})
        for level in market.asks if buys else market.bids:
            if order.price is not None and (level.price > order.price if buys else level.price < order.price):
                return
            there = level.quantity - gone.get(_key(buys, level.price), ZERO)
            if there > 0 and left > 0:
                yield level, min(there, left)
                left -= min(there, left)

    def _take(self, order: PaperOrder, market: Market, now_ms: int) -> None:
        """Take from the book what an order meets; what does not rest expires."""
        for level, quantity in list(self._reach(order, market)):
            self._eat(order, level, quantity)
            if not self._fill(order, level.price, quantity, now_ms, maker=False):
                break
        if order.open and (order.price is None or order.time_in_force in ("IOC", "FOK")):
            self.cancel(order, now_ms, "expired")

    def _eat(self, order: PaperOrder, level: Level, quantity: Decimal) -> None:
        gone = self.account.taken.setdefault(order.symbol, {})
        key = _key(order.side == "buy", level.price)
        gone[key] = gone.get(key, ZERO) + quantity

    def _forget(self, symbol: str, market: Market) -> None:
        """Forget what was taken of levels that are in the book no more."""
        gone = self.account.taken.get(symbol)
        if gone:
            there = {_key(True, level.price) for level in market.asks} | {_key(False, one.price) for one in market.bids}
            self.account.taken[symbol] = {key: taken for key, taken in gone.items() if key in there}

    def _new(self, symbol: str, prints: tuple[Print, ...]) -> list[Print]:
        """Return the trades that came since the last look, and remember them; at the first look none."""
        seen = self.account.seen.get(symbol)
        if not prints:
            return []
        last = max(trade.at_ms for trade in prints)
        ids = [trade.id for trade in prints if trade.at_ms == last]
        if seen is None:
            self.account.seen[symbol] = (last, ids)
            return []
        at_ms, known = seen
        new = [t for t in prints if t.at_ms > at_ms or (t.at_ms == at_ms and t.id not in known)]
        if new:
            self.account.seen[symbol] = (last, ids if last > at_ms else [*known, *(t.id for t in new)])
        return sorted(new, key=lambda trade: trade.at_ms)

    def _fill(
        self, order: PaperOrder, price: Decimal, quantity: Decimal, now_ms: int, *, maker: bool = True
    ) -> Decimal:
        """Fill an order, and return by how much: less where the account cannot pay (a stop that met a worse price)."""
        terms, buys = order.terms, order.side == "buy"
        rate = terms.maker if maker else terms.taker
        if order.reduce_only:
            quantity = min(quantity, abs(self.account.positions.get(order.symbol, [ZERO])[0]))
        elif not terms.settle:
            asset = terms.quote if buys else terms.base
            unit = price * (1 + (rate if terms.fee_side == "quote" else ZERO)) if buys else Decimal(1)
            has = self.account.balances.get(asset, ZERO)
            if quantity * unit > has:
                quantity = (has / unit / terms.step).to_integral_value(ROUND_FLOOR) * terms.step
        if quantity <= 0:
            self.cancel(order, now_ms, "expired")
            return ZERO
        cost = quantity * price * terms.size
        in_quote = bool(terms.settle) or terms.fee_side == "quote" or (terms.fee_side == "get" and not buys)
        fee, fee_asset = (cost * rate, terms.settle or terms.quote) if in_quote else (quantity * rate, terms.base)
        profit = ZERO
        if terms.settle:
            profit = self._hold(order, quantity if buys else -quantity, price)
            self._move(self.account.wallets, terms.settle, -fee)
        else:
            self._move(self.account.balances, terms.base, quantity if buys else -quantity)
            self._move(self.account.balances, terms.quote, -cost if buys else cost)
            self._move(self.account.balances, fee_asset, -fee)
        self._note(order, Fill(price, quantity, fee, fee_asset, maker, now_ms, profit))
        order.updated_ms = now_ms
        if not order.left:
            self.cancel(order, now_ms, "closed")
        return quantity

    def _hold(self, order: PaperOrder, quantity: Decimal, price: Decimal) -> Decimal:
        """Change a position; return what closing of it realised."""
        held, entry = self.account.positions.get(order.symbol, [ZERO, ZERO])
        closes = min(abs(held), abs(quantity)) if held * quantity < 0 else ZERO
        profit = (price - entry) * closes * order.terms.size * (1 if held > 0 else -1)
        self._move(self.account.wallets, order.terms.settle, profit)
        after = held + quantity
        if not closes:
            entry = (held * entry + quantity * price) / after
        elif held * after < 0:
            entry = price
        self.account.positions[order.symbol] = [after, entry]
        if not after:
            del self.account.positions[order.symbol]
        return profit

    @staticmethod
    def _move(money: dict[str, Decimal], asset: str, amount: Decimal) -> None:
        money[asset] = money.get(asset, ZERO) + amount

    @staticmethod
    def _note(order: PaperOrder, fill: Fill) -> None:
        last = order.fills[-1] if len(order.fills) >= MAX_FILLS else None
        if last is None or last.fee_asset != fill.fee_asset:
            order.fills.append(fill)
            return
        total = last.quantity + fill.quantity
        last.price = (last.price * last.quantity + fill.price * fill.quantity) / total
        last.quantity, last.fee, last.at_ms = total, last.fee + fill.fee, fill.at_ms
        last.profit += fill.profit


def _key(ask: bool, price: Decimal) -> str:
    return f"{'ask' if ask else 'bid'} {plain(price)}"


def _first_met(order: PaperOrder) -> tuple[Decimal, int]:
    """Sort orders by price, the best first, then by time."""
    price = order.price or ZERO
    return (-price if order.side == "buy" else price, order.number)


def _through(order: PaperOrder, price: Decimal) -> bool:
    """Tell whether a trade went through the price of a resting order; at its price is not through."""
    if order.price is None:
        return False
    return price < order.price if order.side == "buy" else price > order.price


def _reached(order: PaperOrder, market: Market, prints: Iterable[Print]) -> bool:
    """Tell whether a trigger was reached: by a trade, or by the whole book standing beyond it."""
    trigger = order.trigger or ZERO
    if order.rising:
        return any(one.price >= trigger for one in prints) or bool(market.bids and market.bids[0].price >= trigger)
    return any(one.price <= trigger for one in prints) or bool(market.asks and market.asks[0].price <= trigger)

"""One order under one set of facts: what it is worth, what it can do to the position, and until when that is known.

Everything that depends on time is asked through the case, so that the case knows when its answers may change.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from typing import Final

from policykit.engine.check import Unknown
from policykit.engine.facts import Fact, Facts, Position, Quote
from policykit.engine.market import parse_market
from policykit.engine.money import DOWN, HIGHEST, ONE, UP, ZERO, counter_up, seconds
from policykit.engine.setup import Setup
from policykit.order import CANCELS, NUMBERS, Order
from policykit.traits.base import product_of
from policykit.units import MAX_COUNTER, MAX_DIGITS

#: Later than every moment that is ever asked about, UTC ms.
NEVER: Final = 2**63
#: Actions that change nothing at the exchange.
READS: Final = frozenset(("data.read", "stream.connect"))
_WORDS: Final = ("time_in_force", "self_trade_prevention")
_FLAGS: Final = ("reduce_only", "close_position", "trailing")
#: What an amend may not touch to be a mere reduction of quantity.
_KEPT: Final = tuple(n for n in Order.__slots__ if n not in ("action", "amends", "client_order_id", "quantity"))


class Case:
    """Judge one order. `notional` is in the market's quote currency, `value` in the account's; None: not known.

    `reduces`: it can only reduce. `forbidden`: the exchange itself forbids that it increases. `amount`: the signed
    counter value of the position hold; 0: there is nothing to hold. `problem`: why the order could not be valued.

    Legs attached to an entry (`stop_loss_price`, `take_profit_price`) close what it opened, and one cancels the other:
    they count 0. An amend is judged as the order that it makes, and holds what that adds to the order it changes
    (`order.amends`; where that is not known, all of it); quantities of both are what can still fill. It merely reduces
    if it changes nothing but the quantity, to less.
    """

    def __init__(self, setup: Setup, facts: Facts, order: Order, now_ms: int) -> None:
        self.setup = setup
        self.facts = facts
        self.order = order
        self.now_ms = now_ms
        #: First moment at which an answer of this case may change, UTC ms.
        self.until_ms = NEVER
        self.complaints: list[str] = []
        self.problem: Unknown | None = None
        self.quantity: Decimal | None = None
        self.price: Decimal | None = None
        self.notional: Decimal | None = None
        self.value: Decimal | None = None
        self.amount: int | None = None
        self.reduces = self.forbidden = False
        self.market = parse_market(order.symbol)
        #: The action as a word; empty when it is none.
        action: object = order.action
        self.action = action if isinstance(action, str) else ""
        self.creates = self.action == "order.create"
        #: It leaves an order at the exchange: a new one, or one that it changed.
        self.places = self.creates or self.action == "order.amend"
        self.cancels = self.action in CANCELS
        self.reads = self.action in READS
        if self.places:
            self._shape()
            if not self.complaints:
                self.forbidden = self._keeps()
                self.reduces = self.forbidden or self._proves()
                self._worth()
        elif self.action == "position.close":
            self._names_market()
            self.reduces = self.forbidden = not self.complaints and not self.crosses
        elif self.action == "account.configure":
            self.reduces = self._calms()
        elif self.action == "margin.repay":
            self.reduces = True

    # ---- the order itself

    def _shape(self) -> None:
        order = self.order
        self._names_market()
        if order.side not in ("buy", "sell"):
            self.complaints.append('side is neither "buy" nor "sell"')
        if not isinstance(order.type, str) or not order.type:
            self.complaints.append("type is not a word")
        elif order.type == "limit" and order.price is None:
            self.complaints.append("a limit order has no price")
        if order.quantity is None and order.quote_quantity is None:
            if not (self._contract and order.close_position is True):
                self.complaints.append("neither quantity nor quote_quantity is given")
        elif order.quantity is not None and order.quote_quantity is not None:
            self.complaints.append("both quantity and quote_quantity are given")
        if order.position_side not in (None, "long", "short"):
            self.complaints.append('position_side is neither "long" nor "short"')
        self.complaints += [f"{n} is not a word" for n in _WORDS if not isinstance(getattr(order, n), str | None)]
        self.complaints += [f"{n} is neither true nor false" for n in _FLAGS if not isinstance(getattr(order, n), bool)]
        for name in NUMBERS:
            number = getattr(order, name)
            if number is None:
                continue
            if not isinstance(number, Decimal) or not number.is_finite() or number <= 0:
                self.complaints.append(f"{name} is {_shown(number)}; a number over 0 is needed")
            elif number > HIGHEST:
                self.complaints.append(f"{name} has over {MAX_DIGITS} digits")

    def _names_market(self) -> None:
        if self.market is None:
            self.complaints.append('symbol is not written as ccxt writes a market ("BTC/USDT")')

    @property
    def _contract(self) -> bool:
        return self.market is not None and self.market.settle is not None

    @property
    def at_market(self) -> bool:
        """Tell whether the order takes what price it gets."""
        return self.order.price is None or self.order.type == "market"

    # ---- facts, with their age

    def age_ms(self, fact_as_of_ms: int) -> int:
        """Return how old a fact is; negative when it is dated ahead of now."""
        return self.now_ms - fact_as_of_ms

    def fresh(self, as_of_ms: int, max_age_ms: int) -> bool:
        """Tell whether a fact is young enough to be used, and note when it no longer will be."""
        # "Unless": a time that is no number is not young (PITFALLS 12).
        if not -self.setup.ahead_ms <= self.age_ms(as_of_ms) <= max_age_ms:
            return False
        self.until_ms = min(self.until_ms, as_of_ms + max_age_ms + 1)
        return True

    def mark(self, symbol: str) -> Decimal:
        """Return the fresh price of a symbol. Raise Unknown when there is none."""
        fact = self.facts.marks.get(symbol)
        if fact is None:
            raise Unknown("PRICE_MISSING", f"no price of {symbol} was observed")
        if not (fact.value.is_finite() and fact.value > 0):
            raise Unknown("PRICE_MISSING", f"the observed price of {symbol} is no price")
        if not self.fresh(fact.as_of_ms, self.setup.mark_age_ms):
            age = seconds(self.age_ms(fact.as_of_ms))
            raise Unknown("PRICE_STALE", f"the price of {symbol} is {age} old, over {seconds(self.setup.mark_age_ms)}")
        return fact.value

    def quote(self, symbol: str) -> Quote:
        """Return the fresh best bid and ask of a symbol. Raise Unknown when there are none."""
        quote = self.facts.quotes.get(symbol)
        if quote is None:
            raise Unknown("PRICE_MISSING", f"no bid and ask of {symbol} were observed")
        if not (quote.bid.is_finite() and quote.ask.is_finite() and 0 < quote.bid <= quote.ask):
            raise Unknown("PRICE_MISSING", f"the observed bid and ask of {symbol} are no prices")
        if not self.fresh(quote.as_of_ms, self.setup.mark_age_ms):
            age, most = seconds(self.age_ms(quote.as_of_ms)), seconds(self.setup.mark_age_ms)
            raise Unknown("PRICE_STALE", f"the bid and ask of {symbol} are {age} old, over {most}")
        return quote

    def rate(self, source: str, target: str, *, up: bool) -> Decimal:
        """Return what one unit of `source` is worth in `target`, over observed marks; stablecoins are not par.

        Rounded up for uses, down for limits. Raise Unknown when no fresh mark says it.
        """
        if source == target:
            return ONE
        if f"{source}/{target}" in self.facts.marks:
            return self.mark(f"{source}/{target}")
        if f"{target}/{source}" in self.facts.marks:
            return (UP if up else DOWN).divide(ONE, self.mark(f"{target}/{source}"))
        raise Unknown(
            "PRICE_MISSING", f"no price of {source}/{target} was observed; {source} cannot be counted in {target}"
        )

    @property
    def equity(self) -> Fact:
        """Return the account's equity. Raise Unknown when it was never observed."""
        equity = self.facts.equity
        if equity is None:
            raise Unknown("FACTS_MISSING", "equity was never observed")
        if not equity.value.is_finite():
            raise Unknown("FACTS_MISSING", "the observed equity is no number")
        return equity

    # ---- what it can do to the position

    @property
    def position_key(self) -> str:
        """Return what the position is kept by: the base asset on spot, on derivatives the symbol, with its leg.

        In one-way mode there are no legs: an order that names one is of the symbol's position all the same.
        """
        key, leg, mode = self.setup.position_key(self.order.symbol), self.order.position_side, self.facts.position_mode
        if leg is None or not self._contract or (mode is not None and mode.value == "one_way"):
            return key
        return f"{key}#{leg}"

    @property
    def position(self) -> Position | None:
        """Return the position that the order changes; None while it is unknown or too old."""
        as_of = self.facts.positions_as_of_ms
        if as_of is None or not self.fresh(as_of, self.setup.max_age_ms):
            return None
        return self.facts.positions.get(self.position_key, Position())

    @property
    def long_only(self) -> bool:
        """Tell whether the exchange keeps this market from ever being short: spot without automatic borrowing."""
        product = self.setup.product(self.order.symbol)
        on_margin = self.order.margin_mode is not None or self.order.leverage is not None
        spot = product_of(self.order.symbol) == "spot" and not on_margin
        return spot and product is not None and product.auto_borrow is False

    @property
    def crosses(self) -> bool:
        """Tell whether this is a spot market of another pair than an asset against the account's currency.

        Selling there buys the quote asset (ETH/BTC), or spends the currency itself (USDT/TRY): an increase.
        """
        market = self.market
        if market is None or market.settle is not None:
            return False
        currency = self.setup.currency
        return market.quote != currency or market.base == currency

    @property
    def _closes_leg(self) -> bool:
        """Tell whether it trades against a leg of hedge mode, of which no exchange lets more be closed than there is.

        Binance USD-M: a sell of the long leg over what is held is refused (-2022); the policy must say hedge mode,
        since in one-way mode a leg is refused or means nothing.
        """
        order = self.order
        return self.setup.policy.account.position_mode == "hedge" and (order.position_side, order.side) in (
            ("long", "sell"),
            ("short", "buy"),
        )

    @cached_property
    def _changed(self) -> Order | None:
        """Return the order that an amend changes; None where it is not known well enough to take off its quantity."""
        order, old = self.order, self.order.amends
        if self.creates or not isinstance(old, Order) or not isinstance(old.quantity, Decimal):
            return None
        same = (old.symbol, old.side, old.position_side) == (order.symbol, order.side, order.position_side)
        return old if same and old.quantity.is_finite() and 0 < old.quantity <= HIGHEST else None

    def _added(self, quantity: Decimal) -> Decimal:
        """Return what the order adds to what is out already: of a new one all, of an amend what is over the old one."""
        before = self._changed.quantity if self._changed is not None else None
        return quantity if before is None else UP.subtract(quantity, before)

    @property
    def _lessens(self) -> bool:
        """Tell whether it changes an order in nothing but its quantity, to no more."""
        order, old = self.order, self._changed
        if old is None or order.quantity is None or self._added(order.quantity) > 0:
            return False
        return all(getattr(order, name) == getattr(old, name) for name in _KEPT)

    def _keeps(self) -> bool:
        """Tell whether the exchange itself keeps the order from increasing anything, whatever is held."""
        order = self.order
        if self._lessens:
            return True
        if self._contract:
            return order.reduce_only or order.close_position or self._closes_leg
        # A spot sell beyond what is held is refused; a buy never reduces.
        return self.long_only and not self.crosses and order.side == "sell"

    def _proves(self) -> bool:
        """Tell whether what is held and not yet claimed by other orders proves that the order can only reduce."""
        order = self.order
        # In hedge mode a sell may open the short leg, whatever the sum of both legs is.
        hedge = self.setup.policy.account.position_mode == "hedge"
        if hedge or self.crosses or self.long_only or order.quantity is None:
            return False
        position = self.position
        # A size that no hold can claim is no proof: two bots could sell the same position.
        added = max(ZERO, self._added(order.quantity))
        if position is None or counter_up(added) > MAX_COUNTER:
            return False
        if order.side == "sell":
            return UP.add(position.open_sells, added) <= position.low
        return UP.add(position.open_buys, added) <= -position.high

    def _calms(self) -> bool:
        """Tell whether a call that configures the account asks for less leverage, or for what is put aside, only."""
        order = self.order
        if order.position_mode is not None or order.margin_mode not in (None, "isolated"):
            return False
        if order.leverage is None:
            return order.margin_mode is not None
        known = self.facts.contracts.get(order.symbol)
        if known is None or known.leverage is None or not self.fresh(known.as_of_ms, self.setup.max_age_ms):
            return False
        return 0 < order.leverage <= known.leverage

    # ---- what it is worth

    def _worth(self) -> None:
        if self.order.quantity is None and self.order.quote_quantity is None:
            return  # it closes a position, whatever that is
        try:
            self.quantity = self._size()
            # An amend that moves only its price claims the least step, so that the caps are asked for at that price.
            amount = 0 if self._lessens else max(1, counter_up(self._added(self.quantity)))
            if amount > MAX_COUNTER:
                raise Unknown("NUMBER_RANGE", "the quantity is beyond what counters hold exactly")
            self.amount = amount if self.order.side == "buy" else -amount
            self.price = self._worst_price()
            self.notional = self._notional(self.quantity, self.price)
            assert self.market is not None
            self.value = UP.multiply(self.notional, self.rate(self.market.quote, self.setup.currency, up=True))
        except Unknown as unknown:
            self.problem = unknown

    # PITFALLS 1: a market order costs the mark and the slippage, a stop the worse of trigger and limit; a short is
    # worth the mark even where its limit is below, and what trails the price is triggered near the mark.
    def _worst_price(self) -> Decimal:
        order = self.order
        prices = [p for p in (None if self.at_market else order.price, order.stop_price) if p is not None]
        if self.at_market or order.trailing or (order.side == "sell" and not self.reduces):
            try:
                prices.append(self.mark(order.symbol))
            except Unknown:
                if not (self.reduces and prices):
                    raise
        worst = max(prices)
        return UP.multiply(worst, ONE + self.setup.slippage) if self.at_market and order.side == "buy" else worst

    def _size(self) -> Decimal:
        order = self.order
        if order.quantity is not None:
            return order.quantity
        assert order.quote_quantity is not None
        size = self.contract_size()
        if self.inverse:
            return UP.divide(order.quote_quantity, size)
        lowest = DOWN.multiply(self.mark(order.symbol), max(ZERO, ONE - self.setup.slippage))
        if order.price is not None:
            lowest = min(lowest, order.price)
        return UP.divide(order.quote_quantity, DOWN.multiply(size, lowest))

    def contract_size(self) -> Decimal:
        """Return base (linear) or quote (inverse) units of one unit of quantity: 1 on spot. Raise Unknown."""
        assert self.market is not None
        if self.market.settle is None:
            return ONE
        if self.market.settle not in (self.market.base, self.market.quote):
            return self._quanto_size(self.market.settle, self.market.quote)
        size = self.facts.contract_sizes.get(self.order.symbol)
        if size is None or not (size.is_finite() and size > 0):
            raise Unknown("CONTRACT_SIZE_MISSING", f"the contract size of {self.order.symbol} was not observed")
        return size

    def unit(self, price: Decimal | None) -> Decimal:
        """Return what one unit of quantity is worth in the quote currency, at the higher of mark and `price`.

        Raise Unknown for want of either.
        """
        size = self.contract_size()
        if self.inverse:
            return size
        mark = self.mark(self.order.symbol)
        return UP.multiply(size, mark if price is None or price <= mark else price)

    def _quanto_size(self, settle: str, quote: str) -> Decimal:
        """Return what a contract that settles in a third currency is worth in `quote` for each 1 of its price."""
        said = self.facts.contracts.get(self.order.symbol)
        size = said.quanto_size if said is not None else None
        if size is None or not (size.is_finite() and size > 0):
            raise Unknown("CONTRACT_QUANTO", f"{self.order.symbol} settles in a third currency")
        return UP.multiply(size, self.rate(settle, quote, up=True))

    @property
    def inverse(self) -> bool:
        """Tell whether a contract is worth a fixed amount of its quote currency, whatever the price."""
        assert self.market is not None
        return self.market.settle is not None and self.market.settle == self.market.base

    def _notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        if self.order.quote_quantity is not None:
            return self.order.quote_quantity
        units = UP.multiply(quantity, self.contract_size())
        return units if self.inverse else UP.multiply(units, price)


def _shown(number: object) -> str:
    """Write what stands in a number's place: numbers as they are, of anything else only what it is."""
    kind = type(number).__name__
    return (
        str(number) if type(number) is Decimal else f"{number!r} ({kind})" if kind in ("bool", "float") else f"a {kind}"
    )

"""The largest position of one asset."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Self

from policykit.decision import Hold, Reason, position_counter
from policykit.engine.bounds import limits
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.facts import Position
from policykit.engine.lane import INFINITE, Lane
from policykit.engine.money import DOWN, UP, counter_down, money
from policykit.engine.setup import Setup
from policykit.engine.use import RoomOf
from policykit.model.types import BoundsBySymbol
from policykit.units import MAX_COUNTER, Bound, plain, unscale


class PositionNotional(Check):
    """Denies an increase after which a position could be over `risk.max_position_notional` (G35).

    A position counts at its worst: newest fact, doubtful fills, and every order that is out on that side, at the
    higher of mark and order price. The store decides, in one step with the reservation, so the quantity is held
    whether or not the policy has a cap. What can only reduce holds as well: two bots cannot sell the same position.

    Every cap that names a market of the same position applies to it: a cap of BTC/USDT holds BTC/USDC, too. A spot
    sell reduces only into the account's currency; one into another asset (ETH/BTC) is an increase of that asset, which
    is not held, so it is denied while that asset has a cap.
    """

    id = "risk.max_position_notional"
    codes = ("RISK_POSITION", "RISK_QUOTE_ASSET", "PRICE_MISSING", "PRICE_STALE", "CONTRACT_SIZE_MISSING")
    rank = 80
    room = RoomOf("position", "symbol")

    def __init__(self, setup: Setup, caps: BoundsBySymbol) -> None:
        super().__init__(setup)
        self.caps = caps
        #: The bounds of every named market and asset, by what its position is kept by.
        self.named: dict[str, tuple[Bound, ...]] = {}
        for name, bounds in caps.items():
            key = setup.position_key(name)
            self.named[key] = (*self.named.get(key, ()), *bounds)

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        return cls(setup, (risk.max_position_notional if risk is not None else None) or {})

    def bounds(self, case: Case) -> tuple[Bound, ...]:
        """Return the bounds for the order's position: those of each of its markets and its asset's, else the default.

        Of two bounds in one currency both apply: the tighter one binds. In hedge mode they hold each leg.
        """
        assert case.market is not None
        key = self.setup.position_key(case.order.symbol)  # without the leg: policies name markets
        named = (*self.named.get(key, ()), *self.caps.get(case.market.base, ()))
        return named or tuple(self.caps.get("default", ()))

    def reasons(self, case: Case) -> Iterator[Reason]:
        if not (case.places and case.crosses and case.order.side == "sell" and case.market is not None):
            return
        quote, symbol = case.market.quote, case.order.symbol
        if self.named.get(quote) or self.caps.get("default"):
            yield self.reason(
                f"selling {symbol} raises the position of {quote}, which max_position_notional caps; this version "
                f"holds the base asset only: buy {quote} in a market of its own ({quote}/{self.setup.currency})",
                "RISK_QUOTE_ASSET",
            )

    def limit(self, case: Case, price: Decimal | None) -> int:
        """Return the largest position in counter steps. Raise Unknown for want of a price, a size or equity."""
        bounds = self.bounds(case)
        if not bounds:
            return MAX_COUNTER
        assert case.market is not None
        most = limits(case, bounds, case.market.quote)[0].value
        return min(MAX_COUNTER, counter_down(DOWN.divide(most, case.unit(price))))

    # INVARIANT I8: the limit is absolute and goes with the amount, so the store needs no policy to keep it.
    def holds(self, case: Case) -> Iterator[Hold]:
        amount = case.amount
        if not case.places or case.complaints or case.market is None or amount == 0:
            return
        if amount is None:
            if not case.reduces:
                return
            # The size is not known or beyond the counters: hold the least step, so that its fills are counted, and no
            # other exit is refused. The exchange itself keeps such an order from selling more than is held.
            amount = 1 if case.order.side == "buy" else -1
        if case.reduces:
            limit = MAX_COUNTER if case.forbidden else 0
        elif case.long_only and case.order.side == "sell":
            limit = MAX_COUNTER  # into another asset; the exchange keeps the base asset from being short
        else:
            limit = self.limit(case, case.price)
        yield Hold(position_counter(self.setup.account, case.position_key), amount, limit, "position", self.id)

    def narrow(self, case: Case, lane: Lane) -> bool:
        if case.reduces or not self.bounds(case):
            return True
        lane.limit = self.limit(case, None)
        lane.limit_price = case.mark(case.order.symbol) if case.order.price is not None else INFINITE
        if case.order.price is None:
            lane.limit = self.limit(case, case.price)
        lane.limit_above = lambda price: self.limit(case, price)
        return True

    def also(self, case: Case) -> Iterator[Reason]:
        position = case.facts.positions.get(case.position_key, Position())
        for hold in self.holds(case):
            used = position.high + position.open_buys if hold.amount > 0 else position.open_sells - position.low
            if used + unscale(abs(hold.amount)) > unscale(hold.limit):
                yield self._over(case, hold, used)

    def explain(self, case: Case, hold: Hold, used: int) -> Reason:
        return self._over(case, hold, unscale(used))

    def _over(self, case: Case, hold: Hold, used: Decimal) -> Reason:
        assert case.market is not None
        symbol = case.order.symbol
        after = used + unscale(abs(hold.amount))
        unit = case.market.base if case.market.settle is None else "contracts"
        if case.reduces:
            return self.reason(
                f"position {symbol}: nothing is left to reduce by {money(unscale(abs(hold.amount)), unit)}; "
                f"{money(-used, unit)} is held and not yet claimed by other orders",
                numbers=(plain(after), plain(unscale(hold.limit)), unit),
            )
        try:
            quote = case.market.quote
            worth, most = UP.multiply(after, case.unit(case.price)), limits(case, self.bounds(case), quote)[0]
            capped = f"max_position_notional {money(most.value, quote)}{most.how}"
            return self.reason(
                f"position {symbol} would be {money(worth)} of {capped}",
                numbers=(plain(worth), plain(most.value), quote),
            )
        except Unknown:
            limit = unscale(hold.limit)
            text = f"position {symbol} would be {money(after)} of max_position_notional {money(limit, unit)}"
            return self.reason(text, numbers=(plain(after), plain(limit), unit))

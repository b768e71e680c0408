"""An ordinary moment of an account under two policies: an order that both allow, and facts in which nothing is amiss.

From it a flip differs in what its field is about, and in nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from itertools import islice, product
from typing import Any, Final

from policykit.engine import trial
from policykit.engine.case import Case
from policykit.engine.engine import Engine
from policykit.engine.facts import NO_STREAK, Contract, Fact, Facts, Move, Position, Quote, Setting
from policykit.engine.market import parse_market
from policykit.model import Policy
from policykit.model.languages import minutes
from policykit.model.shape import walk
from policykit.model.symbols import allows
from policykit.model.types import date_ms
from policykit.order import Order
from policykit.units import Amount

#: A Monday; flips are of this week whatever the day on which they are looked for.
WEEK_MS: Final = date_ms("2026-01-05") or 0
DAY_MS: Final = 86_400_000
MINUTE_MS: Final = 60_000
_NOON: Final = 12 * 60
#: What one unit is worth, of what is not named here 100; prices and equity are nobody's forecast.
_PRICES: Final = {"BTC": 60_000, "ETH": 3_000, "SOL": 150, "USDT": 1, "USDC": 1, "USD": 1, "EUR": 1, "FDUSD": 1}
EQUITY: Final = Decimal(100_000)
#: How far from its price the stop of an order is, where a policy asks for one.
STOP: Final = Decimal("0.1")
_BASES: Final = ("BTC", "ETH", "SOL", "XRP", "DOGE")
_STOPS: Final = ("stop", "take_profit", "trailing")


@dataclass(frozen=True)
class World:
    """One order, the facts, what is used of counters, and the moment."""

    order: Order
    facts: Facts
    now_ms: int
    used: Mapping[str, int] = field(default_factory=dict)

    def but(
        self,
        order: Mapping[str, Any] | None = None,
        used: Mapping[str, int] | None = None,
        facts: Mapping[str, Any] | None = None,
        **said: Any,
    ) -> World:
        """Return the same with another order, other uses or other facts."""
        changed = self.order if order is None else changed_order(self.order, order)
        other = replace(self.facts, **(facts or {}), **said)
        return World(changed, other, self.now_ms, self.used if used is None else used)

    @property
    def symbol(self) -> str:
        """Return the order's market."""
        return self.order.symbol

    @property
    def mark(self) -> Decimal:
        """Return the mark of the order's market."""
        return self.facts.marks[self.symbol].value


def changed_order(order: Order, said: Mapping[str, Any]) -> Order:
    """Return an order with other fields."""
    fields = {name: getattr(order, name) for name in Order.__slots__}
    return Order(**{**fields, **said})


class Ordinary:
    """The ordinary worlds of two policies of one account."""

    def __init__(self, tight: Engine, loose: Engine) -> None:
        self.tight = tight
        self.loose = loose
        self.policies: tuple[Policy, Policy] = (tight.setup.policy, loose.setup.policy)
        self.currency = tight.setup.currency or loose.setup.currency

    def worlds(self, symbols: tuple[str, ...] = (), now_ms: int | None = None) -> Iterator[World]:
        """Yield worlds, one a market and side that both allow, then at a thousandth of the price.

        `symbols`: these markets instead. At the lower price, caps on money are far from those on quantities.
        """
        now = self.now_ms if now_ms is None else now_ms
        if now is None:
            return
        for price, symbol, side in product((Decimal(1), Decimal("0.001")), symbols or self.symbols, ("buy", "sell")):
            order = self._order(symbol, side, price * price_of(symbol))
            if order is not None:
                yield World(order, self.facts(symbol, now, price * price_of(symbol)), now)

    @cached_property
    def now_ms(self) -> int | None:
        """Return a moment at which both let trade, noon if it is one; None: there is none."""
        said = [p.risk.trading_hours for p in self.policies if p.risk is not None and p.risk.trading_hours is not None]
        open_now = set(minutes(None if not said else said[0])).intersection(*map(minutes, said))
        if _NOON in open_now:
            return WEEK_MS + _NOON * MINUTE_MS
        nearest = min(open_now, key=lambda minute: (abs(minute % 1_440 - _NOON), minute), default=None)
        return None if nearest is None else WEEK_MS + nearest * MINUTE_MS

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Return some markets in which both allow increases: one of each sort, those that are named first."""
        named: list[str] = []
        for policy in self.policies:
            risk = policy.risk
            if risk is not None:
                named += [s for s in risk.symbols or () if "*" not in s and not s.startswith("!")]
                named += [*(risk.max_position_notional or ()), *(risk.max_order_quantity or ())]
        usual = [f"{base}/{self.currency}" for base in _BASES]
        usual += [f"{symbol}:{self.currency}" for symbol in usual]
        wanted = [s for s in dict.fromkeys((*named, *usual)) if parse_market(s) is not None]
        sorts = (
            (3, [s for s in wanted if ":" not in s and s.endswith(f"/{self.currency}")]),
            (2, [s for s in wanted if ":" in s]),
            (1, [s for s in wanted if ":" not in s and not s.endswith(f"/{self.currency}")]),
        )
        return tuple(s for most, every in sorts for s in islice(filter(self.both_allow, every), most))

    def markets(self, name: str, entries: Mapping[str, Any]) -> Iterator[str]:
        """Yield markets that an entry of a map by symbol speaks of; `default`: those that no entry names."""
        if name == "default":
            named = {entry.partition("/")[0] for entry in entries}
            others = [symbol for symbol in self.symbols if symbol.partition("/")[0] not in named]
            unnamed = f"NEW/{self.currency}"
            yield from (*others, *([unnamed] if self.both_allow(unnamed) else []))
        else:
            spot = f"{name}/{self.currency}"
            every = (name,) if "/" in name else (spot, f"{spot}:{self.currency}")
            yield from (symbol for symbol in every if self.both_allow(symbol))

    def both_allow(self, symbol: str) -> bool:
        """Tell whether both policies allow increases in a market."""
        return all(p.risk is None or p.risk.symbols is None or allows(p.risk.symbols, symbol) for p in self.policies)

    def common(self, name: str, usual: tuple[str | None, ...]) -> str | None:
        """Return a word of a list of `risk` that both allow; the first of `usual` that no list forbids."""
        lists = [
            getattr(p.risk, name) for p in self.policies if p.risk is not None and getattr(p.risk, name) is not None
        ]
        words = [word for word in (*usual, *(lists[0] if lists else ())) if all(word in one for one in lists)]
        return words[0] if words else (None if not lists else "")

    def _order(self, symbol: str, side: str, price: Decimal) -> Order | None:
        kind = self.common("order_types", ("limit", "market"))
        kind = kind or "limit"
        at_market = kind.endswith("market")
        tif = self.common("time_in_force", ("IOC",) if at_market else ("GTC",))
        mode = self.common("self_trade_prevention", ())
        if tif == "" or mode == "" or self.common("sides", (side,)) not in (side, None):
            return None
        capped = any(p.risk is not None and p.risk.risk_at_stop is not None for p in self.policies)
        leg = None
        if ":" in symbol and "hedge" in (p.account.position_mode for p in self.policies):
            leg = "long" if side == "buy" else "short"
        return Order(
            symbol,
            side,  # type: ignore[arg-type]
            kind,
            Decimal("0.0001"),
            None if at_market else price,
            stop_price=price if kind.startswith(_STOPS) else None,
            time_in_force=tif if tif not in ("GTC", "IOC") else None,
            self_trade_prevention=mode,
            position_side=leg,  # type: ignore[arg-type]
            stop_loss_price=price * (1 - STOP if side == "buy" else 1 + STOP) if capped else None,
        )

    def facts(self, symbol: str, now: int, price: Decimal) -> Facts:
        """Return facts in which nothing is amiss, all of them as young as can be."""
        said = next((p.account.position_mode for p in self.policies if p.account.position_mode), None)
        week, day = WEEK_MS + (now - WEEK_MS) // (7 * DAY_MS) * 7 * DAY_MS, now // DAY_MS * DAY_MS
        minute = now // MINUTE_MS * MINUTE_MS
        return Facts(
            currency=self.currency,
            equity=Fact(EQUITY, now),
            day_base=Fact(EQUITY, day),
            net_transfers=Fact(Decimal(0), now),
            positions={},
            positions_as_of_ms=now,
            marks={name: Fact(value, now) for name, value in {**self._rates(symbol), symbol: price}.items()},
            contract_sizes={symbol: Decimal(1)} if ":" in symbol else {},
            quotes={symbol: Quote(price, price, now)},
            contracts={symbol: Contract(Decimal(1), "isolated", Decimal(0), Decimal(0), now, Decimal(1))}
            if ":" in symbol
            else {},
            position_mode=Setting(said or "one_way", now),
            margin_ratio=Fact(Decimal(0), now),
            borrowed=Fact(Decimal(0), now),
            moves={symbol: tuple(Move(minute - n * MINUTE_MS, price, price) for n in range(61, -1, -1))},
            week_base=Fact(EQUITY, week),
            week_transfers=Decimal(0),
            peak=Fact(EQUITY, now),
            streak=NO_STREAK,
            partials={},
            skew_ms=0,
            reconciled_ms=now,
        )

    @cached_property
    def _currencies(self) -> tuple[str, ...]:
        """Return the currencies other than the account's in which the policies state caps."""
        found: dict[str, None] = {}
        for policy in self.policies:
            for _, value, _ in walk(policy):
                caps = value.values() if isinstance(value, dict) else (value,)
                for cap in caps:
                    if type(cap) is tuple:
                        found |= {bound.currency: None for bound in cap if isinstance(bound, Amount)}
        return tuple(found)

    def _rates(self, symbol: str) -> dict[str, Decimal]:
        market = parse_market(symbol)
        names = {*self._currencies, *((market.quote, market.settle) if market is not None else ())} - {None}
        return {
            f"{name}/{self.currency}": price_of(f"{name}/{self.currency}")
            for name in sorted(str(n) for n in names)
            if name != self.currency
        }


def price_of(symbol: str) -> Decimal:
    """Return a price for a market, of its base in its quote."""
    market = parse_market(symbol)
    if market is None:
        return Decimal(100)
    base, quote = (Decimal(_PRICES.get(name, 100)) for name in (market.base, market.quote))
    return (base / quote).quantize(Decimal("0.00000001")).normalize()


def with_equity(world: World, equity: Decimal) -> World:
    """Return the same world of an account of another equity, which it began its day and week with."""
    facts, fact = world.facts, Fact(equity, world.now_ms)
    day, week = facts.day_base, facts.week_base
    assert day is not None
    assert week is not None
    day, week = day._replace(value=equity), week._replace(value=equity)
    return world.but(equity=fact, peak=fact, day_base=day, week_base=week)


def case_of(engine: Engine, world: World) -> Case:
    """Return the order as an engine's checks see it."""
    given = trial.counted(engine.setup, trial.Given(world.facts, world.used), world.now_ms)
    return Case(engine.setup, given.facts, world.order, world.now_ms)


def holding(world: World, quantity: Decimal, engine: Engine) -> World:
    """Return the same world with a position in the order's market."""
    return world.but(positions={case_of(engine, world).position_key: Position(quantity, quantity)})

"""Where to look for an order that two policies decide otherwise: at the bounds of the check that holds the field.

Each maker changes an ordinary world in what its check is about, to between the two bounds and next to them. None needs
to be right: both policies decide every world, and only a decision is a flip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Context, Decimal
from itertools import islice
from typing import Any, Final

from policykit.engine.bounds import limits
from policykit.engine.check import Unknown
from policykit.engine.checks.reconciliation import LATE, SLOW_MS
from policykit.engine.engine import Engine
from policykit.engine.facts import Drift, Fact, Move, Partial, Setting, Streak
from policykit.model.languages import beyond, minutes
from policykit.policy.meaning import compared_every, facts_age, mark_age
from policykit.proofs.diff.ask import Ask
from policykit.proofs.diff.worlds import MINUTE_MS, STOP, WEEK_MS, World, case_of, holding, with_equity
from policykit.units import MAX_COUNTER, Amount, Bound

#: The equity of the account, where a share and an amount may each be the lower bound.
_EQUITIES: Final = tuple(map(Decimal, (100_000, 10_000, 1_000_000, 1_000, 100_000_000, 10)))
#: So many orders are made of one world, so that every market is tried.
MAX_EACH: Final = 16
_STEP: Final = Decimal("0.00000001")
_TWO_DIGITS: Final = Context(prec=2)
_JUST: Final = Decimal("1.000001")


Maker = Callable[[Ask, World], Iterator[World]]
_MAKERS: dict[str, Maker] = {}


def _makes(*checks: str) -> Callable[[Maker], Maker]:
    def keep(maker: Maker) -> Maker:
        _MAKERS.update(dict.fromkeys(checks, maker))
        return maker

    return keep


def worlds(ask: Ask) -> Iterator[World]:
    """Yield worlds in which the two policies may decide otherwise by one check, the plainest first."""
    maker = _MAKERS.get(ask.check)
    for world in _bases(ask):
        for make in (maker, _aged if ask.path.endswith("max_age") else None, _full):
            if make is not None:
                try:
                    yield from islice(make(ask, world), MAX_EACH)
                except (Unknown, ArithmeticError):
                    continue  # this check says nothing in this market


def _bases(ask: Ask) -> Iterator[World]:
    """Yield ordinary worlds; for lists, those that only the loose policy allows."""
    ordinary, key = ask.ordinary, ask.path.removeprefix(f"{ask.check}.")
    if ask.check == "risk.symbols":
        found = beyond(*reversed(ask.both()))
        likely = [s for s in (*_likely(ask), found.symbol) if s]
        yield from ordinary.worlds(tuple(dict.fromkeys(likely)))
    elif ask.path.startswith(f"{ask.check}.") and isinstance(ask.both()[0] or ask.both()[1], dict):
        yield from ordinary.worlds(tuple(ordinary.markets(key, {**(ask.both()[0] or {}), **(ask.both()[1] or {})})))
    else:
        yield from ordinary.worlds()


def _likely(ask: Ask) -> Iterator[str]:
    """Yield markets that people know, where the patterns allow one of them."""
    tight, loose = ask.both()
    for base in ("BTC", "ETH", "SOL", "XRP", "DOGE", "LUNA"):
        for symbol in (f"{base}/{ask.ordinary.currency}", f"{base}/{ask.ordinary.currency}:{ask.ordinary.currency}"):
            if not beyond((symbol,), loose).some and beyond((symbol,), tight).some:
                yield symbol


def _between(tight: Any, loose: Any) -> Iterator[Decimal]:
    """Yield numbers over the tight bound, within the loose one first; None: there is no loose one."""
    low = Decimal(tight)
    if loose is not None and Decimal(loose) > low:
        yield (low + Decimal(loose)) / 2
        yield Decimal(loose)
    elif loose is None:
        yield low * 2 if low else Decimal(1)
    yield low * _JUST if low else _STEP


# ---- caps in money


def _bounds(ask: Ask, engine: Engine, world: World) -> tuple[Bound, ...] | None:
    check: Any = ask.of(engine)
    if check is None:
        return None
    if ask.check == "risk.max_position_notional":
        return check.bounds(case_of(engine, world)) or None
    if hasattr(check, "caps"):
        name = ask.path.split(".")[1] if ask.path.startswith("groups.") else ""
        return check.caps.get(name) or None
    return check.bounds or None


def _money(ask: Ask, engine: Engine, world: World) -> Decimal | None:
    bounds = _bounds(ask, engine, world)
    if bounds is None:
        return None
    return limits(case_of(engine, world), bounds, engine.setup.currency)[0].value


def _worths(ask: Ask, world: World) -> Iterator[tuple[World, Decimal]]:
    """Yield amounts of money between the two caps, each with the equity at which they are so."""
    for rich in (*(with_equity(world, equity) for equity in _EQUITIES), *_repriced(ask, world)):
        tight, loose = _money(ask, ask.tight, rich), _money(ask, ask.loose, rich)
        if tight is not None and (loose is None or loose > tight):
            yield from ((rich, worth) for worth in _between(tight, loose))


def _repriced(ask: Ask, world: World) -> Iterator[World]:
    """Yield worlds in which a currency of the caps is worth little, or much."""
    named = {bound.currency for bound in _bounds(ask, ask.tight, world) or () if isinstance(bound, Amount)}
    for name in sorted(named - {ask.ordinary.currency}):
        mark = world.facts.marks[f"{name}/{ask.ordinary.currency}"]
        for times in (Decimal("0.001"), Decimal(1000)):
            marks = {f"{name}/{ask.ordinary.currency}": mark._replace(value=mark.value * times)}
            if world.symbol not in marks:
                yield world.but(marks={**world.facts.marks, **marks})


def _sizes(quantity: Decimal) -> tuple[Decimal, Decimal]:
    """Return a quantity as a person would say it, and exactly."""
    return _TWO_DIGITS.create_decimal(quantity).quantize(_STEP).normalize(), quantity.quantize(_STEP)


@_makes("risk.max_order_notional", "risk.risk_at_stop")
def _sized(ask: Ask, world: World) -> Iterator[World]:
    for rich, worth in _worths(ask, world):
        if ask.name == "risk_at_stop":
            yield rich.but({"stop_loss_price": None})
        for quantity in _sizes(worth / _each(ask, rich)):
            yield rich.but({"quantity": quantity})


def _each(ask: Ask, world: World) -> Decimal:
    """Return what one unit of an order is worth, or loses at its stop, in the account's currency."""
    case = case_of(ask.loose, world)
    assert case.value is not None
    assert world.order.quantity is not None
    each = case.value / world.order.quantity
    return each * STOP if ask.name == "risk_at_stop" else each


@_makes(
    "risk.max_position_notional",
    "risk.max_asset_exposure",
    "risk.max_gross_exposure",
    "risk.max_net_exposure",
    "groups.max_gross_exposure",
    "groups.max_net_exposure",
)
def _positioned(ask: Ask, world: World) -> Iterator[World]:
    for rich, worth in _worths(ask, world):
        each, small = _each(ask, rich), rich.order.quantity
        assert small is not None
        for quantity in _sizes(worth / each):
            yield rich.but({"quantity": quantity})
        held = (worth / each - small).quantize(_STEP)
        yield holding(rich, held if rich.order.side == "buy" else -held, ask.loose)


@_makes("risk.max_borrow")
def _borrowed(ask: Ask, world: World) -> Iterator[World]:
    loan = {"symbol": ask.ordinary.currency, "side": None, "type": None, "price": None, "action": "margin.borrow"}
    loan |= dict.fromkeys(("stop_price", "stop_loss_price", "time_in_force", "self_trade_prevention", "position_side"))
    for equity in _EQUITIES:
        rich = with_equity(world, equity)
        tight, loose = (_money(ask, engine, rich) for engine in (ask.tight, ask.loose))
        for worth in _between(tight or 0, loose):
            yield rich.but({**loan, "quantity": worth.quantize(_STEP)})
    yield world


@_makes("risk.max_order_quantity")
def _counted(ask: Ask, world: World) -> Iterator[World]:
    caps = [getattr(ask.of(engine), "caps", {}) for engine in (ask.tight, ask.loose)]
    tight, loose = (cap.get(world.symbol, cap.get("default")) for cap in caps)
    if tight is not None:
        yield from (world.but({"quantity": one.quantize(_STEP)}) for one in _between(tight, loose))


# ---- losses


@_makes("risk.daily_loss", "risk.weekly_loss", "risk.max_drawdown")
def _lost(ask: Ask, world: World) -> Iterator[World]:
    for base in _EQUITIES:
        rich = with_equity(world, base)
        tight, loose = (_limit(ask.said(engine), engine, rich) for engine in (ask.tight, ask.loose))
        if tight is None:
            continue
        for loss in (tight, *_between(tight, loose)):
            left = base - loss
            since = {name: _value(getattr(rich.facts, name), left) for name in _SINCE[ask.name]}
            yield rich.but(facts=since)


#: What is as low as equity is now, so that the loss is one of this limit alone: it was lost before the others began.
_SINCE: Final = {
    "daily_loss": ("equity", "week_base", "peak"),
    "weekly_loss": ("equity", "day_base", "peak"),
    "max_drawdown": ("equity", "day_base", "week_base"),
}


def _value(fact: Fact | None, value: Decimal) -> Fact | None:
    return None if fact is None else fact._replace(value=value)


def _limit(policy: Any, engine: Engine, world: World, name: str = "limit") -> Decimal | None:
    """Return the tightest bound that a section states, in the account's currency; None: it states none."""
    bounds = getattr(policy, name, None)
    return limits(case_of(engine, world), bounds, engine.setup.currency)[0].value if bounds else None


@_makes("risk.consecutive_losses")
def _streak(ask: Ask, world: World) -> Iterator[World]:
    tight, loose = ask.both()
    if tight is None:
        return
    yield world.but(streak=Streak(tight.limit, world.now_ms - 86_400_000))
    for age in _ages(tight.cooldown, loose.cooldown if loose is not None else None):
        yield world.but(streak=Streak(1, world.now_ms - age))
    yield world.but(streak=None)


@_makes("risk.partial_fills")
def _partial(ask: Ask, world: World) -> Iterator[World]:
    tight, loose = ask.both()
    if tight is None:
        return
    if tight.min_fill_to_act is not None:
        low = loose.min_fill_to_act.fraction if loose is not None and loose.min_fill_to_act is not None else 0
        yield world.but(partials={world.symbol: Partial(None, (tight.min_fill_to_act.fraction + low) / 2)})
    for age in _ages(tight.cooldown, loose.cooldown if loose is not None else None):
        yield world.but(partials={world.symbol: Partial(world.now_ms - age)})
    longest = max((c.ms for c in (tight.cooldown, loose.cooldown if loose else None) if c is not None), default=0)
    recent = world.but(partials={world.symbol: Partial(world.now_ms - longest)})
    yield from _full(ask, recent)
    yield world.but(partials=None)


def _ages(tight: Any, loose: Any) -> Iterator[int]:
    """Yield ages within the longer wait and past the shorter one, ms."""
    if tight is not None:
        least = 0 if loose is None else loose.ms
        yield from ((least + tight.ms) // 2, max(0, tight.ms - 1))


# ---- what the exchange, the clock and the market show


def _thresholds(ask: Ask, path: str = "") -> Iterator[Decimal]:
    """Yield numbers over a bound that is a share, as shares."""
    tight, loose = ask.both(path)
    if tight is not None:
        yield from _between(
            getattr(tight, "fraction", tight), None if loose is None else getattr(loose, "fraction", loose)
        )


@_makes("risk.price_collar")
def _priced(ask: Ask, world: World) -> Iterator[World]:
    for part in _thresholds(ask, "risk.price_collar.max_deviation"):
        away = 1 + part if world.order.side == "buy" else 1 - part
        yield world.but({"price": (world.mark * away).quantize(_STEP).normalize()})
    yield world.but(marks={name: fact for name, fact in world.facts.marks.items() if name != world.symbol})


@_makes("risk.max_slippage")
def _slipped(ask: Ask, world: World) -> Iterator[World]:
    at_market = world.but({"type": "market", "price": None})
    for part in _thresholds(ask):
        bid, ask_price = world.mark * (1 - part), world.mark * (1 + part)
        quote = world.facts.quotes[world.symbol]
        yield at_market.but(quotes={world.symbol: quote._replace(bid=bid, ask=ask_price)})
    yield at_market.but(quotes={})


@_makes("risk.max_price_move")
def _moved(ask: Ask, world: World) -> Iterator[World]:
    for part in _thresholds(ask, "risk.max_price_move.limit"):
        moves = [Move(m.start_ms, m.low, m.low * (1 + part)) for m in world.facts.moves[world.symbol]]
        yield world.but(moves={world.symbol: tuple(moves)})
    yield world.but(moves={})


@_makes("risk.max_leverage", "risk.max_funding_rate", "risk.min_liquidation_distance", "account.margin_mode")
def _contracted(ask: Ask, world: World) -> Iterator[World]:
    known = world.facts.contracts.get(world.symbol)
    if known is None:
        return
    if ask.name == "max_leverage":
        yield from (world.but(contracts={world.symbol: known._replace(leverage=n)}) for n in _thresholds(ask))
    elif ask.name == "max_funding_rate":
        sign = 1 if world.order.side == "buy" else -1
        yield from (
            world.but(contracts={world.symbol: known._replace(funding_rate=sign * n)}) for n in _thresholds(ask)
        )
    elif ask.name == "margin_mode":
        yield world.but(contracts={world.symbol: known._replace(margin_mode="cross")})
    else:
        tight, loose = ask.both()
        low = Decimal(0) if loose is None else loose.fraction
        buys = world.order.side == "buy"
        near = world.mark * (1 - (low + tight.fraction) / 2) if buys else world.mark * (1 + (low + tight.fraction) / 2)
        held = holding(world, Decimal("0.0001") if buys else Decimal("-0.0001"), ask.loose)
        yield held.but(contracts={world.symbol: known._replace(liquidation_price=near)})
        yield held.but(contracts={world.symbol: known._replace(liquidation_price=None)})
    yield world.but(contracts={})


@_makes("risk.max_margin_ratio")
def _margined(ask: Ask, world: World) -> Iterator[World]:
    fact = world.facts.margin_ratio
    assert fact is not None
    yield from (world.but(margin_ratio=fact._replace(value=part)) for part in _thresholds(ask))
    yield world.but(margin_ratio=None)


@_makes("account.position_mode")
def _mode(ask: Ask, world: World) -> Iterator[World]:
    for mode in ("hedge", "one_way"):
        leg = ("long" if world.order.side == "buy" else "short") if mode == "hedge" else None
        yield world.but({"position_side": leg}, position_mode=Setting(mode, world.now_ms))
        if leg is not None:  # closing a leg is a reduction where the policy says hedge
            closes = "sell" if leg == "long" else "buy"
            yield world.but(
                {"position_side": leg, "side": closes}, position_mode=Setting(mode, world.now_ms), equity=None
            )


@_makes("risk.reduce_only_exits")
def _exits(ask: Ask, world: World) -> Iterator[World]:
    quantity = world.order.quantity
    assert quantity is not None
    yield holding(world, quantity * (-2 if world.order.side == "buy" else 2), ask.loose)


@_makes("clock.max_skew")
def _skewed(ask: Ask, world: World) -> Iterator[World]:
    tight, loose = ask.both()
    if tight is not None:
        yield from (world.but(skew_ms=int(ms)) for ms in _between(tight.ms, None if loose is None else loose.ms))
        yield world.but(skew_ms=None)


def _aged(ask: Ask, world: World) -> Iterator[World]:
    """Yield facts that are older than one policy uses."""
    if ask.path.startswith("keys."):
        return
    of = mark_age if ask.path.startswith("risk.") else facts_age
    tight, loose = (of(engine.setup.policy).ms for engine in (ask.tight, ask.loose))
    for age in ((tight + loose) // 2, tight + 1):
        at = world.now_ms - age
        if of is facts_age:
            assert world.facts.equity is not None
            yield world.but(equity=world.facts.equity._replace(as_of_ms=at), positions_as_of_ms=at)
        yield world.but(marks={name: fact._replace(as_of_ms=at) for name, fact in world.facts.marks.items()})


@_makes("key.address_proof")
def _proved(ask: Ask, world: World) -> Iterator[World]:
    tight, loose = (getattr(ask.of(engine), "max_age", None) for engine in (ask.tight, ask.loose))
    name = f"{ask.tight.setup.host}|{ask.tight.setup.key}"
    if tight is not None:
        for age in _between(tight.ms, None if loose is None else loose.ms):
            yield world.but(address_proofs={name: world.now_ms - int(age)})


@_makes("reconciliation.tolerance")
def _drifted(ask: Ask, world: World) -> Iterator[World]:
    tight, loose = ask.both("reconciliation")
    if tight is None:
        return
    for equity in _EQUITIES if tight.tolerance else ():
        rich = with_equity(world, equity)
        low, high = (_limit(policy, ask.tight, rich, "tolerance") for policy in (tight, loose))
        for worth in _between(low, high):
            yield rich.but(drift=(Drift("position", world.symbol, Decimal(1), worth),))
    yield world.but(reconciled_ms=world.now_ms - LATE * (compared_every(tight) or 0) - SLOW_MS - 1)


# ---- words


@_makes("risk.sides", "risk.order_types", "risk.time_in_force", "risk.self_trade_prevention")
def _worded(ask: Ask, world: World) -> Iterator[World]:
    tight, loose = ask.both()
    field = {"risk.sides": "side", "risk.order_types": "type"}.get(ask.check, ask.name)
    usual = {"side": ("buy", "sell"), "type": ("market", "stop_limit"), "time_in_force": ("IOC", "GTC")}.get(
        field, (None,)
    )
    for word in dict.fromkeys((*(loose or usual), *usual)):
        if word in (tight or ()):
            continue
        said: dict[str, Any] = {field: word}
        if field == "type":
            said["price"] = None if str(word).endswith("market") else world.mark
            said["stop_price"] = world.mark if word not in ("limit", "market", "limit_maker") else None
        yield world.but(said)


@_makes("risk.symbols", "stage.current", "key.purpose")
def _as_it_is(ask: Ask, world: World) -> Iterator[World]:
    yield world


@_makes("risk.trading_hours")
def _closed(ask: Ask, world: World) -> Iterator[World]:
    tight, loose = (minutes(said) for said in ask.both())
    for minute in sorted(loose - tight)[:2]:
        yield from ask.ordinary.worlds((world.symbol,), WEEK_MS + minute * MINUTE_MS)


# ---- counters


def _kinds(world: World) -> Iterable[World]:
    """Yield the order as a new one, an amend, a connect, and one that only reduces."""
    yield world
    yield world.but({"action": "order.amend"})
    none = dict.fromkeys(("side", "type", "quantity", "price", "stop_price", "stop_loss_price", "time_in_force"))
    yield world.but({**none, "symbol": "", "action": "stream.connect", "position_side": None})


def _full(ask: Ask, world: World) -> Iterator[World]:
    """Yield worlds in which the counters of the tight policy have no room for one more."""
    check, other = ask.of(ask.tight), ask.of(ask.loose)
    if check is None:
        return
    for one in _kinds(world):
        holds = [h for h in check.holds(case_of(ask.tight, one)) if 0 < h.limit < MAX_COUNTER or h.limit == 0]
        if not holds:
            continue
        theirs = list(other.holds(case_of(ask.loose, one))) if other is not None else []
        for hold in holds:
            used = max(0, hold.limit - abs(hold.amount) + 1)
            yield one.but(used=_spread(ask, one, hold, used, [hold, *theirs], at_once=True))
            yield one.but(used=_spread(ask, one, hold, used, [hold, *theirs], at_once=False))


def _spread(ask: Ask, world: World, full: Any, used: int, holds: Iterable[Any], *, at_once: bool) -> dict[str, int]:
    """Return what is used of counters by the same orders: all of a moment ago, or too long ago for shorter windows.

    An order counts in every window that it belongs to: of its symbol, of all orders, of all messages.
    """
    counters = {hold.counter: hold for hold in holds}
    for check in ask.loose.checks:
        if check.id in _ALSO.get(ask.check, ()):
            counters |= {hold.counter: hold for hold in check.holds(case_of(ask.loose, world))}
    seen = {name: used for name, hold in counters.items() if at_once or hold.span_ms >= full.span_ms}
    return {**seen, full.counter: used}


#: Windows and sums that count everything that another one counts.
_ALSO: Final = {
    "risk.max_orders_per_symbol": ("risk.max_orders", "risk.max_messages"),
    "risk.max_orders": ("risk.max_messages",),
    "risk.max_amends": ("risk.max_messages",),
    "risk.repeated_execution": ("risk.max_orders_per_symbol", "risk.max_orders", "risk.max_messages"),
    "risk.max_open_orders_per_symbol": ("risk.max_open_orders",),
}

"""The checks of a policy as conditions in another language, for spot orders that stand on a grid of whole numbers.

Both languages know 63-bit integers and no decimals, so everything is a whole number of steps: quantities of LOT, prices
of TICK, money of CENT. Each condition is written once, over a `Dialect`; it is true when the check denies with that
code. An order beyond MOST_LOTS or MOST_TICKS is not for them: Cedar's arithmetic fails there, and a `forbid` that fails
is passed over, which is open, not closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Final, NamedTuple

from policykit.model import Policy
from policykit.order import ACTIONS
from policykit.proofs.export.context import CENT, FIELDS, LOT
from policykit.units import Amount, Bound

#: A share or a deviation is in millionths.
PPM: Final = 1_000_000
#: Worst prices are in hundredths of a tick, so that 5 % of slippage stays whole; notionals in LOT x TICK / 100.
FINE: Final = 100
WITH_SLIPPAGE: Final = 105
#: CENTs of money to a notional's unit.
CENTS: Final = 10**7

Key = tuple[str, str]
#: By check and code, when an order is denied.
Conditions = dict[Key, str]
CREATE: Final = "order.create"
CLOSE: Final = "position.close"
CANCELS: Final = ("order.cancel", "orders.cancel_all")
READS: Final = ("data.read", "stream.connect")
REFUSED: Final = ("transfer", "withdraw", "key.admin")
UNCHECKED: Final = ("convert",)
TRADING_PURPOSES: Final = ("execution", "hedging")
DAY_MS: Final = 86_400_000
WEEK_MS: Final = 7 * DAY_MS
PLAIN_TYPES: Final = ("limit", "market", "limit_maker")


class Dialect(NamedTuple):
    """How a language writes the few things in which Cedar and CEL differ."""

    record: str
    known: Callable[[str], str]
    among: Callable[[str, Iterable[str]], str]
    like: Callable[[str, str], str]
    choose: Callable[[str, str, str], str]

    def field(self, name: str) -> str:
        """Write a field of the question."""
        return f"{self.record}.{name}"


def _all(*parts: str) -> str:
    return " && ".join(f"({part})" for part in parts if part != "true") or "true"


def _any(*parts: str) -> str:
    return " || ".join(f"({part})" for part in parts) or "false"


class _Writer:
    """The conditions of one policy in one dialect."""

    def __init__(self, policy: Policy, dialect: Dialect) -> None:
        self.policy = policy
        self.dialect = d = dialect
        self.f = self.field
        self.cancels = d.among(self.f("action"), CANCELS)
        self.reads = d.among(self.f("action"), READS)
        self.judged = _all(f"!({self.cancels})", f"!({self.reads})")
        self.creates = f'{self.f("action")} == "{CREATE}"'
        self.valid = _all(
            d.known("base"),
            d.known("side"),
            d.known("type"),
            d.known("quantity"),
            d.among(self.f("side"), ("buy", "sell")),
            f"{self.f('quantity')} > 0",
            f'{self.f("type")} != "limit" || {d.known("price")}',
            *(
                d.choose(d.known(name), f"{self.f(name)} > 0", "true")
                for name in ("price", "stop_price", "stop_loss_price")
            ),
        )
        exits = _all(self.creates, self.valid, f'{self.f("side")} == "sell"')
        self.exits = _any(exits, _all(f'{self.f("action")} == "{CLOSE}"', d.known("base")))
        self.increases = _all(self.judged, f"!({self.exits})")
        self.opens = _all(self.increases, self.creates, self.valid)
        self.at_market = _any(f"!({d.known('price')})", f'{self.f("type")} == "market"')
        max_age = policy.account.max_age
        self.max_age_ms = max_age.ms if max_age is not None else 10_000
        skew = policy.clock.max_skew if policy.clock is not None else None
        self.ahead_ms = min(1_000, skew.ms) if skew is not None else 1_000
        collar = policy.risk.price_collar if policy.risk is not None else None
        mark_ms = collar.max_age.ms if collar is not None and collar.max_age is not None else self.max_age_ms
        self.mark_ms = min(mark_ms, self.max_age_ms)
        self.fresh_mark = self.fresh("mark_as_of", self.mark_ms)
        self.mark_missing = f"!({d.known('mark')})"
        self.mark_stale = _all(d.known("mark"), f"!({self.fresh_mark})")
        self.priced = _any(f"!({self.at_market})", _all(d.known("mark"), self.fresh_mark))

    def field(self, name: str) -> str:
        """Write what a field says, and 0 or nothing where it is left out: no condition fails for want of a fact."""
        read, field = self.dialect.field(name), FIELDS[name]
        empty = '""' if field.kind == "text" else "0"
        return read if field.needed else self.dialect.choose(self.dialect.known(name), read, empty)

    def fresh(self, as_of: str, most_ms: int) -> str:
        """Write that a fact is young enough and not of the future."""
        age = f"{self.f('now')} - {self.f(as_of)}"
        return f"{age} <= {most_ms} && {age} >= -{self.ahead_ms}"

    @property
    def worst(self) -> str:
        """Write the worst price of a buy, in hundredths of a tick; at the market the mark must be known."""
        stop = self.dialect.choose(self.dialect.known("stop_price"), self.f("stop_price"), "0")
        at_market = f"{self.higher(stop, self.f('mark'))} * {WITH_SLIPPAGE}"
        return self.dialect.choose(self.at_market, at_market, f"{self.higher(stop, self.f('price'))} * {FINE}")

    def higher(self, one: str, other: str) -> str:
        """Write the higher of two numbers."""
        return self.dialect.choose(f"{one} > {other}", one, other)

    def over(self, amount: str, bound: Bound, base: str = "equity") -> str:
        """Write that an amount, in a notional's unit, is over a bound."""
        if isinstance(bound, Amount):
            if bound.currency != self.policy.account.currency:
                raise NotImplementedError(f"a bound in {bound.currency} needs a division by its mark")
            return f"{amount} > {steps(bound.value, CENT) * CENTS}"
        return f"{amount} > {self.f(base)} * {steps(bound.fraction, Decimal(1) / PPM) * CENTS // PPM}"


def steps(value: Decimal, step: Decimal) -> int:
    """Return a number as whole steps. Raise ValueError when it is not on the grid."""
    count = value / step
    if count != count.to_integral_value():
        raise ValueError(f"{value} is no multiple of {step}")
    return int(count)


def _mine(w: _Writer, name: str, caps: Iterable[str]) -> str:
    """Write that the cap of `name` is the one that applies: the symbol's own, or the default of all others."""
    others = [other for other in caps if other != "default"]
    return f'{w.f("symbol")} == "{name}"' if name != "default" else f"!({w.dialect.among(w.f('symbol'), others)})"


def _shares(bounds: Iterable[Bound]) -> bool:
    return any(not isinstance(bound, Amount) for bound in bounds)


# ---- what depends on the order and the facts alone


def _order(w: _Writer) -> Iterator[tuple[Key, str]]:
    d, f = w.dialect, w.f
    unknown = f"!({d.among(f('action'), ACTIONS)})"
    close = _all(f'{f("action")} == "{CLOSE}"', f"!({d.known('base')})")
    yield ("order.shape", "ORDER_INVALID"), _all(w.judged, _any(unknown, close, _all(w.creates, f"!({w.valid})")))
    yield ("order.action", "ACTION_REFUSED"), d.among(f("action"), REFUSED)
    yield ("order.action", "CHECK_MISSING"), d.among(f("action"), UNCHECKED)
    stage = w.policy.stage.current if w.policy.stage is not None else ""
    if stage == "paper":
        yield ("stage.current", "STAGE_PAPER"), w.judged
    elif stage == "sandbox" and w.policy.environment == "live":
        yield ("stage.current", "STAGE_SANDBOX"), w.judged


def _state(w: _Writer) -> Iterator[tuple[Key, str]]:
    d, f = w.dialect, w.f
    yield ("trading.state", "TRADING_HALTED"), _all(w.increases, f("halted"))
    yield ("trading.state", "TRADING_REDUCING"), _all(w.increases, f("reducing"))
    yield ("trading.state", "TRADING_FROZEN"), _all(w.judged, f("frozen"))
    for code in ("STORE_DOWN", "STORE_DAMAGED", "STORE_RESET", "STORE_EPHEMERAL"):
        yield ("trading.store", code), _all(w.increases, d.known("store_problem"), f'{f("store_problem")} == "{code}"')
    yield ("trading.store", "RECOVERY_PENDING"), _all(w.increases, f"!{f('recovered')}")
    banned = _all(d.known("banned_until"), f"{f('now')} < {f('banned_until')}")
    yield ("rate.ban", "RATE_BANNED"), _all(f"!({w.cancels})", banned)
    skew = w.policy.clock.max_skew if w.policy.clock is not None else None
    if skew is not None:
        apart = _any(f"!({d.known('skew')})", f"{f('skew')} > {skew.ms}", f"{f('skew')} < -{skew.ms}")
        yield ("clock.max_skew", "CLOCK_SKEW"), _all(w.increases, apart)
    facts = ("equity", "positions")
    missing = (f"!({d.known(f'{name}_as_of')})" for name in facts)
    stale = (_all(d.known(f"{name}_as_of"), f"!({w.fresh(f'{name}_as_of', w.max_age_ms)})") for name in facts)
    yield ("account.max_age", "FACTS_MISSING"), _all(w.increases, _any(*missing))
    yield ("account.max_age", "FACTS_STALE"), _all(w.increases, _any(*stale))


def _caps(w: _Writer) -> Iterator[tuple[Key, str]]:
    d, f, risk = w.dialect, w.f, w.policy.risk
    yield ("order.value", "PRICE_MISSING"), _all(w.opens, w.at_market, w.mark_missing)
    yield ("order.value", "PRICE_STALE"), _all(w.opens, w.at_market, w.mark_stale)
    if risk is None:
        return
    if risk.symbols is not None:
        wanted = [d.like(f("symbol"), p) for p in risk.symbols if not p.startswith("!")]
        without = [d.like(f("symbol"), p[1:]) for p in risk.symbols if p.startswith("!")]
        denied = _any(*([f"!({_any(*wanted)})"] if wanted else []), *without)
        yield ("risk.symbols", "RISK_SYMBOL"), _all(w.increases, d.known("base"), denied)
    if risk.order_types is not None:
        stop = _all(d.known("stop_price"), d.among(f("type"), PLAIN_TYPES))
        wrong = _any(f"!({d.among(f('type'), risk.order_types)})", stop)
        yield ("risk.order_types", "RISK_ORDER_TYPE"), _all(w.increases, w.creates, d.known("type"), wrong)
    if risk.sides is not None:
        yield ("risk.sides", "RISK_SIDE"), _all(w.opens, f"!({d.among(f('side'), risk.sides)})")
    if risk.time_in_force is not None:
        unsaid = d.choose(w.at_market, '"IOC"', '"GTC"')
        said = d.choose(d.known("time_in_force"), f("time_in_force"), unsaid)
        yield ("risk.time_in_force", "RISK_TIME_IN_FORCE"), _all(w.opens, f"!({d.among(said, risk.time_in_force)})")
    if risk.self_trade_prevention is not None:
        said = _all(d.known("self_trade_prevention"), d.among(f("self_trade_prevention"), risk.self_trade_prevention))
        yield ("risk.self_trade_prevention", "RISK_SELF_TRADE"), _all(w.opens, f"!({said})")
    for name, most in (risk.max_order_quantity or {}).items():
        over = f"{f('quantity')} > {steps(most, LOT)}"
        yield (
            ("risk.max_order_quantity", "RISK_ORDER_QUANTITY"),
            _all(w.opens, _mine(w, name, risk.max_order_quantity or {}), over),
        )
    if risk.price_collar is not None:
        edge = steps(risk.price_collar.max_deviation.fraction, Decimal(1) / PPM) + PPM
        over = f"{f('price')} * {PPM} > {f('mark')} * {edge}"
        judged = _all(f"!({w.at_market})", d.known("mark"), w.fresh_mark, over)
        yield ("risk.price_collar", "RISK_PRICE_COLLAR"), _all(w.opens, judged)
        yield ("risk.price_collar", "PRICE_MISSING"), _all(w.opens, w.mark_missing)
        yield ("risk.price_collar", "PRICE_STALE"), _all(w.opens, w.mark_stale)
    bounds = risk.max_order_notional
    if bounds is not None:
        notional = f"{f('quantity')} * {w.worst}"
        base = d.known("equity") if _shares(bounds) else "true"
        over = _all(w.opens, w.priced, base, _any(*(w.over(notional, bound) for bound in bounds)))
        yield ("risk.max_order_notional", "RISK_ORDER_NOTIONAL"), over
        if _shares(bounds):
            yield ("risk.max_order_notional", "FACTS_MISSING"), _all(w.opens, w.priced, f"!({base})")


def _key(w: _Writer) -> Iterator[tuple[Key, str]]:
    """Write what the key may be used for that orders are signed with: the only one here."""
    d, key = w.dialect, next(iter((w.policy.keys or {}).values()), None)
    if key is None:
        return
    if key.purpose not in TRADING_PURPOSES:
        yield ("key.purpose", "KEY_PURPOSE"), w.increases
    if key.address_proof is not None and w.policy.environment == "live":
        proved = d.known("proved_at")
        old = _all(proved, f"!({w.fresh('proved_at', key.address_proof.max_age.ms)})")
        yield ("key.address_proof", "ADDRESS_PROOF_MISSING"), _all(w.increases, f"!({proved})")
        yield ("key.address_proof", "ADDRESS_PROOF_STALE"), _all(w.increases, old)


def _stop(w: _Writer) -> Iterator[tuple[Key, str]]:
    """Write the loss of a buy at its attached stop, and the book that a buy at the market meets."""
    d, f, risk, check = w.dialect, w.f, w.policy.risk, "risk.risk_at_stop"
    bounds = risk.risk_at_stop if risk is not None else None
    if bounds is not None:
        attached, stop = d.known("stop_loss_price"), f("stop_loss_price")
        below = [
            f"{w.at_market} || {stop} < {f('price')}",
            f"!({d.known('stop_price')}) || {stop} < {f('stop_price')}",
            f"!({w.at_market}) || {stop} < {f('mark')}",
        ]
        right = _all(w.opens, attached, w.priced, *below)
        loss = f"({w.worst} - {stop} * {FINE}) * {f('quantity')}"
        base = d.known("equity") if _shares(bounds) else "true"
        yield (check, "RISK_STOP_MISSING"), _all(w.opens, f"!({attached})")
        yield (check, "RISK_STOP_MISSING"), _all(w.opens, attached, w.priced, f"!({_all(*below)})")
        yield (check, "PRICE_MISSING"), _all(w.opens, attached, w.at_market, w.mark_missing)
        yield (check, "PRICE_STALE"), _all(w.opens, attached, w.at_market, w.mark_stale)
        yield (check, "RISK_AT_STOP"), _all(right, base, _any(*(w.over(loss, bound) for bound in bounds)))
        if _shares(bounds):
            yield (check, "FACTS_MISSING"), _all(right, f"!({base})")
    slippage = risk.max_slippage if risk is not None else None
    if slippage is not None:
        edge = steps(slippage.fraction, Decimal(1) / PPM) + PPM
        judged = _all(w.opens, w.at_market, f"!({d.known('stop_price')})")
        marked, fresh = _all(judged, d.known("mark"), w.fresh_mark), w.fresh("book_as_of", w.mark_ms)
        over = f"{f('ask')} * {PPM} > {f('mark')} * {edge}"
        yield ("risk.max_slippage", "PRICE_MISSING"), _all(judged, w.mark_missing)
        yield ("risk.max_slippage", "PRICE_STALE"), _all(judged, w.mark_stale)
        yield ("risk.max_slippage", "PRICE_MISSING"), _all(marked, f"!({d.known('ask')})")
        yield ("risk.max_slippage", "PRICE_STALE"), _all(marked, d.known("ask"), f"!({fresh})")
        yield ("risk.max_slippage", "RISK_SLIPPAGE"), _all(marked, d.known("ask"), fresh, over)


class _Loss(NamedTuple):
    """A limit of losses: what is counted from (`base`), and what must be known, in the order that it is asked in."""

    check: str
    code: str
    limit: tuple[Bound, ...]
    base: str
    loss: str
    needs: tuple[tuple[str, str], ...]


def _loss(w: _Writer) -> Iterator[tuple[Key, str]]:
    risk = w.policy.risk
    for policy in _losses(w):
        known: list[str] = []
        for need, code in policy.needs:
            yield (policy.check, code), _all(w.increases, *known, f"!({need})")
            known.append(need)
        reached = _any(
            *(
                f"{policy.loss} >= {steps(bound.value, CENT)}"
                if isinstance(bound, Amount)
                else f"{policy.loss} * {PPM} >= {w.f(policy.base)} * {steps(bound.fraction, Decimal(1) / PPM)}"
                for bound in policy.limit
            )
        )
        yield (policy.check, policy.code), _all(w.increases, *known, reached)
    streak = risk.consecutive_losses if risk is not None else None
    if streak is not None:
        check, counted, losses = "risk.consecutive_losses", w.dialect.known("losses"), w.f("losses")
        yield (check, "FACTS_MISSING"), _all(w.increases, f"!({counted})")
        yield (check, "LOSS_STREAK"), _all(w.increases, counted, f"{losses} >= {streak.limit}")
        if streak.cooldown is not None:
            cools = f"{w.f('now')} < {w.f('lost_at')} + {streak.cooldown.ms}"
            some = _all(counted, f"{losses} > 0", f"{losses} < {streak.limit}", cools)
            yield (check, "LOSS_COOLDOWN"), _all(w.increases, some)


def _losses(w: _Writer) -> Iterator[_Loss]:
    d, f, risk = w.dialect, w.f, w.policy.risk
    if risk is None:
        return

    def running(name: str, span_ms: int) -> str:
        age = f"{f('now')} - {f(f'{name}_as_of')}"
        return _all(d.known(name), f"{age} >= -{w.ahead_ms}", f"{age} < {span_ms}")

    day = (running("day_base", DAY_MS), "DAY_BASE_MISSING")
    transfers, equity = ((d.known(name), "FACTS_MISSING") for name in ("transfers", "equity"))
    needs: tuple[tuple[str, str], ...] = (equity, day, transfers)
    if risk.daily_loss is not None:
        loss = f"({f('day_base')} + {f('transfers')} - {f('equity')})"
        yield _Loss("risk.daily_loss", "DAILY_LOSS", risk.daily_loss.limit, "day_base", loss, needs)
    if risk.weekly_loss is not None:
        loss = f"({f('week_base')} + {f('week_transfers')} + {f('transfers')} - {f('equity')})"
        week = (running("week_base", WEEK_MS), "WEEK_BASE_MISSING")
        needs = (week, day, (d.known("week_transfers"), "FACTS_MISSING"), transfers, equity)
        yield _Loss("risk.weekly_loss", "WEEKLY_LOSS", risk.weekly_loss.limit, "week_base", loss, needs)
    if risk.max_drawdown is not None:
        loss = f"({f('peak')} + {f('transfers')} - {f('equity')})"
        needs = ((d.known("peak"), "PEAK_MISSING"), day, transfers, equity)
        yield _Loss("risk.max_drawdown", "DRAWDOWN", risk.max_drawdown.limit, "peak", loss, needs)


# ---- what depends on what is used, which these languages cannot keep: it is given


def _position(w: _Writer) -> Iterator[tuple[Key, str]]:
    d, f, risk = w.dialect, w.f, w.policy.risk
    caps = risk.max_position_notional if risk is not None else None
    check = "risk.max_position_notional"
    for name, bounds in (caps or {}).items():
        opens = _all(w.opens, _mine(w, name, caps or {}))
        base = d.known("equity") if _shares(bounds) else "true"
        price = w.higher(w.worst, f"{f('mark')} * {FINE}")
        after = f"({f('position')} + {f('open_buys')} + {f('quantity')}) * {price}"
        over = _any(*(w.over(after, bound) for bound in bounds))
        yield (check, "RISK_POSITION"), _all(opens, base, d.known("mark"), w.fresh_mark, over)
        yield (check, "PRICE_MISSING"), _all(opens, base, w.mark_missing)
        yield (check, "PRICE_STALE"), _all(opens, base, w.mark_stale)
        if _shares(bounds):
            yield (check, "FACTS_MISSING"), _all(opens, f"!({base})")


def _used(w: _Writer) -> Iterator[tuple[Key, str]]:
    f, risk = w.f, w.policy.risk
    yield ("order.outcome_pending", "ORDER_OUTCOME_PENDING"), _all(w.opens, f"{f('unknown')} > 0")
    if risk is not None and risk.max_open_orders is not None:
        more = f"{f('open_orders')} + 1 > {risk.max_open_orders}"
        yield ("risk.max_open_orders", "RISK_OPEN_ORDERS"), _all(w.opens, more)
    if risk is not None and risk.max_open_orders_per_symbol is not None:
        more = f"{f('open_orders_here')} + 1 > {risk.max_open_orders_per_symbol}"
        yield ("risk.max_open_orders_per_symbol", "RISK_OPEN_ORDERS"), _all(w.opens, more)
    if risk is not None and risk.max_open_positions is not None:
        more = f"{f('other_positions')} + 1 > {risk.max_open_positions}"
        yield ("risk.max_open_positions", "RISK_OPEN_POSITIONS"), _all(w.opens, more)
    windows = (("max_orders", "orders", "RATE_ORDERS"), ("max_orders_per_symbol", "orders_here", "RATE_ORDERS"))
    for name, count, code in (*windows, ("max_messages", "messages", "RATE_MESSAGES")):
        window = getattr(risk, name, None)
        if window is not None:
            yield (f"risk.{name}", code), _all(w.opens, f"{f(count)} + 1 > {window.limit}")
    for name, budget in sorted((w.policy.rate_budgets or {}).items()):
        after = f"{f('weight')} + {f('cost')}"
        limit = w.dialect.choose(w.exits, str(budget.for_exits), str(budget.for_entries))
        yield (f"rate_budgets.{name}", "RATE_BUDGET"), _all(f"!({w.cancels})", f"{f('cost')} > 0", f"{after} > {limit}")


def conditions(policy: Policy, dialect: Dialect) -> tuple[dict[Key, str], dict[Key, str]]:
    """Return, by check and code, when the engine denies, and when the store refuses what the engine lets through.

    Two caps of one check make one condition. Raise NotImplementedError for what the language cannot say.
    """
    writer = _Writer(policy, dialect)
    out: tuple[dict[Key, str], dict[Key, str]] = ({}, {})
    for part, (engine, store) in zip(
        out, (((_order, _key, _state, _caps, _stop, _loss), ()), ((_position, _used), ())), strict=True
    ):
        for write in (*engine, *store):
            for key, condition in write(writer):
                part[key] = _any(part[key], condition) if key in part else condition
    return out

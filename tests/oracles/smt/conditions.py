"""Say a policy's checks as formulas for z3: for each check and code, when it denies.

Written from the documents of the checks (docs/checks.md) over exact reals. Beside what Cedar and CEL can say
(../translate.py): contracts, amends, totals, trading hours, moves of the price, windows of any span, and bounds in
another currency. What is outside is listed in table.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from policykit.model import Policy
from policykit.model.symbols import allows
from policykit.order import ACTIONS
from policykit.units import MAX_COUNTER, SCALE, Bound, Share
from tests.oracles.smt.space import (
    FALSE,
    NONE,
    TRUE,
    Formula,
    Space,
    all_,
    any_,
    compare,
    minus,
    no,
    num,
    plus,
    times,
    when,
)

Key = tuple[str, str]
DAY_MS: Final = 86_400_000
WEEK_MS: Final = 7 * DAY_MS
HOUR_MS: Final = 3_600_000
#: The most units and the most money that a counter holds.
MOST_UNITS: Final = Decimal(MAX_COUNTER) / SCALE
MOST_MONEY: Final = Decimal(MAX_COUNTER) / 10_000
SLIP: Final = num(Decimal("1.05"))
PLAIN_TYPES: Final = ("limit", "market", "limit_maker")
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Market(NamedTuple):
    """A market that orders may name: all are counted in the account's currency. `key`: what a position is kept by."""

    symbol: str
    base: str
    contract: bool = False

    @property
    def key(self) -> str:
        return self.symbol if self.contract else self.base


class Setting(NamedTuple):
    """What is known beside the policy: the markets, the key, and what each call costs of each budget."""

    markets: tuple[Market, ...]
    key: str | None
    host: str
    cost: Callable[[str, str, bool], int]
    call: Callable[[str, bool], str]
    #: Limits that nothing holds, by who should hold them: the engine's own finding.
    unheld: tuple[str, ...] = ()
    #: Orders are simulated: nothing is signed, and the stage is no reason.
    paper: bool = False


class Writer:
    """One policy over one space; each method writes what several checks share."""

    def __init__(self, policy: Policy, setting: Setting, space: Space) -> None:
        self.policy, self.setting, self.s = policy, setting, space
        s = space
        self.contract = s.among("symbol", (m.symbol for m in setting.markets if m.contract))
        self.market = s.among("symbol", (m.symbol for m in setting.markets))
        spot = s.among("symbol", (m.symbol for m in setting.markets if not m.contract))
        self.buys, self.sells = s.word("side", "buy"), s.word("side", "sell")
        self.creates = s.word("action", "order.create")
        self.amends = s.word("action", "order.amend")
        self.closes = s.word("action", "position.close")
        self.places = any_(self.creates, self.amends)
        self.cancels = s.among("action", ("order.cancel", "orders.cancel_all"))
        self.reads = s.among("action", ("data.read", "stream.connect"))
        self.at_market = any_(no(s.has("price")), s.word("type", "market"))
        closed = all_(self.contract, s.flag("close_position"))
        self.valid = all_(
            self.market,
            any_(self.buys, self.sells),
            no(s.word("type", NONE)),
            any_(no(s.word("type", "limit")), s.has("price")),
            any_(s.has("quantity"), closed),
            *(self.if_said(name, compare(">", s.number(name), "0.0")) for name in _NUMBERS),
        )
        self.sized = s.has("quantity")
        account, clock, risk = policy.account, policy.clock, policy.risk
        self.max_age = account.max_age.ms if account.max_age is not None else 10_000
        skew = clock.max_skew if clock is not None else None
        self.ahead = min(1_000, skew.ms) if skew is not None else 1_000
        collar = risk.price_collar if risk is not None else None
        aged = collar.max_age.ms if collar is not None and collar.max_age is not None else self.max_age
        self.mark_age = min(aged, self.max_age)
        hedge = account.position_mode == "hedge"
        leg = any_(all_(s.word("leg", "long"), self.sells), all_(s.word("leg", "short"), self.buys))
        flagged = all_(self.contract, any_(s.flag("reduce_only"), s.flag("close_position"), leg if hedge else FALSE))
        lessens = all_(self.amends, s.has("old_quantity"), s.flag("else_same"), self.sized, no(self.adds))
        self.forbidden = all_(self.places, self.valid, any_(lessens, flagged, all_(spot, self.sells)))
        held = all_(s.has("positions"), self.fresh("positions", self.max_age))
        low, high = s.number("low"), s.number("high")
        free = any_(
            all_(self.sells, self.fits(s.number("open_sells"), low)),
            all_(self.buys, self.fits(s.number("open_buys"), minus(high))),
        )
        small = compare("<=", self.amount, num(MOST_UNITS))
        self.proves = all_(self.places, self.valid, self.contract, when(not hedge), self.sized, held, small, free)
        self.reduces = any_(
            self.forbidden,
            self.proves,
            all_(self.closes, self.market),
            s.word("action", "margin.repay"),
        )
        self.judged = all_(no(self.cancels), no(self.reads))
        self.increases = all_(self.judged, no(self.reduces))
        self.enters = all_(self.places, self.valid, no(self.reduces))
        self.ranged = all_(self.enters, self.sized, small)
        no_mark = any_(self.mark_missing, self.mark_stale)
        marked = any_(self.at_market, self.sells)
        no_size = all_(self.contract, no(s.has("size")))
        self.priced = all_(self.ranged, no(all_(marked, no_mark)))
        #: It was valued: `notional` is known.
        self.valued = all_(self.priced, no(no_size))
        self.no_size = no_size

    # ---- the order

    def if_said(self, name: str, formula: Formula) -> Formula:
        return any_(no(self.s.has(name)), formula)

    @property
    def adds(self) -> Formula:
        """Write that an amend makes the order larger; an order that is not known is as good as none."""
        s = self.s
        return any_(no(s.has("old_quantity")), compare(">", s.number("quantity"), s.number("old_quantity")))

    @property
    def amount(self) -> str:
        """Write what is added to what is out: of an amend what is over the old quantity. Below 0: it takes away."""
        s = self.s
        known = all_(self.amends, s.has("old_quantity"))
        return f"(ite {known} {minus(s.number('quantity'), s.number('old_quantity'))} {s.number('quantity')})"

    def fits(self, out: str, most: str) -> Formula:
        """Write that what is out and what is added are within what is held."""
        return all_(compare("<=", plus(out, self.amount), most), compare("<=", out, most))

    @property
    def claimed(self) -> list[str]:
        """Write what is claimed: what is added, at least the least step of an amend that only moves its price."""
        return [self.amount, num(Decimal(1) / SCALE)]

    def symbols(self, test: Callable[[Market], bool]) -> Formula:
        return self.s.among("symbol", (m.symbol for m in self.setting.markets if test(m)))

    # ---- facts

    def fresh(self, name: str, most_ms: int) -> Formula:
        age = self.s.number(f"{name} age")
        return all_(compare("<=", age, num(most_ms)), compare(">=", age, num(-self.ahead)))

    @property
    def mark(self) -> str:
        return self.s.number("mark")

    @property
    def mark_missing(self) -> Formula:
        return no(self.s.has("mark"))

    @property
    def mark_stale(self) -> Formula:
        return all_(self.s.has("mark"), no(self.fresh("mark", self.mark_age)))

    @property
    def mark_known(self) -> Formula:
        return all_(self.s.has("mark"), self.fresh("mark", self.mark_age))

    # ---- what it is worth

    @property
    def prices(self) -> list[tuple[Formula, str]]:
        """Write each price that the worst one is the highest of, and when it counts."""
        s = self.s
        raised = all_(self.at_market, self.buys)
        return [
            (no(self.at_market), s.number("price")),
            (all_(s.has("stop_price"), no(raised)), s.number("stop_price")),
            (all_(s.has("stop_price"), raised), times(s.number("stop_price"), SLIP)),
            (all_(any_(self.at_market, self.sells), no(raised)), self.mark),
            (raised, times(self.mark, SLIP)),
        ]

    def worth_over(self, quantities: Sequence[str], limit: str, more: str = "", *, at_mark: bool = False) -> Formula:
        """Write that units at the worst price, and `more` money, are over a limit; `at_mark`: at the mark at least."""
        size = self.s.number("size")
        prices = self.prices + ([(TRUE, self.mark)] if at_mark else [])
        over = []
        for counts, price in prices:
            for quantity in quantities:
                worth = times(quantity, size, price)
                over.append(all_(counts, compare(">", plus(worth, more) if more else worth, limit)))
        return any_(*over)

    def limits(self, bounds: Iterable[Bound], base: str = "equity") -> tuple[list[tuple[str, Formula]], list[str]]:
        """Write what keeps bounds from being known (code, when), and each bound as money."""
        s, missing, terms = self.s, dict[str, list[Formula]](), []
        before: list[Formula] = []

        def lacks(code: str, formula: Formula) -> None:
            missing.setdefault(code, []).append(all_(*before, formula))
            before.append(no(formula))

        for bound in bounds:
            if isinstance(bound, Share):
                if base == "equity":
                    lacks("FACTS_MISSING", no(s.has("equity")))
                terms.append(times(num(bound.fraction), s.number(base)))
            elif bound.currency == self.policy.account.currency:
                terms.append(num(bound.value))
            else:
                name = f"rate {bound.currency}"
                lacks("PRICE_MISSING", no(s.has(name)))
                lacks("PRICE_STALE", no(self.fresh(name, self.mark_age)))
                terms.append(times(num(bound.value), s.number(name)))
        return [(code, any_(*said)) for code, said in missing.items()], terms


#: Numbers of an order that must be over 0 where they are said.
_NUMBERS: Final = ("quantity", "price", "stop_price", "stop_loss")
Said = Iterator[tuple[Key, Formula]]


def _order(w: Writer) -> Said:
    s, stage = w.s, w.policy.stage.current if w.policy.stage is not None else ""
    unknown = no(s.among("action", ACTIONS))
    wrong = any_(unknown, all_(w.places, no(w.valid)), all_(w.closes, no(w.market)))
    yield ("order.shape", "ORDER_INVALID"), all_(w.judged, wrong)
    yield ("order.action", "ACTION_REFUSED"), s.among("action", ("transfer", "withdraw", "key.admin"))
    yield ("order.action", "CHECK_MISSING"), s.word("action", "convert")
    key = (w.policy.keys or {}).get(w.setting.key or "")
    if key is not None and key.purpose not in ("execution", "hedging") and not w.setting.paper:
        yield ("key.purpose", "KEY_PURPOSE"), w.increases
    if stage == "paper" and not w.setting.paper:
        yield ("stage.current", "STAGE_PAPER"), w.judged
    elif stage == "sandbox" and w.policy.environment == "live":
        yield ("stage.current", "STAGE_SANDBOX"), w.judged
    if key is not None and key.address_proof is not None and w.policy.environment == "live":
        old = all_(s.has("proof"), no(w.fresh("proof", key.address_proof.max_age.ms)))
        yield ("key.address_proof", "ADDRESS_PROOF_MISSING"), all_(w.increases, no(s.has("proof")))
        yield ("key.address_proof", "ADDRESS_PROOF_STALE"), all_(w.increases, old)
    for holder in w.setting.unheld:
        yield (holder, "CHECK_MISSING"), w.increases


def _state(w: Writer) -> Said:
    s, policy = w.s, w.policy
    yield ("trading.state", "TRADING_HALTED"), all_(w.increases, s.flag("halted"))
    yield ("trading.state", "TRADING_REDUCING"), all_(w.increases, s.flag("reducing"))
    yield ("trading.state", "TRADING_FROZEN"), all_(w.judged, s.flag("frozen"))
    for code in ("STORE_DOWN", "STORE_DAMAGED", "STORE_RESET", "STORE_EPHEMERAL"):
        yield ("trading.store", code), all_(w.increases, s.word("store", code))
    yield ("trading.store", "RECOVERY_PENDING"), all_(w.increases, s.flag("unsettled"))
    for code in ("STREAM_STALE", "STREAM_GAP"):
        yield ("trading.streams", code), all_(w.increases, s.flag(code))
    yield ("rate.ban", "RATE_BANNED"), all_(no(w.cancels), compare(">", s.number("banned for"), "0.0"))
    yield from _reconciliation(w)
    if policy.clock is not None and policy.clock.max_skew is not None:
        most, skew = policy.clock.max_skew.ms, s.number("skew")
        apart = any_(no(s.has("skew")), compare(">", skew, num(most)), compare("<", skew, num(-most)))
        yield ("clock.max_skew", "CLOCK_SKEW"), all_(w.increases, apart)
    for name in ("equity", "positions"):
        stale = all_(s.has(name), no(w.fresh(name, w.max_age)))
        yield ("account.max_age", "FACTS_MISSING"), all_(w.increases, no(s.has(name)))
        yield ("account.max_age", "FACTS_STALE"), all_(w.increases, stale)


def _reconciliation(w: Writer) -> Said:
    said, s = w.policy.reconciliation, w.s
    if said is None or not (said.tolerance or said.orders_every or said.positions_every):
        return
    every = max(60_000 if e is None else e.ms for e in (said.orders_every, said.positions_every))
    late = all_(s.has("compared"), compare(">", s.number("compared age"), num(3 * every + 60_000)))
    yield ("reconciliation.tolerance", "RECONCILE_STALE"), all_(w.increases, late)
    over = []
    for bound in said.tolerance or ():
        if isinstance(bound, Share):
            most, none = times(num(bound.fraction), s.number("equity")), no(s.has("equity"))
        elif bound.currency == w.policy.account.currency:
            most, none = num(bound.value), FALSE
        else:
            name = f"rate {bound.currency}"
            most, none = times(num(bound.value), s.number(name)), no(s.has(name))
        beyond = any_(
            all_(none, compare(">", s.number("drift"), "0.0")), all_(no(none), compare(">", s.number("drift"), most))
        )
        over.append(any_(no(s.has("drift worth")), beyond))
    yield ("reconciliation.tolerance", "RECONCILE_DRIFT"), all_(w.increases, s.has("drift"), any_(*over))


def _words(w: Writer) -> Said:
    """Write what an order says in words."""
    s, risk = w.s, w.policy.risk
    if risk is None:
        return
    if risk.symbols is not None:
        denied = w.symbols(lambda m: not allows(risk.symbols or (), m.symbol))
        yield ("risk.symbols", "RISK_SYMBOL"), all_(w.increases, denied)
    if risk.order_types is not None:
        stop = all_(s.has("stop_price"), s.among("type", PLAIN_TYPES))
        wrong = any_(no(s.among("type", risk.order_types)), stop)
        yield ("risk.order_types", "RISK_ORDER_TYPE"), all_(w.increases, w.places, no(s.word("type", NONE)), wrong)
    if risk.sides is not None:
        yield ("risk.sides", "RISK_SIDE"), all_(w.enters, no(s.among("side", risk.sides)))
    if risk.time_in_force is not None:
        unsaid = [word for word, at_market in (("IOC", w.at_market), ("GTC", no(w.at_market))) for _ in (at_market,)]
        silent = any_(
            *(
                all_(s.word("tif", NONE), at_market, when(word in risk.time_in_force))
                for word, at_market in zip(unsaid, (w.at_market, no(w.at_market)), strict=True)
            )
        )
        said = any_(s.among("tif", risk.time_in_force), silent)
        yield ("risk.time_in_force", "RISK_TIME_IN_FORCE"), all_(w.enters, no(said))
    if risk.self_trade_prevention is not None:
        denied = no(s.among("stp", risk.self_trade_prevention))
        yield ("risk.self_trade_prevention", "RISK_SELF_TRADE"), all_(w.enters, denied)
    if risk.reduce_only_exits:
        against = any_(
            all_(w.sells, compare(">", s.number("high"), "0.0")),
            all_(no(w.sells), compare("<", s.number("low"), "0.0")),
        )
        open_ = all_(w.places, no(w.forbidden), w.contract, against)
        yield ("risk.reduce_only_exits", "RISK_REDUCE_ONLY"), open_
    if risk.trading_hours is not None:
        inside = any_(*(_hours(w, text) for text in risk.trading_hours))
        yield ("risk.trading_hours", "RISK_TRADING_HOURS"), all_(w.increases, no(inside))


def _hours(w: Writer, text: str) -> Formula:
    """Write that it is one of some days, and of some hours; `week` is the time since the week began on Monday."""
    days, hours, _ = text.split(" ")
    start, end = (int(t[:2]) * HOUR_MS + int(t[3:]) * 60_000 for t in hours.split("-"))
    first, _, last = days.partition("-")
    if days == "daily":
        wanted = list(range(7))
    else:
        one, other = _DAYS.index(first), _DAYS.index(last or first)
        wanted = [(one + n) % 7 for n in range((other - one) % 7 + 1)]
    now = w.s.number("week")
    return any_(
        *(
            all_(compare(">=", now, num(day * DAY_MS + start)), compare("<", now, num(day * DAY_MS + end)))
            for day in wanted
        )
    )


def _sizes(w: Writer) -> Said:
    """Write what one order may be worth."""
    s, risk = w.s, w.policy.risk
    marked = any_(w.at_market, w.sells)
    value = all_(w.ranged, marked)
    beyond = all_(w.enters, w.sized, compare(">", w.amount, num(MOST_UNITS)))
    yield ("order.value", "NUMBER_RANGE"), beyond
    yield ("order.value", "PRICE_MISSING"), all_(value, w.mark_missing)
    yield ("order.value", "PRICE_STALE"), all_(value, w.mark_stale)
    yield ("order.value", "CONTRACT_SIZE_MISSING"), all_(w.priced, w.no_size)
    if risk is None:
        return
    for name, most in (risk.max_order_quantity or {}).items():
        mine = _mine(w, name, risk.max_order_quantity or {})
        over = compare(">", s.number("quantity"), num(most))
        yield ("risk.max_order_quantity", "RISK_ORDER_QUANTITY"), all_(w.enters, w.sized, mine, over)
    if risk.max_order_notional is not None:
        missing, terms = w.limits(risk.max_order_notional)
        for code, lacks in missing:
            yield ("risk.max_order_notional", code), all_(w.valued, lacks)
        over = any_(*(w.worth_over([s.number("quantity")], limit) for limit in terms))
        known = [no(lacks) for _, lacks in missing]
        yield ("risk.max_order_notional", "RISK_ORDER_NOTIONAL"), all_(w.valued, *known, over)


def _mine(w: Writer, name: str, caps: Iterable[str]) -> Formula:
    """Write that the cap of `name` applies: the symbol's own, or the default of all others."""
    others = set(caps) - {"default"}
    return w.symbols(lambda m: m.symbol == name if name != "default" else m.symbol not in others)

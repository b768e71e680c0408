"""One order, its facts and what is used, as the names of a space have it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

from policykit.decision import Hold
from policykit.engine import Engine, compile_policy
from policykit.engine.case import Case
from policykit.engine.check import Unknown
from policykit.engine.checks import all_checks
from policykit.engine.checks.missing import unenforced
from policykit.engine.facts import Facts, Position
from policykit.order import Order
from policykit.policy import EffectivePolicy
from policykit.traits import load
from policykit.traits.base import cost
from policykit.units import EXPOSURE_SCALE
from tests.oracles.smt.conditions import HOUR_MS, Market, Setting
from tests.oracles.smt.space import NONE

TRAITS: Final = load("binance")
KEY, HOST = "mm-exec", "trader-1"
MARKETS: Final = (
    Market("BTC/USDT", "BTC"),
    Market("ETH/USDT", "ETH"),
    Market("DOGE/USDT", "DOGE"),
    Market("BTC/USDT:USDT", "BTC", contract=True),
    Market("ETH/USDT:USDT", "ETH", contract=True),
)
#: 5 January 1970 was a Monday.
_MONDAY_MS: Final = 4 * 86_400_000
WEEK_MS: Final = 7 * 86_400_000
Point = dict[str, Any]


def compiled(policy: EffectivePolicy, key: str | None = KEY, host: str = HOST, *, paper: bool = False) -> Engine:
    """Return the policy's engine."""
    return compile_policy(policy, TRAITS, key, host, paper=paper)


def _call(action: str, contract: bool) -> str:
    assert TRAITS is not None
    return TRAITS.products["swap" if contract else "spot"].calls.get(action, "")


def _cost(budget: str, action: str, contract: bool) -> int:
    """Return what an action costs by the exchange's traits; one whose call they do not name costs 1."""
    call = _call(action, contract)
    assert TRAITS is not None
    return cost(TRAITS, budget, call) if call else -1


def setting(engine: Engine, markets: tuple[Market, ...] = MARKETS) -> Setting:
    """Return what is known beside the engine's policy."""
    budgets = engine.effective.model.rate_budgets or {}

    def weighs(budget: str, action: str, contract: bool) -> int:
        found = _cost(budget, action, contract)
        by_address = budgets[budget].shared_by == "ip"
        return found if found >= 0 else int(by_address or action in ("order.create", "order.amend"))

    checks = frozenset(check.id for check in all_checks())
    unheld = tuple(dict.fromkeys(one.holder for one in unenforced(engine.setup, checks)))
    return Setting(markets, engine.setup.key, engine.setup.host, weighs, _call, unheld, engine.setup.paper)


def point(engine: Engine, facts: Facts, order: Order, now_ms: int, used: Callable[[Hold], int]) -> Point:
    """Return the point of an order: `used` says what is used of a counter, by its name."""
    out: Point = {
        "action": order.action,
        "symbol": order.symbol,
        "side": order.side or NONE,
        "type": order.type or NONE,
    }
    out |= {"tif": order.time_in_force or NONE, "stp": order.self_trade_prevention or NONE}
    out |= {"leg": order.position_side or NONE}
    out |= {"reduce_only": order.reduce_only, "close_position": order.close_position}

    def put(name: str, value: Any, as_of_ms: int | None = None) -> None:
        if value is not None:
            out[f"has {name}"] = True
            out[name] = value
            if as_of_ms is not None:
                out[f"{name} age"] = now_ms - as_of_ms

    for name, number in (
        ("quantity", order.quantity),
        ("price", order.price),
        ("stop_price", order.stop_price),
        ("stop_loss", order.stop_loss_price),
    ):
        put(name, number)
    old = order.amends
    if old is not None and all(getattr(old, n) == getattr(order, n) for n in ("symbol", "side", "position_side")):
        put("old_quantity", old.quantity)
        kept = ("action", "amends", "client_order_id", "quantity")
        out["else_same"] = all(getattr(old, n) == getattr(order, n) for n in Order.__slots__ if n not in kept)
    _account(put, out, facts, now_ms, f"{engine.setup.host}|{engine.setup.key}")
    _market(put, out, engine, facts, order, now_ms)
    _counters(out, engine, facts, order, now_ms, used)
    for name in engine.effective.model.groups or {}:
        out[f"has group {name}"] = engine.effective.group_owner(name) in facts.groups
    return out


def _account(put: Callable[..., None], out: Point, facts: Facts, now_ms: int, key: str) -> None:
    for name, fact in (
        ("equity", facts.equity),
        ("day base", facts.day_base),
        ("transfers", facts.net_transfers),
        ("week base", facts.week_base),
        ("peak", facts.peak),
        ("ratio", facts.margin_ratio),
    ):
        if fact is not None:
            put(name, fact.value, fact.as_of_ms)
    put("week transfers", facts.week_transfers)
    put("skew", facts.skew_ms)
    if facts.positions_as_of_ms is not None:
        put("positions", 0, facts.positions_as_of_ms)
    if facts.streak is not None:
        put("losses", facts.streak.losses)
        out["lost age"] = now_ms - facts.streak.at_ms
    if facts.position_mode is not None:
        put("mode", facts.position_mode.value, facts.position_mode.as_of_ms)
    proved = facts.address_proofs.get(key)
    if proved is not None:
        put("proof", 0, proved)
    if facts.reconciled_ms is not None:
        put("compared", 0, facts.reconciled_ms)
    if facts.drift:
        out["has drift"] = True
        put("drift worth", None if any(d.worth is None for d in facts.drift) else 0)
        out["drift"] = max((d.worth for d in facts.drift if d.worth is not None), default=0)
    out["banned for"] = max((until - now_ms for until in facts.banned_until_ms.values()), default=0)
    out["store"] = facts.store_problem[0] if facts.store_problem is not None else NONE
    out["unsettled"] = not facts.recovered
    out["frozen"] = any(halt.freeze for halt in facts.halts)
    out["halted"] = any(halt.state == "HALTED" and not halt.freeze for halt in facts.halts)
    out["reducing"] = any(halt.state == "REDUCING" and not halt.freeze for halt in facts.halts)
    out |= {code: True for code, _ in facts.streams}
    out["foreign"] = facts.foreign_orders
    out["unpriced"] = bool(facts.unpriced)
    out["week"] = (now_ms - _MONDAY_MS) % WEEK_MS


def _market(put: Callable[..., None], out: Point, engine: Engine, facts: Facts, order: Order, now_ms: int) -> None:
    symbol, contract = order.symbol, ":" in order.symbol
    mark, book = facts.marks.get(symbol), facts.quotes.get(symbol)
    if mark is not None:
        put("mark", mark.value, mark.as_of_ms)
    if book is not None:
        put("book", 0, book.as_of_ms)
        out |= {"bid": book.bid, "ask": book.ask}
    for name, rate in facts.marks.items():
        put(f"rate {name.partition('/')[0]}", rate.value, rate.as_of_ms) if name.endswith("/USDT") else None
    put("size", facts.contract_sizes.get(symbol) if contract else 1)
    said = facts.contracts.get(symbol)
    if said is not None:
        put("settings", 0, said.as_of_ms)
        put("leverage", said.leverage)
        put("liquidation", said.liquidation_price)
        put("funding", said.funding_rate)
        out["margin"] = said.margin_mode or NONE
    position = facts.positions.get(key_of(engine, facts, order), Position())
    out |= {"low": position.low, "high": position.high, "has unit": position.unit > 0}
    out |= {"open_buys": position.open_buys, "open_sells": position.open_sells}
    if facts.partials is not None:
        out["has partials"] = True
        partial = facts.partials.get(symbol)
        if partial is not None:
            put("partial", None if partial.at_ms is None else 0, partial.at_ms)
            put("least part", partial.least)
    move = engine.effective.model.risk.max_price_move if engine.effective.model.risk is not None else None
    if move is not None and move.per.ms <= HOUR_MS:
        _moves(out, engine, facts, symbol, now_ms, move.per.ms)


def key_of(engine: Engine, facts: Facts, order: Order) -> str:
    """Return what the order's position is kept by; in hedge mode with its leg."""
    key = engine.setup.position_key(order.symbol)
    one_way = facts.position_mode is not None and facts.position_mode.value == "one_way"
    return f"{key}#{order.position_side}" if order.position_side and ":" in key and not one_way else key


def _moves(out: Point, engine: Engine, facts: Facts, symbol: str, now_ms: int, span_ms: int) -> None:
    """Say the lowest and the highest mark of the window, and whether all of it is known."""
    gap, edge = engine.setup.mark_age_ms, now_ms - span_ms
    inside = [move for move in facts.moves.get(symbol, ()) if move.start_ms + 60_000 + gap > edge]
    starts = [move.start_ms for move in inside]
    whole = bool(starts) and starts[0] <= edge
    whole = whole and all(after - before <= 60_000 + gap for before, after in pairwise(starts))
    out[f"moves known {span_ms}"] = whole
    if inside:
        out[f"lowest {span_ms}"] = min(move.low for move in inside)
        out[f"highest {span_ms}"] = max(move.high for move in inside)


_WINDOWS: Final = {
    "risk.max_orders": "orders",
    "risk.max_orders_per_symbol": "orders here",
    "risk.max_messages": "messages",
    "risk.max_amends": "amends",
    "risk.repeated_execution": "entries",
    "risk.duplicate_window": "like",
    "risk.entry_cooldown": "cooldown",
}
_COUNTS: Final = {
    "order.outcome_pending": "unknown",
    "risk.max_open_orders": "open orders",
    "risk.max_open_orders_per_symbol": "open orders here",
    "risk.max_open_positions": "other positions",
    "risk.partial_fills": "reentries",
}


def _counters(out: Point, engine: Engine, facts: Facts, order: Order, now_ms: int, used: Callable[[Hold], int]) -> None:
    """Say what is used; which counters an order asks for is taken from the engine, what they mean is not."""
    case = Case(engine.setup, facts, order, now_ms)
    for check in engine.checks:
        try:
            holds = tuple(check.holds(case))
        except Unknown:
            continue
        for hold in holds:
            if check.id in _COUNTS:
                out[_COUNTS[check.id]] = used(hold)
            elif check.id in _WINDOWS:
                out[f"{_WINDOWS[check.id]} in {hold.span_ms}"] = used(hold)
            elif check.id == "rate_budgets":
                out[f"weight of {hold.counter.split('|')[-3]}"] = used(hold)
            elif hold.kind in ("gross", "net"):
                out[_total(check.id, hold)] = Fraction(used(hold), EXPOSURE_SCALE)


def _total(check: str, hold: Hold) -> str:
    """Name a total of positions as the formulas do."""
    side = "" if hold.kind == "gross" else " long" if hold.amount > 0 else " short"
    if check.startswith("groups."):
        return f"{hold.counter.split('|')[1].partition('@')[0]} {hold.kind}{side}"
    return "asset" if check == "risk.max_asset_exposure" else f"{hold.kind}{side}"

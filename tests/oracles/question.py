"""What Cedar and CEL are asked: one order, the facts, and what is used, as whole numbers on the grid."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from policykit.engine.facts import Facts
from policykit.order import Order
from policykit.proofs.export.conditions import steps
from policykit.proofs.export.context import CENT, LOT, MOST_LOTS, MOST_TICKS, TICK

#: Weights of request-weight on Binance spot (rest-api.md, read 2026-11): what a call costs is given, as counts are.
COST = {"order.create": 1, "order.cancel": 1, "orders.cancel_all": 1, "data.read": 20}
CALL = "GET /api/v3/account"
#: The key that orders are signed with, and the host that they are sent from.
KEY, HOST = "mm-exec", "trader-1"


@dataclass
class Used:
    """What a plain bookkeeper counts beside the store."""

    position: dict[str, int] = field(default_factory=Counter)
    open_buys: dict[str, int] = field(default_factory=Counter)
    open_sells: dict[str, int] = field(default_factory=Counter)
    unknown: dict[tuple[str, str], int] = field(default_factory=Counter)
    open_orders: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    cancels: int = 0
    weight: int = 0

    def positions_besides(self, base: str) -> int:
        """Count the assets besides one that are held or may be; what is sold beyond what is held counts as well."""
        return sum(
            self.position[one] + self.open_buys[one] > 0 or self.open_sells[one] > self.position[one]
            for one in {*self.position, *self.open_buys, *self.open_sells} - {base}
        )


def question(facts: Facts, order: Order, now_ms: int, used: Used) -> dict[str, Any]:
    """Return the fields of the question; what is not known is left out."""
    asked: dict[str, Any] = {"action": order.action, "symbol": order.symbol, "now": now_ms}
    market = re.fullmatch(r"(\w+)/(\w+)", order.symbol)
    if market:
        asked["base"] = market[1]
    for name in ("side", "type", "time_in_force", "self_trade_prevention"):
        if getattr(order, name) is not None:
            asked[name] = getattr(order, name)
    for name, step, most in (
        ("quantity", LOT, MOST_LOTS),
        ("price", TICK, MOST_TICKS),
        ("stop_price", TICK, MOST_TICKS),
        ("stop_loss_price", TICK, MOST_TICKS),
    ):
        value = getattr(order, name)
        if value is not None:
            asked[name] = steps(value, step)
            if asked[name] > most:
                raise ValueError(f"{name} {value} is beyond the grid")
    _facts(asked, facts, order.symbol)
    base = asked.get("base", "")
    asked |= {
        "position": used.position[base],
        "open_buys": used.open_buys[base],
        "unknown": used.unknown[(order.symbol, order.side or "")],
        "open_orders": used.open_orders.total(),
        "open_orders_here": used.open_orders[order.symbol],
        "other_positions": used.positions_besides(base),
        "orders": used.orders.total(),
        "orders_here": used.orders[order.symbol],
        "messages": used.orders.total() + used.cancels,
        "weight": used.weight,
        "cost": COST.get(order.action, 1),
    }
    return asked


def _facts(asked: dict[str, Any], facts: Facts, symbol: str) -> None:
    """Put the facts in; each number with the time of its reading."""
    dated = {
        "equity": facts.equity,
        "day_base": facts.day_base,
        "transfers": facts.net_transfers,
        "week_base": facts.week_base,
        "peak": facts.peak,
    }
    for name, fact in dated.items():
        if fact is not None:
            asked[name] = steps(fact.value, CENT)
            asked[f"{name}_as_of"] = fact.as_of_ms
    mark = facts.marks.get(symbol)
    if mark is not None:
        asked["mark"], asked["mark_as_of"] = steps(mark.value, TICK), mark.as_of_ms
    book = facts.quotes.get(symbol)
    if book is not None:
        asked["ask"], asked["book_as_of"] = steps(book.ask, TICK), book.as_of_ms
    if facts.week_transfers is not None:
        asked["week_transfers"] = steps(facts.week_transfers, CENT)
    if facts.streak is not None:
        asked["losses"], asked["lost_at"] = facts.streak
    proved = facts.address_proofs.get(f"{HOST}|{KEY}")
    if proved is not None:
        asked["proved_at"] = proved
    if facts.positions_as_of_ms is not None:
        asked["positions_as_of"] = facts.positions_as_of_ms
    if facts.skew_ms is not None:
        asked["skew"] = facts.skew_ms
    if facts.banned_until_ms:
        asked["banned_until"] = max(facts.banned_until_ms.values())
    if facts.store_problem is not None:
        asked["store_problem"] = facts.store_problem[0]
    asked["recovered"] = facts.recovered
    asked["frozen"] = any(halt.freeze for halt in facts.halts)
    asked["halted"] = any(halt.state == "HALTED" and not halt.freeze for halt in facts.halts)
    asked["reducing"] = any(halt.state == "REDUCING" and not halt.freeze for halt in facts.halts)


def lots(quantity: Decimal) -> int:
    """Return a quantity in lots."""
    return steps(quantity, LOT)

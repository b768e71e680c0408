"""`assess` of the canonical policy against a hand-written chain of the same checks, in one process."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bench._harness import Row, interleave, row
from policykit.engine import compile_policy
from policykit.engine.facts import Fact, Facts, Position
from policykit.order import Order
from policykit.policy import load_text
from policykit.traits import load

NOW = 1_795_255_200_000  # 2026-11-21T10:00:00Z
#: SPEED's row, for `@enforce` as a whole, is measured against a chain that keeps its windows, too; here neither does.
GOAL = 5.0
#: A denial runs every check and writes every reason. It may take as long as a few FULL inserts into SQLite's file.
DENIAL_GOAL = 400

POLICY: dict[str, Any] = {
    "policykit": 1,
    "name": "bench",
    "exchange": "binance",
    "account": {"name": "main", "currency": "USDT", "max_age": "10s"},
    "clock": {"max_skew": "500ms"},
    "rate_budgets": {
        "request-weight": {
            "limit": 6000,
            "per": "1m",
            "window": "fixed",
            "shared_by": "ip",
            "use_at_most": "80%",
            "keep_for_exits": "10%",
        }
    },
    "risk": {
        "symbols": ["BTC/USDT", "ETH/USDT"],
        "order_types": ["limit", "market"],
        "max_order_notional": "1.5% of equity",
        "max_position_notional": "20% of equity",
        "max_open_orders": 20,
        "max_orders": {"limit": 30, "per": "1m"},
        "daily_loss": {"limit": "3% of equity", "day_starts": "00:00 UTC", "on_breach": "reduce_only"},
    },
}

FACTS = Facts(
    equity=Fact(Decimal(100_000), NOW - 3_000),
    day_base=Fact(Decimal(100_500), NOW - NOW % 86_400_000),
    net_transfers=Fact(Decimal(0), NOW - 3_000),
    positions={"BTC": Position(Decimal("0.1"), Decimal("0.1"))},
    positions_as_of_ms=NOW - 3_000,
    marks={"BTC/USDT": Fact(Decimal(60_000), NOW - 1_000)},
    skew_ms=12,
)

HALTED = False
SYMBOLS = frozenset(("BTC/USDT", "ETH/USDT"))
SIDES = frozenset(("buy", "sell"))
TYPES = frozenset(("limit", "market"))
EQUITY, DAY_BASE, TRANSFERS = 100_000.0, 100_500.0, 0.0


def hand(  # noqa: C901 - it is the plain chain
    order: tuple[str, str, str, float, float], position: float, use: tuple[int, int, int], age_ms: int
) -> str | None:
    """Decide as somebody would write it by hand, in floats: the code of the first check that fails, None to allow."""
    symbol, side, kind, quantity, price = order
    if HALTED:
        return "halted"
    if symbol not in SYMBOLS:
        return "symbol"
    if side not in SIDES:
        return "side"
    if kind not in TYPES:
        return "type"
    if not quantity > 0.0 or not price > 0.0:
        return "numbers"
    if age_ms > 10_000:
        return "stale"
    if quantity * price > 0.015 * EQUITY:
        return "notional"
    after = position + quantity if side == "buy" else position - quantity
    if abs(after) * price > 0.2 * EQUITY:
        return "position"
    if DAY_BASE + TRANSFERS - EQUITY >= 0.03 * DAY_BASE:
        return "loss"
    opened, orders, weight = use
    if opened >= 20:
        return "open"
    if orders >= 30:
        return "orders"
    if weight + 1 > 4_200:
        return "weight"
    return None


def rows() -> list[Row]:
    """Return the rows of SPEED that are about `assess` alone."""
    engine = compile_policy(load_text(json.dumps(POLICY)), load("binance"))
    order = Order("BTC/USDT", "buy", "limit", Decimal("0.01"), Decimal(59000))
    large = Order("BTC/USDT", "buy", "limit", Decimal("0.5"), Decimal(59000))
    other = replace(FACTS, equity=Fact(Decimal(100_001), NOW - 2_000))
    plain = ("BTC/USDT", "buy", "limit", 0.01, 59_000.0)
    if hand(plain, 0.1, (3, 10, 100), 3_000) is not None or engine.assess(FACTS, order, NOW).reasons:
        raise RuntimeError("bench: the order must be allowed by both")
    if not engine.assess(FACTS, large, NOW).reasons:
        raise RuntimeError("bench: the large order must be denied")
    assess = engine.assess

    def new_facts() -> None:
        assess(other, order, NOW)
        assess(FACTS, order, NOW)

    figures = interleave(
        {
            "hand": lambda: hand(plain, 0.1, (3, 10, 100), 3_000),
            "allow": lambda: assess(FACTS, order, NOW),
            "deny": lambda: assess(FACTS, large, NOW),
            "new facts, twice": new_facts,
        }
    )
    return [
        row("assess, allowed, canonical policy", figures, "allow", "hand", GOAL, note="exact numbers, holds included"),
        row("assess, denied, every reason written", figures, "deny", "hand", DENIAL_GOAL),
        row("assess, first order after new facts, two of them", figures, "new facts, twice", "hand", 2 * DENIAL_GOAL),
    ]

"""Policies, facts and orders for the tests of the engine."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

from policykit.decision import Assessment
from policykit.engine import Engine, compile_policy
from policykit.engine.facts import Fact, Facts, Move, Position, Streak
from policykit.order import Order
from policykit.policy import load_text
from policykit.traits import load
from policykit.traits.base import Exchange

NOW = 1_795_255_200_000  # 2026-11-21T10:00:00Z
DAY_MS = 86_400_000
DAY = NOW - NOW % DAY_MS
#: How a cap of the canonical policy came about.
SHARE = "(1.5% of equity 100,000.00 USDT, 3 s old)"
TRAITS = load("binance")

#: The policy that SPEED's figures are for.
CANONICAL: dict[str, Any] = {
    "policykit": 1,
    "name": "mm",
    "exchange": "binance",
    "account": {"name": "main", "currency": "USDT", "max_age": "10s", "egress": "fra-1"},
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
        "max_position_notional": {"default": "10% of equity", "BTC/USDT": "20% of equity"},
        "max_open_orders": 20,
        "max_orders": {"limit": 30, "per": "1m"},
        "daily_loss": {"limit": "3% of equity", "day_starts": "00:00 UTC", "on_breach": "reduce_only"},
    },
}

#: One limit of each check of an order and of the flow, which the usual orders are well inside; two ask for more.
LIMITS: dict[str, Any] = {
    "account.position_mode": "one_way",
    "risk.sides": ["buy", "sell"],
    "risk.time_in_force": ["GTC", "IOC"],
    "risk.reduce_only_exits": True,
    "risk.self_trade_prevention": ["expire_taker"],
    "risk.max_order_quantity": {"default": 5},
    "risk.max_price_move": {"limit": "1%", "per": "5m"},
    "risk.max_slippage": "1%",
    "risk.max_open_orders_per_symbol": 9,
    "risk.max_orders_per_symbol": {"limit": 9, "per": "1m"},
    "risk.max_amends": {"limit": 9, "per": "1m"},
    "risk.max_messages": {"limit": 9, "per": "1m"},
    "risk.repeated_execution": {"limit": 9, "per": "1m"},
    "risk.entry_cooldown": "1s",
    "risk.trading_hours": ["sat 00:00-24:00 UTC"],
}
#: One limit of each check of the account, by the check's id; `placed` makes changes of it.
ACCOUNT_LIMITS: dict[str, Any] = {
    "account.margin_mode": "isolated",
    "key.address_proof": {"purpose": "execution", "address_proof": {"max_age": "30d"}},
    "groups.max_gross_exposure": "90000 USDT",
    "groups.max_net_exposure": "90000 USDT",
    "risk.max_asset_exposure": "60000 USDT",
    "risk.max_gross_exposure": "80% of equity",
    "risk.max_net_exposure": "80% of equity",
    "risk.max_open_positions": 5,
    "risk.max_borrow": "1000 USDT",
    "risk.min_liquidation_distance": "10%",
    "risk.max_margin_ratio": "80%",
    "risk.max_funding_rate": "0.1%",
    "risk.weekly_loss": {"limit": "5% of equity"},
    "risk.max_drawdown": {"limit": "10% of equity"},
    "risk.consecutive_losses": {"limit": 3},
    "risk.partial_fills": {"min_fill_to_act": "10%", "max_reentries": 3, "cooldown": "60s"},
}
#: Where the policy has it, if elsewhere than the check's id says.
PLACES: dict[str, str] = {
    "key.address_proof": "keys.mm-exec",
    "groups.max_gross_exposure": "groups.desk.max_gross_exposure",
    "groups.max_net_exposure": "groups.desk.max_net_exposure",
}
#: The facts that they ask for, well inside them.
ACCOUNT_FACTS: dict[str, Any] = {
    "address_proofs": {"host-a|mm-exec": NOW - DAY_MS},
    "week_base": Fact(Decimal(100_500), DAY - DAY_MS),
    "week_transfers": Decimal(0),
    "peak": Fact(Decimal(100_600), DAY),
    "streak": Streak(),
    "partials": {},
}
#: No lane is made under these.
LANELESS: dict[str, Any] = {"risk.duplicate_window": "1s", "risk.risk_at_stop": "1000 USDT"}


def calm(*symbols: str) -> dict[str, tuple[Move, ...]]:
    """Return marks of the last ten minutes that never moved."""
    minutes = tuple(Move(NOW - n * 60_000, Decimal(60_000), Decimal(60_000)) for n in range(10, -1, -1))
    return dict.fromkeys(symbols, minutes)


FACTS = Facts(
    equity=Fact(Decimal(100_000), NOW - 3_000),
    day_base=Fact(Decimal(100_500), DAY),
    net_transfers=Fact(Decimal(0), NOW - 3_000),
    positions={"BTC": Position(Decimal("0.1"), Decimal("0.1"))},
    positions_as_of_ms=NOW - 3_000,
    marks={"BTC/USDT": Fact(Decimal(60_000), NOW - 1_000), "ETH/USDT": Fact(Decimal(3_000), NOW - 1_000)},
    skew_ms=12,
)


def placed(limits: dict[str, Any]) -> dict[str, Any]:
    """Return limits that are named by their checks as changes of a policy."""
    return {PLACES.get(check, check): value for check, value in limits.items()}


def changed(changes: dict[str, Any], base: dict[str, Any] = CANONICAL) -> dict[str, Any]:
    """Return a policy with some values replaced, by dotted path; None takes one out."""
    data = copy.deepcopy(base)
    for path, value in changes.items():
        *parents, name = path.split(".")
        section = data
        for parent in parents:
            section = section.setdefault(parent, {})
        if value is None:
            section.pop(name, None)
        else:
            section[name] = value
    return data


def engine(changes: dict[str, Any] | None = None, traits: Exchange | None = TRAITS, key: str | None = None) -> Engine:
    """Compile the canonical policy with some values replaced; orders are signed with `key`, on the host `host-a`."""
    return compile_policy(load_text(json.dumps(changed(changes or {})), "mm.yaml"), traits, key, "host-a")


def facts(**changes: Any) -> Facts:
    """Return the usual facts with some replaced."""
    return replace(FACTS, **changes)


def order(**changes: Any) -> Order:
    """Return a small limit buy that every check allows, with some fields replaced; numbers may be text."""
    fields: dict[str, Any] = {
        "symbol": "BTC/USDT",
        "side": "buy",
        "type": "limit",
        "quantity": "0.01",
        "price": "59000",
    }
    fields.update(changes)
    for name in ("quantity", "price", "stop_price", "quote_quantity"):
        if isinstance(fields.get(name), str):
            fields[name] = Decimal(fields[name])
    return Order(**fields)


def codes(assessment: Assessment) -> list[str]:
    """Return the codes of an assessment's reasons."""
    return [reason.code for reason in assessment.reasons]

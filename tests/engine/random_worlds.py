"""Random policies, facts and orders, near enough to the edges that every code comes up."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

from policykit.decision import Assessment
from policykit.engine import Engine
from policykit.engine.facts import Fact, Facts, Halt, Position
from policykit.order import Order
from tests.engine.worlds import DAY, FACTS, NOW, engine

Plain = dict[str, Any]


def _bounds(rng: Random, amounts: list[int], shares: list[str]) -> list[tuple[str, Decimal]]:
    out: list[tuple[str, Decimal]] = []
    if rng.random() < 0.7:
        out.append(("share", Decimal(rng.choice(shares)) / 100))
    if not out or rng.random() < 0.5:
        out.append(("amount", Decimal(rng.choice(amounts))))
    return out


def _text(bounds: list[tuple[str, Decimal]]) -> list[str]:
    return [
        f"{value.normalize() * 100:f}% of equity" if kind == "share" else f"{value:f} USDT" for kind, value in bounds
    ]


def policy(rng: Random) -> tuple[Engine, Plain]:
    """Return an engine, and the same policy as the reference model reads it."""
    used, kept = rng.choice([(80, 10), (100, 50), (60, 0)])
    plain: Plain = {
        "symbols": rng.choice([("BTC/USDT",), ("BTC/USDT", "ETH/USDT")]),
        "types": rng.choice([("limit",), ("limit", "market")]),
        "order": _bounds(rng, [590, 1_000, 1_500], ["0.59", "1.5", "3"]),
        "position": {"default": _bounds(rng, [5_000, 20_000], ["10"])},
        "open": rng.choice([1, 20]),
        "orders": rng.choice([1, 30]),
        "loss": _bounds(rng, [500, 4_000], ["0.5", "3"]),
        "entries": 6000 * (used - kept) // 100,
        "exits": 6000 * used // 100,
    }
    totals = rng.random() < 0.5
    plain["gross"] = _bounds(rng, [590, 60_000], ["50"]) if totals else []
    plain["net"] = _bounds(rng, [1_000], ["25"]) if totals and rng.random() < 0.5 else []
    plain["positions"] = rng.choice([0, 1, 3])
    if rng.random() < 0.5:
        plain["position"]["BTC/USDT"] = _bounds(rng, [12_345], ["20"])
    changes = {
        "risk.symbols": list(plain["symbols"]),
        "risk.order_types": list(plain["types"]),
        "risk.max_order_notional": _text(plain["order"]),
        "risk.max_position_notional": {key: _text(bounds) for key, bounds in plain["position"].items()},
        "risk.max_open_orders": plain["open"],
        "risk.max_gross_exposure": _text(plain["gross"]) or None,
        "risk.max_net_exposure": _text(plain["net"]) or None,
        "risk.max_open_positions": plain["positions"] or None,
        "risk.max_orders.limit": plain["orders"],
        "risk.daily_loss.limit": _text(plain["loss"]),
        "rate_budgets.request-weight.use_at_most": f"{used}%",
        "rate_budgets.request-weight.keep_for_exits": f"{kept}%",
    }
    return engine(changes), plain


_HALTS = [
    (),
    (Halt("all", "HALTED", "ops", "drill", NOW),),
    (Halt("all", "REDUCING", "ops", "loss", NOW), Halt("bot:a", "HALTED", "ops", "leak", NOW, freeze=True)),
]


#: The store counts what is held of these.
PRICED = replace(FACTS, positions={"BTC": FACTS.positions["BTC"]._replace(unit=1), "ETH": Position(unit=1)})


def facts(rng: Random) -> Facts:
    """Return the usual facts with up to three things changed for the worse, or not quite."""
    age = lambda: NOW - rng.choice([-501, -500, 0, 3_000, 10_000, 10_001])  # noqa: E731
    changes: dict[str, Any] = {
        "equity": rng.choice([None, Fact(Decimal(100_000), age()), Fact(Decimal("97000.01"), NOW)]),
        "day_base": rng.choice([None, Fact(Decimal(100_500), DAY), Fact(Decimal(100_500), DAY - 86_400_000)]),
        "net_transfers": rng.choice([None, Fact(Decimal("-499.99"), NOW), Fact(Decimal(3_000), NOW)]),
        "positions_as_of_ms": rng.choice([None, age()]),
        "positions": rng.choice(
            [{"BTC": Position(Decimal("0.1"), Decimal("0.2"), Decimal("0.1"), unit=1)}, {"ETH": Position(unit=1)}]
        ),
        "unpriced": ("LUNA",),
        "marks": rng.choice([{}, {"BTC/USDT": Fact(Decimal(rng.choice(["58999.99", "59000", "61000"])), age())}]),
        "skew_ms": rng.choice([None, 500, -501, 501]),
        "banned_until_ms": {"ip": rng.choice([NOW, NOW + 1])},
        "halts": rng.choice(_HALTS),
        "recovered": False,
        "store_problem": ("STORE_RESET", "another epoch"),
    }
    few = rng.sample(sorted(changes), rng.choice([0, 0, 0, 1, 1, 2, 3]))
    return replace(PRICED, **{name: changes[name] for name in few})


_QUANTITIES = ["0.01", "0.01000000001", "0.0254237288", "0.000000001", "0.1", "0.3389830508", "1", "90071992.6"]
_PRICES = ["59000", "59000.00000001", "60000", "61000", "0.01"]


def order(rng: Random) -> Order:
    """Return an order, mostly well formed."""
    kind = rng.choice(["limit", "limit", "limit", "market", "stop_loss_limit"])
    quantity: Decimal | None = Decimal(rng.choice(_QUANTITIES))
    price: Decimal | None = Decimal(rng.choice(_PRICES))
    if kind == "market" or rng.random() < 0.05:
        price = None
    if rng.random() < 0.05:
        quantity = Decimal(rng.choice(["NaN", "sNaN", "Infinity", "0", "-1", "1e50"]))
    symbol = rng.choice(["BTC/USDT", "BTC/USDT", "BTC/USDT", "ETH/USDT", "DOGE/USDT"])
    return Order(symbol, rng.choice(["buy", "buy", "sell"]), kind, quantity, price)


def seen(assessment: Assessment) -> tuple[list[str], list[tuple[str, int, int]]]:
    """Return what the reference model says of an order too."""
    codes = [reason.code for reason in assessment.reasons if reason.code != "RISK_POSITION"]
    return codes, [(hold.kind, hold.amount, hold.limit) for hold in assessment.holds]

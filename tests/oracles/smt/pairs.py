"""Random policies of every field that decides orders, and pairs of them that differ in a few."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any, Final

from policykit.decision import Hold
from policykit.engine.facts import Contract, Drift, Fact, Facts, Halt, Move, Partial, Position, Quote, Setting, Streak
from policykit.errors import PolicyError
from policykit.order import Order
from policykit.policy import EffectivePolicy, load_text
from policykit.units import EXPOSURE_SCALE, MAX_COUNTER
from tests.engine.worlds import CANONICAL, DAY, DAY_MS, NOW, changed
from tests.oracles.smt.points import HOST, KEY

Document = dict[str, Any]
#: What each field may say; `None`: nothing. Several words of one field mean the same (`10s` is an engine default).
FIELDS: Final[dict[str, list[Any]]] = {
    "account.max_age": [None, "10s", "10000ms", "5s", "9999ms", "1m"],
    "account.position_mode": [None, "one_way", "hedge"],
    "account.margin_mode": [None, "cross", "isolated"],
    "clock.max_skew": [None, "500ms", "499ms", "1s", "2s"],
    "environment": [None, "live", "sandbox"],
    "reconciliation.tolerance": [None, "5 USDT", "5.01 USDT", ["5 USDT", "0.01% of equity"]],
    "reconciliation.orders_every": [None, "30s", "60s"],
    "reconciliation.on_breach": [None, "warn", "deny", "reduce_only", "halt"],
    "groups.desk.max_gross_exposure": [None, "90000 USDT", "90000.01 USDT", "200% of equity"],
    "groups.desk.max_net_exposure": [None, "60000 USDT", ["60000 USDT", "90% of equity"]],
    "rate_budgets.request-weight.limit": [10, 40, 6000],
    "rate_budgets.request-weight.use_at_most": [None, "100%", "80%", "80.01%"],
    "rate_budgets.request-weight.keep_for_exits": [None, "0%", "10%", "10.001%"],
    "rate_budgets.request-weight.costs": [
        None,
        {},
        {"POST /api/v3/order": 0},
        {"POST /api/v3/order": 1},
        {"POST /api/v3/order": 4, "POST /api/v3/order/cancelReplace": 1},
    ],
    "risk.symbols": [
        None,
        ["*"],
        ["BTC/USDT"],
        ["*/USDT", "!DOGE*"],
        ["*USDT*", "!DOGE*"],
        ["B*/US*", "ETH/USDT"],
        ["BTC/USDT", "BTC/USDT:USDT"],
        ["BTC/*"],
        ["!DOGE/USDT"],
    ],
    "risk.sides": [None, ["buy", "sell"], ["sell", "buy"], ["buy"], ["buy"], ["buy"], ["sell"], []],
    "risk.order_types": [
        None,
        ["limit"],
        ["limit", "market"],
        ["market", "limit"],
        ["limit", "market", "stop_loss_limit"],
    ],
    "risk.time_in_force": [None, ["GTC"], ["GTC", "IOC"], ["IOC", "GTC"], ["GTC", "IOC", "FOK"]],
    "risk.self_trade_prevention": [None, ["expire_taker", "expire_both"], ["expire_both"]],
    "risk.reduce_only_exits": [None, True, False],
    "risk.max_order_notional": [
        None,
        "1500 USDT",
        "1500.00 USDT",
        "1500.01 USDT",
        "0.025 BTC",
        ["590 USDT", "3% of equity"],
        "1.5% of equity",
        ["1500 USDT", "1.5% of equity"],
    ],
    "risk.max_order_quantity": [
        None,
        {"default": "0.01"},
        {"default": "1", "BTC/USDT": "0.01"},
        {"default": "1", "BTC/USDT": "1"},
        {"BTC/USDT": "0.01"},
        {"default": 1},
        {"default": "99999999"},
    ],
    "risk.risk_at_stop": [None, None, None, "600 USDT", ["600 USDT", "1% of equity"]],
    "risk.price_collar.max_deviation": [None, "2%", "2.000001%", "0.5%"],
    "risk.price_collar.reference": [None, "mark", "mid"],
    "risk.price_collar.max_age": [None, "2s", "5s", "10s", "20s"],
    "risk.max_price_move.limit": [None, None, "1%", "1.01%"],
    "risk.max_slippage": [None, "0.1%", "2%"],
    "risk.max_position_notional": [
        None,
        "6000 USDT",
        {"default": "6000 USDT", "BTC/USDT": "12345 USDT"},
        {"default": ["6000 USDT", "10% of equity"], "BTC": "20% of equity"},
        {"BTC/USDT": "6000 USDT"},
        {"BTC/USDT": "6000 USDT", "BTC/USDC": "5000 USDT"},
        {"default": "6000 USDT", "BTC/USDT": "6000 USDT"},
        {"default": "6000 USDT", "BTC/USDT:USDT": "7000 USDT"},
        {"default": "0.1 BTC"},
    ],
    "risk.max_asset_exposure": [None, None, "20000 USDT", "20000.01 USDT"],
    "risk.max_gross_exposure": [None, "50% of equity", "50.5% of equity", "30000 USDT"],
    "risk.max_net_exposure": [None, None, "30% of equity", "20000 USDT"],
    "risk.max_open_positions": [None, None, None, 0, 1, 3],
    "risk.max_leverage": [None, 3, "3.5", 5],
    "risk.min_liquidation_distance": [None, None, "10%", "10.5%"],
    "risk.max_margin_ratio": [None, None, "80%", "75%"],
    "risk.max_funding_rate": [None, None, "0.1%", "0.11%"],
    "risk.max_open_orders": [None, None, 0, 1, 4, 20, 20],
    "risk.max_open_orders_per_symbol": [None, 1, 3, 20],
    "risk.max_orders": [None, {"limit": 2, "per": "1m"}, {"limit": 3, "per": "1m"}, {"limit": 3, "per": "2m"}],
    "risk.max_orders_per_symbol": [None, {"limit": 2, "per": "1m"}, {"limit": 3, "per": "60s"}],
    "risk.max_messages": [None, {"limit": 3, "per": "1m"}, {"limit": 8, "per": "1m"}],
    "risk.max_amends": [None, {"limit": 3, "per": "1m"}, {"limit": 8, "per": "1m"}],
    "risk.repeated_execution": [None, {"limit": 3, "per": "1m"}, {"limit": 8, "per": "1m"}],
    "risk.duplicate_window": [None, "0s", "1s", "1000ms", "2s"],
    "risk.entry_cooldown": [None, "0s", "1s", "60s"],
    "risk.trading_hours": [
        None,
        ["daily 00:00-24:00 UTC"],
        ["mon-sun 00:00-24:00 UTC"],
        ["mon-fri 08:00-20:00 UTC"],
        ["mon-fri 08:00-12:00 UTC", "mon-fri 12:00-20:00 UTC"],
        ["sat-sun 00:00-24:00 UTC", "mon-fri 00:00-24:00 UTC"],
        ["fri-mon 09:00-18:00 UTC"],
        ["daily 20:00-08:00 UTC"],
        None,
        None,
    ],
    "risk.daily_loss.limit": [None, "500.01 USDT", "3% of equity", ["4000 USDT", "3% of equity"]],
    "risk.daily_loss.on_breach": [None, "warn", "deny", "halt"],
    "risk.weekly_loss": [None, None, {"limit": "500.01 USDT"}, {"limit": "3% of equity", "on_breach": "warn"}],
    "risk.max_drawdown": [None, None, {"limit": "1000 USDT"}, {"limit": "1% of equity"}],
    "risk.consecutive_losses": [
        None,
        None,
        {"limit": 3},
        {"limit": 2, "cooldown": "1m"},
        {"limit": 3, "cooldown": "0s"},
    ],
    "risk.partial_fills": [None, None, {"max_reentries": 3}, {"min_fill_to_act": "10%", "cooldown": "60s"}, {}],
    "risk.on_breach": [None, None, {"max_order_notional": "warn"}, {"symbols": "warn", "sides": "halt"}],
    "stage": [
        None,
        None,
        None,
        {"current": "small-live"},
        {"current": "micro-live"},
        {"current": "full-live"},
        {"current": "paper"},
        {"current": "sandbox"},
    ],
    f"keys.{KEY}.purpose": [*["execution"] * 12, "hedging", "tracking"],
    f"keys.{KEY}.address_proof": [None, {"max_age": "30d"}, {"max_age": "29d"}],
    "waivers": [
        None,
        None,
        [
            {
                "rule": "PK204",
                "at": f"keys.{KEY}",
                "owner": "desk-a",
                "ticket": "OPS-1",
                "reason": "an example",
                "expires": "2027-01-01",
            }
        ],
    ],
}
#: Words that stand only beside another one.
_BESIDE: Final = {
    "risk.price_collar.reference": "risk.price_collar.max_deviation",
    "risk.price_collar.max_age": "risk.price_collar.max_deviation",
    "risk.daily_loss.on_breach": "risk.daily_loss.limit",
}
_BASE: Final = changed(dict.fromkeys(CANONICAL["risk"]) | {f"risk.{name}": None for name in CANONICAL["risk"]})


def document(said: dict[str, Any], base: Document | None = None) -> Document:
    """Make the document of some fields; what stands only beside another one goes with it."""
    values = {path: value for path, value in said.items() if value is not None}
    values = {path: v for path, v in values.items() if _BESIDE.get(path, path) in values}
    key = {"purpose": "execution", "secret": "env://MM_EXEC", "scopes": ["read", "trade.spot"]}
    bare = changed({f"keys.{KEY}": key, "clock": None, "account.max_age": None}, _BASE)
    made = changed(values, bare if base is None else base)
    if "risk.max_price_move.limit" in values:
        made["risk"]["max_price_move"]["per"] = "5m"
    for section in ("risk", "groups"):
        if not made.get(section):
            made.pop(section, None)
    return made


def loaded(said: Document) -> EffectivePolicy | None:
    """Return the effective policy of a document; None when it does not load."""
    try:
        return load_text(json.dumps(said), "p.yaml")
    except PolicyError:
        return None


def said(rng: Random) -> dict[str, Any]:
    """Return what a random policy says, field by field; about half of the fields say something."""
    sparse = rng.choice([0.25, 0.5, 0.8])
    return {
        path: rng.choice(values) if rng.random() > sparse or path in _ALWAYS else None
        for path, values in FIELDS.items()
    }


_ALWAYS: Final = ("rate_budgets.request-weight.limit", f"keys.{KEY}.purpose")


def policy(rng: Random) -> EffectivePolicy:
    """Return a random policy."""
    while True:
        made = loaded(document(said(rng)))
        if made is not None:
            return made


def pair(rng: Random) -> tuple[Document, Document]:
    """Return two documents that load, of which the second says one to four fields otherwise."""
    while True:
        old = said(rng)
        new = copy.deepcopy(old)
        for path in rng.sample(sorted(FIELDS), rng.choice([1, 1, 2, 3, 4])):
            new[path] = rng.choice(FIELDS[path])
        documents = document(old), document(new)
        if documents[0] != documents[1] and all(loaded(one) is not None for one in documents):
            return documents


# ---- facts and orders on every market


def facts(rng: Random) -> Facts:
    """Return usual facts of every market with some changed for the worse, or not quite."""
    pick = rng.choice
    age = lambda: NOW - pick([-501, -500, 0, 0, 0, 2_000, 2_001, 5_000, 9_999, 10_000, 10_001])  # noqa: E731
    price = {"BTC/USDT": 60_000, "ETH/USDT": 3_000, "DOGE/USDT": 1, "BTC/USDT:USDT": 60_000, "ETH/USDT:USDT": 3_000}
    held = lambda: pick(  # noqa: E731
        [
            Position(unit=1),
            Position(Decimal("0.1"), Decimal("0.2"), Decimal("0.05"), Decimal("0.02"), 1),
            Position(Decimal("-0.2"), Decimal("-0.1"), unit=1),
            Position(Decimal("-0.1"), Decimal("0.1"), unit=pick([0, 1])),
        ]
    )
    settings = lambda: Contract(  # noqa: E731
        leverage=pick([Decimal(3), Decimal("3.5"), Decimal(5), Decimal(0), None]),
        margin_mode=pick(["isolated", "isolated", "cross", None]),
        liquidation_price=pick([Decimal(0), None, Decimal(54_000), Decimal(53_700), Decimal(66_000)]),
        funding_rate=pick([Decimal(0), Decimal("0.001"), Decimal("0.0011"), Decimal("-0.0012"), None]),
        as_of_ms=age(),
    )
    step = pick([60_000, 60_000, 75_000])
    usual: dict[str, Any] = {
        "equity": Fact(Decimal(100_000), NOW),
        "day_base": Fact(Decimal(100_500), DAY),
        "net_transfers": Fact(Decimal(0), NOW),
        "positions": {
            key: held() for key in ("BTC", "ETH", "DOGE", *price, "BTC/USDT:USDT#long", "BTC/USDT:USDT#short")
        },
        "positions_as_of_ms": NOW,
        "marks": {symbol: Fact(Decimal(value), NOW) for symbol, value in price.items()},
        "quotes": {
            s: Quote(v * Decimal(pick(["0.98", "1"])), v * Decimal(pick(["1.001", "1.02", "1"])), NOW)
            for s, v in price.items()
        },
        "contract_sizes": {"BTC/USDT:USDT": Decimal(pick(["1", "0.001"])), "ETH/USDT:USDT": Decimal(1)},
        "contracts": {symbol: settings() for symbol in price if ":" in symbol},
        "position_mode": Setting(pick(["one_way", "hedge"]), NOW),
        "margin_ratio": Fact(Decimal(pick(["0.1", "0.75", "0.8"])), NOW),
        "moves": {
            s: tuple(
                Move(NOW - n * step, Decimal(v), v * Decimal(pick(["1", "1", "1", "1.01", "1.0101"])))
                for n in range(9, -1, -1)
            )
            for s, v in price.items()
        },
        "week_base": Fact(Decimal(100_500), DAY - 5 * DAY_MS),
        "week_transfers": Decimal(0),
        "peak": Fact(Decimal(100_900), DAY),
        "streak": Streak(),
        "partials": {},
        "address_proofs": {f"{HOST}|{KEY}": NOW},
        "skew_ms": 12,
        "groups": ("group|desk|USDT", "group|desk@sandbox|USDT", "group|desk@paper|USDT"),
    }
    worse: dict[str, Any] = {
        "equity": pick(
            [None, Fact(Decimal(100_000), age()), Fact(Decimal("97000.01"), NOW), Fact(Decimal(97_000), NOW)]
        ),
        "day_base": pick([None, Fact(Decimal(100_500), DAY - DAY_MS), Fact(Decimal(103_100), DAY)]),
        "net_transfers": pick([None, Fact(Decimal("0.01"), NOW), Fact(Decimal(-400), NOW)]),
        "positions_as_of_ms": pick([None, age()]),
        "marks": pick([{}, {s: Fact(Decimal(v), age()) for s, v in price.items()}]),
        "quotes": pick([{}, {s: Quote(Decimal(v), Decimal(v), age()) for s, v in price.items()}]),
        "contract_sizes": {},
        "contracts": {},
        "position_mode": pick([None, Setting("one_way", age())]),
        "margin_ratio": pick([None, Fact(Decimal("0.9"), age())]),
        "moves": pick([{}, {s: (Move(NOW - 120_000, Decimal(v), Decimal(v)),) for s, v in price.items()}]),
        "week_base": pick([None, Fact(Decimal(103_100), DAY - 5 * DAY_MS)]),
        "week_transfers": pick([None, Decimal("0.01")]),
        "peak": pick([None, Fact(Decimal("101010.11"), DAY)]),
        "streak": pick([None, Streak(2, NOW), Streak(1, NOW - 59_999), Streak(1, NOW - 60_000), Streak(3, DAY)]),
        "partials": pick(
            [
                None,
                {
                    "BTC/USDT": Partial(
                        NOW - pick([0, 59_999, 60_000, 3_600_000]), pick([None, Decimal("0.09"), Decimal("0.1")])
                    )
                },
            ]
        ),
        "address_proofs": pick([{}, {f"{HOST}|{KEY}": NOW - 30 * DAY_MS - pick([0, 1])}]),
        "skew_ms": pick([None, 500, -501, 501, 1_001]),
        "banned_until_ms": {"ip": pick([NOW, NOW + 1])},
        "halts": (Halt("all", pick(["HALTED", "REDUCING"]), "ops", "drill", NOW, freeze=pick([True, False])),),
        "recovered": False,
        "store_problem": ("STORE_RESET", "another epoch"),
        "streams": (("STREAM_GAP", "a gap"),),
        "unpriced": ("LUNA",),
        "foreign_orders": 2,
        "reconciled_ms": NOW - pick([0, 150_000, 150_001, 240_001]),
        "drift": (Drift("position", "BTC", Decimal(1), pick([None, Decimal(5), Decimal("5.01"), Decimal("5.02")])),),
        "groups": (),
    }
    few = rng.sample(sorted(worse), pick([0, 0, 0, 1, 1, 2]))
    return replace(Facts(), **usual | {name: worse[name] for name in few})


def order(rng: Random) -> Order:
    """Return an order or another action on any market, mostly well formed."""
    pick = rng.choice
    symbol = pick(["BTC/USDT"] * 4 + ["BTC/USDT:USDT"] * 4 + ["ETH/USDT", "ETH/USDT:USDT", "DOGE/USDT", "BTC"])
    kind = pick(["limit", "limit", "limit", "market", "stop_loss_limit"])
    near = 3_000 if symbol.startswith("ETH") else 1 if symbol.startswith("DOGE") else 60_000
    price = (
        None
        if kind == "market" or rng.random() < 0.03
        else near * Decimal(pick(["0.98", "0.9799", "1", "1.02", "1.03"]))
    )
    quantity = (
        Decimal(pick(["0.01", "0.01001", "0.02", "0.025", "0.1", "0.1", "0.5", "2", "0", "90071993"]))
        if rng.random() < 0.97
        else None
    )
    made = Order(
        symbol, pick(["buy", "buy", "sell"]) if rng.random() < 0.97 else pick([None, "hold"]), kind, quantity, price
    )
    if kind.startswith("stop") or rng.random() < 0.03:
        made.stop_price = near * Decimal(pick(["0.99", "1.01"]))
    if rng.random() < 0.6:
        made.stop_loss_price = near * Decimal(pick(["0.95", "0.99", "1", "1.05"]))
    made.time_in_force = pick([None, None, "GTC", "IOC", "FOK"])
    made.self_trade_prevention = pick([None, "expire_both", "expire_both", "expire_taker"])
    if ":" in symbol:
        made.position_side = pick([None, None, None, "long", "short"])
        made.reduce_only, made.close_position = rng.random() < 0.1, rng.random() < 0.05
    if rng.random() < 0.15:
        made.action = "order.amend"
        old = Order(symbol, made.side, kind, Decimal(pick(["0.01", "0.02", "0.1"])), pick([price, Decimal(1)]))
        for name in ("stop_price", "stop_loss_price", "time_in_force", "self_trade_prevention", "position_side"):
            setattr(old, name, getattr(made, name))
        made.amends = pick([None, old, old])
    elif rng.random() < 0.12:
        made.action = pick(["order.cancel", "orders.cancel_all", "position.close", "withdraw", "convert", "dance"])
    return made


def uses(rng: Random) -> Callable[[Hold], int]:
    """Return what is used of each counter: as much for each hold of one counter and sign."""
    kept: dict[tuple[str, bool], int] = {}

    def used(hold: Hold) -> int:
        near = [0, 1, 2, 3]
        if hold.limit < MAX_COUNTER:
            near += [hold.limit - abs(hold.amount), hold.limit - abs(hold.amount) + 1]
        if hold.kind in ("gross", "net"):
            near += [EXPOSURE_SCALE * 10_000]
        return kept.setdefault((hold.counter, hold.amount < 0), max(0, rng.choice(near)))

    return used

"""Random policies, facts and orders on the grid, near enough to every edge; the engine with a real store behind it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

from policykit.decision import Decision, Hold, Reason
from policykit.engine import Engine, compile_policy
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.facts import Fact, Facts, Position, Quote, Streak
from policykit.order import Order
from policykit.orders.ids import new_id
from policykit.orders.intent import Intent, Outcome
from policykit.policy import load_text
from policykit.proofs.export.conditions import CANCELS, DAY_MS, LOT, WEEK_MS, Key
from policykit.store import Grant, Observation
from policykit.store.memory import MemoryStore
from tests.engine import random_worlds
from tests.engine.worlds import DAY, NOW, TRAITS, changed
from tests.oracles.question import CALL, COST, HOST, KEY, Used, lots

ACCOUNT = "binance/main"
#: The start of the running week, a Monday.
WEEK = DAY - 5 * DAY_MS
#: What one unit of an asset is worth to the store: all that is held counts as a position.
UNITS = {"BTC": Decimal(60_000), "ETH": Decimal(3_000), "DOGE": Decimal("0.10")}
#: The least step of a number, and one that is beyond the grid.
LEAST = LOT
TOO_MANY = Decimal(2**40)


def policy(rng: Random) -> dict[str, Any]:
    """Return a policy document."""
    cap = lambda amounts, shares: rng.sample([rng.choice(amounts), rng.choice(shares)], rng.choice([1, 1, 2]))  # noqa: E731
    changes: dict[str, Any] = {
        "risk.symbols": rng.choice([["BTC/USDT"], ["*/USDT", "!DOGE*"], ["B*/US*", "ETH/USDT"]]),
        "risk.order_types": rng.choice([["limit"], ["limit", "market"], ["limit", "market", "stop_loss_limit"]]),
        "risk.max_order_notional": cap(["590 USDT", "1500 USDT"], ["0.59% of equity", "3% of equity"]),
        "risk.max_position_notional": {"default": cap(["6000 USDT", "20000 USDT"], ["10% of equity"])},
        "risk.max_open_orders": rng.choice([1, 4, 20]),
        "risk.max_orders.limit": rng.choice([2, 6, 30]),
        "risk.daily_loss.limit": cap(["500.01 USDT", "4000 USDT"], ["0.5% of equity", "3% of equity"]),
        "rate_budgets.request-weight.limit": rng.choice([10, 40, 6000]),
        f"keys.{KEY}": _key(rng),
    }
    if rng.random() < 0.5:
        changes["risk.max_position_notional"]["BTC/USDT"] = cap(["12345 USDT"], ["20% of equity"])
    if rng.random() < 0.5:
        changes["risk.price_collar"] = {
            "max_deviation": rng.choice(["2%", "0.5%"]),
            "max_age": rng.choice(["2s", "5s"]),
        }
    sometimes: dict[str, list[Any]] = {
        "risk.sides": [["buy"], ["sell"]],
        "risk.time_in_force": [["GTC"], ["GTC", "IOC"], ["GTC", "IOC", "FOK"]],
        "risk.self_trade_prevention": [["expire_taker", "expire_both"], ["expire_both"]],
        "risk.max_order_quantity": [{"default": "0.01"}, {"default": "1", "BTC/USDT": "0.01"}],
        "risk.max_open_orders_per_symbol": [1, 3],
        "risk.max_orders_per_symbol": [{"limit": limit, "per": "1m"} for limit in (2, 5)],
        "risk.max_messages": [{"limit": limit, "per": "1m"} for limit in (3, 8)],
        "risk.max_open_positions": [1, 2],
        "risk.max_slippage": ["0.1%", "2%"],
        "risk.weekly_loss": [{"limit": limit} for limit in ("500.01 USDT", "3% of equity")],
        "risk.max_drawdown": [{"limit": limit} for limit in ("1000 USDT", "1% of equity")],
        "risk.consecutive_losses": [{"limit": 3}, {"limit": 2, "cooldown": "1m"}],
    }
    if rng.random() < 0.15:
        changes["risk.risk_at_stop"] = cap(["10 USDT", "600 USDT"], ["0.05% of equity"])
    changes |= {name: rng.choice(values) for name, values in sometimes.items() if rng.random() < 0.3}
    if rng.random() < 0.3:
        changes["stage"] = {"current": rng.choice(["paper", "sandbox", "full-live"])}
    return changed(changes)


def _key(rng: Random) -> dict[str, Any]:
    """Return the key that orders are signed with; few are for something else."""
    purpose = "execution" if rng.random() < 0.9 else rng.choice(["tracking", "break_glass", "hedging"])
    key: dict[str, Any] = {"purpose": purpose, "secret": "env://MM_EXEC", "scopes": ["read", "trade.spot"]}
    return key | ({"address_proof": {"max_age": "30d"}} if rng.random() < 0.5 else {})


def compiled(document: dict[str, Any]) -> Engine:
    """Return the engine of a document."""
    return compile_policy(load_text(json.dumps(document)), TRAITS, KEY, HOST)


_QUANTITIES = ["0.0005", "0.00999", "0.01", "0.01001", "0.02542", "0.1", "0.16949", "0.33898", "1000", "0", "-1"]
_PRICES = ["58999.99", "59000", "59000.01", "60000", "60180.00", "60180.01", "61200", "61200.01", "0.01", "0"]


def order(rng: Random) -> Order:
    """Return an order or another action, mostly well formed."""
    kind = rng.choice(["limit", "limit", "limit", "market", "stop_loss_limit"])
    quantity = Decimal(rng.choice(_QUANTITIES[:4] if rng.random() < 0.7 else _QUANTITIES))
    price: Decimal | None = Decimal(rng.choice(_PRICES[:8] if rng.random() < 0.9 else _PRICES))
    if kind == "market" or rng.random() < 0.03:
        price = None
    stop = Decimal(rng.choice(_PRICES)) if kind.startswith("stop") or rng.random() < 0.03 else None
    symbol = rng.choice(["BTC/USDT"] * 6 + ["ETH/USDT", "DOGE/USDT", "BTC"])
    side: Any = rng.choice(["buy", "buy", "buy", "sell"]) if rng.random() < 0.97 else rng.choice([None, "hold"])
    made = Order(symbol, side, kind, quantity, price, stop_price=stop)
    if rng.random() < 0.5:
        made.stop_loss_price = Decimal(rng.choice(["57000", "58000", "58999.99", "59000", "70000", "0"]))
    if rng.random() < 0.3:
        made.time_in_force = rng.choice(["GTC", "IOC", "FOK"])
    if rng.random() < 0.7:
        made.self_trade_prevention = rng.choice(["expire_taker", "expire_both"])
    if rng.random() < 0.15:
        made.action = rng.choice(["order.cancel", "orders.cancel_all", "data.read", "withdraw", "convert", "dance"])
        made.type = CALL if made.action == "data.read" else made.type
    return made


def facts(rng: Random) -> Facts:
    """Return random facts; their numbers stand on the grid."""
    known = random_worlds.facts(rng)
    marks = {
        "ETH/USDT": Fact(Decimal(3_000), NOW),
        "DOGE/USDT": Fact(Decimal("0.10"), NOW),
        **known.marks,
    }
    book = Quote(Decimal(59_000), Decimal(rng.choice(["60060", "60060.01", "61200", "61200.01"])), NOW)
    usual: dict[str, Any] = {
        "quotes": {"BTC/USDT": book},
        "week_base": Fact(Decimal(100_500), WEEK),
        "week_transfers": Decimal(0),
        "peak": Fact(Decimal(100_900), DAY),
        "streak": Streak(),
        "address_proofs": {f"{HOST}|{KEY}": NOW},
    }
    worse: dict[str, Any] = {
        "quotes": rng.choice([{}, {"BTC/USDT": book._replace(as_of_ms=NOW - 10_001)}]),
        "week_base": rng.choice([None, Fact(Decimal(100_500), WEEK - WEEK_MS), Fact(Decimal(103_100), WEEK)]),
        "week_transfers": rng.choice([None, Decimal("0.01"), Decimal(-400)]),
        "peak": rng.choice([None, Fact(Decimal(101_000), DAY), Fact(Decimal("101010.11"), DAY)]),
        "streak": rng.choice([None, Streak(2, NOW), Streak(1, NOW - 59_999), Streak(1, NOW - 60_000), Streak(3, DAY)]),
        "address_proofs": rng.choice([{}, {f"{HOST}|other": NOW}, {f"{HOST}|{KEY}": NOW - 30 * DAY_MS - 1}]),
    }
    few = rng.sample(sorted(worse), rng.choice([0, 0, 0, 1, 1, 2]))
    return replace(known, marks=marks, unpriced=(), **usual | {name: worse[name] for name in few})


def keys(reasons: Iterable[Reason]) -> set[Key]:
    """Return check and code of reasons."""
    return {(reason.check, reason.code) for reason in reasons}


class Trader:
    """One engine, one store, and a bookkeeper who counts what was admitted; `answer` says who denied with what."""

    def __init__(self, rng: Random, engine: Engine) -> None:
        self.rng = rng
        self.engine = engine
        self.store = MemoryStore()
        self.used = Used()
        self.out: list[Intent] = []
        held = rng.choice(["0", "0.1", "0.33898"])
        self.store.observe(ACCOUNT, Observation(NOW, NOW, positions={"BTC": Decimal(held)}, units=UNITS), NOW)
        self.used.position["BTC"] = lots(Decimal(held))

    def positions(self) -> dict[str, Position]:
        """Return the positions as the bookkeeper counts them."""
        used = self.used
        return {
            base: Position(LOT * used.position[base], LOT * used.position[base], LOT * used.open_buys[base], unit=1)
            for base in ("BTC", "ETH", "DOGE")
        }

    def facts(self) -> Facts:
        """Return random facts with the positions as they are."""
        return replace(facts(self.rng), positions=self.positions())

    def answer(self, known: Facts, asked: Order) -> set[Key]:
        """Return check and code of every refusal; an order that is admitted is counted, and may end or get lost."""
        found = self.engine.assess(known, asked, NOW)
        if found.reasons:
            return keys(found.reasons)
        intent = self._intent(asked, found.holds) if asked.action == "order.create" else None
        decision = Decision(new_id(), "allow", "enforce", asked.action, asked, "mm", "sha256:0", "bot", NOW)
        grant = (
            self.store.use(found.holds, NOW)
            if intent is None
            else self.store.reserve(decision, intent, found.holds, known.generation, NOW)
        )
        if grant.granted:
            self.used.weight += COST.get(asked.action, 1)
            self.used.cancels += asked.action in CANCELS
            if intent is not None:
                self._count(intent)
        return self._refusals(self.engine, known, asked, found.holds, grant)

    def would_answer(self, engine: Engine, known: Facts, asked: Order) -> set[Key]:
        """Return what another engine would answer now; nothing is counted."""
        found = engine.assess(known, asked, NOW)
        grant = self.store._current().fits(ACCOUNT, None, found.holds, known.generation, NOW)
        return keys(found.reasons) or self._refusals(engine, known, asked, found.holds, grant)

    def _refusals(self, engine: Engine, known: Facts, asked: Order, holds: tuple[Hold, ...], grant: Grant) -> set[Key]:
        case = Case(engine.setup, known, asked, NOW)
        by_id = {check.id: check for check in engine.checks}
        return keys(by_id[holds[i].check].explain(case, holds[i], grant.used[i]) for i in grant.failed)

    def _intent(self, asked: Order, holds: tuple[Hold, ...]) -> Intent:
        name = new_id()
        return Intent(name, ACCOUNT, asked, f"pk{name}", "order", holds, False, "bot", "host", 1, NOW, NOW + 250, 5_000)

    def _count(self, intent: Intent) -> None:
        asked, used = intent.order, self.used
        assert asked.quantity is not None
        used.orders[asked.symbol] += 1
        used.open_orders[asked.symbol] += 1
        base, quantity = asked.symbol.partition("/")[0], lots(asked.quantity)
        out = used.open_buys if asked.side == "buy" else used.open_sells
        out[base] += quantity
        end = self.rng.choice(["open", "open", "cancelled", "filled", "unknown"])
        if end == "unknown" and asked.side == "buy":
            self.store.outcome(intent.id, Outcome("unknown", NOW))
            used.unknown[(asked.symbol, "buy")] += 1
        elif end == "cancelled" or (end == "filled" and asked.side == "buy"):
            filled = asked.quantity if end == "filled" else Decimal(0)
            self.store.outcome(intent.id, Outcome("acknowledged", NOW, filled=filled, closed=True))
            used.open_orders[asked.symbol] -= 1
            out[base] -= quantity
            used.position[base] += lots(filled)


def without(engine: Engine, check: str) -> Engine:
    """Return the engine with one check left out: its limit is neither judged nor held."""

    class Blind(Check):
        id, codes, rank = check, ("X",), 0

    kept = tuple(each if each.id != check else Blind(engine.setup) for each in engine.checks)
    return Engine(engine.setup, kept)

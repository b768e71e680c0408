"""The same order decided by each peer, beside ours, in one process: prints the seconds of each round as JSON.

Run by bench/peers.py with the peers' packages at the end of the path. Every peer must allow the order and deny one of
ten times the size, or it is not measured. What each does is said beside it: most only check, and reserve nothing.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench._harness import interleave
from bench.engine import FACTS, NOW, POLICY, hand
from bench.guard import FILLED, ROOMY, Quiet
from policykit.engine import compile_policy
from policykit.guard import Guard, enforce
from policykit.order import Order
from policykit.policy import load_text
from policykit.store.windows import RollingWindow
from policykit.traits import load

Ask = Callable[[dict[str, Any]], bool]
#: The order of bench/engine.py, with what is used and known, as peers take it.
ASKED: dict[str, Any] = {
    "symbol": "BTC/USDT",
    "side": "buy",
    "type": "limit",
    "quantity": 0.01,
    "price": 59_000.0,
    "position": 0.1,
    "open": 3,
    "orders": 10,
    "weight": 100,
    "age": 3_000,
}
LARGE = {**ASKED, "quantity": 0.1}
#: The twelve conditions of `hand`, in the words that CEL, casbin and Python share; `{}` is put before each field.
CONDITIONS = (
    '{0}symbol in ["BTC/USDT", "ETH/USDT"]',
    '{0}side in ["buy", "sell"]',
    '{0}type in ["limit", "market"]',
    "{0}quantity > 0.0",
    "{0}price > 0.0",
    "{0}age <= 10000",
    "{0}quantity * {0}price <= 1500.0",
    "({0}position + {0}quantity) * {0}price <= 20000.0",
    "500.0 < 3015.0",
    "{0}open < 20",
    "{0}orders < 30",
    "{0}weight + 1 <= 4200",
)


def pydantic_python() -> Ask:
    """Validate the order with pydantic, then run the chain."""
    from typing import Literal

    from pydantic import BaseModel, Field

    class Asked(BaseModel):
        symbol: str
        side: Literal["buy", "sell"]
        type: Literal["limit", "market"]
        quantity: float = Field(gt=0)
        price: float = Field(gt=0)
        position: float
        open: int
        orders: int
        weight: int
        age: int

    def ask(asked: dict[str, Any]) -> bool:
        o = Asked.model_validate(asked)
        plain = (o.symbol, o.side, o.type, o.quantity, o.price)
        return hand(plain, o.position, (o.open, o.orders, o.weight), o.age) is None

    return ask


def cel() -> Ask:
    """Evaluate one compiled expression of Google's C++ library."""
    from cel_expr_python import cel

    types = {str: cel.Type.STRING, float: cel.Type.DOUBLE, int: cel.Type.INT}
    variables = {name.replace("type", "kind"): types[type(value)] for name, value in ASKED.items()}
    text = " && ".join(condition.format("") for condition in CONDITIONS).replace("type", "kind")
    program = cel.NewEnv(variables=variables).compile(text)

    def ask(asked: dict[str, Any]) -> bool:
        data = {**asked, "kind": asked["type"]}
        del data["type"]
        return bool(program.eval(data=data).plain_value())

    return ask


def cedar() -> Ask:
    """Authorize with Amazon's Rust library: one `forbid` a check, parsed beforehand; it has integers only."""
    import cedarpy

    def words(name: str, *all_of: str) -> str:
        return f"{json.dumps(all_of)}.contains(context.{name})"

    conditions = (
        *(words("symbol", "BTC/USDT", "ETH/USDT"), words("side", "buy", "sell"), words("type", "limit", "market")),
        *("context.quantity > 0", "context.price > 0", "context.age <= 10000"),
        "context.quantity * context.price <= 15000000000",
        "(context.position + context.quantity) * context.price <= 200000000000",
        *("500 < 3015", "context.open < 20", "context.orders < 30", "context.weight + 1 <= 4200"),
    )
    forbids = "".join(f"forbid(principal, action, resource) unless {{ {c} }};" for c in conditions)
    policies = cedarpy.PolicySet.from_str(f"permit(principal, action, resource);{forbids}")
    entities = cedarpy.Entities.from_json_str("[]")

    def ask(asked: dict[str, Any]) -> bool:
        whole = {"quantity": 10**5, "price": 10**2, "position": 10**5}
        context = {name: round(value * whole[name]) if name in whole else value for name, value in asked.items()}
        request = {"principal": 'Bot::"a"', "action": 'Action::"order"', "resource": 'Account::"b"', "context": context}
        return bool(cedarpy.is_authorized(request, policies, entities).allowed)

    return ask


def casbin() -> Ask:
    """Enforce one attribute-based policy of pycasbin."""
    import logging

    from casbin import Enforcer

    logging.disable(logging.INFO)
    folder = Path(tempfile.mkdtemp())
    matcher = " && ".join(condition.format("r.o.") for condition in CONDITIONS)
    for field, words in (("symbol", "BTC/USDT ETH/USDT"), ("side", "buy sell"), ("type", "limit market")):
        either = " || ".join(f'r.o.{field} == "{word}"' for word in words.split())
        matcher = matcher.replace(f"r.o.{field} in {json.dumps(words.split())}", f"({either})")
    head = "[request_definition]\nr = o\n[policy_definition]\np = any\n[policy_effect]\n"
    model = f"{head}e = some(where (p.eft == allow))\n[matchers]\nm = {matcher}\n"
    (folder / "model.conf").write_text(model)
    (folder / "policy.csv").write_text("p, x\n")
    enforcer = Enforcer(str(folder / "model.conf"), str(folder / "policy.csv"))

    class Asked:
        def __init__(self, fields: dict[str, Any]) -> None:
            self.__dict__ = fields

    return lambda asked: bool(enforcer.enforce(Asked(asked)))


def nautilus() -> Ask:
    """Build an order and pass it through Nautilus Trader's RiskEngine: notional, balance, rate."""
    from nautilus_trader.common.component import MessageBus, TestClock
    from nautilus_trader.common.factories import OrderFactory
    from nautilus_trader.config import RiskEngineConfig
    from nautilus_trader.core.uuid import UUID4
    from nautilus_trader.execution.messages import SubmitOrder
    from nautilus_trader.model.enums import OrderSide
    from nautilus_trader.model.objects import Price, Quantity
    from nautilus_trader.portfolio.portfolio import Portfolio
    from nautilus_trader.risk.engine import RiskEngine
    from nautilus_trader.test_kit.providers import TestInstrumentProvider
    from nautilus_trader.test_kit.stubs.component import TestComponentStubs
    from nautilus_trader.test_kit.stubs.data import TestDataStubs
    from nautilus_trader.test_kit.stubs.events import TestEventStubs
    from nautilus_trader.test_kit.stubs.identifiers import TestIdStubs

    clock, trader = TestClock(), TestIdStubs.trader_id()
    bus, cache = MessageBus(trader_id=trader, clock=clock), TestComponentStubs.cache()
    portfolio = Portfolio(msgbus=bus, cache=cache, clock=clock)
    instrument = TestInstrumentProvider.default_fx_ccy("AUD/USD")
    config = RiskEngineConfig(max_order_submit_rate="100/00:00:01", max_notional_per_order={"AUD/USD.SIM": 100_000})
    engine = RiskEngine(portfolio=portfolio, msgbus=bus, cache=cache, clock=clock, config=config)
    sent: list[object] = []
    bus.register(endpoint="ExecEngine.execute", handler=sent.append)
    bus.register(endpoint="ExecEngine.process", handler=lambda event: None)
    portfolio.update_account(TestEventStubs.cash_account_state())
    cache.add_instrument(instrument)
    cache.add_quote_tick(TestDataStubs.quote_tick(instrument))
    orders = OrderFactory(trader_id=trader, strategy_id=TestIdStubs.strategy_id(), clock=clock)
    price, now = Price.from_str("0.80000"), 0

    def ask(asked: dict[str, Any]) -> bool:
        nonlocal now
        now += 20_000_000
        clock.set_time(now)
        sent.clear()
        order = orders.limit(
            instrument.id, OrderSide.BUY, Quantity.from_int(int(asked["quantity"] * 10_000_000)), price
        )
        engine.execute(
            SubmitOrder(
                trader_id=trader,
                strategy_id=order.strategy_id,
                position_id=None,
                order=order,
                command_id=UUID4(),
                ts_init=now,
            )
        )
        return bool(sent)

    return ask


def openpit() -> Ask:
    """Build an order, check its size and commit the reservation in OpenPit's Rust core."""
    import openpit as pit
    from openpit.param import AccountId, Price, Quantity, Side, TradeAmount, Volume
    from openpit.pretrade.policies import OrderSizeBrokerBarrier, OrderSizeLimit, build_order_size_limit

    most = OrderSizeLimit(max_quantity=Quantity("5"), max_notional=Volume("1500"))
    barrier = build_order_size_limit().broker_barrier(OrderSizeBrokerBarrier(limit=most))
    engine = pit.Engine.builder().no_sync().builtin(barrier).build()
    instrument, account = pit.Instrument("BTC", "USDT"), AccountId.from_int(1)

    def ask(asked: dict[str, Any]) -> bool:
        operation = pit.OrderOperation(
            instrument=instrument,
            account_id=account,
            side=Side.BUY,
            trade_amount=TradeAmount.quantity(str(asked["quantity"])),
            price=Price(str(asked["price"])),
        )
        result = engine.execute_pre_trade(order=pit.Order(operation=operation))
        if result.ok:
            result.reservation.commit()
        return bool(result.ok)

    return ask


def ours(guard: Guard) -> Ask:
    """Ask `@enforce`: every check, the reservation, and the journal's row."""
    count = 0

    @enforce("order.create", guard=guard)
    def buy(symbol: str, side: str, amount: float, price: float) -> dict[str, str]:
        return FILLED

    def ask(asked: dict[str, Any]) -> bool:
        nonlocal count
        if count % 200 == 0:
            money = {"equity": "100000 USDT", "net_transfers": "0 USDT"}
            guard.observe(**money, positions={"BTC/USDT": "0.1"}, marks={"BTC/USDT": "60000"}, skew_ms=12)  # type: ignore[arg-type]
        count += 1
        try:
            buy(asked["symbol"], asked["side"], asked["quantity"], asked["price"])
        except Exception as error:
            if type(error).__name__ != "Denied":
                raise
            return False
        return True

    return ask


def windows() -> dict[str, Callable[[], object]]:
    """Return one use of a rolling window of a minute, by ours and by two libraries, none of them ever full."""
    import time

    import pyrate_limiter
    from limits import parse
    from limits.storage import MemoryStorage
    from limits.strategies import MovingWindowRateLimiter

    window = RollingWindow(60_000)

    def ours() -> bool:
        now = time.time_ns() // 1_000_000
        if window.used(now) + 1 > 10**9:
            return False
        window.add(1, now)
        return True

    limiter, minute = MovingWindowRateLimiter(MemoryStorage()), parse("1000000000/minute")
    bucket = pyrate_limiter.InMemoryBucket([pyrate_limiter.Rate(10**9, pyrate_limiter.Duration.MINUTE)])
    pyrate = pyrate_limiter.Limiter(bucket)
    return {
        "window": ours,
        "limits": lambda: limiter.hit(minute, "bot"),
        "pyrate-limiter": lambda: pyrate.try_acquire("bot", blocking=False),
    }


def peers() -> dict[str, Ask]:
    """Return each peer that answers rightly; one that does not stops the bench."""
    made = {
        "pydantic": pydantic_python(),
        "CEL": cel(),
        "cedarpy": cedar(),
        "casbin": casbin(),
        "Nautilus Trader": nautilus(),
        "OpenPit": openpit(),
    }
    for name, ask in made.items():
        if not ask(ASKED) or ask(LARGE):
            raise RuntimeError(f"bench: {name} must allow the order and deny the large one")
    return made


def main() -> None:
    """Measure all, and print seconds by round as JSON."""
    engine = compile_policy(load_text(json.dumps(POLICY)), load("binance"))
    order = Order("BTC/USDT", "buy", "limit", Decimal("0.01"), Decimal(59_000))
    plain = ("BTC/USDT", "buy", "limit", 0.01, 59_000.0)
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.yaml"
        policy.write_text(json.dumps(ROOMY))
        whole = ours(Guard.load(policy, store=Quiet(), testing=True))
        if not whole(ASKED) or whole(LARGE):
            raise RuntimeError("bench: we must allow the order and deny the large one")
        candidates: dict[str, Callable[[], object]] = {
            "hand": lambda: hand(plain, 0.1, (3, 10, 100), 3_000),
            "ours": lambda: whole(ASKED),
            "assess": lambda: engine.assess(FACTS, order, NOW),
        }
        for name, ask in peers().items():
            candidates[name] = lambda ask=ask: ask(ASKED)  # type: ignore[misc]
        figures = interleave({**candidates, **windows()})
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()

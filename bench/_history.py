"""A long journal as a bot makes it, written by the guard and the store: `python -m bench._history ROWS FILE`.

The proportions are those of a market maker behind a guard: facts every other second, a read of a budget now and then,
orders that are acknowledged and then filled, cancelled or left open for a while, and about every twelfth is denied.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import tempfile
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from policykit.decision import Hold
from policykit.errors import Denied
from policykit.guard import Guard
from policykit.guard.admission import Admitted
from policykit.order import Order
from policykit.orders.intent import Outcome
from policykit.sim import SimClock
from policykit.store.sqlite import SqliteStore

POLICY = """\
policykit: 1
name: mm
owner: desk-a
exchange: binance
account: {{name: main, currency: USDT, max_age: 10s}}
environment: live
keys:
  mm-exec: {{purpose: execution, secret: "env://MM", scopes: [read, trade.spot]}}
clock: {{max_skew: 500ms, request_validity: 5s}}
rate_budgets:
  request-weight: {{limit: 6000, per: 1m, window: fixed, shared_by: ip, use_at_most: 80%, keep_for_exits: 10%}}
  orders: {{limit: 50, per: 10s, window: fixed, shared_by: account, use_at_most: 80%, keep_for_exits: 10%}}
risk:
  symbols: ["BTC/USDT", "ETH/USDT"]
  order_types: [limit]
  max_order_notional: {order}
  max_position_notional: {position}
  max_gross_exposure: 40% of equity
  max_open_orders: 20
  max_orders: {{limit: {orders}, per: 1m}}
  price_collar: {{max_deviation: 2%, reference: mark, max_age: 5s}}
  daily_loss: {{limit: 3% of equity, day_starts: "00:00 UTC", on_breach: reduce_only}}
"""
OLD = POLICY.format(order="1500 USDT", position="20% of equity", orders=60)
#: One order cap is looser, one window tighter.
NEW = POLICY.format(order="2500 USDT", position="20% of equity", orders=40)
PRICES = {"BTC/USDT": 60_000, "ETH/USDT": 3_000}
SIZES = (300, 600, 900, 1_200, 1_450, 1_450, 600, 300, 900, 600, 1_200, 2_000)
WEIGHT = Hold("binance@default|request-weight|60000|fixed", 5, 4_800, "window", "rate_budgets", 60_000, True)


def made(path: Path, rows: int, seed: int = 1) -> None:
    """Write a journal of about so many rows."""
    store, clock, chance = SqliteStore(path), SimClock(), random.Random(seed)
    store._ready().execute("PRAGMA synchronous=OFF")  # what is measured is reading
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "mm.yaml"
        policy.write_text(OLD, encoding="utf-8")
        guard = Guard.load(policy, store=store, clock=clock, testing=True)
    guard.recovered = True
    out: list[Admitted] = []
    number = 0
    while store._ledger.seq < rows:
        number += 1
        clock.advance(chance.choice((0.3, 0.5, 0.9, 1.6)))
        if number % 2 == 0:
            marks = {s: str(p * Decimal(chance.randrange(9_980, 10_020)) / 10_000) for s, p in PRICES.items()}
            held: dict[str, Any] = {"positions": {"BTC": "0.02", "ETH": "0.3"}} if number % 4 == 0 else {}
            guard.observe(equity="100000 USDT", net_transfers="0 USDT", marks=marks, skew_ms=3, **held)
            store.use((WEIGHT,), clock.now_ms())
        order(guard, chance, out)
        while len(out) > chance.choice((2, 4, 8, 8)):
            end(guard, chance, out.pop(0))
    store.close()


def order(guard: Guard, chance: random.Random, out: list[Admitted]) -> None:
    """Ask for an order, and let it be acknowledged."""
    symbol = chance.choice(tuple(PRICES))
    price = (Decimal(PRICES[symbol]) * Decimal(chance.randrange(9_960, 10_040)) / 10_000).quantize(Decimal("0.01"))
    quantity = (Decimal(chance.choice(SIZES)) / price).quantize(Decimal("0.00001"))
    with suppress(Denied):
        admitted = guard.decide(Order(symbol, chance.choice(("buy", "sell")), "limit", quantity, price))
        guard.settle(admitted, Outcome("acknowledged", guard.now(), str(guard.now()), signed_ms=guard.now()))
        out.append(admitted)


def end(guard: Guard, chance: random.Random, admitted: Admitted) -> None:
    """Let an order fill, or cancel it."""
    assert admitted.intent is not None
    asked, filled = admitted.intent.order, Decimal(0)
    if chance.random() < 0.4 and asked.quantity is not None:
        filled = asked.quantity
    else:
        cancel = Order(asked.symbol, action="order.cancel")
        guard.release(guard.decide(cancel))
    cost = None if asked.price is None else filled * asked.price
    guard.settle(admitted, Outcome("settled", guard.now(), None, filled, closed=True, cost=cost))
    guard.release(admitted)


if __name__ == "__main__":
    made(Path(sys.argv[2]), int(sys.argv[1]))
    print(sqlite3.connect(sys.argv[2]).execute("SELECT kind, count(*) FROM journal GROUP BY kind").fetchall())

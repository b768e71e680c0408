"""What the tests of the guard and the stories stand on: a policy, a simulated exchange over HTTP, guards on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from policykit.guard import Guard
from policykit.testing import Sim, SimClock

SYMBOL = "BTC/USDT"
#: The price that the simulated market is pinned to, so that no order fills by chance.
PRICE = Decimal(60_000)

POLICY = """\
policykit: 1
name: {name}
owner: desk-a
exchange: binance
account: {{name: {account}, currency: USDT, max_age: 10s, egress: fra-1}}
environment: live
keys:
  mm-exec: {{purpose: execution, secret: "env://MM_EXEC", scopes: [read, trade.spot]}}
clock: {{max_skew: 500ms, request_validity: 5s}}
rate_budgets:
  request-weight: {{limit: {weight}, per: 1m, window: fixed, shared_by: ip, use_at_most: 80%, keep_for_exits: 10%}}
risk:
  symbols: ["BTC/USDT", "ETH/USDT"]
  order_types: [limit, market]
  max_order_notional: {order}
  max_position_notional: {position}
  max_open_orders: {open}
  max_orders: {{limit: {orders}, per: 1m}}
  daily_loss: {{limit: 3% of equity, day_starts: "00:00 UTC", on_breach: {breach}}}
retry:
  orders: {{lookup_every: 2s, when_absent: {absent}, attempts: 2, expires_after: 30s}}
kill_switch: {{cancel: entries, wait: 1s, rearm: {{by: [desk-head], reason_required: true}}}}
"""
#: What a policy says unless a test says otherwise.
USUAL = {
    "name": "mm",
    "account": "main",
    "weight": 6000,
    "order": "1500 USDT",
    "position": "10% of equity",
    "open": 20,
    "orders": 1000,
    "breach": "reduce_only",
    "absent": "new_client_order_id",
}


def policy_text(**changes: object) -> str:
    """Return a policy; `changes` replace the usual values."""
    return POLICY.format(**(USUAL | changes))


@dataclass
class World:
    """A simulated exchange, and guards of one policy on one store."""

    sim: Sim
    clock: Any
    policy: Path
    store: str

    def guard(self, *, store: Any = None, ready: bool = True, **more: Any) -> Guard:
        """Load a guard as a bot does; `ready`: after one round of maintenance, so that it knows its facts."""
        guard = Guard.load(self.policy, store=store or self.store, clock=self.clock, testing=True, **more)
        guard.endpoint = self.sim.url
        if ready:
            guard.maintain(self.sim.client())
        return guard

    def protected(self, guard: Guard | None = None, **config: Any) -> Any:
        """Make a stock sync client behind a guard."""
        return (guard or self.guard()).protect(self.sim.client(**config))

    @property
    def sent(self) -> list[tuple[str, Decimal]]:
        """Return side and quantity of every order that the exchange accepted."""
        return [(order.side, order.quantity) for order in self.sim.truth.executed]


@contextmanager
def world(
    tmp_path: Path, *faults: dict[str, Any], text: str | None = None, clock: Any = None, **setup: Any
) -> Iterator[World]:
    """Start an exchange with faults, its price pinned, its key in the environment."""
    path = tmp_path / "mm.yaml"
    path.write_text(policy_text() if text is None else text, encoding="utf-8")
    clock = clock or SimClock()
    kept = {name: os.environ.get(name) for name in ("MM_EXEC_API_KEY", "MM_EXEC_API_SECRET")}
    with Sim(clock=clock, faults=faults, **{"seed": 1, **setup}) as sim:
        sim.pin(SYMBOL, PRICE)
        os.environ.update(MM_EXEC_API_KEY=sim.key, MM_EXEC_API_SECRET=sim.secret)
        try:
            yield World(sim, clock, path, f"sqlite:///{tmp_path}/store.db")
        finally:
            for name, value in kept.items():
                os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


def kinds(guard: Guard) -> list[str]:
    """Return the kinds of the journal's rows that are about orders, in order."""
    told = []
    for row in guard.store.rows(0, 100_000):
        if row.kind == "decision" and row.body["decision"]["action"] == "stream.connect":
            continue
        if row.kind == "decision":
            told.append(f"decision {row.body['decision']['outcome']}")
        elif row.kind == "outcome":
            told.append(row.body["state"])
        elif row.kind not in ("use", "observe", "policy", "stream"):
            told.append(row.kind)
    return told
